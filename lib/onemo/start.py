# SPDX-License-Identifier: MIT
#
# From a module of which nothing is known to one that can be worked with: found, identified, asked
# what its name does not tell. Loaded for that, and let go of.

from . import _port
from ._port import const
from .at_channel import DONE, LINE, REPLY_MS, RESYNC_MS
from .at_syntax import BAUD_MAX, BAUD_MIN, check_range
from .errors import CommandError, Timeout
from .model import Model

TYPE_CHECKING = const(0)  # for type checkers, who take it for true
if TYPE_CHECKING:
    from typing import Any

# Series that differ in nothing from class Model: whoever names one of these needs no table.
_PLAIN = const("ML307R ML307A ML307G ML302A ML305A")
_SET_BAUD_MS = const(15000)
_AWAKE_MS = const(1000)  # after its last answer no module sleeps so soon


class Methods:
    """Part of BaseModem, loaded when it is called."""

    if TYPE_CHECKING:  # what BaseModem has
        channel: Any
        reopen: Any
        run_operation: Any
        capabilities: Any
        model: Any

    def set_model(self, response: "str | bytes") -> None:
        """Select the model from its name, or from an answer to AT+CGMM."""
        model = plain(response) if isinstance(response, str) else None
        if model is None:
            from .models import identify

            _, model = identify(response)
        _port.unload("start", "models")
        self.capabilities = model
        self.model = model.series

    def start(self, timeout_ms: int = RESYNC_MS, *, baud: "int | None" = None) -> None:
        """Find the module in whatever state it is, switch its echo off and numbered errors on
        (ATE0, AT+CMEE=1), and identify it (AT+CGMM, AT+CGMR, ATI): `model`, `firmware`,
        `model_info`. One that the library does not know is asked what it can do. Models that are
        delivered to sleep are kept awake, unless `keep_awake` is False.

        With Modem(reopen=...) a module at 9600, 115200, 460800 or 921600 bit/s is found, and
        `baud` brings it to another speed, as `set_baud` does; a speed that it does not take is
        told as a "baud" event. Without `baud` module and UART stay at the speed that was found.

        Called again it leaves connections alone, unless the module shows that it rebooted, and
        settings are sent again before they are next used.

        Timeout if it does not answer within `timeout_ms` milliseconds; Unsupported for a module of
        another brand, or of the first generation; ProtocolError if it says something else each
        time that it is asked; ValueError for a `baud` without `reopen`."""
        if baud is not None:
            check_range(baud, "baud", BAUD_MIN, BAUD_MAX)
            if not self.reopen and baud != self.channel.baud:
                raise ValueError(
                    "baud is %d, but the UART runs at %d and cannot be opened anew: pass "
                    "Modem(reopen=...), see uart.reopen" % (baud, self.channel.baud)
                )
        _port.unload("start")
        return self.run_operation(start_op(self, timeout_ms, baud), False)


def plain(name):
    """The Model for a series or sub-model by name if the table has nothing to say about it that
    the class does not; else None."""
    series = name.upper().split("-")[0]
    return Model(series, series, {}) if series in _PLAIN.split(" ") else None


def start_op(modem, timeout_ms, baud):
    """Get in step with a module of which nothing is known, and identify it: see
    BaseModem.start."""
    ch = modem.channel
    end = _port.ticks_add(_port.ticks_ms(), timeout_ms)
    ch.forget()
    if modem.reopen:
        from .baud import find_op

        yield from find_op(modem, timeout_ms)
        if baud and baud != ch.baud:
            yield from _set_baud_op(modem, baud, end)
        _port.unload("baud")
    else:
        yield from modem.resync_op(timeout_ms)
    if modem.capabilities is None:
        try:
            _port.load("at_retry", "models")
            from .model_find import identify_op

            yield from identify_op(modem, end)
        finally:  # also where there was no memory for one
            _port.unload("model_find", "models", "at_resync", "at_retry")
    if not modem.capabilities.certain:
        from .model_probe import probe_op

        yield from probe_op(modem, end)
        _port.unload("model_probe")
    yield from settings_op(modem)
    ch.set_result(None)


def _set_baud_op(modem, baud, end):
    # A speed that does not work is told: at the one that was found all else does.
    from .baud import set_baud_op

    ch = modem.channel
    try:
        left_ms = max(_SET_BAUD_MS, _port.ticks_diff(end, _port.ticks_ms()))
        yield from set_baud_op(modem, baud, modem.reopen, left_ms)
    except (CommandError, Timeout) as error:
        if not ch.ready():
            raise
        modem.tell("baud", "the module stays at %d bit/s: %s" % (ch.baud, error))


def settings_op(modem):
    """Operation: what each boot of the module undoes, once an epoch: flow control as the UART has
    it, and awake where its kind is delivered to sleep. What it refuses is told."""
    if modem.settings_epoch == modem.epoch:
        return
    ch = modem.channel
    model = modem.capabilities
    if modem.rts or modem.cts:
        ch.command(b"+IFC=").number(2 * modem.rts).number(2 * modem.cts).send(REPLY_MS)
        try:
            while ch.poll() != DONE:
                yield
        except CommandError as error:
            modem.tell(
                "flow",
                "the module takes no hardware flow control (%s), though the UART has RTS or CTS: "
                "at a high speed bytes may be lost" % error,
            )
    awake = modem.keep_awake
    if awake or (awake is None and (model.sleeps or model.sleep_permanent)):
        yield from keep_awake_op(modem)
    elif awake is None and ch.sleep_ms is None:
        yield from _note_sleep_op(modem)
    modem.settings_epoch = modem.epoch
    if not ch.ready():  # a plain ERROR may have been a damaged line's answer
        yield from modem.resync_op()


def keep_awake_op(modem):
    """Operation: AT+MLPMCFG="sleepmode",0, where the module has that and is not at 0 already. For
    this boot, but on a model that takes it for good only."""
    ch = modem.channel
    model = modem.capabilities
    for attempt in range(2):
        mode = None
        try:
            mode = yield from _sleep_mode_op(ch)
            if mode == 0:
                return
            if attempt:
                break
            ch.command(b"+MLPMCFG=").quote("sleepmode").number(0)
            if model.sleep_permanent:
                ch.number(1)
            ch.send(REPLY_MS)
            while ch.poll() != DONE:
                yield
        except CommandError:
            break
    if model.known or mode:
        modem.tell(
            "sleep",
            "the module's sleepmode stays at %s (AT+MLPMCFG): it may fall asleep, and the first "
            "bytes of a command be lost" % mode,
        )


def _sleep_mode_op(ch):
    # The module's sleepmode; None where it does not say.
    mode = None
    ch.command(b"+MLPMCFG=").quote("sleepmode").send(REPLY_MS, b"+MLPMCFG:")
    while (event := ch.poll()) != DONE:
        if event == LINE:
            mode = ch.value(1)
        else:
            yield
    return mode


def _note_sleep_op(modem):
    # One whose kind does not sleep may have been told to, for good, by another host's program: it
    # stays so, and is woken before a command.
    ch = modem.channel
    try:
        mode = yield from _sleep_mode_op(ch)
    except CommandError:
        return
    if mode:
        ch.set_sleep(_AWAKE_MS)
        modem.tell(
            "sleep",
            "the module may fall asleep (its sleepmode is %d, AT+MLPMCFG): it is woken before a "
            "command; sleep_mode(False) keeps it awake" % mode,
        )

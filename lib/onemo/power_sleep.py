# SPDX-License-Identifier: MIT
#
# A module that may sleep (AT+MLPMCFG; vendor's extended AT manual 4.10): switched on and off, and
# woken before a command. The bytes that wake its UART are lost, so that nothing but `AT` may be
# among them.

from ._port import const, unload
from .at_channel import DONE, LINE, REPLY_MS
from .at_syntax import check_range
from .errors import CommandError, ModemError, Timeout, Unsupported, VerifyError

TYPE_CHECKING = const(0)  # for type checkers, who take it for true
if TYPE_CHECKING:
    from typing import Any

_MODES = (2, 1)  # of "sleepmode" that sleep; which one it is depends on the model
_REFUSED = (50, 4, None)
_WAKE_MS = const(300)
_CALLS_MAX = const(5)
_AWAKE_MS = const(1000)  # after its last answer no module sleeps so soon


class Methods:
    """Part of BaseModem, loaded when it is called."""

    if TYPE_CHECKING:  # what BaseModem has
        run_operation: Any

    def sleep_mode(self, enabled: bool, *, delay_s: "int | None" = None, permanent: bool = False):
        """Let the module sleep while nothing goes on, or keep it awake (AT+MLPMCFG; vendor's
        extended AT manual 4.10). From then on it is woken before a command: by its DTR pin if
        `modem.power` has one, else by `AT` until it answers. Connections stay.

        `delay_s`: seconds until it sleeps, 0 to 300; None: as the module has it. `permanent`: over
        a reboot of the module as well.

        Unsupported if the model or firmware has no such setting; VerifyError, CommandError,
        Timeout, ModemReset."""
        unload("power_sleep")
        return self.run_operation(sleep_mode_op(self, enabled, delay_s, permanent))


def sleep_mode_op(modem, enabled, delay_s, permanent):
    """Let the module sleep, or not: see BaseModem.sleep_mode. ValueError or TypeError at once."""
    if delay_s is not None:
        check_range(delay_s, "delay_s", 0, 300)
    return _sleep_mode_op(modem, enabled, delay_s, permanent)


def _sleep_mode_op(modem, enabled, delay_s, permanent):
    ch = modem.channel
    if (
        enabled
        and delay_s is not None
        and not (yield from _set_op(ch, b"delaysleep", delay_s, permanent))
    ):
        raise Unsupported('%s has no AT+MLPMCFG="delaysleep"' % modem.require_model())
    for value in _MODES if enabled else (0,):
        if (yield from _set_op(ch, b"sleepmode", value, permanent)):
            break
    else:
        raise Unsupported('%s does not take AT+MLPMCFG="sleepmode"' % modem.require_model())
    ch.set_sleep(max(_AWAKE_MS, delay_s * 500 if delay_s else 0) if enabled else None)
    modem.keep_awake = not enabled  # after each boot, see start.py
    ch.set_result(None)


def _set_op(ch, name, value, permanent):
    # Returns False where the module refuses it.
    ch.command(b"+MLPMCFG=").quote(name).number(value)
    if permanent:
        ch.number(1)
    ch.send(REPLY_MS)
    try:
        while ch.poll() != DONE:
            yield
    except CommandError as error:
        if error.code not in _REFUSED:
            raise
        return False
    kept = None
    ch.command(b"+MLPMCFG=").quote(name).send(REPLY_MS, b"+MLPMCFG:")
    while (event := ch.poll()) != DONE:
        if event == LINE:
            kept = ch.value(1)
        else:
            yield
    if kept != value:
        raise VerifyError("the module keeps %s at %s, not at %d" % (name.decode(), kept, value))
    return True


def wake_op(modem):
    """Operation: wake the module, by its DTR pin or by `AT`. True if it answers then, as the same
    that it was before; else a recovery follows, whose queries go on until it answers."""
    ch = modem.channel
    if ch.payload_remaining:
        return False  # it would be taken for data
    in_step = not (ch.out_of_sync or ch.rebooted)
    level = None
    try:
        if modem.power and modem.power.has("dtr"):
            yield from modem.power.wake_op(ch)
        else:
            yield from _call_op(ch)
        # Answers to all that was sent before come before its information line.
        ch.command(b"+CMEE?").send(REPLY_MS, b"+CMEE:", require_info=True)
        while (event := ch.poll()) != DONE:
            if event == LINE:
                level = ch.value(0)
            else:
                yield
    except ModemError:
        return False
    if not in_step or level != 1 or ch.rebooted:
        return False
    ch.set_in_sync()
    return True


def _call_op(ch):
    # `AT` until something comes of it: OK, or ERROR of what is left of one.
    for _ in range(_CALLS_MAX):
        ch.command(b"").send(_WAKE_MS)
        try:
            while ch.poll() != DONE:
                yield
            return
        except CommandError:
            return
        except Timeout:
            pass

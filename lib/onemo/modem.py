# SPDX-License-Identifier: MIT
#
# The module as a whole: its model, its commands, its parts. A front (blocking.py, aio.py) adds
# `run_operation`, which drives an operation: a generator whose name ends in `_op`, which yields
# where it must wait and leaves its result in channel.result (see Channel.set_result).
#
# Each method checks its arguments, then loads what it needs: what a product does not use costs it
# no RAM. On a board most methods themselves are loaded when they are called, see _SELDOM.

from builtins import len  # noqa: A004 (as in at_channel)

from . import at_syntax
from ._port import IS_BOARD, MARKS, as_buffer, bound, const, methods_of, unload
from .at_channel import ALL, DONE, LINE, REPLY_MS, RESYNC_MS, Channel

TYPE_CHECKING = const(0)  # for type checkers, who take it for true

# Methods that are called once or seldom, and where they are: class Methods of that module has
# them. A dot marks properties, a star what each front has in a module of its own. On a board the
# class would keep each of them in RAM, 200 bytes apiece, for as long as the product runs.
_SELDOM = const(
    " start=start set_model=start model_info=.model_info is_known_model=.model_info "
    "reboot=reboot set_baud=baud attach=network sleep_mode=power_sleep clock=clock info=info "
    "use_as_socket=net_stand_in restore=cert_restore certs=.certs sync=provisioning "
    "identity=provisioning_identity rotate=provisioning_rotate udp=*udp socket_module=*socket "
    "refuse_unidentified=refusals refuse_reentry=refusals "
)

if TYPE_CHECKING:
    from typing import Any

    from . import baud as _baud
    from . import (
        cert_restore,
        certs,
        clock,
        info,
        model_info,
        net_stand_in,
        network,
        power_sleep,
        provisioning,
        provisioning_identity,
        provisioning_rotate,
        reboot,
        refusals,
        start,
    )
    from .tls import TLSContext

    class _Methods(
        start.Methods,
        model_info.Methods,
        reboot.Methods,
        _baud.Methods,
        network.Methods,
        power_sleep.Methods,
        clock.Methods,
        info.Methods,
        net_stand_in.Methods,
        cert_restore.Methods,
        certs.Methods,
        provisioning.Methods,
        provisioning_identity.Methods,
        provisioning_rotate.Methods,
        refusals.Methods,
    ):
        pass

else:
    _Methods = methods_of(_SELDOM)

_BUFFER_MIN = const(32)
_SECRET_MIN = const(10)  # characters of the shortest command that can hold a secret: +CPIN=1234
_LINE_MIN = const(160)  # the longest name must fit in, with some data


class BaseModem(_Methods):
    """What both fronts have. Not to be used by itself: see onemo.Modem and onemo.aio.Modem."""

    front = "net_"  # how the names of its modules begin

    def __init__(
        self,
        uart,
        *,
        baud: int = 115200,
        model: "str | None" = None,
        buffer: int = 256,
        packet: int = 2048,
        line: int = 1024,
        trace=None,
        reopen=None,
        rts: bool = False,
        cts: bool = False,
    ) -> None:
        """Nothing is sent yet.

        `uart`: any(), readinto(buf, n), write(buf[, n]) as machine.UART has them.
        `baud`: what it runs at, bit/s, for deadlines.
        `model`: its name, such as "ML307R" or "ML307H-GU", which is believed; None asks it.
        `buffer`: bytes of RAM for I/O, 32 or more.
        `packet`: bytes announced per CERTWR or KEYWR, 1..8192 (manual 3.2).
        `line`: longest command line that the module takes, characters, 160 or more; for models
        that take data only inside commands.
        `trace(direction, data)`: sees all UART traffic, ">" to the module and "<" from it, except
        keys, PSKs and, unless it has an attribute `identifiers` that is true, what identifies the
        module or its SIM (IMEI, ICCID, IMSI).
        `reopen(baud)`: returns the UART at another speed (`uart.reopen` makes one), so that
        start() finds a module that runs at one.
        `rts`, `cts`: the UART uses that line, so that the module is to as well (AT+IFC).

        ValueError or TypeError for a value out of range.
        """
        at_syntax.check_range(baud, "baud", at_syntax.BAUD_MIN, at_syntax.BAUD_MAX)
        at_syntax.check_range(buffer, "buffer", _BUFFER_MIN, 65536)
        at_syntax.check_range(packet, "packet", 1, at_syntax.PAYLOAD_MAX)
        at_syntax.check_range(line, "line", _LINE_MIN, 65536)
        self.channel = Channel(uart, baud, buffer, trace)
        self.packet = packet
        self.line_max = line
        self.model = None  # the series, such as "ML307R"; None: not identified, or unknown
        self.profile = None  # as `sync` was given it
        self.boot_count = 0  # boots of the module noticed so far: its connections end with one
        # Settings of an earlier epoch may be lost: each boot begins one, and each start(), which
        # may follow a boot that nothing tells of.
        self.epoch = 0
        self.partial_upload = None  # name of the certificate or key whose upload broke off
        self.unverified = None  # name of the last write that ended without a verdict
        self.contexts = {}  # TLS contexts that were asked for, by ssl_id
        self.sources = {}  # of what was written, on a model with a volatile store: cert_restore
        self.capabilities = None  # what it can do, see model.py; None: not identified
        self.store = None  # a CertStore, while `sync` or `rotate` runs
        self.encoding = 2  # of data inside commands: these three are certs' to the application
        self.newline = None
        self.psk_verified = None
        self.event_handler = None  # on_event's
        self.power = None  # power.Power: the pins beside the UART
        self.module_clock = None  # what is known of it, see clock_known.py
        self.absent = ()  # names of MSSLCFG's options that the firmware does not have
        self.connections = None  # net_links.Connections, once there was one
        self.heard = ""  # what the module said that it is, a line a command
        self.firmware = None  # as AT+CGMR says; None: not asked, or not said
        self.reopen = reopen
        self.rts = rts
        self.cts = cts
        # After each boot AT+MLPMCFG="sleepmode",0. None: on models that are delivered to sleep.
        self.keep_awake = None
        self.settings_epoch = -1  # in which the module has what these say
        if model is not None:
            self.set_model(model)
        self.set_uart(uart)

    if TYPE_CHECKING:

        def run_operation(self, operation, recover: bool = True) -> Any:
            """Drive an operation to its end and return its result, in step with the module before.
            Each front has its own."""

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            return bound(self, _SELDOM.replace("*", self.front), name)

    # The model

    def require_model(self):
        """What the model can do, see model.py. ModemError before the module is identified."""
        if self.capabilities is None:
            self.refuse_unidentified()
        return self.capabilities

    # In step with the module

    def resync_op(self, timeout_ms=RESYNC_MS):
        """Operation: get in step with a module in an unknown state, and remove what an upload
        that broke off left behind. Timeout, ModemReset."""
        from .recovery import recover_op

        unload("recovery")
        return recover_op(self, timeout_ms)

    def set_uart(self, uart) -> None:
        """Use `uart` from now on."""
        self.channel.set_uart(uart)

    # Commands

    def command(
        self,
        text: "str | bytes",
        timeout_ms: int = REPLY_MS,
        *,
        expect: "str | bytes | None" = None,
    ) -> "list[bytes]":
        """Send `AT` + `text`; returns the list of its information lines, as bytes. A pasted line
        with its AT, in small letters or with a line end, works as well. Lines that
        begin with another command's name, `+OTHER:`, are none of them: they go to URC handlers.
        `expect`: how the lines begin, if not with the command's own name. Keys and PSKs in it are
        kept out of traces and errors. A query, or what `expect` is given for, that is answered by
        nothing but OK is followed by another query, which may wait as long again, 5 s at the most.

        ProtocolError, in step, for a line longer than 2048 bytes; for an answer of nothing but OK
        that the query behind it does not confirm, unless the command restarts the module;
        CommandError, Timeout after `timeout_ms` milliseconds, ModemReset; ValueError for a text
        that is not one line."""
        if not IS_BOARD:
            text = as_buffer(text)
        if expect is not None:
            expect = as_buffer(expect)
        # No character of it is taken out, for that would be looked up among all the interpreter's
        # names.
        if (
            len(text) >= _SECRET_MIN
            or not text.startswith(MARKS[0])  # type: ignore[arg-type]
            or MARKS[1] in text
            or MARKS[2] in text
        ):
            expect = self._check_command(text), expect
            text = None
        return self.run_operation(_command_op(self.channel, text, timeout_ms, expect))

    def _check_command(self, text):
        # Apart from command(), whose frame would be too large for the stack. Returns the text
        # without what was pasted along.
        from .at_masking import checked

        return checked(text, self.line_max)

    def on_urc(self, prefix: bytes, handler) -> None:
        """Call handler(line) for each unsolicited line that begins with `prefix`. `line` is bytes,
        a copy. Handlers run while the driver waits and must not issue commands."""
        self.channel.on_urc(prefix, lambda buf, start, end: handler(bytes(buf[start:end])))

    def on_event(self, handler) -> None:
        """Call handler(kind, text) for what the library notices and the caller should know; `text`
        is a sentence. `kind`:

        "reboot": the module rebooted, or had to be. "recovery": getting in step again took more
        than a query. "identity": what was proven is kept in place of what the profile names.
        "stray": an object that nobody wrote. "journal": a file that is no journal was set aside.
        "absent": an option that the firmware does not have. "model": a model that nobody knows was
        asked what it can do. "baud": the module stays at another speed than start() was given.
        "flow", "sleep": it has no flow control, or may fall asleep. "negotime": connect has less
        time than the handshake may take. "clock": the module's clock is believed without a
        comparison. "attach": what attach() did, or waits for and how long. "denied": the network
        denies registration.

        Handlers run in the middle of an operation and must not issue commands. The library prints
        nothing."""
        self.event_handler = handler

    def tell(self, kind: str, text: str) -> None:
        """Pass an event to the handler. For the library's own parts."""
        if self.event_handler:
            self.event_handler(kind, text)

    def tls(self, ssl_id: int) -> "TLSContext":
        """TLS context `ssl_id` (manual 3.1): the same object for the same id. Nothing is sent yet.
        ValueError for an id that the model does not have."""
        from .tls import context_of

        return context_of(self, ssl_id)


def begin_raw(ch, text):
    """Begin a command that there may be a secret in. For the library's own parts."""
    from . import at_masking

    at_masking.begin_raw(ch, text)


def _command_op(ch, text, timeout_ms, expect):
    # `text`: None if there may be a secret in it, then `expect` has both. Each local makes the
    # operation larger: `timeout_ms` is the event later on.
    ch.result = []
    if text is None:
        text, expect = expect
        begin_raw(ch, text)
    else:
        ch.command(text)
    ch.send(timeout_ms, expect or ALL)
    if expect:
        text = b""  # all lines that are told are its own
    while True:
        timeout_ms = ch.poll()
        if timeout_ms == LINE:
            ch.keep_line(text)
        elif timeout_ms == DONE:
            if not ch.result and (expect or ch.is_query()):
                from .at_confirm import confirm_empty_op

                unload("at_confirm")
                yield from confirm_empty_op(ch)
            return
        else:
            yield

# SPDX-License-Identifier: MIT
#
# The module as a whole: its model, its commands, its parts. A front (blocking.py, aio.py) adds
# `run_operation`, which drives an operation: a generator whose name ends in `_op`, which yields
# where it must wait and leaves its result in channel.result (see Channel.set_result).
#
# Each method checks its arguments, then loads what it needs: what a product does not use costs it
# no RAM.

from . import _port, at_syntax
from ._port import as_buffer, const
from .at_channel import ALL, DONE, LINE, REPLY_MS, RESYNC_MS, Channel
from .errors import ModemError, ModemReset, ProtocolError, Timeout

TYPE_CHECKING = const(0)  # for type checkers, who take it for true
if TYPE_CHECKING:
    from typing import Any

    from .certs import CertStore
    from .model_info import ModelInfo
    from .net_stand_in import StandIns
    from .tls import TLSContext

_BUFFER_MIN = const(32)
_SECRET_MIN = const(12)  # characters of the shortest command that can hold a secret
_PLUS = const(0x2B)
_LINE_MIN = const(160)  # the longest name must fit in, with some data


class BaseModem:
    """What both fronts have. Not to be used by itself: see onemo.Modem and onemo.aio.Modem."""

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
        # Boots of the module noticed so far; settings from an earlier boot are lost.
        self.boot_count = 0
        self.partial_upload = None  # name of the certificate or key whose upload broke off
        self.unverified = None  # name of the last write that ended without a verdict
        self.contexts = {}  # TLS contexts that were asked for, by ssl_id
        self.sources = {}  # of what was written, on a model with a volatile store: cert_restore
        self.running = False  # an operation is under way (blocking front), or ciphers() is read
        self.capabilities = None  # what it can do, see model.py; None: not identified
        self._certs = None
        self._event_handler = None
        self.power = None  # power.Power: the pins beside the UART
        self.module_clock = None  # what is known of it, see clock.py
        self.absent = ()  # names of MSSLCFG's options that the firmware does not have
        self.connections = None  # net_links.Connections, once there was one
        self.heard = ""  # what the module said that it is, a line a command
        self.firmware = None  # as AT+CGMR says; None: not asked, or not said
        self.reopen = reopen
        self.rts = rts
        self.cts = cts
        # After each boot AT+MLPMCFG="sleepmode",0. None: on models that are delivered to sleep.
        self.keep_awake = None
        self.settings_boot = -1  # of the module, that has what these say
        if model is not None:
            self.set_model(model)
        self.set_uart(uart)

    if TYPE_CHECKING:

        def run_operation(self, operation, recover: bool = True) -> Any:
            """Drive an operation to its end and return its result, in step with the module before.
            Each front has its own."""

        def socket_module(self, tls: "TLSContext | None" = None) -> Any:
            """A stand-in for the module `socket`. Each front has its own."""

    # The model

    def set_model(self, response: "str | bytes") -> None:
        """Select the model from its name, or from an answer to AT+CGMM."""
        from .start import plain

        model = plain(response) if isinstance(response, str) else None
        if model is None:
            from .models import identify

            _, model = identify(response)
            _port.unload("models")
        _port.unload("start")
        self.use_model(model)

    def use_model(self, model) -> None:
        """Use `model`, a Model, from now on. For the library's own parts."""
        self.capabilities = model
        self.model = model.series

    @property
    def model_info(self) -> "ModelInfo":
        """What is known of the module, as an object to be printed: what it said that it is, where
        the library knows its model from, what it can do, and what its firmware lacks."""
        from .model_info import ModelInfo

        _port.unload("model_info")
        return ModelInfo(self)

    @property
    def is_known_model(self) -> bool:
        """True if the library's table has the model. One that it has not is treated as able to do
        what all can: `model` is None then, and str(require_model()) what it calls itself."""
        return self.require_model().known

    def require_model(self):
        """What the model can do, see model.py. ModemError before the module is identified."""
        if self.capabilities is None:
            raise ModemError(
                "the module is not identified yet: call start() first, or Modem(model=...)"
            )
        return self.capabilities

    # In step with the module

    def start(self, timeout_ms: int = RESYNC_MS, *, baud: "int | None" = None) -> None:
        """Find the module in whatever state it is, switch its echo off and numbered errors on
        (ATE0, AT+CMEE=1), and identify it (AT+CGMM, AT+CGMR, ATI): `model`, `firmware`,
        `model_info`. One that the library does not know is asked what it can do. Models that are
        delivered to sleep are kept awake, unless `keep_awake` is False.

        With Modem(reopen=...) a module at 9600, 115200, 460800 or 921600 bit/s is found, and
        `baud` brings it to another speed, as `set_baud` does; a speed that it does not take is
        told as a "baud" event. Without `baud` module and UART stay at the speed that was found.

        Timeout if it does not answer within `timeout_ms` milliseconds; Unsupported for a module of
        another brand, or of the first generation; ProtocolError if it says something else each
        time that it is asked; ValueError for a `baud` without `reopen`."""
        if baud is not None:
            at_syntax.check_range(baud, "baud", at_syntax.BAUD_MIN, at_syntax.BAUD_MAX)
            if not self.reopen and baud != self.channel.baud:
                raise ValueError(
                    "baud is %d, but the UART runs at %d and cannot be opened anew: pass "
                    "Modem(reopen=...), see uart.reopen" % (baud, self.channel.baud)
                )
        from .start import start_op

        _port.unload("start")
        return self.run_operation(start_op(self, timeout_ms, baud), False)

    def resync_op(self, timeout_ms=RESYNC_MS):
        """Operation: get in step with a module in an unknown state, and remove what an upload
        that broke off left behind. Timeout, ModemReset."""
        if self.channel.may_sleep():
            from .power_sleep import wake_op

            if (yield from wake_op(self)):
                return
        from .at_resync import resync_op

        started_anew = yield from resync_op(self.channel, timeout_ms)
        _port.unload("at_resync")
        _port.unload("at_retry")
        if started_anew:
            self.boot_count += 1
            if self.boot_count > 1:
                self.tell(
                    "reboot",
                    "the module rebooted; its connections are gone, its settings are "
                    "sent again before they are next used",
                )
        name = self.partial_upload
        if name is not None:
            from .cert_store import discard_op

            yield from discard_op(self, name)
            self.partial_upload = None
        model = self.capabilities
        if started_anew and model and (self.rts or self.cts or self.keep_awake or model.sleeps):
            from .start import settings_op

            _port.unload("start")
            yield from settings_op(self)

    def reboot(self, timeout_ms: int = RESYNC_MS) -> None:
        """Reboot the module (AT+MREBOOT) and set it up again. Its connections are gone; TLS
        contexts are sent again before they are next used.

        Timeout if it does not answer again within `timeout_ms` milliseconds; CommandError."""
        from .reboot import reboot_op

        return self.run_operation(reboot_op(self, timeout_ms))

    def set_baud(self, baud: int, reopen=None, timeout_ms: int = 90000) -> None:
        """Change the speed of module (AT+IPR) and UART to `baud` bit/s; before `start()` or after
        it. reopen(baud) returns the UART at that speed (`uart.reopen` makes one); None: that of
        Modem(reopen=...). The module keeps its speed over resets; a module that an earlier run
        left at another speed is found.

        Timeout if it is not found within `timeout_ms` milliseconds, or, at the speed from before,
        if the line is not good for the new one; CommandError if the module has no such speed."""
        from .baud import set_baud_op

        reopen = reopen or self.reopen
        if reopen is None:
            raise ValueError("reopen is missing: a function of the speed that opens the UART anew")
        return self.run_operation(set_baud_op(self, baud, reopen, timeout_ms), False)

    def set_uart(self, uart) -> None:
        """Use `uart` from now on."""
        self.channel.uart = uart

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
        kept out of traces and errors. A query that is answered by nothing but OK is followed by
        another, which may wait as long again, 5 s at the most.

        ProtocolError, in step, for a line longer than 2048 bytes; CommandError, Timeout after
        `timeout_ms` milliseconds, ModemReset; ValueError for a text that is not one line."""
        text = self._check_command(text)
        if expect is not None:
            text = (text, as_buffer(expect))  # one argument, for each makes the operation larger
        return self.run_operation(_command_op(self.channel, text, timeout_ms))

    def _check_command(self, text):
        # Apart from command(), whose frame would be too large for the stack. Returns the text
        # without what was pasted along.
        ends = "\r\n" if isinstance(text, str) else b"\r\n"
        several = ends[0] in text or ends[1] in text
        if 0 < len(text) < _SECRET_MIN and text[0] in (_PLUS, "+") and not several:
            return text
        from .at_masking import checked

        return checked(text, self.line_max)

    def on_urc(self, prefix: bytes, handler) -> None:
        """Call handler(line) for each unsolicited line that begins with `prefix`. `line` is bytes,
        a copy. Handlers run while the driver waits and must not issue commands."""

        def copy_line(buf, start, end):
            handler(bytes(buf[start:end]))

        self.channel.on_urc(prefix, copy_line)

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
        self._event_handler = handler

    def tell(self, kind: str, text: str) -> None:
        """Pass an event to the handler. For the library's own parts."""
        if self._event_handler:
            self._event_handler(kind, text)

    def check_unused(self, name: str) -> None:
        """ValueError if an open connection uses the object `name` (manual 3.6 warns of that). For
        the library's own parts."""
        if self.connections:
            number = self.connections.user_of(name)
            if number is not None:
                raise ValueError(
                    "%s is in use by connection %d: close it first, or pass in_use_ok=True"
                    % (name, number)
                )

    # The network

    def attach(
        self,
        apn: "str | None" = None,
        *,
        pdp_type: "str | None" = None,
        user: "str | None" = None,
        password: "str | None" = None,
        auth: str = "chap",
        pin: "str | None" = None,
        pin_file: str = "onemo.pin",
        dns_priority: "str | None" = None,
        timeout_ms: int = 120000,
    ) -> "list[str]":
        """Make the module be online, and return the addresses of PDP context 1, a list of str:
        radio on (AT+CFUN=1), SIM ready, registered, packet service attached (AT+CGATT=1), context
        up. What is as wanted is left alone; what was done is told, see `on_event`.

        `apn`: the context has this one and no other: it is set and dialled anew where it differs.
        None: whichever the module has. `pdp_type`: "IP", "IPV6" or "IPV4V6"; None: as the module
        has it. `user`, `password`: what the APN asks for, by `auth`, "chap" or "pap"
        (AT+CGAUTH). `pin`: of the SIM, 4 to 8 digits; it is never tried twice if the SIM does not
        accept it, for which `pin_file` remembers the attempt. `dns_priority`: "IP" or "IPV6",
        which of a name's addresses are tried first where the module can be told (AT+MDNSCFG);
        None: as it does by itself.

        Timeout, after `timeout_ms` milliseconds, says what was missing: a registration that was
        denied, for instance; CommandError 10 without a SIM, after 30 s; ModemError for a SIM that
        needs a person; VerifyError if the context has another APN; ValueError or TypeError for a
        parameter that cannot be one."""
        from .network import attach_op

        _port.unload("network")
        settings = (pdp_type, user, password, auth, pin, pin_file, dns_priority)
        return self.run_operation(attach_op(self, apn, settings, timeout_ms))

    def sleep_mode(self, enabled: bool, *, delay_s: "int | None" = None, permanent: bool = False):
        """Let the module sleep while nothing goes on, or keep it awake (AT+MLPMCFG; vendor's
        extended AT manual 4.10). From then on it is woken before a command: by its DTR pin if
        `modem.power` has one, else by `AT` until it answers. Connections stay.

        `delay_s`: seconds until it sleeps, 0 to 300; None: as the module has it. `permanent`: over
        a reboot of the module as well.

        Unsupported if the model or firmware has no such setting; VerifyError, CommandError,
        Timeout, ModemReset."""
        from .power_sleep import sleep_mode_op

        return self.run_operation(sleep_mode_op(self, enabled, delay_s, permanent))

    def clock(self, timeout_ms: int = 30000) -> "tuple[int, ...]":
        """The time, UTC, as a tuple like time.gmtime's: from the module's clock (AT+CCLK), which
        the network or a time server sets (AT+MNTP; the network must be attached). The first time
        after a boot of the module it is compared with the server's, for firmware is known whose
        clock has UTC and says +32 all the same. If no server answers, it is believed as it is on
        models that are not known for that, and told as a "clock" event. Sets the board's own
        clock, machine.RTC, if it has one.

        ClockError, which says what was found, if the time is not known within `timeout_ms`
        milliseconds or clock and server differ."""
        from .clock import clock_op

        return self.run_operation(clock_op(self, timeout_ms))

    def info(self, identifiers: bool = True) -> "dict[str, Any]":
        """What the module says of itself and of the network, as a dict: "model", "firmware",
        "imei", "iccid", "imsi"; "rssi_dbm" (AT+CSQ), "rsrp_dbm", "rsrq_db" (AT+CESQ), "sinr_db",
        "operator"; "tac", "cell_id" (as the network writes them, hexadecimal), "mcc", "mnc",
        "earfcn", "pci". None for what it does not say, such as the IMSI without a SIM.

        `identifiers=False` leaves IMEI, ICCID and IMSI out, for logs and telemetry. Traces do not
        show them, see `onemo.trace`. Timeout, ModemReset."""
        from .info import info_op

        return self.run_operation(info_op(self, identifiers))

    def use_as_socket(self, tls: "TLSContext | None" = None) -> "StandIns":
        """Make libraries that `import socket` use the module, unchanged, if they are imported
        after this: puts `socket_module(tls)` into sys.modules as `socket` and `usocket`. Returns
        what undoes it: a context manager, with a method `undo()` as well.

        `tls`: every connection is TLS by this configured context; `ssl`, `ussl` and `tls` are put
        in as well, so that a library's https:// or `wrap_socket` means that TLS. Without it
        connections are plain, and TLS on top of them is the board's own `ssl`, if it has that."""
        from .net_stand_in import StandIns

        return StandIns(self, tls)

    # The store, TLS, what a device is to have

    @property
    def certs(self) -> "CertStore":
        """The module's store of certificates, keys and PSKs (manual 3.2 to 3.8). Unsupported for a
        model that has no TLS."""
        if self.capabilities and not self.capabilities.tls:
            from .model_info import refuse_tls

            refuse_tls(self.capabilities)
        if self._certs is None:
            from .certs import CertStore

            self._certs = CertStore(self)
        return self._certs

    def restore(self) -> None:
        """Write every certificate, key and PSK again that is missing, and send every context's
        settings again, from their sources: for MN316 and MN326, which lose them all in deep sleep
        (manual 3.1, note), with +MATREADY or without a word. Streams are read again from where
        they stood; ValueError names one that cannot be, once all else is back."""
        from .cert_restore import restore_op

        return self.run_operation(restore_op(self))

    def tls(self, ssl_id: int) -> "TLSContext":
        """TLS context `ssl_id` (manual 3.1): the same object for the same id. Nothing is sent yet.
        ValueError for an id that the model does not have."""
        from .tls import context_of

        return context_of(self, ssl_id)

    def sync(
        self,
        profile: dict,
        *,
        dry_run: bool = False,
        remove_foreign: bool = False,
        progress=None,
        journal: str = "onemo.rotate",
    ) -> "list[tuple[str, Any]]":
        """Make the module have what `profile` says (see profile.py), touching only what differs:
        remove, write, verify, set contexts, read them back. A rotation that was cut off is
        finished, or undone if it was not proven (see provisioning.py). Returns what was done, in
        order: [("remove", name), ("write", name), ("configure", ssl_id), ...].

        `dry_run`: only say what would be done. `remove_foreign`: remove what the profile does not
        name, which is left alone otherwise. progress(name, done, total) gets bytes. `journal`: the
        file that a rotation keeps. An object whose file is missing is left as it is if the module
        has one of that name and kind.

        ValueError before anything is changed for a wrong profile or file; else as `certs.write`
        and `TLSContext.configure`. After an error the next call does the rest."""
        from .provisioning import sync_op

        return self.run_operation(
            sync_op(self, profile, dry_run, remove_foreign, progress, journal)
        )

    def identity(self, journal: str = "onemo.rotate") -> "dict[str, Any]":
        """What is in force, as a dict: "objects" ({name: True if the module has it, with the
        digest that was proven}), "contexts", "proven" (True if a rotation's trial decided),
        "since" (UTC, ISO 8601; None if the board's clock was not set, or for what was not proven),
        "under_way" (None; "add": another is being brought in; "drop": the old one is being
        removed), "coming" and "leaving" (names).

        `journal`: the file that a rotation keeps. CommandError, Timeout, ModemReset."""
        from .provisioning import identity_op

        return self.run_operation(identity_op(self, journal))


def _begin_command(ch, text):
    # `text`, or (text, how the lines of its answer begin).
    ch.own_expect = ALL
    if isinstance(text, tuple):
        text, ch.own_expect = text
    if len(text) < _SECRET_MIN:
        ch.command(text)
    else:
        from .at_masking import begin_raw

        begin_raw(ch, text)


def _command_op(ch, text, timeout_ms):
    ch.result = []
    _begin_command(ch, text)
    ch.send(timeout_ms, ch.own_expect)
    while True:
        event = ch.poll()
        if event == LINE:
            if ch.own_expect != ALL or ch.is_own_line():
                ch.result.append(ch.line())
        elif event == DONE:
            if not ch.result and ch.is_query():
                yield from _confirm_empty_op(ch)
            return
        else:
            yield


def _confirm_empty_op(ch):
    # A query that is answered by nothing but OK: was that OK another command's? Then the answer
    # comes before that to another query.
    strays = ch.strays
    timeout_ms = min(REPLY_MS, ch.timeout_ms)
    ch.command(b"+CMEE?").send(timeout_ms, b"+CMEE:", require_info=True)
    try:
        while ch.poll() != DONE:
            yield
    except (Timeout, ModemReset):
        return  # the module was told to restart, or to sleep
    if ch.strays != strays:
        ch.lose_sync()
        raise ProtocolError("the answers have come out of step with the commands; ask again")

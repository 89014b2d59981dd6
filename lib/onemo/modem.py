# The module as a whole: found in whatever state it is, set up, identified, attached to the
# network. Holds the parts. A front (blocking.py, aio.py) adds `run_operation`, which drives an
# operation: a generator that yields where it must wait, and leaves its result in channel.result.

from . import _port, method, syntax
from ._port import const
from .certs import CertStore
from .channel import ALL, DONE, LINE, SENT, Channel
from .errors import CommandError, ModemError, ModemReset, ProtocolError, Timeout

_ANSWER_MS = const(5000)
_ASK_MODEL = const(2)
_PROBE_MS = const(500)
_SYNC_MS = const(30000)
_QUIET_MS = const(50)
_QUIET_MAX_MS = const(3000)
_FILLED_MS = const(3000)  # for the final result of a packet that was filled up
_REBOOTS = const(3)  # so many in one recovery are no accident
_SILENT_PROBES = const(3)  # after so many, the module may be in data mode
_PACKET_MAX = const(8192)
_BUFFER_MIN = const(32)
_LINE_MIN = const(160)  # the longest name has to fit in, with some data
# Ends data mode, is nothing to a module that has left it.
_FILLER = const(b"\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r")

# Methods that a product may do without, and the module of each.
_ELSEWHERE = const(
    "attach network clock clock set_baud baud restore restore ciphers ciphers connect stream "
    "open_link stream socket_module socket_module sync identity rotate identity reboot reboot "
    "tls tls sockets sockets"
)


class Modem:
    def __init__(
        self, uart, *, baud=115200, model=None, buffer=256, packet=2048, line=1024, trace=None
    ):
        """`uart`: any(), readinto(buf, n), write(buf[, n]) as machine.UART has them. `baud`: what
        it runs at, bit/s, for deadlines. `model`: as AT+CGMM says it; None asks the module.
        `buffer`: bytes of RAM for I/O. `packet`: bytes announced per CERTWR/KEYWR, 1..8192.
        `line`: the longest command line that the module takes, for models that take data only in
        commands. `trace(direction, data)` is told all that goes ">" to and comes "<" from the
        module, but keys and PSKs."""
        syntax.check_range(baud, "baud", 1200, 4000000)
        syntax.check_range(buffer, "buffer", _BUFFER_MIN, 65536)
        syntax.check_range(packet, "packet", 1, _PACKET_MAX)
        syntax.check_range(line, "line", _LINE_MIN, 65536)
        self.channel = Channel(uart, baud, buffer, trace)
        self.packet = packet
        self.line_max = line
        # Of the module, as far as noticed: what was set up in an earlier one is gone.
        self.boots = 0
        self.model = None  # the series, such as "ML307R"
        self._model = None  # what it can do
        if model is not None:
            self._be(model)
        self.contexts = {}  # TLS contexts that were asked for, by ssl_id
        self.sources = {}  # of what was written, where the store is volatile: restore.py's
        self.links = None  # sockets.py's, once there was one
        self.profile = None  # as `sync` was given it
        self.certs = CertStore(self)

    def _be(self, said):
        from .models import identify

        self.model, self._model = identify(said)
        _port.unload("models")

    @property
    def known(self):
        """Whether the manual names the model. One that it does not gets what all have in common:
        `model` is None then, and str(needed_model()) what it calls itself."""
        return self.needed_model().known

    def needed_model(self):
        """What the model can do; an error before that is known."""
        if self._model is None:
            raise ModemError(
                "the module is not identified yet: call start() first, or Modem(model=...)"
            )
        return self._model

    # Getting in step

    def start(self, timeout_ms=_SYNC_MS):
        """Finds the module in whatever state it is, switches echo off and numbered errors on
        (ATE0, CMEE=1), and identifies it: `model`. Timeout where it does not answer."""
        return self.run_operation(self._start(timeout_ms), False)

    def _start(self, timeout_ms):
        ch = self.channel
        ch.rebooted = True
        yield from self.recovery(timeout_ms)
        if self._model is None:
            asked = 0
            while self.model is None and asked < _ASK_MODEL:  # noise must not make a model unknown
                asked += 1
                ch.begin(b"+CGMM").go(_ANSWER_MS, ALL)
                said = b""
                while (event := ch.poll()) != DONE:
                    if event == LINE:
                        said = said or ch.line()
                    else:
                        yield
                self._be(said)
        ch.result = None

    def recovery(self, timeout_ms=_SYNC_MS):
        """Operation: gets in step with a module in an unknown state; what a broken-off upload left
        behind goes."""
        ch = self.channel
        new = ch.rebooted
        tries = _REBOOTS
        while tries:
            tries -= 1
            try:
                yield from self._sync(timeout_ms)
                if new or ch.rebooted or ch.result != 1:
                    ch.rebooted = False
                    for setting in (b"E0", b"+CMEE=1"):
                        ch.begin(setting).go(_ANSWER_MS)
                        while ch.poll() != DONE:
                            yield
                    self.boots += 1
                break
            except ModemReset:
                new = True  # it booted just now
                if not tries:
                    raise
        name = self.certs.unfinished
        if name is not None:
            try:
                yield from self.certs.removal(name)
            except CommandError:
                pass  # it was never begun, or the next write says what is wrong
            self.certs.unfinished = None

    def _sync(self, timeout_ms):
        # A query shows by its information line that what follows is its own answer, not one that
        # is late.
        ch = self.channel
        ch.forget()
        start = _port.ticks_ms()
        probes = 0
        level = None
        while level is None:
            elapsed = _port.ticks_diff(_port.ticks_ms(), start)
            if elapsed >= timeout_ms:
                raise Timeout(
                    "no answer within %d ms: has the module power, are TX and RX crossed, "
                    "does it run at %d bit/s?" % (timeout_ms, ch.baud)
                )
            if probes % 8 == _SILENT_PROBES:
                ch.owed = _PACKET_MAX  # it may be in data mode, and wait for so many at the most
            try:
                yield from self._fill_up()
                ch.begin(b"+CMEE?").go(_PROBE_MS, b"+CMEE:", marked=True)
                while (event := ch.poll()) != DONE:
                    if event == LINE:
                        level = ch.value(0)
                    else:
                        yield
            except (CommandError, ModemReset, ProtocolError, Timeout):
                level = None
            probes += 1
        # That may have been the answer to an earlier probe: the others come within as long again.
        quiet_ms = _QUIET_MS
        if probes > 1:
            quiet_ms = min(_QUIET_MAX_MS, elapsed + 2 * _PROBE_MS)
        received = None
        while received != ch.received and elapsed < timeout_ms:
            received = ch.received
            yield from self.listen(quiet_ms)
            elapsed = _port.ticks_diff(_port.ticks_ms(), start)
        ch.stale = ch.hushed = False
        ch.result = level

    def _fill_up(self):
        # Ends a data mode that waits for what was announced. CRs are no command to a module that
        # has left it.
        ch = self.channel
        if not ch.owed:
            return
        ch.resume(_FILLED_MS + ch.owed * 10000 // ch.baud)
        try:
            while ch.owed:
                ch.push(_FILLER, 0, min(len(_FILLER), ch.owed))
                while ch.poll() != SENT:
                    yield
            while ch.poll() != DONE:
                yield
        except ProtocolError:
            ch.owed = 0  # it had enough before: its final result came in between

    def listen(self, ms):
        """Operation: serves URCs for so long."""
        ch = self.channel
        ch.wait(ms)
        try:
            while True:
                ch.poll()
                yield
        except Timeout:
            pass

    # Commands

    def command(self, text, timeout_ms=_ANSWER_MS):
        """Sends `AT` + text; the list of its information lines, as bytes. A line longer than 2048
        bytes is ProtocolError, in step. CommandError, Timeout, ModemReset; ValueError for a text
        that is no single line."""
        if not 1 <= len(text) < self.line_max:
            raise ValueError(
                "command has %d characters; it must have 1 to %d" % (len(text), self.line_max - 1)
            )
        if isinstance(text, str):
            split = "\r" in text or "\n" in text
        else:
            split = b"\r" in text or b"\n" in text
        if split:
            raise ValueError("command %r holds a line end; one command a call" % (text,))
        return self.run_operation(self._command(text, timeout_ms))

    def _command(self, text, timeout_ms):
        ch = self.channel
        ch.result = []
        ch.begin(text).go(timeout_ms, ALL)
        while True:
            event = ch.poll()
            if event == LINE:
                ch.result.append(ch.line())
            elif event == DONE:
                return
            else:
                yield

    def on_urc(self, prefix, handler):
        """Calls handler(line) for each unsolicited line that begins with `prefix` (bytes). The
        line is a copy. Handlers run while the driver waits and must not issue commands."""

        def look(buf, start, end):
            handler(bytes(buf[start:end]))

        self.channel.on_urc(prefix, look)

    def rewire(self, uart):
        # The UART from now on; a front that watches it does so anew.
        self.channel.uart = uart

    def __getattr__(self, name):
        return method(self, _ELSEWHERE, name)

# The module as a whole: what model it is, its commands; holds the parts. A front (blocking.py,
# aio.py) adds `run_operation`, which drives an operation: a generator that yields where it must
# wait, and leaves its result in channel.result.

from . import _port, load, method, syntax
from ._port import const
from .channel import ALL, DONE, LINE, Channel
from .errors import ModemError

_ANSWER_MS = const(5000)
_SYNC_MS = const(30000)
_PACKET_MAX = const(8192)
_BUFFER_MIN = const(32)
_LINE_MIN = const(160)  # the longest name has to fit in, with some data

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
            self.identify(model)
        self.contexts = {}  # TLS contexts that were asked for, by ssl_id
        self.sources = {}  # of what was written, where the store is volatile: restore.py's
        self.links = None  # sockets.py's, once there was one
        self.unfinished = None  # name of the certificate or key whose upload broke off
        self.profile = None  # as `sync` was given it

    def identify(self, said):
        """The model is the one that is called so."""
        self.model, self._model = load("models", "identify")(said)
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
        return self.run_operation(load("recovery", "starting")(self, timeout_ms), False)

    def recovery(self, timeout_ms=_SYNC_MS):
        """Operation: gets in step with a module in an unknown state; what a broken-off upload left
        behind goes."""
        return load("recovery", "recovery")(self, timeout_ms)

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
        if name == "certs":
            self.certs = load(name, "CertStore")(self)
            return self.certs
        return method(self, _ELSEWHERE, name)

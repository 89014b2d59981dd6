# Front 1: blocks. It only waits: by poll where the UART has it, else by looking every millisecond.

from . import _port, modem


class Modem(modem.Modem):
    """A OneMO module on a UART; methods return when all is done."""

    def __init__(self, uart, **settings):
        super().__init__(uart, **settings)
        self._watch(uart)

    def rewire(self, uart):
        super().rewire(uart)
        self._watch(uart)

    def _watch(self, uart):
        self._poller = None
        try:
            import select

            poller = select.poll()
            poller.register(uart, select.POLLIN)
            self._poller = poller
        except (ImportError, AttributeError, OSError, TypeError, ValueError):
            pass  # not a stream that poll knows

    def run_operation(self, operation, recover=True):
        """Drives an operation to its end; its result."""
        ch = self.channel
        if recover and not ch.ready():
            self._drive(self.recovery())
        self._drive(operation)
        return ch.result

    def _drive(self, operation):
        for _ in operation:
            self._wait(self.channel.patience_ms())

    def _wait(self, ms):
        poller = self._poller
        if poller is None:
            _port.sleep_ms(1)
        elif hasattr(poller, "ipoll"):
            for _ in poller.ipoll(ms):
                pass
        else:
            poller.poll(ms)

    def ciphers(self):
        """Iterates the ids of the cipher suites that the module supports (manual 3.9); see
        `suites`. Unsupported where the model does not tell. May be left half-way."""
        found = self.cipher_ids()
        if not self.channel.ready():
            self._drive(self.recovery())
        return self._each(found)

    def _each(self, found):
        for number in found:
            if number is None:
                self._wait(self.channel.patience_ms())
            else:
                yield number

    def connect(self, host, port, tls=None, timeout_ms=60000):
        """A TCP connection, or a TLS connection by the configured context `tls` (manual 4.1): a
        stream. `timeout_ms`, at least 6000, bounds DNS, TCP and TLS together.

        CommandError with the module's reason (752: the server's certificate was not accepted);
        Timeout; ClockError where dates are to be checked and the module's clock is not set;
        VerifyError where TLS would not be used."""
        link = self.open_link(host, port, tls, timeout_ms)
        from .stream import Stream

        return Stream(self, link)

    def open_link(self, host, port, tls, timeout_ms):
        # A Link; the exceptions are connect's.
        sockets = self.sockets()
        link = sockets.link(host, port, tls, timeout_ms)
        try:
            self.run_operation(sockets.opening(link, timeout_ms))
            self.run_operation(sockets.arrival(link, timeout_ms))
            sockets.opened(link, timeout_ms)
        except BaseException:
            sockets.drop(link)
            raise
        return link

    def socket_module(self, tls=None):
        """Stands in for the module `socket` in umqtt.simple, umqtt.robust, requests and the like:
        `umqtt.simple.socket = modem.socket_module(tls)`. Connections are TLS by the configured
        context `tls`, else TCP; for HTTPS use a URL such as http://host:443/, since https:// would
        begin TLS of the board's own."""
        from .socket_module import SocketModule

        return SocketModule(self, tls)

    def rotate(self, profile, trial=None, *, old=None, journal="onemo.rotate"):
        """Goes over to another identity: its objects, under names of their own, come in beside the
        old ones and are verified, the contexts are set to them, a connection decides, and only
        then do the old ones go. True: `profile` is in force. False: it was already. An error: the
        old identity is in use again, and nothing of the new one is left. Should that not have been
        possible (no power, no answer), the next `sync` or `rotate` sees to it.

        `trial`: a dict such as {"host": ..., "port": ..., "ssl_id": ...}, by default the
        profile's "endpoint"; or a function that is called with the modem, and refuses by raising
        or by returning False. `old`: the profile in use, by default that of the last `sync`. The
        application may go on giving `sync` the old profile, or the new one from now on. Files of
        the old identity have to stay until the new one is in force. Close connections that use the
        old objects before."""
        from .identity import rotate

        return rotate(self, profile, trial, old, journal)

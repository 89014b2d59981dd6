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

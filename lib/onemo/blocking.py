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

# SPDX-License-Identifier: MIT
#
# Front 1: blocks. It only waits: by poll if the UART supports it, else by looking every
# millisecond.

from . import _port
from ._port import const, methods_of
from .modem import BaseModem

TYPE_CHECKING = const(0)  # for type checkers, who take it for true
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from . import net_socket, net_udp
    from .net_stream import Stream
    from .tls import TLSContext

    class _Methods(net_socket.Methods, net_udp.Methods, BaseModem):
        pass

else:
    _Methods = methods_of("net_", BaseModem)


class Modem(_Methods):
    """A OneMO module on a UART; methods return when all is done."""

    def set_uart(self, uart) -> None:
        """Use `uart` from now on."""
        super().set_uart(uart)

        def poll(ms):  # for a UART that select does not know
            _port.sleep_ms(1)
            return ()

        self._poll = poll
        try:
            import select

            poller = select.poll()
            poller.register(uart, select.POLLIN)
            self._poll = getattr(poller, "ipoll", poller.poll)
        except (ImportError, AttributeError, OSError, TypeError, ValueError):
            pass  # not a stream that poll knows

    def run_operation(self, operation, recover: bool = True):
        """Drive an operation to its end and return its result, in step with the module before.
        For the library's own parts."""
        if self.channel.running:
            self.refuse_reentry()
        self.channel.running = True
        try:
            if recover and not self.channel.ready():
                self.drive(self.resync_op())
            self.drive(operation)
        except:  # `finally` would make the frame too large for the stack
            self._end_run()
            raise
        operation = self.channel  # it is over, and another local would make the frame too large
        operation.running = False
        if self.power:
            self.power.rest(operation)
        return operation.result

    def _end_run(self):
        self.channel.running = False
        if self.power:
            self.power.rest(self.channel)

    def connect(
        self,
        host: str,
        port: int,
        tls: "TLSContext | None" = None,
        timeout_ms: int = 60000,
        *,
        ssl: "Any | None" = None,
        id: "int | None" = None,  # noqa: A002
    ) -> "Stream":
        """Open a TCP connection, or a TLS connection by the configured context `tls` (manual 4.1);
        returns a stream. `timeout_ms` milliseconds, at least 6000, bound DNS, TCP and TLS
        together. `id`: the connect_id to use; None takes a free one.

        `ssl`: an SSLContext of MicroPython's `ssl`: TLS on the board instead of in the module,
        with `host` as the name that the server's certificate must have; see docs/tls-where.md.

        CommandError with the module's reason (752: the server's certificate was not accepted);
        Timeout; ClockError if dates are to be checked and the module's clock is not set;
        VerifyError if TLS would not be used; ModemError with the reason of `ssl`."""
        if ssl:
            from .net_tls import open_stream
        else:
            from .net_stream import open_stream
        return open_stream(self, host, port, tls, timeout_ms, id, ssl)

    def ciphers(self) -> "Iterator[int]":
        """Iterate the ids of the cipher suites that the module supports (manual 3.9); see
        `suites`. May be left half-way. Unsupported if the model does not list them."""
        from .suites_listed import iterate_supported

        return iterate_supported(self)

    def drive(self, operation) -> None:
        """Run an operation to its end, a standing one until it says so. For the library's own
        parts."""
        for idle in operation:
            if idle:
                return idle.append(operation)
            self.wait()

    def wait(self) -> None:
        """Wait until the UART has something or the channel must look again, then a little longer
        for what had better be taken together. For the library's own parts."""
        ch = self.channel
        ms = ch.max_sleep_ms()
        if ms:  # else others had their turn, of whom there are none
            for _ in self._poll(ms):
                pass
            ms = ch.min_sleep_ms()
            if ms:
                _port.sleep_ms(ms)

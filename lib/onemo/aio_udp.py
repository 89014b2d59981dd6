# SPDX-License-Identifier: MIT
#
# modem.udp for asyncio: the datagrams of net_udp.py, awaited.

from .net_links import connections_of
from .net_udp import DATAGRAM_MAX, DatagramBuffer


class Datagrams(DatagramBuffer):
    """UDP to and from one host and port: what `await modem.udp` returns. Other tasks may talk
    while one waits for a datagram."""

    async def _run(self, steps):
        modem = self._modem
        for operation in steps:
            if operation is None:
                await modem.wait_news(self._connection, self.wait_ms)
            else:
                await modem.run_operation(operation, True, True)
        return self._result

    async def send(self, data):
        """Send one datagram; its length. ValueError if it is longer than `size_max`."""
        data, n = self._checked(data)
        await self._modem.run_operation(self._send_op(data, 0, n), True, True)
        return n

    async def recv_into(self, buf):
        """The next datagram into `buf`; its length. What `buf` has no room for is lost. Timeout if
        none comes: see `settimeout`; at first it waits as long as it takes."""
        return await self._run(self._receive_packet_steps(buf))

    async def recv(self, n=DATAGRAM_MAX):
        """The next datagram as bytes, its first `n`."""
        buf = bytearray(n)
        got = await self.recv_into(buf)
        return None if got is None else bytes(buf[:got])

    async def close(self):
        """Give the connection's id back. Closing twice is harmless."""
        close = self._connections.close_op(self._connection)
        await self._modem.run_operation(close, True, True)

    async def __aenter__(self):
        return self

    async def __aexit__(self, kind, *exc):
        try:
            await self.close()
        except OSError:
            if kind is None:
                raise  # else the error that is under way says more


class Methods:
    """Part of the front's Modem, loaded when it is called."""

    async def udp(self, host: str, port: int, timeout_ms: int = 60000) -> "Datagrams":
        """UDP to and from one host and port: `await` its send(data), recv(n), recv_into(buf),
        close; settimeout. The module keeps datagrams of up to 1460 bytes until they are asked for.
        `timeout_ms` bounds the look-up of the name.

        CommandError, Timeout."""
        return await open_udp(self, host, port, timeout_ms)


async def open_udp(modem, host, port, timeout_ms):
    """Datagrams: see onemo.aio.Modem.udp."""
    connection = connections_of(modem).prepare(host, port, None, timeout_ms)
    connection.udp = True
    await modem.open_connection(connection, timeout_ms)
    return Datagrams(modem, connection, None)

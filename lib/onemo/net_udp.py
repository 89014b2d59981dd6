# SPDX-License-Identifier: MIT
#
# modem.udp: datagrams to and from one host and port. The module keeps what arrives, packet by
# packet, until it is asked for one, so that no peer can flood the board; what it has no room for
# it drops, as UDP may.

from . import _port
from ._port import const
from .at_channel import DATA, DONE, LINE, REPLY_MS
from .errors import CommandError, ConnectionLost, ModemError, ProtocolError, Timeout
from .net_flow import ConnectionBuffer, as_sized, size_of
from .net_links import OPEN_MS, RETRY_MS
from .net_stream import open_connection

DATAGRAM_MAX = const(1460)  # bytes of a datagram that the module passes on


class DatagramBuffer(ConnectionBuffer):
    """What both fronts' datagrams have."""

    @property
    def size_max(self):
        """Bytes of the largest datagram that can be sent: 1460; where data goes inside the
        command, half as much as fits there."""
        if self._modem.require_model().prompt:
            return DATAGRAM_MAX
        return min(DATAGRAM_MAX, self.packet_max())

    def settimeout(self, seconds):
        """How long `recv` waits before it raises Timeout. None: for ever. 0: it returns None where
        it would wait."""
        self._timeout_ms = None if seconds is None else int(seconds * 1000)

    def _checked(self, data, n=None):
        # (data, its length); ValueError for what is no datagram.
        data = as_sized(data)
        n = size_of(data, n)
        if not 1 <= n <= self.size_max:
            raise ValueError("a datagram has 1 to %d bytes, not %d" % (self.size_max, n))
        return data, n

    def _receive_packet_op(self, into):
        # Receives one datagram, as much of it as `into` has room for.
        ch = self._ch
        connection = self._connection
        self._begin()
        ch.command(b"+MIPRD=").number(connection.id).number(DATAGRAM_MAX)
        ch.send(REPLY_MS + DATAGRAM_MAX * 10000 // ch.baud, b"+MIPRD:", 3)
        connection.in_transfer = True  # until it is whole
        known = connection.unread
        connection.unread = 0  # the module answers only OK if it has nothing
        connection.last_read = None
        try:
            while (event := ch.poll()) != DONE:
                if event == DATA:
                    self._check_id()
                    if ch.data_remaining > DATAGRAM_MAX:
                        ch.lose_sync()
                        raise ProtocolError("%d bytes came as a datagram" % ch.data_remaining)
                    connection.unread = ch.value(1) or 0
                    connection.last_read = 0
                    while ch.data_remaining:
                        chunk = ch.read_chunk()
                        n = min(len(chunk), len(into) - connection.last_read)
                        if n:
                            at = connection.last_read
                            into[at : at + n] = chunk if n == len(chunk) else chunk[:n]
                            connection.last_read = at + n
                        if ch.data_remaining and ch.drained:
                            yield
                elif event == LINE:
                    self._check_id()
                else:
                    yield
            connection.refused_until = None
        except ModemError as error:
            if connection.last_read is not None or not isinstance(error, CommandError):
                self._break(error)
            yield from self._refused_op(error)
            connection.unread = known
        connection.in_transfer = False
        connection.last_heard_ms = _port.ticks_ms()

    def _receive_packet_steps(self, into):
        # One datagram; in _result how much of it is in `into`, None for later.
        connection = self._connection
        timeout_ms = self._timeout_ms
        began = _port.ticks_ms()
        asked = False
        while True:
            if connection.unread:
                yield self._receive_packet_op(into)
                if connection.last_read is not None:
                    self._result = connection.last_read
                    return
            self._connections.check(connection)
            if connection.close_reason:
                raise ConnectionLost("the module has ended %r: make another" % self)
            connection.changed = False
            left_ms = timeout_ms
            if timeout_ms is not None:
                left_ms = timeout_ms - _port.ticks_diff(_port.ticks_ms(), began)
            if left_ms is None or left_ms > 0:
                self.wait_ms = OPEN_MS if left_ms is None else left_ms
                if connection.refused_until is not None:
                    self.wait_ms = min(self.wait_ms, RETRY_MS)
                yield None
            elif timeout_ms and not asked:
                asked = True  # its URC may have been lost
                yield self._poll_state_op()
            elif not timeout_ms and not asked:
                asked = True
                self.wait_ms = 0
                yield None
            elif timeout_ms:
                raise Timeout("no datagram came within %d ms" % timeout_ms)
            else:
                self._result = None
                return


class Datagrams(DatagramBuffer):
    """UDP to and from one host and port: what `modem.udp` returns."""

    def _run(self, steps):
        for operation in steps:
            self._run_step(operation)
        return self._result

    def _run_step(self, operation):  # apart, so that neither frame is of the heap
        if operation is None:
            operation = self._connections.wait_news_op(self._connection, self.wait_ms)
        self._modem.run_operation(operation)

    def send(self, data, n=None):
        """Send one datagram; its length. ValueError if it is longer than `size_max`."""
        data, n = self._checked(data, n)
        self._modem.run_operation(self._send_op(data, 0, n))
        return n

    def recv_into(self, buf):
        """The next datagram into `buf`; its length. What `buf` has no room for is lost. None, or
        Timeout, if none comes: see `settimeout`."""
        return self._run(self._receive_packet_steps(buf))

    def recv(self, n=DATAGRAM_MAX):
        """The next datagram as bytes, its first `n`; None, or Timeout, if none comes."""
        buf = bytearray(n)
        got = self.recv_into(buf)
        return None if got is None else bytes(buf[:got])

    def close(self):
        """Give the connection's id back. Closing twice is harmless."""
        self._modem.run_operation(self._connections.close_op(self._connection))

    def __enter__(self):
        return self

    def __exit__(self, kind, *exc):
        try:
            self.close()
        except OSError:
            if kind is None:
                raise  # else the error that is under way says more


class Methods:
    """Part of the front's Modem, loaded when it is called."""

    def udp(self, host: str, port: int, timeout_ms: int = 60000) -> "Datagrams":
        """UDP to and from one host and port: send(data), recv(n), recv_into(buf), settimeout,
        close. The module keeps datagrams of up to 1460 bytes until they are asked for.
        `timeout_ms` bounds the look-up of the name.

        CommandError, Timeout."""
        return open_udp(self, host, port, timeout_ms)


def open_udp(modem, host, port, timeout_ms):
    """Datagrams: see onemo.Modem.udp."""
    return Datagrams(
        modem, open_connection(modem, host, port, None, timeout_ms, None, True), OPEN_MS
    )

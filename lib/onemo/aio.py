# SPDX-License-Identifier: MIT
#
# Front 2: waits in asyncio. Several tasks share one modem: their operations take turns. A task
# that waits for data holds nothing up, and serves URCs for all while nobody talks.
#
# Waits are sleeps that grow from nothing to 20 ms and begin anew with each byte that comes: they
# cost no memory, unlike waiting for the UART in asyncio's poll.

import asyncio

from . import _port
from ._port import const, methods_of
from .modem import BaseModem

try:
    from asyncio import sleep_ms
except ImportError:

    def sleep_ms(ms):
        return asyncio.sleep(ms / 1000)


TYPE_CHECKING = const(0)  # for type checkers, who take it for true
if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Any

    from . import aio_socket, aio_udp
    from .aio_stream import Stream
    from .tls import TLSContext

    class _Methods(aio_socket.Methods, aio_udp.Methods, BaseModem):
        pass

else:
    _Methods = methods_of("aio_", BaseModem)

_SLEEP_MAX_MS = const(20)


class AsyncModem(_Methods):
    """A OneMO module on a UART; methods are awaited. A task that is cancelled leaves the modem
    usable for the others."""

    front = "aio_"
    _locked = False  # an operation is under way
    _waiters = None  # events of the tasks that wait for it to be over, first come first served

    async def run_operation(self, operation, recover: bool = True, shield: bool = False):
        """Drive an operation to its end and return its result, in step with the module before.
        `shield`: it is short and better ended than left; a cancellation is re-raised once it has
        finished. For the library's own parts."""
        ch = self.channel
        cancelled = None
        if self._locked:
            await self._wait_turn()
        self._locked = True
        try:
            steps = operation
            if recover and not ch.ready():
                steps = self._recovered_op(operation)
            sleep = 0
            received = ch.bytes_received
            for idle in steps:
                if idle:  # an operation that stands
                    idle.append(operation)
                    break
                sleep = self._next_sleep(sleep, received)
                received = ch.bytes_received
                try:
                    await sleep_ms(min(max(sleep, ch.min_sleep_ms()), ch.max_sleep_ms()))
                except asyncio.CancelledError as error:
                    if not shield:
                        raise
                    cancelled = error
            if cancelled:
                raise cancelled
            return ch.result
        finally:
            ch.cancel()
            if self.power:
                self.power.rest(ch)
            self._unlock()

    def _next_sleep(self, sleep, received):
        # The next sleep in ms, after one of `sleep`, if `received` bytes had come before that.
        if received != self.channel.bytes_received:
            return 0
        return min(sleep + 1 + sleep // 4, _SLEEP_MAX_MS)

    def _recovered_op(self, operation):
        yield from self.resync_op()
        for idle in operation:  # not `yield from`, which would close one that stands
            yield idle

    async def _wait_turn(self):
        event = asyncio.Event()
        if self._waiters is None:
            self._waiters = []
        self._waiters.append(event)
        try:
            await event.wait()
        except BaseException:
            if event in self._waiters:
                self._waiters.remove(event)
            else:  # its turn came at the same time: on to the next
                self._unlock()
            raise

    def _unlock(self):
        if self._waiters:
            self._waiters.pop(0).set()  # it stays locked: the turn is handed on
        else:
            self._locked = False

    async def wait_news(self, connection, timeout_ms: int, each_turn=None) -> None:
        """Return as soon as there is news of a connection, or the time is over, or each_turn(),
        which is called again and again, is true. For the library's own parts."""
        from .net_links import connections_of

        ch = self.channel
        connections = connections_of(self)
        start = _port.ticks_ms()
        sleep = 0
        received = ch.bytes_received
        while True:
            if not self._locked:
                ch.poll()
            left = timeout_ms - _port.ticks_diff(_port.ticks_ms(), start)
            if left <= 0 or connections.has_news(connection):
                return
            if each_turn and each_turn():
                return
            sleep = self._next_sleep(sleep, received)
            received = ch.bytes_received
            await sleep_ms(min(sleep, left))

    async def run(self) -> None:
        """Serve URCs while nobody talks, for ever: for products with handlers of their own
        (`on_urc`). To be started as a task."""
        while True:
            if not self._locked:
                self.channel.poll()
            await sleep_ms(_SLEEP_MAX_MS)

    def ciphers(self) -> "AsyncIterator[int]":
        """Iterate (async for) the ids of the cipher suites that the module supports (manual 3.9);
        see `suites`. They are fetched at once, two bytes each, so that leaving half-way keeps no
        other task from the module. Unsupported if the model does not list them."""
        from .suites_listed import supported_ids

        return _Ciphers(self, supported_ids(self))

    async def connect(
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
        together. `id`: the connect_id to use; None takes a free one. Other tasks may talk while
        the module connects.

        `ssl`: an SSLContext of MicroPython's `ssl`: TLS on the board instead of in the module,
        with `host` as the name that the server's certificate must have; see docs/tls-where.md.
        The stream is one of asyncio's own then, and as always there the handshake is part of its
        first `drain` or read, which raises what is wrong.

        CommandError with the module's reason (752: the server's certificate was not accepted);
        Timeout; ClockError if dates are to be checked and the module's clock is not set;
        VerifyError if TLS would not be used."""
        if ssl:
            from .aio_socket import open_tls

            return await open_tls(self, host, port, tls, timeout_ms, ssl, id)
        from .aio_stream import Stream
        from .net_links import connections_of

        connection = connections_of(self).prepare(host, port, tls, timeout_ms, id)
        await self.open_connection(connection, timeout_ms)
        return Stream(self, connection, None)

    async def open_connection(self, connection, timeout_ms: int, each_turn=None) -> None:
        """Open a connection that was prepared. For the library's own parts."""
        from .net_links import connections_of

        connections = connections_of(self)
        opening = connections.open_op(connection, timeout_ms)
        try:
            await self.run_operation(opening)
            await self.wait_news(connection, timeout_ms, each_turn)
            connections.check_opened(connection, timeout_ms)
            await self.run_operation(opening)
        except BaseException:
            connections.drop(connection)
            raise


if TYPE_CHECKING:
    from ._awaited import Modem as Modem  # noqa: PLC0414 (so that pyright takes it for public)
else:
    Modem = AsyncModem


class _Ciphers:
    # Iterates what supported_ids() yields, by `async for`.

    def __init__(self, modem, found):
        self._modem = modem
        self._found = found
        self._ids = None
        self._at = 0

    def _collect_op(self):
        for suite in self._found:
            if suite is None:
                yield
            else:
                self._ids.append(suite)

    def __aiter__(self):
        return self

    async def __anext__(self):
        if self._ids is None:
            from array import array

            self._ids = array("H")
            await self._modem.run_operation(self._collect_op())
        if self._at == len(self._ids):
            raise StopAsyncIteration
        self._at += 1
        return self._ids[self._at - 1]

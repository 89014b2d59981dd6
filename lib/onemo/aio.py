# Front 2: waits in asyncio. Several tasks share one modem: their operations take turns. Who waits
# for data holds nothing up, and listens for all while nobody talks.
#
# Waits are sleeps that grow from nothing to 20 ms and begin anew with each byte that comes: they
# cost no memory, unlike waiting for the UART in asyncio's poll.

import asyncio

from . import _port, modem
from ._port import const
from .flow import Flow, sized

try:
    from asyncio import sleep_ms
except ImportError:

    def sleep_ms(ms):
        return asyncio.sleep(ms / 1000)


_NAP_MS = const(20)


class Modem(modem.Modem):
    """A OneMO module on a UART; methods are awaited. A task that is cancelled leaves the modem
    usable for the others."""

    def __init__(self, uart, **settings):
        super().__init__(uart, **settings)
        self._busy = False  # an operation is under way
        self._turns = []  # events of those that wait for it to be over

    async def run_operation(self, operation, recover=True, whole=False):
        # Drives an operation to its end; its result. `whole`: one that is short, and better ended
        # than left: a cancellation has to wait for it.
        ch = self.channel
        cancelled = None
        if self._busy:
            await self._turn()
        self._busy = True
        try:
            if recover and not ch.ready():
                operation = self._recovered(operation)
            nap = 0
            heard = ch.received
            for _ in operation:
                nap = min(nap + 1 + nap // 4, _NAP_MS) if heard == ch.received else 0
                heard = ch.received
                try:
                    await sleep_ms(min(nap, ch.patience_ms()))
                except asyncio.CancelledError as error:
                    if not whole:
                        raise
                    cancelled = error
            if cancelled:
                raise cancelled
            return ch.result
        finally:
            ch.abandon()
            if self._turns:
                self._turns.pop(0).set()  # busy it stays: the turn is handed on
            else:
                self._busy = False

    def _recovered(self, operation):
        yield from self.recovery()
        yield from operation

    async def _turn(self):
        turn = asyncio.Event()
        self._turns.append(turn)
        try:
            await turn.wait()
        except BaseException:
            if turn not in self._turns:  # it came at the same time: on to the next
                if self._turns:
                    self._turns.pop(0).set()
                else:
                    self._busy = False
            else:
                self._turns.remove(turn)
            raise

    async def until(self, link, timeout_ms):
        # Until there is news of a link, or the time is over.
        ch = self.channel
        sockets = self.links
        began = _port.ticks_ms()
        nap = 0
        heard = ch.received
        while True:
            if not self._busy:
                ch.poll()
            left = timeout_ms - _port.ticks_diff(_port.ticks_ms(), began)
            if left <= 0 or sockets.stirred(link):
                return
            nap = min(nap + 1 + nap // 4, _NAP_MS) if heard == ch.received else 0
            heard = ch.received
            await sleep_ms(min(nap, left))

    async def run(self):
        """Serves URCs while nobody talks, for ever: for products with handlers of their own
        (`on_urc`). To be started as a task."""
        while True:
            if not self._busy:
                self.channel.poll()
            await sleep_ms(_NAP_MS)

    def ciphers(self):
        """Iterates (async for) the ids of the cipher suites that the module supports (manual 3.9);
        see `suites`. They are fetched at once, two bytes each, so that leaving half-way keeps no
        other task from the module. Unsupported where the model does not tell."""
        from .ciphers import ids

        return _Ciphers(self, ids(self))

    async def connect(self, host, port, tls=None, timeout_ms=60000):
        """A TCP connection, or a TLS connection by the configured context `tls` (manual 4.1): a
        stream. `timeout_ms`, at least 6000, bounds DNS, TCP and TLS together. Other tasks may talk
        while the module connects.

        CommandError with the module's reason (752: the server's certificate was not accepted);
        Timeout; ClockError where dates are to be checked and the module's clock is not set;
        VerifyError where TLS would not be used."""
        sockets = self.sockets()
        link = sockets.link(host, port, tls, timeout_ms)
        try:
            await self.run_operation(sockets.opening(link, timeout_ms))
            await self.until(link, timeout_ms)
            sockets.opened(link, timeout_ms)
        except BaseException:
            sockets.drop(link)
            raise
        return Stream(self, link, None)

    def rotate(self, profile, trial=None, *, old=None, journal="onemo.rotate"):
        """Goes over to another identity, as the blocking front's `rotate`; to be awaited. A
        `trial` function is called with the modem and awaited."""
        from .identity import rotate_async

        return rotate_async(self, profile, trial, old, journal)

    def socket_module(self, tls=None):
        raise NotImplementedError("what stands in for `socket` blocks: use onemo.Modem for it")


class _Ciphers:
    def __init__(self, owner, found):
        self._modem = owner
        self._found = found
        self._ids = None
        self._at = 0

    def _collecting(self):
        for number in self._found:
            if number is None:
                yield
            else:
                self._ids.append(number)

    def __aiter__(self):
        return self

    async def __anext__(self):
        if self._ids is None:
            from array import array

            self._ids = array("H")
            await self._modem.run_operation(self._collecting())
        if self._at == len(self._ids):
            raise StopAsyncIteration
        self._at += 1
        return self._ids[self._at - 1]


class Stream(Flow):
    """A TCP or TLS connection with the methods of asyncio's StreamReader and StreamWriter. Reads
    wait as long as it takes, or as `settimeout` says, return b"" at the end of the stream, and
    lose nothing when they are cancelled. (MicroPython's `wait_for` may drop what a read returns at
    the very moment of the timeout; `settimeout` does not.) ConnectionLost where the connection
    ended otherwise than by its peer's closing, ModemReset where the module rebooted. One task may
    read while another writes."""

    _closer = None

    def settimeout(self, seconds):
        """Reads raise Timeout after so long. None: they wait."""
        self._timeout_ms = None if seconds is None else max(1, int(seconds * 1000))

    async def _run(self, reader):
        owner = self._modem
        for operation in reader:
            if operation is None:
                await owner.until(self._link, self.patience_ms)
            else:
                await owner.run_operation(operation, True, True)
        return self._result

    async def readinto(self, buf):
        """Fills `buf` as far as there is something, and waits until there is; how many bytes, 0 at
        the end."""
        return await self._run(self._reading_into(buf, len(buf)))

    async def read(self, n=-1):
        """Up to `n` bytes, as soon as there are some; all up to the end without `n`."""
        if n < 0:
            return bytes(await self._run(self._collecting(-1)))
        if not n:
            return b""
        buf = bytearray(min(n, 4 * len(self._ch.buffer)))
        got = await self._run(self._reading_into(buf, len(buf)))
        return bytes(buf[:got])

    async def readexactly(self, n):
        """`n` bytes; EOFError where the stream ends before."""
        got = await self._run(self._collecting(n))
        if len(got) < n:
            raise EOFError("the stream ended after %d of %d bytes" % (len(got), n))
        return bytes(got)

    async def readline(self):
        """A line with its line end; what there is at the end of the stream."""
        return bytes(await self._run(self._collecting(-1, True)))

    def write(self, data):
        """Takes `data` (bytes-like, or str as UTF-8). It is sent by `drain`, or with the next
        read or close: small writes go out together."""
        self._sockets.check(self._link)
        self._hold(sized(data)[0])

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    async def drain(self):
        """Sends what was written. Returns once the module has it."""
        if self._out:
            await self._modem.run_operation(self._flushing(), True, True)

    def close(self):
        """Begins to close: what was written goes out first. `wait_closed` waits for it."""
        self._link.failed = True  # its id may be taken back, should closing be cancelled
        if not self._closer:
            self._closer = asyncio.create_task(self._close())

    async def wait_closed(self):
        """Returns once the connection is closed, and closes it if that has not begun."""
        self.close()
        await self._closer

    async def _close(self):
        try:
            if not self._link.broken:
                await self.drain()
            await self._modem.run_operation(self._sockets.close(self._link), True, True)
        except OSError:
            pass  # it is over, as it is to be

    def is_closing(self):
        return self._closer is not None

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exc):
        await self.wait_closed()

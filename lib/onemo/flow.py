# The bytes of a connection, for both fronts' streams: what is read ahead, what is written and not
# sent yet. Nothing here waits: a reader is a generator that yields an operation that is to be run,
# or None, to be taken up again once there is news of the link or `patience_ms` are over.
#
# What has been taken from the module is always on record here, never only in a generator: a task
# that is cancelled while it reads loses nothing, the next read begins with it.

from binascii import hexlify

from . import _port
from ._port import const, raw
from .channel import DATA, DONE, LINE, PROMPT, SENT
from .counted import after, piece
from .errors import CommandError, ConnectionLost, ModemError, ProtocolError, Timeout

_ANSWER_MS = const(5000)
_SEND_MS = const(15000)
_STALLED_MS = const(5000)  # a module sends what it has once it has waited 10 s for the rest
_ASK_MS = const(10000)  # of silence, until the module is asked: its word may have been lost
_READ_MAX = const(4096)  # bytes a MIPRD
_GROW_MAX = const(65536)
_SEND_COMMAND = const(24)  # characters of a MIPSEND around its data
HELD_MAX = const(1024)  # bytes of small writes that are held
_RECEIVED = after(3)


class Flow:
    def __init__(self, modem, link, timeout_ms):
        self._modem = modem
        self._ch = modem.channel
        self._sockets = modem.sockets()
        self._link = link
        self._timeout_ms = timeout_ms  # of reading; None: none
        self.patience_ms = 0
        self._ahead = b""  # _ahead[_at:_stop] has been read ahead
        self._at = self._stop = 0
        self._into = None  # _into[:_have] has been received by the reader under way
        self._have = 0
        self._out = b""  # written, not sent
        self._result = None

    def __repr__(self):
        return "<%s of connection %s>" % (self.__class__.__name__, self._link and self._link.id)

    # Operations

    def _begin(self):
        link = self._link
        if link.cut and not link.broken:
            link.broken = "a transfer was broken off"
        self._sockets.check(link)

    def _receive(self, into, start, most):
        # Takes up to `most` bytes into into[start:].
        ch = self._ch
        link = self._link
        self._begin()
        most = min(most, _READ_MAX)
        ch.begin(b"+MIPRD=").number(link.id).number(most)
        ch.go(_ANSWER_MS + most * 10000 // ch.baud, b"+MIPRD:", _RECEIVED)
        link.cut = True  # until it is whole
        link.unread = 0  # nothing but OK is said then
        at = start
        try:
            while (event := ch.poll()) != DONE:
                if event == DATA:
                    link.unread = ch.value(1) or 0
                    if ch.left > most:
                        raise ProtocolError(
                            "%d bytes came where %d were asked for" % (ch.left, most)
                        )
                    while ch.left:
                        data = piece(ch)
                        if data:
                            into[at : at + len(data)] = data
                            at += len(data)
                        else:
                            yield
                elif event == LINE:
                    link.unread = ch.value(1) or 0
                else:
                    yield
        except ModemError as error:
            if not (link.ended and isinstance(error, CommandError)):
                self._break(error)
        link.cut = False
        link.heard = _port.ticks_ms()
        link.got = at - start
        if into is self._ahead:
            self._at = 0
            self._stop = at
        else:
            self._have = at

    def _break(self, error):
        # A module that rebooted without a word refuses what concerns its connections: look.
        self._link.broken = error
        self._ch.stale = self._ch.stale or isinstance(error, CommandError)
        raise error

    def _ask(self):
        # What the module should have told by itself.
        ch = self._ch
        link = self._link
        self._begin()
        link.heard = _port.ticks_ms()
        open_still = False
        ch.begin(b"+MIPSTATE=").number(link.id).go(_ANSWER_MS, b"+MIPSTATE:")
        try:
            while (event := ch.poll()) != DONE:
                if event == LINE:
                    open_still = ch.says(4, b"CONNECTED")
                else:
                    yield
            ch.begin(b"+MIPRD=").number(link.id).go(_ANSWER_MS, b"+MIPRD:")
            while (event := ch.poll()) != DONE:
                if event == LINE:
                    link.unread = ch.value(1) or 0
                else:
                    yield
        except CommandError:
            open_still = False
        if not open_still and not link.ended:
            link.ended = 2  # how is not known
            ch.stale = True  # it may have rebooted

    def _send(self, data, start, stop):
        # In the largest packets that the model takes, and that its 10 s for one allow.
        ch = self._ch
        link = self._link
        modem = self._modem
        model = modem.needed_model()
        if model.prompt:
            most = min(model.send_prompt, ch.baud // 2)
        else:
            most = min(model.send_inline, modem.line_max - _SEND_COMMAND) // 2
        while start < stop:
            self._begin()
            if link.ended:
                raise ConnectionLost("the peer of connection %d has gone" % link.id)
            link.cut = True  # until it is whole: how much went out is not known
            n = min(stop - start, most)
            try:
                yield from (self._packet if model.prompt else self._inline)(data, start, n)
            except ModemError as error:
                self._break(error)
            link.cut = False
            if ch.result is None:
                link.sent = n
            elif not 0 < ch.result <= n:
                raise Timeout("connection %d takes no more data" % link.id)
            else:
                n = ch.result
            start += n

    def _packet(self, data, start, n):
        ch = self._ch
        ch.begin(b"+MIPSEND=").number(self._link.id).number(n)
        ch.go(_SEND_MS, b"+MIPSEND:", payload=n)
        while (event := ch.poll()) != PROMPT:
            if event == LINE:
                self._link.took(ch.value(1))  # what was sent before
                self._sockets.check(self._link)
            else:
                yield
        ch.push(data, start, start + n)
        yield from self._accepted(n, n)

    def _inline(self, data, start, n):
        ch = self._ch
        ch.begin(b"+MIPSEND=").number(self._link.id).number(n).verbatim(b'"')
        ch.go(_SEND_MS, b"+MIPSEND:", ended=False)
        while ch.poll() != SENT:
            yield
        for at in range(start, start + n, 64):
            digits = hexlify(data[at : min(at + 64, start + n)])
            ch.push(digits, 0, len(digits))
            while ch.poll() != SENT:
                yield
        ch.push(b'"\r', 0, 2)
        yield from self._accepted(n, 2 * n)

    def _accepted(self, n, size):
        # In result the count that the module took; None where it says only OK.
        ch = self._ch
        link = self._link
        ch.wait(_SEND_MS, size)
        began = _port.ticks_ms()
        accepted = None
        while (event := ch.poll()) != DONE:
            if event != LINE:
                yield
            elif link.sent:
                link.took(ch.value(1))
            else:
                accepted = ch.value(1)
        if (
            accepted is not None
            and accepted < n
            and _port.ticks_diff(_port.ticks_ms(), began) > (_STALLED_MS + size * 10000 // ch.baud)
        ):
            raise ConnectionLost("bytes were lost on their way to the module")
        ch.result = accepted

    def _flushing(self):
        # Sends what is held. Taken here, under the lock of a front that has one, for the order.
        data = self._out
        self._out = b""
        yield from self._send(data, 0, len(data))

    # Writing

    def _hold(self, data):
        if not self._out and isinstance(data, bytes):
            self._out = data
        else:
            if not isinstance(self._out, bytearray):
                self._out = bytearray(self._out)
            self._out += data

    # Readers

    def _more(self, into, start, most):
        # Receives something; nothing at the end of the stream, or where waiting is not allowed:
        # `_result` is None then.
        sockets = self._sockets
        link = self._link
        timeout_ms = self._timeout_ms
        began = _port.ticks_ms()
        last = False
        self._result = 0
        if self._out:
            yield self._flushing()
        while True:
            if link.unread or link.ended:
                yield self._receive(into, start, most)
                if link.got:
                    return
                if link.ended:
                    sockets.check_end(link)
                    return
            sockets.check(link)
            now = _port.ticks_ms()
            wait = _ASK_MS - _port.ticks_diff(now, link.heard)
            if timeout_ms is not None:
                left = timeout_ms - _port.ticks_diff(now, began)
                if left > 0:
                    wait = min(wait, left)
                elif not last:
                    last = True
                    wait = 0 if timeout_ms else wait  # one that waited asks, before it gives up
                elif timeout_ms:
                    link.failed = True
                    raise Timeout(
                        "nothing to read from connection %d within %d ms" % (link.id, timeout_ms)
                    )
                else:
                    self._result = None
                    return
            link.news = False
            if wait > 0:
                self.patience_ms = wait if timeout_ms != 0 else 0
                yield None
            else:
                yield self._ask()

    def _fill(self):
        room = len(self._ch.buffer)
        if len(self._ahead) != room:
            self._ahead = bytearray(room)
        self._at = self._stop = 0
        return self._more(self._ahead, 0, room)

    def _recall(self):
        # What a reader had received when it was left.
        into = self._into
        if into is not None:
            self._into = None
            if self._have:
                self._ahead = bytearray(into[: self._have]) + self._ahead[self._at : self._stop]
                self._at = 0
                self._stop = len(self._ahead)

    def _reading_into(self, buf, most):
        # As soon as there is something; in _result how much, 0 at the end, None for later.
        self._recall()
        if self._at == self._stop:
            if most >= len(self._ch.buffer):
                self._have = 0
                self._into = buf
                yield from self._more(buf, 0, most)
                self._into = None
                if self._result == 0:
                    self._result = self._have
                return
            yield from self._fill()
            if self._result is None:
                return
        n = min(most, self._stop - self._at)
        buf[:n] = self._ahead[self._at : self._at + n]
        self._at += n
        self._result = n

    def _collecting(self, n, line=False):
        # Exactly `n` bytes (below 0: all), or a line; fewer at the end of the stream only. In
        # _result a bytearray; None for later.
        self._recall()
        got = self._into = bytearray()
        self._have = 0
        room = len(self._ch.buffer)
        self._result = 0
        while n < 0 or self._have < n:
            have = self._have
            if self._at < self._stop:
                stop = self._stop
                if line:
                    stop = self._ahead.find(b"\n", self._at, stop) + 1 or stop
                elif n >= 0:
                    stop = min(stop, self._at + n - have)
                self._have = have + stop - self._at
                got[have : self._have] = self._ahead[self._at : stop]
                self._at = stop
                if line and got[-1] == 0x0A:
                    break
            elif line or 0 <= n - have < room:
                yield from self._fill()
                if self._at == self._stop:
                    break
            else:
                if have == len(got):  # at once, for growing costs more
                    got += bytearray(min(n - have, _GROW_MAX) if n >= 0 else 4 * room)
                yield from self._more(got, have, len(got) - have)
                if self._have == have:
                    break
        if self._have < len(got):
            got[self._have :] = b""
        if self._result is None and (line or not got):
            self._recall()  # no half lines
        else:
            self._into = None
            self._result = got

    def _readable(self):
        # Whether a read would not wait.
        link = self._link
        self._recall()
        return self._at < self._stop or link.unread or link.ended

    # What both fronts have

    def get_extra_info(self, name, default=None):
        """ "peername": (host, port)."""
        link = self._link
        return (link.host, link.port) if name == "peername" else default


def sized(data, n=None):
    """`data` as something with a length in bytes, and its first `n` bytes' number."""
    data = raw(data)
    if not isinstance(data, (bytes, bytearray)):
        data = memoryview(data)
    return data, len(data) if n is None else min(n, len(data))

# SPDX-License-Identifier: MIT
#
# The bytes of a connection, for both fronts' streams: what is read ahead, what is written and not
# sent yet. Nothing here waits: next_step() says what is to be done to receive something, an
# operation that is to be run, or None, to call it again once there is news of the connection or
# `wait_ms` are over. A reader is a generator that yields the same, and its name ends in `_steps`.
# The result is in `_result` then.
#
# What has been taken from the module is always on record here, never only in a generator: a task
# that is cancelled while it reads loses nothing, the next read begins with it.

from binascii import hexlify

from . import _port
from ._port import as_buffer, bound, const, methods_of
from .at_channel import DATA, DONE, LINE, PROMPT, REPLY_MS, SENT
from .errors import CommandError, ConnectionLost, ModemError, ProtocolError, Timeout
from .net_links import RECEIVER, RETRY_MS, SENDER, connections_of

TYPE_CHECKING = const(0)  # for type checkers, who take it for true

HELD_MAX = const(1024)  # bytes of small writes that are held back

# As modem.py's: methods that are called seldom.
_SELDOM = const(
    " _refused_op=net_seldom _break_sending=net_seldom _poll_state_op=net_seldom "
    "_confirm_sent_op=net_seldom _confirm_end_op=net_seldom "
)

if TYPE_CHECKING:
    from .net_seldom import Methods as _Methods
else:
    _Methods = methods_of(_SELDOM)

_SEND_MS = const(15000)
_STALLED_MS = const(5000)  # a module sends what it has once it has waited 10 s for the rest
_GROW_MAX = const(65536)
_SEND_OVERHEAD = const(24)  # characters of a MIPSEND around its data

_HEX_CHUNK = const(64)  # bytes that are encoded at a time

# What a reader did last
_FIRST = const(0)  # nothing yet
_LOOK = const(1)
_ASKED = const(2)  # it asked the module for what it has


class ConnectionBuffer(_Methods):
    line_max = 16384  # bytes of a line that readline() without a limit collects
    readahead = None  # bytes of RAM for what is read ahead; None: as much as Modem's `buffer`

    def __init__(self, modem, connection, timeout_ms):
        self._modem = modem
        self._ch = modem.channel
        self._connections = connections_of(modem)
        self._connection = connection
        self._timeout_ms = timeout_ms  # of reading; None: none
        self.wait_ms = 0  # how long a reader that yielded None waits for news
        self._readahead = b""  # _readahead[_at:_stop] was received and not read yet
        self._at = self._stop = 0
        self._into = None  # _into[:_have] was received by the reader under way
        self._have = 0
        self._target = None  # what is received goes there, behind `_have`; None: is read ahead
        self._limit = 0  # how many bytes
        self._began = None  # ticks; None: its time was over, and the module asked once more
        self._step = _FIRST  # what next_step() did last
        self._out = b""  # written, not sent
        self._result = None  # of the reader that ran last

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            return bound(self, _SELDOM, name)

    def __repr__(self):
        connection = self._connection
        return "<%s of connection %s>" % (self.__class__.__name__, connection and connection.id)

    def get_extra_info(self, name, default=None):
        """ "peername": (host, port)."""
        connection = self._connection
        return (connection.host, connection.port) if name == "peername" else default

    def hide_received(self):
        """Keep what is received from now on out of traces, and of what `readinto` gives keep
        nothing: it is a secret."""
        self._connection.secret = True

    def _abandon(self):
        # True if the heap is locked: a finaliser closes, of an `ssl` socket on top, and nothing
        # can be said to the module now.
        try:
            bytearray(1)
        except MemoryError:
            if self._connection:
                self._connection.abandoned = True
            return True
        return False

    # Operations

    def _begin(self):
        connection = self._connection
        if connection.in_transfer and not connection.error:
            connection.error = "a transfer was broken off"
        strays = connection.strays
        if strays is not None and strays != self._ch.strays and not connection.error:
            connection.error = "what was read last was not all of an answer"
        self._connections.check(connection)

    def _receive_op(self):
        # Operation: receives up to `_limit` bytes into `_target`, see _begin_some().
        operation = self._connections.standing_op(RECEIVER, _receiving_op)
        operation.send(self)
        return operation

    def _take_chunk(self):
        # Puts what is there of the data behind what came before.
        ch = self._ch
        n = ch.data_remaining
        chunk = ch.read_chunk(True)
        n -= ch.data_remaining
        into = self._target
        at = self._connection.last_read
        self._connection.last_read += n
        if into is not None:
            at += self._have
            into[at : at + n] = chunk if n == len(chunk) else chunk[:n]
            return
        into = self._readahead
        if len(chunk) > n and at + len(chunk) > self.room():
            chunk = chunk[:n]
        into += chunk  # and what follows it, which is cut off: a slice would be a new object
        into[at + n :] = b""

    def _check_id(self):
        # The line at hand must be about this connection.
        if self._ch.value(0) != self._connection.id:
            self._ch.lose_sync()
            raise ProtocolError(
                "%s was answered for connection %s" % (self._ch.command_text(), self._ch.value(0))
            )

    def _check_count(self):
        # The line at hand must tell no more than how much is unread: with data in it, it would be
        # one whose commas or count were damaged.
        self._check_id()
        ch = self._ch
        unread = ch.value(1)
        if unread is None or ch.text(2) is not None:
            ch.lose_sync()
            raise ProtocolError("%s has an answer that cannot be read" % ch.command_text())
        self._connection.unread = unread

    def _break(self, error):
        # A module that rebooted without a word refuses what concerns its connections: look.
        self._connection.error = error
        if isinstance(error, CommandError):
            self._ch.lose_sync()
        raise error

    def packet_max(self):
        """Bytes that one MIPSEND takes, and brings within the module's 10 s for it."""
        model = self._modem.require_model()
        if model.prompt:
            return min(model.send_prompt, self._ch.baud // 2)
        return min(model.send_inline, self._modem.line_max - _SEND_OVERHEAD) // 2

    def _send_op(self, data, start, stop):
        # Operation: sends data[start:stop]; what is held back if `data` is None.
        operation = self._connections.standing_op(SENDER, _sending_op)
        operation.send(self)
        operation.send(data)
        operation.send(start)
        operation.send(stop)
        return operation

    def _send_inline_op(self, data, start, n):
        ch = self._ch
        ch.command(b"+MIPSEND=").number(self._connection.id).number(n).verbatim(b'"')
        ch.send(_SEND_MS, b"+MIPSEND:", line_open=True)
        while ch.poll() != SENT:
            yield
        for at in range(start, start + n, _HEX_CHUNK):
            digits = hexlify(data[at : min(at + _HEX_CHUNK, start + n)])
            ch.push(digits, 0, len(digits))
            while ch.poll() != SENT:
                yield
        ch.end_line()

    def _flush_op(self):
        # Sends what is held back. Taken once it runs, under the lock of a front that has one, for
        # the order.
        return self._send_op(None, 0, 0)

    # Writing

    def _queue(self, data):
        if not self._out and isinstance(data, bytes):
            self._out = data
        else:
            if not isinstance(self._out, bytearray):
                self._out = bytearray(self._out)
            self._out += data

    # Readers

    def _begin_some(self, into, size):
        # From now on next_step() receives something, `size` bytes at the most, into into[_have:],
        # or, without `into`, what is read ahead; nothing at the end of the stream, or if waiting
        # is not allowed: `_result` is None then.
        self._target = into
        self._limit = size
        self._began = _port.ticks_ms()
        self._result = 0
        self._step = _FIRST

    def next_step(self):
        """What is to be done next to receive something: an operation; None: wait for news of the
        connection, or until `wait_ms` are over. False: it is over."""
        connection = self._connection
        step = self._step
        self._step = _LOOK
        if step == _FIRST and self._out:
            return self._flush_op()
        if step == _ASKED:
            if connection.last_read:
                return False
            if connection.close_reason and connection.refused_until is None:
                if not connection.end_confirmed:
                    # A damaged URC may have told an end that is none.
                    return self._confirm_end_op()
                self._connections.check_end(connection)
                return False
        elif connection.unread or connection.close_reason:
            self._step = _ASKED
            return self._receive_op()
        self._connections.check(connection)
        step = self._wait_step(connection)
        if step is False:
            return False
        connection.changed = False
        if step > 0:
            self.wait_ms = step if self._timeout_ms != 0 else 0
            return None
        return self._poll_state_op()

    def _wait_step(self, connection):
        # For how many ms news can be waited for; 0 or less: the module is to be asked; False:
        # it is over, and nothing there.
        timeout_ms = self._timeout_ms
        now = _port.ticks_ms()
        wait_ms = _port.ticks_diff(now, connection.last_heard_ms)
        # Below 0 weeks have passed, and ticks have wrapped.
        wait_ms = connection.silence_ms - wait_ms if wait_ms >= 0 else 0
        if connection.refused_until is not None:
            wait_ms = min(wait_ms, RETRY_MS)
        if timeout_ms is not None:
            if self._began is not None:
                now = timeout_ms - _port.ticks_diff(now, self._began)
                if now > 0:
                    return min(wait_ms, now)
                self._began = None  # one that waited asks, before it gives up
                return 0 if timeout_ms else wait_ms
            if not timeout_ms:
                self._result = None
                return False
            connection.user_saw_error = True
            raise Timeout(
                "nothing to read from connection %d within %d ms" % (connection.id, timeout_ms)
            )
        return wait_ms

    def _receive_some_steps(self):
        while (step := self.next_step()) is not False:
            yield step

    def room(self):
        """Bytes that are read ahead."""
        return self.readahead or len(self._ch.buffer)

    def _begin_refill(self):
        # The read-ahead is used up: from now on next_step() fills it.
        if not self._readahead:
            self._readahead = bytearray(self.room())
        self._readahead[:] = b""  # type: ignore[index]
        self._at = self._stop = 0
        self._begin_some(None, self.room())

    def _refill_steps(self):
        self._begin_refill()
        return self._receive_some_steps()

    def _restore_partial(self):
        # What a reader had received when it was left.
        into = self._into
        if into is not None:
            self._into = None
            if self._have:
                rest = self._readahead[self._at : self._stop]
                self._readahead = bytearray(into[: self._have]) + rest
                self._at = 0
                self._stop = len(self._readahead)

    # readinto() does what next_step() says if _begin_readinto() is true, then calls
    # _end_readinto(): a reader around these would take heap.

    def _begin_readinto(self, buf, size):
        # Whether something has to be received first.
        self._restore_partial()
        if self._at < self._stop:
            return False
        if size < self.room():
            self._begin_refill()
        else:
            self._have = 0
            self._into = buf
            self._begin_some(buf, size)
        return True

    def _end_readinto(self, buf, size):
        # How much is in `buf` now; 0 at the end, None for later.
        self._target = None
        if self._into is not None:  # it was received into `buf`
            self._into = None
            return None if self._result is None else self._have
        at = self._at
        if at == self._stop:
            return self._result
        n = min(size, self._stop - at)
        self._at += n
        if n == len(self._readahead) and not self._connection.secret:
            buf[:n] = self._readahead  # a slice would be a new object
            return n
        view = memoryview(self._readahead)[at : at + n]
        buf[:n] = view
        if self._connection.secret:
            view[:] = bytes(n)
        return n

    def _read_steps(self, n, line=False):
        # Exactly `n` bytes (below 0: all), or a line, of `n` bytes at the most; fewer at the end
        # of the stream only. In _result a bytearray; None for later.
        self._restore_partial()
        got = self._into = bytearray()
        self._have = 0
        room = self.room()
        self._result = 0
        while n < 0 or self._have < n:
            have = self._have
            if line and n < 0 and have >= self.line_max:
                self._restore_partial()
                raise ProtocolError(
                    "no line end in %d bytes of connection %d: read(n) or readline(n) takes them, "
                    "a greater line_max allows longer lines" % (have, self._connection.id)
                )
            if self._at < self._stop:
                stop = self._stop
                if n >= 0:
                    stop = min(stop, self._at + n - have)
                if line:
                    stop = self._readahead.find(b"\n", self._at, stop) + 1 or stop
                self._have = have + stop - self._at
                got[have : self._have] = self._readahead[self._at : stop]
                self._at = stop
                if line and got[-1] == 0x0A:
                    break
            elif line or 0 <= n - have < room:
                yield from self._refill_steps()
                if self._at == self._stop:
                    break
            else:
                if have == len(got):  # at once, for growing costs more
                    got += bytearray(min(n - have, _GROW_MAX) if n >= 0 else 4 * room)
                self._begin_some(got, len(got) - have)
                yield from self._receive_some_steps()
                if self._have == have:
                    break
        if self._have < len(got):
            got[self._have :] = b""
        if self._result is None and (line or not got):
            self._restore_partial()  # no half lines
        else:
            self._into = None
            self._result = got

    def _is_readable(self):
        # True if a read would not wait.
        connection = self._connection
        self._restore_partial()
        return self._at < self._stop or connection.unread or connection.close_reason


# The two operations that each message needs are standing ones, see standing_op(): they go from
# self to self, and from message to message. `self` is the stream that is served now.


def _receiving_op(connections):
    self = yield
    while True:
        yield  # from here on a front drives
        ch = self._ch
        connection = self._connection
        self._begin()
        size = min(self._limit, self._modem.require_model().read_max)
        ch.command(b"+MIPRD=").number(connection.id).number(size)
        if connection.secret:
            ch.begin_secret()
        ch.send(REPLY_MS + size * 10000 // ch.baud, b"+MIPRD:", 3)
        connection.in_transfer = True  # until it is whole
        known = connection.unread  # 1: a count that was not read
        connection.unread = 0  # the module answers only OK if it has nothing
        connection.last_read = 0
        try:
            while (event := ch.poll()) != DONE:
                if event == DATA:
                    self._check_id()
                    unread = ch.value(1)
                    count = ch.data_remaining
                    if (
                        unread is None
                        or count > size
                        or (
                            not self._modem.require_model().packet_reads
                            and (
                                (unread and count < size)
                                or (known > 1 and count < min(size, known))
                            )
                        )
                    ):
                        ch.lose_sync()
                        raise ProtocolError(
                            "%d bytes came, and %s are left, where %d were asked for"
                            % (count, unread, size)
                        )
                    known = max(known, connection.unread)  # a URC came before the answer
                    connection.untold += max(0, count + unread - known)
                    connection.unread = unread
                    known = 0
                    while ch.data_remaining:
                        self._take_chunk()
                        if ch.data_remaining and ch.drained:
                            yield
                elif event == LINE:
                    self._check_count()
                    if connection.unread:
                        known = 0
                else:
                    yield
            if known > 1:
                raise ProtocolError("%d bytes had been announced, and none came" % known)
            connection.refused_until = None
        except ModemError as error:
            if connection.last_read or not isinstance(error, CommandError):
                self._break(error)
            # At the end of a connection a refusal only says that there is no more, unless more
            # had been announced.
            if known or not connection.close_reason:
                yield from self._refused_op(error)
                connection.unread = max(known, connection.unread)
            else:
                connection.refused_until = None
        connection.in_transfer = False
        connection.last_heard_ms = _port.ticks_ms()
        connection.strays = ch.strays
        if self._target is None:
            self._stop = connection.last_read
        else:
            self._have += connection.last_read
        self = connection = None
        self = yield connections.idle[RECEIVER]


def _sending_op(connections):
    # In the largest packets that the model takes, and that its 10 s for one allow.
    self = yield
    while True:
        data = yield
        start = yield
        stop = yield
        yield  # from here on a front drives
        if data is None:
            data = self._out
            stop = len(data)
            self._out = b""
        ch = self._ch
        connection = self._connection
        while start < stop:
            self._begin()
            if connection.tls and not connection.accepted:
                check_no_hello(data, start, stop)
            if connection.close_reason:
                raise ConnectionLost("the peer of connection %d has gone" % connection.id)
            connection.in_transfer = True  # until it is whole: how much went out is not known
            n = min(stop - start, self.packet_max())
            accepted = None  # how many bytes the module took; None if it answers only OK
            try:
                if self._modem.require_model().prompt:
                    ch.command(b"+MIPSEND=").number(connection.id).number(n)
                    ch.send(_SEND_MS, b"+MIPSEND:", payload=n, fillable=False)
                    while (event := ch.poll()) != PROMPT:
                        if event == LINE:
                            connection.on_sent(ch.value(1))  # what was sent before
                            connections.check(connection)
                        else:
                            yield
                    ch.push(data, start, start + n)
                    size = n
                else:
                    yield from self._send_inline_op(data, start, n)
                    size = 2 * n
                ch.set_deadline(_SEND_MS, size)
                began = _port.ticks_ms()
                while (event := ch.poll()) != DONE:
                    if event != LINE:
                        yield
                        continue
                    self._check_id()
                    if connection.last_sent:
                        connection.on_sent(ch.value(1))
                    else:
                        accepted = ch.value(1)
                if accepted is None or accepted < n:
                    # The module may have waited for the rest of a packet until its time was over.
                    began = _port.ticks_diff(_port.ticks_ms(), began)
                    if began > _STALLED_MS + size * 10000 // ch.baud:
                        raise ConnectionLost("bytes were lost on their way to the module")
            except ModemError as error:
                self._break_sending(error)
                yield from self._refused_op(error)  # before its prompt: nothing was sent
                connection.in_transfer = False
                continue
            connection.in_transfer = False
            connection.refused_until = None
            if accepted is None:
                connection.last_sent = n
            elif accepted > n:
                self._break(ConnectionLost("the module sent %d bytes, not %d" % (accepted, n)))
            elif accepted < 1:
                raise Timeout("connection %d takes no more data" % connection.id)
            elif accepted < n:
                n = yield from self._confirm_sent_op(accepted, n)
            connection.accepted += n
            start += n
        self = connection = data = None
        self = yield connections.idle[SENDER]


def check_no_hello(data, start, stop):
    """ModemError for a TLS ClientHello, as the first that is written into a connection that is TLS
    already."""
    # A record of type 22 (handshake), version 3.x, which holds a message of type 1.
    if stop - start > 5 and data[start] == 0x16 and data[start + 1] == 3 and data[start + 5] == 1:
        raise ModemError(
            "this connection is TLS by the module: use http:// or a plain socket, "
            "for TLS inside TLS no server answers"
        )


def as_sized(data):
    """`data` as something with a length in bytes."""
    data = as_buffer(data)
    if isinstance(data, bytes) or isinstance(data, bytearray):  # noqa: SIM101 (a tuple takes heap)
        return data
    return memoryview(data)


def size_of(data, n=None):
    """How many bytes the first `n` of `data` are: all of them without `n`, or with one below 0, as
    MicroPython's streams have it."""
    return len(data) if n is None or n < 0 else min(n, len(data))

# SPDX-License-Identifier: MIT
#
# The bytes of a connection, for both fronts' streams: what is read ahead, what is written and not
# sent yet. Nothing here waits: a reader is a generator, its name ends in `_steps`, that yields an
# operation that is to be run, or None, to be resumed once there is news of the connection or
# `wait_ms` are over. It leaves its result in `_result`.
#
# What has been taken from the module is always on record here, never only in a generator: a task
# that is cancelled while it reads loses nothing, the next read begins with it.

from binascii import hexlify

from . import _port
from ._port import as_buffer, const
from .at_channel import DATA, DONE, LINE, PROMPT, REPLY_MS, SENT
from .at_retry import RETRY_MS, ask_op, is_over, is_transient
from .errors import CommandError, ConnectionLost, ModemError, ProtocolError, Timeout
from .net_links import SILENCE_MS, connections_of

HELD_MAX = const(1024)  # bytes of small writes that are held back

_SEND_MS = const(15000)
_REFUSED_MS = const(30000)  # for which a busy module may refuse, on a stream without a timeout
_REFUSED_MAX_MS = const(600000)  # and on any; ticks are counted in days, not weeks
_STALLED_MS = const(5000)  # a module sends what it has once it has waited 10 s for the rest
_SILENCE_MAX_MS = const(
    600000
)  # between two looks at a silent connection: net_links has the first
_GROW_MAX = const(65536)
_SEND_OVERHEAD = const(24)  # characters of a MIPSEND around its data
_HEX_CHUNK = const(64)  # bytes that are encoded at a time


class ConnectionBuffer:
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
        self._out = b""  # written, not sent
        self._result = None  # of the reader that ran last

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
        if connection.strays not in (None, self._ch.strays) and not connection.error:
            connection.error = "what was read last was not all of an answer"
        self._connections.check(connection)

    def _receive_op(self, into, start, size):
        # Receives up to `size` bytes into into[start:].
        ch = self._ch
        connection = self._connection
        self._begin()
        size = min(size, self._modem.require_model().read_max)
        ch.command(b"+MIPRD=").number(connection.id).number(size)
        if connection.secret:
            ch.begin_secret()
        ch.send(REPLY_MS + size * 10000 // ch.baud, b"+MIPRD:", 3)
        connection.in_transfer = True  # until it is whole
        known = connection.unread  # 1: a count that was not read
        connection.unread = 0  # the module answers only OK if it has nothing
        at = start
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
                        chunk = ch.read_chunk()
                        if chunk:
                            into[at : at + len(chunk)] = chunk
                            at += len(chunk)
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
            if at > start or not isinstance(error, CommandError):
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
        connection.last_read = at - start
        connection.strays = ch.strays
        if into is self._readahead:
            self._at = 0
            self._stop = at
        else:
            self._have = at

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

    def _refused_op(self, error):
        # Returns if this refusal is the command's own, and may be gone at the next try; else the
        # connection is over.
        connection = self._connection
        if connection.refused_until is None:
            ms = min(self._timeout_ms or _REFUSED_MS, _REFUSED_MAX_MS)
            if not self._ch.prompt_refused:  # a read times out by itself; the next one goes on
                ms = max(ms, _REFUSED_MS)
            connection.refused_until = _port.ticks_add(_port.ticks_ms(), ms)
        if not is_transient(error) or is_over(connection.refused_until):
            self._break(error)
        try:
            if self._ch.prompt_refused:
                from .at_resync import outlast_payload_op

                _port.unload("at_resync")
                yield from outlast_payload_op(self._ch)
            # One query and no more: with the prompt later still its peer would get it, and a
            # recovery, which asks again and again, would tell nobody.
            from .at_confirm import confirm_refusal_op

            _port.unload("at_confirm")
            yield from confirm_refusal_op(self._ch)
        except ModemError as unconfirmed:
            self._break(unconfirmed)

    def _poll_state_op(self):
        # Asks what the module should have told by itself. What is unread outlives an end. Without
        # news the next look can wait longer.
        ch = self._ch
        connection = self._connection
        self._begin()
        connection.last_heard_ms = _port.ticks_ms()
        number = b"%d" % connection.id
        end = _port.ticks_add(connection.last_heard_ms, REPLY_MS)
        try:
            still_open = yield from ask_op(
                ch, b"+MIPSTATE=" + number, end, self._look_at_state, b"+MIPSTATE:"
            )
        except CommandError:
            still_open = False
        try:
            yield from ask_op(ch, b"+MIPRD=" + number, end, self._look_at_count, b"+MIPRD:")
        except CommandError:
            still_open = False
        if not still_open and not connection.close_reason:
            connection.close_reason = 2  # how is not known
            ch.lose_sync()  # it may have rebooted
        if connection.unread or connection.close_reason:
            connection.silence_ms = SILENCE_MS
        else:
            connection.silence_ms = min(2 * connection.silence_ms, _SILENCE_MAX_MS)

    def _look_at_state(self, ch):
        self._check_id()
        return ch.field_equals(4, b"CONNECTED")

    def _look_at_count(self, ch):
        self._check_count()

    def packet_max(self):
        """Bytes that one MIPSEND takes, and brings within the module's 10 s for it."""
        model = self._modem.require_model()
        if model.prompt:
            return min(model.send_prompt, self._ch.baud // 2)
        return min(model.send_inline, self._modem.line_max - _SEND_OVERHEAD) // 2

    def _send_op(self, data, start, stop):
        # In the largest packets that the model takes, and that its 10 s for one allow. Each write
        # does this: it is written out, for operations inside take heap.
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
                            self._connections.check(connection)
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
                    self._check_stalled(began, size)
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

    def _check_stalled(self, began, size):
        # ConnectionLost if the module waited for the rest of a packet until its time was over.
        waited_ms = _port.ticks_diff(_port.ticks_ms(), began)
        if waited_ms > _STALLED_MS + size * 10000 // self._ch.baud:
            raise ConnectionLost("bytes were lost on their way to the module")

    def _break_sending(self, error):
        model = self._modem.require_model()
        if isinstance(error, CommandError) and not model.known and error.code in (50, 4):
            model.prompt = False  # the next connection sends inside commands
        if not isinstance(error, CommandError) or not self._ch.prompt_refused:
            self._break(error)

    def _confirm_sent_op(self, accepted, n):
        # A damaged count would make bytes go out twice: the module's total decides.
        ch = self._ch
        connection = self._connection
        total = None
        ch.command(b"+MIPSACK=").number(connection.id).send(REPLY_MS, b"+MIPSACK:")
        try:
            while (event := ch.poll()) != DONE:
                if event == LINE:
                    total = ch.value(0)
                else:
                    yield
        except CommandError:
            pass  # not every model has it
        for count in (accepted, n):
            if total == connection.accepted + count:
                return count
        self._break(
            ConnectionLost(
                "the module says that it took %d of %d bytes, and %s in all, not %d"
                % (accepted, n, total, connection.accepted + accepted)
            )
        )

    def _confirm_end_op(self):
        connection = self._connection
        reason = connection.close_reason
        connection.close_reason = 0
        try:
            yield from self._poll_state_op()
        finally:
            if connection.close_reason or connection.error:
                connection.close_reason = reason
                connection.end_confirmed = True

    def _flush_op(self):
        # Sends what is held back. Taken here, under the lock of a front that has one, for the
        # order.
        data = self._out
        self._out = b""
        yield from self._send_op(data, 0, len(data))

    # Writing

    def _queue(self, data):
        if not self._out and isinstance(data, bytes):
            self._out = data
        else:
            if not isinstance(self._out, bytearray):
                self._out = bytearray(self._out)
            self._out += data

    # Readers

    def _receive_some_steps(self, into, start, size):
        # Receives something; nothing at the end of the stream, or if waiting is not allowed:
        # `_result` is None then.
        connections = self._connections
        connection = self._connection
        timeout_ms = self._timeout_ms
        began = _port.ticks_ms()
        polled_last = False
        self._result = 0
        if self._out:
            yield self._flush_op()
        while True:
            if connection.unread or connection.close_reason:
                yield self._receive_op(into, start, size)
                if connection.last_read:
                    return
                if connection.close_reason and connection.refused_until is None:
                    if not connection.end_confirmed:
                        # A damaged URC may have told an end that is none.
                        yield self._confirm_end_op()
                        continue
                    connections.check_end(connection)
                    return
            connections.check(connection)
            now = _port.ticks_ms()
            silence_ms = _port.ticks_diff(now, connection.last_heard_ms)
            # Below 0 weeks have passed, and ticks have wrapped.
            wait_ms = connection.silence_ms - silence_ms if silence_ms >= 0 else 0
            if connection.refused_until is not None:
                wait_ms = min(wait_ms, RETRY_MS)
            if timeout_ms is not None:
                left_ms = timeout_ms - _port.ticks_diff(now, began)
                if left_ms > 0:
                    wait_ms = min(wait_ms, left_ms)
                elif not polled_last:
                    polled_last = True  # one that waited asks, before it gives up
                    wait_ms = 0 if timeout_ms else wait_ms
                elif timeout_ms:
                    connection.user_saw_error = True
                    raise Timeout(
                        "nothing to read from connection %d within %d ms"
                        % (connection.id, timeout_ms)
                    )
                else:
                    self._result = None
                    return
            connection.changed = False
            if wait_ms > 0:
                self.wait_ms = wait_ms if timeout_ms != 0 else 0
                yield None
            else:
                yield self._poll_state_op()

    def room(self):
        """Bytes that are read ahead."""
        return self.readahead or len(self._ch.buffer)

    def _refill_steps(self):
        room = self.room()
        if len(self._readahead) != room:
            self._readahead = bytearray(room)
        self._at = self._stop = 0
        return self._receive_some_steps(self._readahead, 0, room)

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

    # readinto() runs what _begin_readinto() returns, if it returns any, then calls
    # _end_readinto(): a reader around these two would take heap even where all is there.

    def _begin_readinto(self, buf, size):
        # A reader that gets something; None if there is something already.
        self._restore_partial()
        if self._at < self._stop:
            return None
        if size < self.room():
            return self._refill_steps()
        self._have = 0
        self._into = buf
        return self._receive_some_steps(buf, 0, size)

    def _end_readinto(self, buf, size):
        # How much is in `buf` now; 0 at the end, None for later.
        if self._into is not None:  # it was received into `buf`
            self._into = None
            return None if self._result is None else self._have
        if self._at == self._stop:
            return self._result
        n = min(size, self._stop - self._at)
        view = memoryview(self._readahead)[self._at : self._at + n]
        buf[:n] = view
        if self._connection.secret:
            view[:] = bytes(n)
        self._at += n
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
                yield from self._receive_some_steps(got, have, len(got) - have)
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


def check_no_hello(data, start, stop):
    """ModemError for a TLS ClientHello, as the first that is written into a connection that is TLS
    already."""
    # A record of type 22 (handshake), version 3.x, which holds a message of type 1.
    if stop - start > 5 and data[start] == 0x16 and data[start + 1] == 3 and data[start + 5] == 1:
        raise ModemError(
            "this connection is TLS by the module: use http:// or a plain socket, "
            "for TLS inside TLS no server answers"
        )


def as_buffer_len(data, n=None):
    """`data` as something with a length in bytes, and how many bytes its first `n` are: all of
    them without `n`, or with one below 0, as MicroPython's streams have it."""
    data = as_buffer(data)
    if not isinstance(data, (bytes, bytearray)):
        data = memoryview(data)
    return data, len(data) if n is None or n < 0 else min(n, len(data))

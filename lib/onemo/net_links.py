# SPDX-License-Identifier: MIT
#
# Connections over the module's MIP commands: their ids, what URCs tell about them, opening and
# closing. In pull mode: the module keeps what arrives until it is asked for, so that no peer can
# flood the host. What goes through a connection is net_flow.py's.

from . import _port, at_syntax
from ._port import const
from .at_channel import DONE, LINE, REPLY_MS
from .at_syntax import field, same
from .errors import (
    CommandError,
    ConnectionLost,
    ModemError,
    ModemReset,
    Timeout,
    Unsupported,
    VerifyError,
)

OPEN_MIN_MS = const(6000)  # less does not hold the module's own timeout and _MARGIN_MS
OPEN_MS = const(60000)
SILENCE_MS = const(10000)  # of a connection, until the module is asked: a URC may have been lost
OPEN_MAX_MS = const(600000)
RETRY_MS = const(500)  # after a refusal, as at_retry has it

_COOLDOWN_MS = const(10000)  # of a connect_id after an unconfirmed close
_SHORT_COOLDOWN_MS = const(300)  # after a confirmed one; a late URC carries only the id
_CLOSED_MS = const(300)  # until +MIPCLOSE follows the OK of its command
_CLOSE_MAX = const(2)
_LOOKS = const(2)  # at a new connection
_MARGIN_MS = const(5000)  # that we wait longer than the module, to get its reason
_PULL = const(2)  # MIPOPEN's access modes
_PACKETS = const(3)  # the same for UDP
_ENCODING_HEX = const(1)
_BAD_PARAMETER = const(50)
_UNSUPPORTED = const(4)

# Kinds of standing operations, see Connections.standing_op()
LISTENER = const(0)
RECEIVER = const(1)
SENDER = const(2)

# close_reason: what MIPURC "disconn" tells
_LOST = const(2)  # reset by the peer or by the network; 1: closed by the peer
_NO_PDP = const(3)


def check_context(tls):
    """TypeError unless it is a TLS context, or None."""
    if tls is not None and not hasattr(tls, "ssl_id"):  # modem.tls without its call, ssl_id alone
        raise TypeError("tls is %r; it must be a context, modem.tls(ssl_id), or None" % (tls,))


class Connection:
    """One connection: what URCs told about it."""

    # What most connections leave as it is
    udp = False
    close_reason = 0  # 0: open; what is unread can still be read
    user_saw_error = False  # so it may have been left without being closed
    secret = False  # what is received is to be in no trace, and not to stay in RAM
    silence_ms = SILENCE_MS  # from the last sign of life on, until the module is asked
    end_confirmed = False  # the module was asked whether the connection has ended
    last_sent = 0  # bytes that were sent last, until the module says how many it took

    def __init__(self, host, port, tls):
        self.id = None  # what connect was asked for, until it has one; None: any
        self.boot = -1  # of the module, in which it was opened
        self.host = host
        self.port = port
        self.tls = tls
        self.settings = tls and tls.noted()  # of its context, when it was opened
        self.result = None  # of MIPOPEN
        self.unread = 0  # bytes that the module holds
        self.untold = 0  # bytes that were read before any URC told of them: one may still come
        self.error = None  # why nothing more can be had of it
        self.in_transfer = False  # a transfer is under way, or was left
        self.refused_until = None  # ticks; a transfer is refused for a moment, until then at most
        self.changed = False  # a URC told something
        # By a finaliser, which has no heap to add it: to be closed before the next one is opened
        self.abandoned = False
        self.last_heard_ms = 0  # ticks of the last sign of life
        self.last_read = 0  # bytes that were received last
        self.accepted = 0  # bytes that the module took in all
        self.strays = None  # the channel's count after that: a new one may be the rest of it

    def on_sent(self, count):
        """The module took `count` bytes of what was sent last."""
        if self.last_sent:
            if count != self.last_sent:
                self.error = "the module took %s of %d bytes" % (count, self.last_sent)
            self.last_sent = 0


def _protocol(connection):
    return "UDP" if connection.udp else "TCP"


def _open_s(timeout_ms):
    # How long the module tries, so that it can say why it gives up.
    return max(1, min(180, (timeout_ms - _MARGIN_MS) // 1000))


def connections_of(modem):
    """The table of a modem's connections, made when first used."""
    if modem.connections is None:
        modem.connections = Connections(modem)
    return modem.connections


def _value(buf, at, end, index):
    at = field(buf, at, end, index)
    return None if at < 0 else at_syntax.number(buf, at, end)


def _note_unread(connection, buf, at, end):
    if connection.untold:
        at = _value(buf, at, end, 2)
        return _note_late(connection, at)
    at = field(buf, at, end, 3)
    # A count that cannot be read is one all the same; what is no count at all is data, as a module
    # sends it in another mode than the one asked for.
    count = at_syntax.number(buf, at, end) if at >= 0 else None
    if at >= 0 and count is None and at < end:
        connection.error = "the module sends data unasked, so it opened in another mode"
    connection.unread = max(1, count or 1)
    connection.last_heard_ms = _port.ticks_ms()


def _note_late(connection, size):
    # A module may hold its URC back while a command is under way: what it counts, some or all of
    # it, was read then, and only that there may be more is known.
    connection.untold = max(0, connection.untold - (size or 0))
    connection.unread = max(1, connection.unread)
    connection.last_heard_ms = _port.ticks_ms()


def _listening_op(connections):
    # The standing operation that wait_news_op() returns.
    ch = connections._ch
    connection = yield
    while True:
        timeout_ms = yield
        yield  # from here on a front drives
        ch.set_deadline(timeout_ms)
        try:
            while not connections.has_news(connection):
                ch.poll()
                if not connections.has_news(connection):
                    yield
        except (Timeout, ModemReset):
            pass
        ch.cancel()
        connection = None  # it may be over: nothing here is to keep it
        connection = yield connections.idle[LISTENER]


def names_of(settings):
    """The names of the objects that a TLS context with these settings uses."""
    names = settings.get("cert", ()) + (settings.get("psk"),)
    return [name for name in names if name]


class Connections:
    """The module's connections by connect_id."""

    def __init__(self, modem):
        self._modem = modem
        self._ch = modem.channel
        self._table = [None] * modem.require_model().connections
        self._cooldown = [None] * len(self._table)  # ticks until which an id is not used
        self._last_id = len(self._table) - 1
        self._cleared_epoch = -1  # in which the module holds no connection but ours
        self._told = ()  # (ssl_id, negotime_s) longer than what connect has, as it was told
        self._clock_epoch = -1  # whose clock was seen to be set
        # Operations that are idle, by kind and behind one for none; see standing_op()
        self.idle = ([None], [None], [None])
        for prefix, handler in (
            (b"+MIPOPEN:", self._on_open),
            (b"+MIPURC:", self._on_event),
            (b"+MIPCLOSE:", self._on_close),
            (b"+MIPSEND:", self._on_sent),
        ):
            self._ch.on_urc(prefix, handler)

    # URCs. Their handlers are cut in small pieces, whose frames need nothing of the heap.

    def _id_at(self, buf, at, end):
        number = None if at < 0 else at_syntax.number(buf, at, end)
        return number if number is not None and 0 <= number < len(self._table) else None

    def _connection_at(self, buf, at, end):
        at = self._id_at(buf, at, end)
        return None if at is None else self._table[at]

    def _on_open(self, buf, start, end):
        start = at_syntax.after_colon(buf, start, end)
        connection = self._connection_at(buf, start, end)
        start = field(buf, start, end, 1)
        if connection and connection.result is None and start >= 0:
            connection.result = at_syntax.number(buf, start, end)
            connection.changed = True

    def _on_event(self, buf, start, end):
        start = at_syntax.after_colon(buf, start, end)
        connection = self._open_connection(buf, start, end)
        if connection is None:
            return
        if same(buf, start, end, b"rudp" if connection.udp else b"rtcp"):
            _note_unread(connection, buf, start, end)
        elif same(buf, start, end, b"disconn"):
            connection.close_reason = _value(buf, start, end, 2) or _LOST
        connection.changed = True

    def _open_connection(self, buf, at, end):
        # That of an event; None for a late one, of an earlier connection with this id.
        at = field(buf, at, end, 1)
        connection = self._connection_at(buf, at, end)
        return connection if connection and connection.result == 0 else None

    def _on_close(self, buf, start, end):
        start = at_syntax.after_colon(buf, start, end)
        start = self._id_at(buf, start, end)
        if start is not None:
            self._note_closed(start)

    def _note_closed(self, number):
        connection = self._table[number]
        if connection is None:
            self._start_cooldown(number, _SHORT_COOLDOWN_MS)
        elif connection.result == 0:
            connection.close_reason = connection.close_reason or _LOST
            connection.changed = True

    def _on_sent(self, buf, start, end):
        # Some modules say how much they took only after their OK.
        start = at_syntax.after_colon(buf, start, end)
        connection = self._connection_at(buf, start, end)
        start = field(buf, start, end, 1)
        if connection and start >= 0:
            start = at_syntax.number(buf, start, end)
            connection.on_sent(start)

    def has_news(self, connection):
        """True if there is news of a connection since `changed` was cleared."""
        return connection.changed or self._is_gone(connection)

    def standing_op(self, kind, begin):
        """A standing operation, which is used again so that a message takes no heap. It is sent
        what it is to do, then driven, and yields a list where another one would end: the front
        puts it back there. One that is left half-way, or raises, is not put back: `begin(self)`
        makes another."""
        idle = self.idle[kind]
        if len(idle) > 1:
            return idle.pop()
        operation = begin(self)
        next(operation)
        return operation

    def wait_news_op(self, connection, timeout_ms):
        """Operation: serve URCs until there is news of a connection, or the time is over."""
        operation = self.standing_op(LISTENER, _listening_op)
        operation.send(connection)
        operation.send(timeout_ms)
        return operation

    def user_of(self, name):
        """The id of an open connection that uses the object `name`; None if there is none."""
        for connection in self._table:
            if (
                connection
                and connection.tls
                and name in names_of(connection.settings)
                and not (connection.close_reason or connection.error or self._is_gone(connection))
            ):
                return connection.id
        return None

    # What is wrong

    def _is_gone(self, connection):
        return connection.boot != self._modem.boot_count or self._ch.rebooted is True

    def check(self, connection):
        """Raise what is wrong with a connection, if anything: ConnectionLost, ModemReset."""
        if connection.error:
            raise ConnectionLost("connection %d is over: %s" % (connection.id, connection.error))
        if self._is_gone(connection):
            raise ModemReset(
                "the module rebooted: connection %d is gone, connect again" % connection.id
            )

    def check_end(self, connection):
        """ConnectionLost unless the peer closed the connection."""
        if connection.close_reason > 1:
            raise ConnectionLost(
                "connection %d broke: %s"
                % (
                    connection.id,
                    "the network is gone (PDP context)"
                    if connection.close_reason == _NO_PDP
                    else "reset by its peer, or by the network",
                )
            )

    # Opening: a front calls prepare(), runs open_op(), waits for news, then calls check_opened()

    def prepare(self, host, port, tls, timeout_ms, wanted_id=None):
        """A connection that is to be; ValueError or TypeError, ModemError if that id is in
        use."""
        at_syntax.check_text(host, "host", 253)
        at_syntax.check_range(port, "port", 1, 65535)
        at_syntax.check_range(timeout_ms, "timeout_ms", OPEN_MIN_MS, OPEN_MAX_MS)
        check_context(tls)
        connection = Connection(host, port, tls)
        if wanted_id is not None:
            at_syntax.check_range(wanted_id, "id", 0, len(self._table) - 1)
            connection.id = wanted_id
            self._check_unused(wanted_id)
        negotime_s = (tls and tls.noted().get("negotime")) or 0
        if negotime_s * 1000 > timeout_ms and (tls.ssl_id, negotime_s) not in self._told:
            from .tls_option import tell_negotime

            _port.unload("tls_option")
            self._told += ((tls.ssl_id, negotime_s),)
            tell_negotime(self._modem, tls.ssl_id, negotime_s, timeout_ms)
        return connection

    def _check_unused(self, number):
        # ModemError if an open connection has this id. Returns what else has it.
        other = self._table[number]
        if other and not self._may_reclaim(other):
            raise ModemError(
                "connection %d is in use (%s:%d): close it first, or leave the id to connect"
                % (number, other.host, other.port)
            )
        return other

    def open_op(self, connection, timeout_ms):  # noqa: C901 (operations inside take heap)
        """Operation in two rounds, see standing_op(): ask the module for a connection, whose
        answer the URC +MIPOPEN brings; then look whether it connected to what was asked for, for a
        damaged command may have named another host, port or id. VerifyError; it is closed then."""
        modem = self._modem
        ch = self._ch
        tls = connection.tls
        if self._cleared_epoch != modem.epoch:
            yield from self._clear_op()
        for other in self._table:
            if other and other.abandoned:
                yield from self.close_op(other)
        if tls:
            yield from tls.apply_op()
            yield from tls.verify_op()
            if self._clock_epoch != modem.epoch and tls.checks_dates():
                from .clock import check_op

                _port.unload("clock", "at_retry")
                yield from check_op(modem)
                self._clock_epoch = modem.epoch
        # Its id, which another one may have to give back
        while (other := self._in_the_way(connection)) is not None:
            if other:
                yield from self.close_op(other)
                other.error = "after it had failed, its id was needed for another"
            else:
                ch.set_deadline(_SHORT_COOLDOWN_MS)
                ch.poll()
                yield
        # How it is to be
        ch.command(b"+MIPCFG=").quote("ssl").number(connection.id)
        if tls:
            ch.number(1).number(tls.ssl_id)
        else:
            ch.number(0)
        ch.send(REPLY_MS)
        try:
            while ch.poll() != DONE:
                yield
        except CommandError as error:
            self._check_refusal(error, tls)
        else:
            # One bit lost on the line would mean plaintext.
            other = None  # how it is kept; True: as asked
            ch.command(b"+MIPCFG=").quote("ssl").number(connection.id).send(REPLY_MS, b"+MIPCFG:")
            while (event := ch.poll()) != DONE:
                if event != LINE:
                    yield
                elif ch.value(1) == connection.id and ch.field_equals(0, b"ssl"):
                    other = self._kept(tls)
            if other is not True:
                raise VerifyError(
                    "the module keeps TLS of connection %d at %r, not as asked; nothing was opened"
                    % (connection.id, other)
                )
        ch.command(b"+MIPCFG=").quote("encoding").number(connection.id)
        ch.number(0 if modem.require_model().prompt else _ENCODING_HEX).number(0).send(REPLY_MS)
        while ch.poll() != DONE:
            yield
        # What is unread must outlive a disconnection.
        ch.command(b"+MIPCFG=").quote("autofree").number(connection.id).number(1).send(REPLY_MS)
        while ch.poll() != DONE:
            yield
        ch.command(b"+MIPOPEN=").number(connection.id)
        ch.quote(_protocol(connection)).quote(connection.host).number(connection.port)
        ch.number(_open_s(timeout_ms)).number(_PACKETS if connection.udp else _PULL)
        ch.send(REPLY_MS)
        while ch.poll() != DONE:
            yield
        yield [ch]  # the first round is over; the front holds the operation, and needs no list
        other = False  # it was found
        for _ in range(_LOOKS):
            ch.command(b"+MIPSTATE=").number(connection.id).send(REPLY_MS, b"+MIPSTATE:")
            try:
                while (event := ch.poll()) != DONE:
                    if event != LINE:
                        yield
                    elif ch.value(0) == connection.id:
                        other = self._is_peer(connection)
                break
            except CommandError:  # it may be busy for a moment
                from .at_retry import listen_op

                _port.unload("at_retry")
                yield from listen_op(ch, RETRY_MS)
        if not other and not connection.close_reason:
            yield from self.close_op(connection)
            raise VerifyError(
                "the module does not show connection %d to %s:%d as connected; it was closed, "
                "connect again" % (connection.id, connection.host, connection.port)
            )

    def _check_refusal(self, error, tls):
        # Returns if the model may refuse to be told of TLS, and there is to be none.
        model = self._modem.require_model()
        if model.mipcfg_ssl or error.code not in (_BAD_PARAMETER, _UNSUPPORTED, None):
            raise error
        if tls:
            raise Unsupported('%s refuses TLS on its sockets (MIPCFG "ssl")' % model)

    def _kept(self, tls):
        # How the line at hand shows TLS of a connection; True: as asked.
        ch = self._ch
        if ch.value(2) == (1 if tls else 0) and (not tls or ch.value(3) == tls.ssl_id):
            return True
        return ch.value(2), ch.value(3)

    def _is_peer(self, connection):
        # True if the line at hand shows it as connected to what was asked for.
        ch = self._ch
        return (
            ch.field_equals(1, _port.as_buffer(_protocol(connection)))
            and ch.field_equals(2, _port.as_buffer(connection.host))
            and ch.value(3) == connection.port
            and (ch.field_equals(4, b"CONNECTED") or ch.text(4) is None)
        )

    def check_opened(self, connection, timeout_ms):
        """Raise why there is no connection, if there is none."""
        if connection.result != 0:
            if self._is_gone(connection):
                self.check(connection)
            command = 'AT+MIPOPEN=%d,"%s","%s",%d,%d,%d' % (
                connection.id,
                _protocol(connection),
                connection.host,
                connection.port,
                _open_s(timeout_ms),
                _PACKETS if connection.udp else _PULL,
            )
            if connection.result is None:
                raise Timeout("%s: no +MIPOPEN within %d ms" % (command, timeout_ms))
            raise CommandError(connection.result, command)
        connection.last_heard_ms = _port.ticks_ms()

    def drop(self, connection):
        """Give up a connection that was not opened. What the module makes of it is looked at
        before the next one is opened."""
        number = connection.id
        if number is not None and self._table[number] is connection:
            self._table[number] = None
            self._start_cooldown(number, _COOLDOWN_MS)
            self._cleared_epoch = -1

    def _clear_op(self):
        # The module keeps connections over a host's reset, or opens one that was given up.
        ch = self._ch
        boot = self._modem.boot_count
        epoch = self._modem.epoch
        for number, connection in enumerate(self._table):
            if connection and connection.boot != boot:
                self._table[number] = None
        open_ids = []
        ch.command(b"+MIPSTATE?").send(REPLY_MS, b"+MIPSTATE:")
        try:
            while (event := ch.poll()) != DONE:
                if event != LINE:
                    yield
                elif not ch.field_equals(4, b"INITIAL"):
                    open_ids.append(ch.value(0))
        except CommandError:
            open_ids = range(len(self._table))  # it does not tell
        for number in open_ids:
            if number is not None and number < len(self._table) and not self._table[number]:
                yield from self.close_op(None, number)
        self._cleared_epoch = epoch

    def _in_the_way(self, connection):
        # Gives it an id: None. A connection that is to be closed before; False: an id cools down.
        left = connection.tls and self._modem.require_model().tls_links
        if left:
            for other in self._table:
                if other and other.tls:
                    left -= 1
            if left <= 0:
                return self._reclaimable(True)
        if connection.id is not None:
            other = self._check_unused(connection.id)
            if other:
                return other
        return self._allocate(connection)

    def _allocate(self, connection):
        # Gives it an id that nobody has, and whose cool-down is over; as _in_the_way().
        table = self._table
        free = cooling = None
        for offset in range(len(table), 0, -1):
            number = (self._last_id + offset) % len(table)
            if table[number] is None:
                if self._is_cooling(number):
                    cooling = True
                elif connection.id is None or connection.id == number:
                    free = number
        # An id that cools down may still count as one of the few with TLS.
        if free is None or (cooling and connection.tls and self._modem.require_model().tls_links):
            return False if cooling else self._reclaimable(False)
        self._last_id = connection.id = free
        connection.boot = self._modem.boot_count
        table[free] = connection
        return None

    def _is_cooling(self, number):
        # Weeks may have passed since, so that ticks have wrapped: an end that seems to lie further
        # ahead than any cool-down lasts is over.
        until = self._cooldown[number]
        if until is not None and not (
            0 < _port.ticks_diff(until, _port.ticks_ms()) <= _COOLDOWN_MS
        ):
            until = self._cooldown[number] = None
        return until is not None

    def _start_cooldown(self, number, ms):
        self._cooldown[number] = _port.ticks_add(_port.ticks_ms(), ms)  # type: ignore[call-overload]

    def _reclaimable(self, tls):
        # Code written for `socket` (umqtt.robust) leaves a connection that failed without closing
        # it, and finalisers must not talk to the module.
        for connection in self._table:
            if connection and (connection.tls or not tls) and self._may_reclaim(connection):
                return connection
        model = self._modem.require_model()
        raise ModemError(
            "all connections of the module are in use (%s has %d, %s with TLS): close one first"
            % (model, len(self._table), model.tls_links or "all")
        )

    def _may_reclaim(self, connection):
        return (
            connection.user_saw_error
            or connection.close_reason
            or connection.error
            or connection.in_transfer
            or self._is_gone(connection)
        )

    # Closing

    def close_op(self, connection, number=None):
        """Operation: close a connection. Its id is used again once +MIPCLOSE has confirmed that,
        or after a cool-down. Without one: whatever the module has as `number`."""
        cleared_epoch = -1
        if connection:
            number = connection.id
            connection.error = connection.error or "it was closed"
            if self._table[number] is not connection:
                return
            cleared_epoch = self._cleared_epoch
            self.drop(connection)
            if self._is_gone(connection):
                return
        # A damaged command may have closed another one, or none: without +MIPCLOSE for this id
        # the module is asked.
        ch = self._ch
        for _ in range(_CLOSE_MAX):
            self._start_cooldown(number, _COOLDOWN_MS)
            long_cooldown = self._cooldown[number]
            ch.command(b"+MIPCLOSE=").number(number).send(REPLY_MS)
            try:
                while ch.poll() != DONE:
                    yield
                ch.set_deadline(_CLOSED_MS)
                try:
                    while self._cooldown[number] == long_cooldown:
                        ch.poll()
                        yield
                except Timeout:
                    pass
                ch.cancel()
                if self._cooldown[number] != long_cooldown:
                    break
            except CommandError:
                # It was closed: modules disagree on what to say.
                self._start_cooldown(number, _SHORT_COOLDOWN_MS)
            from .net_seldom import is_closed_op

            _port.unload("net_seldom")
            if (yield from is_closed_op(ch, number)):
                break
        else:
            return
        if connection:
            self._cleared_epoch = cleared_epoch  # else the next opening looks

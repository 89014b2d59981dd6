# SPDX-License-Identifier: MIT
#
# What a connection needs seldom: what is asked, and decided, where the module said nothing for
# long, or refused, or told something odd.

from . import _port
from ._port import const
from .at_channel import DONE, LINE, REPLY_MS
from .at_retry import ask_op, is_over, is_transient
from .errors import CommandError, ConnectionLost, ModemError

TYPE_CHECKING = const(0)  # for type checkers, who take it for true
if TYPE_CHECKING:
    from typing import Any

_REFUSED_MS = const(30000)  # for which a busy module may refuse, on a stream without a timeout
_REFUSED_MAX_MS = const(600000)  # and on any; ticks are counted in days, not weeks
_SILENCE_MS = const(10000)  # between two looks at a silent one, at first: as net_links has it
_SILENCE_MAX_MS = const(600000)
_CLOSED = (None, "", "INITIAL", "CLOSED", "CLOSING", "DISCONNECTED")  # MIPSTATE's words


def is_closed_op(ch, number):
    """Operation: whether the module shows a connection as closed."""
    closed = False  # no line that can be read tells nothing
    ch.command(b"+MIPSTATE=").number(number).send(REPLY_MS, b"+MIPSTATE:")
    try:
        while (event := ch.poll()) != DONE:
            if event != LINE:
                yield
            else:  # without its last field the line may have been cut
                closed = (
                    ch.value(0) == number
                    and ch.text(4) in _CLOSED
                    and not (ch.text(4) is None and ch.text(1))
                )
    except CommandError as error:
        closed = error.code is not None  # there is none; a plain ERROR is a damaged line's
    return closed


def _let_go():
    _port.unload("net_seldom", "at_retry")


class Methods:
    """Part of ConnectionBuffer, loaded when it is called."""

    if TYPE_CHECKING:  # what ConnectionBuffer has
        _begin: Any
        _break: Any
        _ch: Any
        _check_count: Any
        _check_id: Any
        _connection: Any
        _modem: Any
        _timeout_ms: Any

    def _refused_op(self, error):
        # Returns if this refusal is the command's own, and may be gone at the next try; else the
        # connection is over.
        _let_go()
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
        def look_at_state(ch):
            self._check_id()
            return ch.field_equals(4, b"CONNECTED")

        def look_at_count(ch):
            self._check_count()

        _let_go()
        ch = self._ch
        connection = self._connection
        self._begin()
        connection.last_heard_ms = _port.ticks_ms()
        number = b"%d" % connection.id
        end = _port.ticks_add(connection.last_heard_ms, REPLY_MS)
        try:
            still_open = yield from ask_op(
                ch, b"+MIPSTATE=" + number, end, look_at_state, b"+MIPSTATE:"
            )
        except CommandError:
            still_open = False
        try:
            yield from ask_op(ch, b"+MIPRD=" + number, end, look_at_count, b"+MIPRD:")
        except CommandError:
            still_open = False
        if not still_open and not connection.close_reason:
            connection.close_reason = 2  # how is not known
            ch.lose_sync()  # it may have rebooted
        if connection.unread or connection.close_reason:
            connection.silence_ms = _SILENCE_MS
        else:
            connection.silence_ms = min(2 * connection.silence_ms, _SILENCE_MAX_MS)

    def _break_sending(self, error):
        # Returns if its prompt was refused, and nothing sent; else the connection is over.
        _let_go()
        model = self._modem.require_model()
        if isinstance(error, CommandError) and not model.known and error.code in (50, 4):
            model.prompt = False  # the next connection sends inside commands
        if not isinstance(error, CommandError) or not self._ch.prompt_refused:
            self._break(error)

    def _confirm_sent_op(self, accepted, n):
        # A damaged count would make bytes go out twice: the module's total decides.
        _let_go()
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
        # Asks whether a connection that was said to have ended has.
        connection = self._connection
        reason = connection.close_reason
        connection.close_reason = 0
        try:
            yield from self._poll_state_op()
        finally:
            if connection.close_reason or connection.error:
                connection.close_reason = reason
                connection.end_confirmed = True

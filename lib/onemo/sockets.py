# Connections over the module's MIP commands: their ids, what URCs tell about them, opening and
# closing. In pull mode: the module keeps what arrives until it is asked for, so that no peer can
# flood the host. Operations only; what goes through a connection is flow.py's.

from . import _port, syntax
from ._port import const
from .channel import DONE, LINE
from .errors import (
    ClockError,
    CommandError,
    ConnectionLost,
    ModemError,
    ModemReset,
    Timeout,
    Unsupported,
    VerifyError,
)

_ANSWER_MS = const(5000)
_CLOSE_MS = const(5000)
_REST_MS = const(10000)  # of an id whose closing is not confirmed
_PAUSE_MS = const(300)  # of one whose closing is: a late URC names only the id
_MARGIN_MS = const(5000)  # that we wait longer than the module, to hear its reason
_PULL = const(2)  # MIPOPEN's access mode
_HEX = const(1)
_BAD_PARAMETER = const(50)
_LOST = const(2)  # MIPURC "disconn": 1 the peer closed, 2 abnormal, 3 no PDP context


def sockets(modem):
    """What keeps a modem's connection ids."""
    if modem.links is None:
        modem.links = Sockets(modem)
    return modem.links


class Link:
    """One connection: what URCs told about it."""

    def __init__(self, host, port, tls):
        self.id = None
        self.boot = -1
        self.host = host
        self.port = port
        self.tls = tls
        self.command = ""  # that opened it
        self.result = None  # of MIPOPEN
        self.unread = 0  # bytes that the module holds
        self.ended = 0  # how, see _LOST; what is unread can still be read
        self.broken = None  # why nothing more can be had of it
        self.cut = False  # a transfer is under way, or was left
        self.failed = False  # its user has seen it fail, and may have left it
        self.news = False  # a URC told something
        self.heard = 0  # ticks of the last that was heard of it
        self.got = 0  # bytes that were received last
        self.sent = 0  # bytes that were sent last, while the module has not said how many it took

    def took(self, count):
        """The module took `count` bytes of what was sent last."""
        if self.sent and (count is None or count < self.sent):
            self.broken = "the module took %s of %d bytes" % (count, self.sent)
        self.sent = 0


class Sockets:
    def __init__(self, modem):
        self._modem = modem
        self._ch = modem.channel
        self._links = [None] * modem.needed_model().connections
        self._rest = [None] * len(self._links)  # till when an id is not used
        self._last = len(self._links) - 1
        self._cleared = -1  # the boot in which the module holds no connection but ours
        self._clock = -1  # the boot whose clock was seen to be set
        for prefix, handler in (
            (b"+MIPOPEN:", self._on_open),
            (b"+MIPURC:", self._on_event),
            (b"+MIPCLOSE:", self._on_close),
            (b"+MIPSEND:", self._on_sent),
        ):
            self._ch.on_urc(prefix, handler)

    # URCs

    def _number(self, buf, at, end):
        number = None if at < 0 else syntax.number(buf, at, end)
        return number if number is not None and 0 <= number < len(self._links) else None

    def _on_open(self, buf, start, end):
        at = syntax.after_colon(buf, start, end)
        number = self._number(buf, at, end)
        at = syntax.field(buf, at, end, 1)
        if number is None or at < 0:
            return
        link = self._links[number]
        if link and link.result is None:
            link.result = syntax.number(buf, at, end)
            link.news = True

    def _on_event(self, buf, start, end):
        at = syntax.after_colon(buf, start, end)
        number = self._number(buf, syntax.field(buf, at, end, 1), end)
        link = None if number is None else self._links[number]
        if not link or link.result != 0:
            return  # late: of an earlier connection with this id
        if syntax.same(buf, at, end, b"rtcp"):
            at = syntax.field(buf, at, end, 3)
            # A count that cannot be read is one all the same.
            link.unread = max(1, (syntax.number(buf, at, end) if at >= 0 else None) or 1)
            link.heard = _port.ticks_ms()
        elif syntax.same(buf, at, end, b"disconn"):
            at = syntax.field(buf, at, end, 2)
            link.ended = (syntax.number(buf, at, end) if at >= 0 else None) or _LOST
        link.news = True

    def _on_close(self, buf, start, end):
        number = self._number(buf, syntax.after_colon(buf, start, end), end)
        if number is None:
            return
        link = self._links[number]
        if link is None:
            self._let_rest(number, _PAUSE_MS)
        elif link.result == 0:
            link.ended = link.ended or _LOST
            link.news = True

    def _on_sent(self, buf, start, end):
        # Some modules say how much they took only after their OK.
        at = syntax.after_colon(buf, start, end)
        number = self._number(buf, at, end)
        at = syntax.field(buf, at, end, 1)
        if number is not None and at >= 0 and self._links[number]:
            self._links[number].took(syntax.number(buf, at, end))

    def stirred(self, link):
        """Whether there is news of a link since `news` was cleared."""
        return link.news or self._gone(link)

    def arrival(self, link, timeout_ms):
        """Operation: serves URCs until there is news of a link, or the time is over."""
        ch = self._ch
        ch.wait(timeout_ms)
        try:
            while not self.stirred(link):
                ch.poll()
                if not self.stirred(link):
                    yield
        except (Timeout, ModemReset):
            pass
        ch.abandon()

    # What is wrong

    def _gone(self, link):
        return link.boot != self._modem.boots or self._ch.rebooted

    def check(self, link):
        """Raises what is wrong with a link, if anything."""
        if link.broken:
            raise ConnectionLost("connection %d is over: %s" % (link.id, link.broken))
        if self._gone(link):
            raise ModemReset("the module rebooted: connection %d is gone, connect again" % link.id)

    def check_end(self, link):
        """Raises how a link ended, unless its peer closed it."""
        if link.ended > 1:
            raise ConnectionLost(
                "connection %d broke: %s"
                % (
                    link.id,
                    "the network is gone (PDP context)"
                    if link.ended == 3
                    else "reset by its peer, or by the network",
                )
            )

    # Opening: a front makes a link, runs `opening`, waits for news, then asks `opened`

    def link(self, host, port, tls, timeout_ms):
        """A link for a connection that is to be; ValueError or TypeError."""
        syntax.check_text(host, "host", 253)
        syntax.check_range(port, "port", 1, 65535)
        syntax.check_range(timeout_ms, "timeout_ms", 6000, 600000)
        return Link(host, port, tls)

    def opening(self, link, timeout_ms):
        """Operation: asks the module for a connection; +MIPOPEN will tell."""
        modem = self._modem
        ch = self._ch
        tls = link.tls
        if self._cleared != modem.boots:
            yield from self._clear()
        if tls:
            yield from tls.applied()
            if self._clock != modem.boots and tls.strict_about_time():
                yield from self._check_clock()
        yield from self._take(link)
        yield from self._configure(link)
        ch.begin(b"+MIPOPEN=").number(link.id).quote("TCP").quote(link.host).number(link.port)
        ch.number(max(1, min(180, (timeout_ms - _MARGIN_MS) // 1000))).number(_PULL)
        ch.go(_ANSWER_MS)
        link.command = ch.command()
        while ch.poll() != DONE:
            yield

    def opened(self, link, timeout_ms):
        """Raises why there is no connection, if there is none."""
        if link.result != 0:
            if self._gone(link):
                self.check(link)
            if link.result is None:
                raise Timeout("%s: no +MIPOPEN within %d ms" % (link.command, timeout_ms))
            raise CommandError(link.result, link.command)
        link.heard = _port.ticks_ms()

    def drop(self, link):
        """Gives up a link that was not opened. What the module makes of it is looked at before
        the next one is opened."""
        number = link.id
        if number is not None and self._links[number] is link:
            self._links[number] = None
            self._let_rest(number, _REST_MS)
            self._cleared = -1

    def _clear(self):
        # The module keeps connections over a host's reset, or opens one that was given up.
        ch = self._ch
        boot = self._modem.boots
        for number, link in enumerate(self._links):
            if link and link.boot != boot:
                self._links[number] = None
        left = []
        ch.begin(b"+MIPSTATE?").go(_ANSWER_MS, b"+MIPSTATE:")
        try:
            while (event := ch.poll()) != DONE:
                if event != LINE:
                    yield
                elif not ch.says(4, b"INITIAL"):
                    left.append(ch.value(0))
        except CommandError:
            left = range(len(self._links))  # it does not tell
        for number in left:
            if number is not None and number < len(self._links) and not self._links[number]:
                yield from self._let_go(number)
        self._cleared = boot

    def _take(self, link):
        # An id that nobody has, and that has rested.
        ch = self._ch
        modem = self._modem
        links = self._links
        most = link.tls and modem.needed_model().tls_links
        if most and sum([1 for other in links if other and other.tls]) >= most:
            yield from self._take_back(True)
        while True:
            free = resting = None
            for offset in range(len(links), 0, -1):
                number = (self._last + offset) % len(links)
                if links[number] is None:
                    if self._rests(number):
                        resting = number
                    else:
                        free = number
            # What rests may still count as one of the few with TLS.
            if free is not None and not (most and resting is not None):
                self._last = link.id = free
                link.boot = modem.boots
                links[free] = link
                return
            if resting is not None:
                ch.wait(_PAUSE_MS)
                ch.poll()
                yield
            else:
                yield from self._take_back(False)

    def _rests(self, number):
        rest = self._rest[number]
        if rest is not None and _port.ticks_diff(rest, _port.ticks_ms()) <= 0:
            rest = self._rest[number] = None
        return rest is not None

    def _take_back(self, tls):
        # Code written for `socket` (umqtt.robust) leaves a connection that failed without closing
        # it, and finalisers must not talk to the module.
        for link in self._links:
            if (
                link
                and (link.tls or not tls)
                and (link.failed or link.ended or link.broken or link.cut or self._gone(link))
            ):
                yield from self.close(link)
                link.broken = "after it had failed, its id was needed for another"
                return
        model = self._modem.needed_model()
        raise ModemError(
            "all connections of the module are in use (%s has %d, %s with TLS): close one first"
            % (model, len(self._links), model.tls_links or "all")
        )

    def _check_clock(self):
        from .clock import asking

        yield from asking(self._ch)
        said = self._ch.result
        if not isinstance(said, tuple):
            raise ClockError(
                "the module's clock says %s, so it cannot judge a certificate's dates: call "
                "modem.clock(), which asks the network, before connecting, "
                "or configure with ignorestamp=True" % said
            )
        self._clock = self._modem.boots

    def _configure(self, link):
        ch = self._ch
        model = self._modem.needed_model()
        ch.begin(b"+MIPCFG=").quote("ssl").number(link.id)
        if link.tls:
            ch.number(1).number(link.tls.ssl_id)
        else:
            ch.number(0)
        ch.go(_ANSWER_MS)
        try:
            while ch.poll() != DONE:
                yield
        except CommandError as error:
            if model.mipcfg_ssl or error.code not in (_BAD_PARAMETER, None):
                raise
            if link.tls:
                raise Unsupported('%s refuses TLS on its sockets (MIPCFG "ssl")' % model)
        else:
            yield from self._read_ssl(link)
        sending = 0 if model.prompt else _HEX
        ch.begin(b"+MIPCFG=").quote("encoding").number(link.id).number(sending).number(0)
        ch.go(_ANSWER_MS)
        while ch.poll() != DONE:
            yield
        # What is unread must outlive a disconnection.
        ch.begin(b"+MIPCFG=").quote("autofree").number(link.id).number(1).go(_ANSWER_MS)
        while ch.poll() != DONE:
            yield

    def _read_ssl(self, link):
        # One bit lost on the line would mean plaintext.
        ch = self._ch
        tls = link.tls
        kept = None
        ch.begin(b"+MIPCFG=").quote("ssl").number(link.id).go(_ANSWER_MS, b"+MIPCFG:")
        while (event := ch.poll()) != DONE:
            if event != LINE:
                yield
            elif ch.value(1) == link.id:
                kept = (ch.value(2), ch.value(3))
        if kept is None or kept[0] != (1 if tls else 0) or (tls and kept[1] != tls.ssl_id):
            raise VerifyError(
                "the module keeps TLS of connection %d at %r, not as asked; nothing was opened"
                % (link.id, kept)
            )

    # Closing

    def close(self, link):
        """Operation: closes a connection. Its id is used again once +MIPCLOSE has confirmed that,
        or after a rest."""
        number = link.id
        link.broken = link.broken or "it was closed"
        if self._links[number] is not link:
            return
        cleared = self._cleared
        self.drop(link)
        if not self._gone(link):
            yield from self._let_go(number)
            self._cleared = cleared

    def _let_go(self, number):
        ch = self._ch
        self._let_rest(number, _REST_MS)
        ch.begin(b"+MIPCLOSE=").number(number).go(_CLOSE_MS)
        try:
            while ch.poll() != DONE:
                yield
        except CommandError:
            self._let_rest(number, _PAUSE_MS)  # it was closed: modules disagree on what to say

    def _let_rest(self, number, ms):
        self._rest[number] = _port.ticks_add(_port.ticks_ms(), ms)  # type: ignore[call-overload]

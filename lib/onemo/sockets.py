# TCP and TLS connections over the module's MIP commands, in pull mode: the module keeps what
# arrives until it is asked for, so that no peer can flood the host. Operations only; stream.py and
# aio.py make streams of them.

from binascii import hexlify

from . import _port, syntax
from ._port import const
from .channel import DATA, DONE, LINE, PROMPT, SENT
from .errors import (
    ClockError,
    CommandError,
    ModemError,
    ModemReset,
    Timeout,
    Unsupported,
    VerifyError,
)

_ANSWER_MS = const(5000)
_SEND_MS = const(15000)
_CLOSE_MS = const(5000)
_REST_MS = const(10000)  # of an id whose closing was not confirmed
_MARGIN_MS = const(5000)  # that we wait longer than the module, to hear its reason
_PULL = const(2)  # MIPOPEN's access mode
_HEX = const(1)
_BAD_PARAMETER = const(50)
_IN_USE = const(552)
_READ_MAX = const(4096)  # bytes a MIPRD
_INLINE_MAX = const(512)  # bytes a MIPSEND whose data stands in the command as hex


class Link:
    """One connection: what URCs told about it."""

    def __init__(self, number, boot):
        self.id = number
        self.boot = boot
        self.tls = False
        self.result = None  # of MIPOPEN
        self.unread = 0  # bytes that the module holds
        self.ended = False  # the peer, or the network, has gone; what is unread can still be read
        self.broken = None  # why nothing more can be had of it
        self.closed = False  # the module has let the id go


class Sockets:
    def __init__(self, modem):
        self._modem = modem
        self._ch = modem.channel
        self._links = [None] * modem.needed_model().connections
        self._rest = [None] * len(self._links)  # till when an id is not used
        self._last = len(self._links) - 1
        self._cleared = -1  # the boot whose left-over connections were closed
        self._clock = -1  # the boot whose clock was seen to be set
        for prefix, handler in (
            (b"+MIPOPEN:", self._on_open),
            (b"+MIPURC:", self._on_event),
            (b"+MIPCLOSE:", self._on_close),
        ):
            self._ch.on_urc(prefix, handler)

    # URCs

    def _link(self, buf, at, end):
        number = None if at < 0 else syntax.number(buf, at, end)
        return (
            self._links[number] if number is not None and 0 <= number < len(self._links) else None
        )

    def _on_open(self, buf, start, end):
        at = syntax.after_colon(buf, start, end)
        link = self._link(buf, at, end)
        at = syntax.field(buf, at, end, 1)
        if link and at >= 0 and link.result is None:
            link.result = syntax.number(buf, at, end)

    def _on_event(self, buf, start, end):
        at = syntax.after_colon(buf, start, end)
        link = self._link(buf, syntax.field(buf, at, end, 1), end)
        if not link or link.result != 0:
            return
        if syntax.same(buf, at, end, b"rtcp"):
            at = syntax.field(buf, at, end, 3)
            link.unread = (syntax.number(buf, at, end) or 0) if at >= 0 else 0
        elif syntax.same(buf, at, end, b"disconn"):
            link.ended = True

    def _on_close(self, buf, start, end):
        link = self._link(buf, syntax.after_colon(buf, start, end), end)
        if link:
            link.ended = link.closed = True

    # Operations

    def open(self, host, port, tls, timeout_ms):
        """Opens a connection; in result its Link."""
        modem = self._modem
        ch = self._ch
        if self._cleared != modem.boots:
            yield from self._clear()
        if tls:
            yield from tls.applied()
            if tls.strict_about_time():
                yield from self._check_clock()
        link = self._take(tls)
        try:
            yield from self._configure(link, tls)
            yield from self._open(link, host, port, timeout_ms)
        except ModemError as error:
            if isinstance(error, (ModemReset, Timeout)):
                self._rest[link.id] = _port.ticks_add(_port.ticks_ms(), _REST_MS)
            if not isinstance(error, (ModemReset, Unsupported)):
                link.broken = error
                self._cleared = -1 if isinstance(error, Timeout) else self._cleared
            self._links[link.id] = None
            if isinstance(error, CommandError) and error.code is not None:
                yield from self._let_go(link.id)
            raise error
        ch.result = link

    def _take(self, tls):
        modem = self._modem
        model = modem.needed_model()
        if (
            tls
            and model.tls_links
            and sum(1 for link in self._links if link and link.tls) >= model.tls_links
        ):
            raise ModemError(
                "%s keeps %d TLS connections at once: close one first"
                % (modem.model, model.tls_links)
            )
        count = len(self._links)
        for offset in range(1, count + 1):
            number = (self._last + offset) % count
            rest = self._rest[number]
            if self._links[number] is None and (
                rest is None or _port.ticks_diff(rest, _port.ticks_ms()) <= 0
            ):
                self._rest[number] = None
                self._last = number
                link = self._links[number] = Link(number, modem.boots)
                link.tls = tls is not None
                return link
        raise ModemError("all %d connections of the module are in use: close one first" % count)

    def _clear(self):
        # The module keeps connections over a host's reset: none of them is ours.
        ch = self._ch
        boot = self._modem.boots
        self._links = [None] * len(self._links)
        left = []
        ch.begin(b"+MIPSTATE?").go(_ANSWER_MS, b"+MIPSTATE:")
        try:
            while (event := ch.poll()) != DONE:
                if event != LINE:
                    yield
                elif ch.value(0) is not None and not ch.says(4, b"INITIAL"):
                    left.append(ch.value(0))
        except CommandError:
            left = range(len(self._links))  # it does not tell
        for number in left:
            yield from self._let_go(number)
        self._cleared = boot

    def _let_go(self, number):
        ch = self._ch
        ch.begin(b"+MIPCLOSE=").number(number).go(_CLOSE_MS)
        try:
            while ch.poll() != DONE:
                yield
        except CommandError:
            pass  # it was closed: modules disagree on what to say then

    def _check_clock(self):
        ch = self._ch
        if self._clock == self._modem.boots:
            return
        said = None
        ch.begin(b"+CCLK?").go(_ANSWER_MS, b"+CCLK:")
        while (event := ch.poll()) != DONE:
            if event == LINE:
                said = ch.text(0)
            else:
                yield
        # yy/MM/dd,hh:mm:ss+zz; a clock that was never set shows 1970, 1980 or 2070.
        if not said or not said[:2].isdigit() or not 24 <= int(said[:2]) < 70:
            raise ClockError(
                "the module's clock says %s, so it cannot judge a certificate's dates: set it "
                "(AT+CCLK, AT+MNTP, or the network's time) before connecting, "
                "or configure with ignorestamp=True" % said
            )
        self._clock = self._modem.boots

    def _configure(self, link, tls):
        ch = self._ch
        ch.begin(b"+MIPCFG=").quote("ssl").number(link.id)
        if tls:
            ch.number(1).number(tls.ssl_id)
        else:
            ch.number(0)
        ch.go(_ANSWER_MS)
        try:
            while ch.poll() != DONE:
                yield
        except CommandError as error:
            if error.code != _BAD_PARAMETER or self._modem.needed_model().mipcfg_ssl:
                raise
            if tls:
                raise Unsupported(
                    '%s refuses TLS on its sockets (MIPCFG "ssl")' % self._modem.model
                )
        else:
            yield from self._read_ssl(link, tls)
        sending = 0 if self._modem.needed_model().prompt else _HEX
        ch.begin(b"+MIPCFG=").quote("encoding").number(link.id).number(sending).number(0)
        ch.go(_ANSWER_MS)
        while ch.poll() != DONE:
            yield
        ch.begin(b"+MIPCFG=").quote("autofree").number(link.id).number(1).go(_ANSWER_MS)
        while ch.poll() != DONE:
            yield

    def _read_ssl(self, link, tls):
        # One bit lost on the line would mean plaintext.
        ch = self._ch
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

    def _open(self, link, host, port, timeout_ms):
        ch = self._ch
        seconds = max(1, min(180, (timeout_ms - _MARGIN_MS) // 1000))
        ch.begin(b"+MIPOPEN=").number(link.id).quote("TCP").quote(host).number(port)
        ch.number(seconds).number(_PULL).go(_ANSWER_MS)
        end = _port.ticks_add(_port.ticks_ms(), timeout_ms)
        while ch.poll() != DONE:
            yield
        ch.wait(max(1, _port.ticks_diff(end, _port.ticks_ms())))
        while link.result is None:
            ch.poll()
            yield
        if link.result != 0:
            raise CommandError(link.result, ch.command())

    def check(self, link):
        """Raises what is wrong with a link, if anything."""
        if link.boot != self._modem.boots or self._ch.rebooted:
            raise ModemReset("the module rebooted: connection %d is gone, connect again" % link.id)
        if link.broken:
            raise ModemError("connection %d broke: %s" % (link.id, link.broken))

    def arrival(self, link, timeout_ms):
        """Waits until there is something to read, or nothing ever will be; in result whether in
        time."""
        ch = self._ch
        ch.result = True
        ch.wait(timeout_ms)
        try:
            while not link.unread and not link.ended:
                ch.poll()
                yield
        except Timeout:
            ch.result = False

    def receive(self, link, into, start, most):
        """Takes up to `most` bytes into into[start:]; in result how many."""
        ch = self._ch
        self.check(link)
        most = min(most, _READ_MAX)
        ch.begin(b"+MIPRD=").number(link.id).number(most)
        ch.go(_ANSWER_MS + most * 10000 // ch.baud, b"+MIPRD:", counted=3)
        at = start
        try:
            link.unread = 0  # nothing but OK is said then
            while (event := ch.poll()) != DONE:
                if event == DATA:
                    link.unread = ch.value(1) or 0
                    if ch.left > most:
                        raise ModemError("%d bytes came where %d were asked for" % (ch.left, most))
                    while ch.left:
                        piece = ch.data()
                        if piece:
                            into[at : at + len(piece)] = piece
                            at += len(piece)
                        else:
                            yield
                elif event == LINE:
                    link.unread = ch.value(1) or 0
                else:
                    yield
        except ModemError as error:
            link.broken = error
            raise
        ch.result = at - start

    def send(self, link, data, start, stop):
        """Sends data[start:stop], in the largest packets that the model takes."""
        ch = self._ch
        model = self._modem.needed_model()
        try:
            while start < stop:
                self.check(link)
                if link.ended:
                    raise ModemError("the peer of connection %d has gone" % link.id)
                packet = self._packet if model.prompt else self._inline
                n = min(stop - start, model.send_prompt if model.prompt else _INLINE_MAX)
                yield from packet(link, data, start, n)
                start += n if ch.result is None else min(n, ch.result)
        except ModemError as error:
            link.broken = link.broken or error  # how much went out is not known
            raise

    def _packet(self, link, data, start, n):
        ch = self._ch
        ch.begin(b"+MIPSEND=").number(link.id).number(n).go(_SEND_MS, b"+MIPSEND:", payload=n)
        while ch.poll() != PROMPT:
            yield
        ch.push(data, start, start + n)
        yield from self._accepted(n)

    def _inline(self, link, data, start, n):
        ch = self._ch
        ch.begin(b"+MIPSEND=").number(link.id).number(n).verbatim(b'"')
        ch.go(_SEND_MS, b"+MIPSEND:", ended=False)
        while ch.poll() != SENT:
            yield
        for at in range(start, start + n, 64):
            digits = hexlify(data[at : min(at + 64, start + n)])
            ch.push(digits, 0, len(digits))
            while ch.poll() != SENT:
                yield
        ch.push(b'"\r', 0, 2)
        yield from self._accepted(2 * n)

    def _accepted(self, size):
        # In result the count that the module took; None where it says only OK.
        ch = self._ch
        ch.wait(_SEND_MS, size)
        accepted = None
        while (event := ch.poll()) != DONE:
            if event == LINE:
                accepted = ch.value(1)
            else:
                yield
        ch.result = accepted

    def close(self, link):
        """Closes a connection. Its id is used again once the module has confirmed that, or after a
        rest."""
        number = link.id
        if link.boot != self._modem.boots or self._links[number] is not link:
            return
        self._ch.result = None
        try:
            yield from self._let_go(number)
            self._ch.wait(_CLOSE_MS)
            while not link.closed:
                self._ch.poll()
                yield
        except Timeout:
            self._rest[number] = _port.ticks_add(_port.ticks_ms(), _REST_MS)
        finally:
            if self._links[number] is link:
                self._links[number] = None
            link.broken = link.broken or "it was closed"

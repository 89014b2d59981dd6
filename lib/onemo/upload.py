# A PEM's way into the module (manual 3.2, 3.3): file -> buffer -> UART, as packets behind the `>`
# prompt. A source that can be rewound is read through, judged and hashed before anything is sent,
# for a write replaces what was there; the module's digest is compared with that.

from . import load
from ._port import const
from .certs import CERT, KEY, SIZE_MAX
from .channel import DONE, LINE, PROMPT, SENT
from .digest import md5
from .errors import CommandError, ModemError, VerifyError
from .pem import Judge
from .syntax import check_range

_ANSWER_MS = const(10000)
_PROMPT_MS = const(10000)
_FLASH_MS = const(30000)  # a write to the module's flash can take seconds
_LEFT_OVER = const((763, 765))


def form(modem):
    """The Upload for what the model takes."""
    certs = modem.certs
    if certs.uploads is None:
        kind = Upload
        if not modem.needed_model().prompt:
            from .inline import InlineUpload as kind
        certs.uploads = kind(modem)
    return certs.uploads


class Upload:
    # One object serves every upload, so that they allocate little.

    def __init__(self, modem):
        self.modem = modem
        self.channel = modem.channel
        self._judge = Judge(CERT)
        self._whole = self._part = memoryview(self.channel.buffer)
        self._opened = False  # _stream is ours to close

    def write(self, name, source, kind, size, force, progress):
        """Operation of `CertStore.write`."""
        ch = self.channel
        try:
            yield from self.there(name, source, kind, size)
            if ch.result is True and self.base is not None and not force:
                self.remember(source, size)
                ch.result = False
                return
            if ch.result is not None:
                yield from self.modem.certs.removal(name)
            yield from self.packets(progress)
        except Exception as error:
            if not self.modem.unfinished:
                raise
            if isinstance(error, CommandError):
                # 763 and 765 are left-overs of an earlier write; to remove it is the way out.
                yield from self.modem.certs.discard(name)
                if error.code not in _LEFT_OVER or self.base is None:
                    raise error
                yield from self.packets(progress)
            else:
                if not isinstance(error, ModemError):  # the source failed, not the module
                    yield from self.modem.recovery()
                raise error
        finally:
            self.close()
        if ch.result is not True:
            size = ch.result
            yield from self.modem.certs.removal(name)
            raise VerifyError(
                "%s: the module's digest is %s, not ours; the object was removed, write it again"
                % (name, size)
            )
        self.remember(source, size)

    def remember(self, source, size):
        """What is in the module now can be brought back, where it forgets: see restore.py."""
        modem = self.modem
        if modem.needed_model().volatile:
            load("restore", "remember")(modem, self.name, source, self.kind, size, self.base)

    def there(self, name, source, kind, size):
        """Operation: in result whether the module holds this content under `name`; None where it
        holds nothing there. ValueError for a source that no write would take. To be closed."""
        ch = self.channel
        self.name = name
        self.kind = kind
        self._open(source, size)
        size = None
        source = name.encode()
        listed = 0
        while listed < 2:  # CERT and KEY; a `for` would make the generator larger
            listed += 1
            ch.begin(b"+MSSLLIST=").number(listed).go(_ANSWER_MS, b"+MSSLLIST:")
            while (event := ch.poll()) != DONE:
                if event != LINE:
                    yield
                elif ch.says(0, source):
                    if listed != kind:  # MSSLCHECK and MSSLRM take no type: they would mix them up
                        raise ValueError(
                            "%s is the name of a %s already: give each its own name"
                            % (name, "certificate" if kind == KEY else "key")
                        )
                    size = ch.value(1)
        ch.result = size
        if size is not None:
            ch.result = False
            if size in (self.least, self.most):
                self.ask()
                while (event := ch.poll()) != DONE:
                    if event == LINE:
                        self.hear()
                    else:
                        yield

    # The source

    def _open(self, source, size):
        self.close()  # a write that was interrupted may have left its file
        self._stream = source
        self.size = size
        self.least = self.most = None
        self._judge.begin(self.kind)
        self.begin_hash()
        if isinstance(source, str):
            try:
                self._stream = open(source, "rb")
                self._opened = True
            except OSError as error:
                raise OSError(
                    error.args[0],
                    "%s, which is to be %s, cannot be opened: is it there, and is the path right?"
                    % (source, self.name),
                )
        try:
            self.base = self._stream.tell()
            self._stream.seek(self.base)
        except (AttributeError, OSError):
            self.base = None  # cannot be rewound
        if self.base is not None:
            size = 0
            while n := self._stream.readinto(self.channel.buffer):
                self._look(n)
                size += n
                if self._judge.fault:
                    break  # it is known to be bad, however long it is
            self._judge.finish(self.name)
            if self.size is None:
                self.size = size
            elif self.size != size:
                raise ValueError(
                    "size is %d, but the source of %s has %d bytes" % (self.size, self.name, size)
                )
            self.hashed()
        elif size is None:
            raise ValueError("%s needs size=, in bytes: its source cannot be rewound" % self.name)
        check_range(self.size, "size", 1, SIZE_MAX)

    def close(self):
        if self._opened:
            self._stream.close()
            self._opened = False
        self._stream = None

    def _look(self, n):
        self._judge.feed(self.channel.buffer, n)
        self.hash(self._first(n))

    def _first(self, n):
        # The first n bytes of the buffer, as something that can be read into. Packets end alike,
        # so that what was made for one serves the next.
        whole = self._whole
        if n >= len(whole):
            return self.channel.buffer
        if len(self._part) != n:
            self._part = whole[:n]
        return self._part

    # What depends on the form; inline.py has the other one

    def begin_hash(self):
        self._hash = md5()

    def hash(self, data):
        self._hash.update(data)

    def hashed(self):
        """Once all is hashed: the digests and sizes that it may have in the module."""
        self.digests = (self._hash.digest(),)
        self.least = self.most = self.size

    def packets(self, progress):
        ch = self.channel
        remain = self.begin_packets()
        while remain:
            length = min(remain, self.modem.packet)
            remain -= length
            self.command(remain).number(length)
            if self.kind == KEY:
                ch.hide()
            ch.go(_PROMPT_MS, payload=length)
            while ch.poll() != PROMPT:
                yield
            ch.wait(_FLASH_MS, length)
            while length:
                n = self.fill(length)
                if n:
                    length -= n
                    ch.push(ch.buffer, 0, n)
                    while ch.poll() != SENT:
                        yield
                    if progress:
                        progress(self.size - remain - length, self.size)
                else:
                    ch.poll()
                    yield
            while ch.poll() != DONE:
                yield
        self.end_packets()
        while (event := ch.poll()) != DONE:
            if event == LINE:
                self.hear()
            else:
                yield

    # Common to both

    def begin_packets(self):
        if self.base is not None:
            self._stream.seek(self.base)
        self.modem.unfinished = self.name
        return self.size

    def end_packets(self):
        """All is sent: the module is asked what it has."""
        if self.base is None:
            self._judge.finish(self.name)
            self.hashed()
        self.modem.unfinished = None
        self.ask()

    def ask(self):
        ch = self.channel
        ch.result = None
        ch.begin(b"+MSSLCHECK=").quote(self.name).go(_ANSWER_MS, b"+MSSLCHECK:")

    def hear(self):
        """In result True if the module's MD5 is one of ours, else what it is."""
        ch = self.channel
        digests = self.digests
        for i in range(len(digests)):
            if ch.spells(digests[i]):
                ch.result = True
                if len(digests) > 1:  # which one it is tells how it stores line ends
                    self.modem.certs.newline = b"\r\n" if i else b"\n"
                return
        ch.result = ch.text(0)

    def command(self, remain):
        name = b"+MSSLKEYWR=" if self.kind == KEY else b"+MSSLCERTWR="
        return self.channel.begin(name).quote(self.name).number(remain)

    def fill(self, most):
        """Reads up to `most` bytes into the buffer; how many, None for none yet."""
        n = self._stream.readinto(self._first(most))
        if n == 0:
            raise ValueError("the source of %s ended before its %d bytes" % (self.name, self.size))
        if n and self.base is None:
            self._look(n)
        return n

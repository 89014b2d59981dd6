# A PEM's way into the module (manual 3.2, 3.3): file -> buffer -> UART, as packets behind the `>`
# prompt. A source that can be rewound is read through, judged and hashed before anything is sent,
# for a write replaces what was there; the module's digest is compared with that.

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
_KINDS = (1, 2)  # CERT, KEY: a constant, which costs nothing
_LEFT_OVER = (763, 765)


def upload(modem, name, source, kind, size, force, progress):
    """Operation of `CertStore.write`."""
    return _form(modem).write(name, source, kind, size, force, progress)


def comparison(modem, name, path, kind):
    """Operation: in result whether the module holds this file's content under `name`; None where
    it holds nothing there. ValueError for a file that no write would take."""
    return _form(modem).compare(name, path, kind)


def _form(modem):
    certs = modem.certs
    if certs.uploads is None:
        form = Upload
        if not modem.needed_model().prompt:
            from .inline import InlineUpload as form
        certs.uploads = form(modem)
    return certs.uploads


class Upload:
    # One object serves every upload, so that they allocate little.

    def __init__(self, modem):
        self.modem = modem
        self.channel = modem.channel
        self.digests = ()  # any of these from the module means that it holds what the source has
        self._judge = Judge(CERT)
        self._opened = False  # _stream is ours to close

    def write(self, name, source, kind, size, force, progress):
        ch = self.channel
        try:
            yield from self._there(name, source, kind, size)
            if ch.result is True and self.base is not None and not force:
                ch.result = False
                return
            if ch.result is not None:
                yield from self.modem.certs.removal(name)
            yield from self.packets(progress)
        except Exception as error:
            if not self.modem.certs.unfinished:
                raise
            if isinstance(error, CommandError):
                # 763 and 765 are left-overs of an earlier write; to remove it is the way out.
                yield from self.modem.certs.removal(name)
                if error.code not in _LEFT_OVER or self.base is None:
                    raise error
                yield from self.packets(progress)
            else:
                if not isinstance(error, ModemError):  # the source failed, not the module
                    yield from self.modem.recovery()
                raise error
        finally:
            self._close()
        if ch.result is not True:
            size = ch.result
            yield from self.modem.certs.removal(name)
            raise VerifyError(
                "%s: the module's digest is %s, not ours; the object was removed, write it again"
                % (name, size)
            )
        self.modem.remember(name, source, kind, size, self.base)

    def compare(self, name, path, kind):
        try:
            yield from self._there(name, path, kind, None)
        finally:
            self._close()

    def _there(self, name, source, kind, size):
        # In result whether the module has this content under this name; None: nothing.
        ch = self.channel
        self._open(name, source, kind, size)
        size = None
        source = name.encode()
        for listed in _KINDS:
            ch.begin(b"+MSSLLIST=").number(listed).go(_ANSWER_MS, b"+MSSLLIST:")
            while (event := ch.poll()) != DONE:
                if event != LINE:
                    yield
                elif ch.says(0, source):
                    if listed != kind:
                        self._namesake()
                    size = ch.value(1)
        ch.result = size
        if size is not None:
            ch.result = False
            if size in self.sizes() and self.digests:
                yield from self.modem.certs.compare(name, self.digests)

    def _namesake(self):
        # MSSLCHECK and MSSLRM take no type: they would mix the two up.
        raise ValueError(
            "%s is the name of a %s already: give each its own name"
            % (self.name, "certificate" if self.kind == KEY else "key")
        )

    # The source

    def _open(self, name, source, kind, size):
        self._close()  # a write that was interrupted may have left its file
        self._stream = source
        self.name = name
        self.kind = kind
        self.size = size
        self.digests = ()
        self._judge.begin(kind)
        self.begin_hash()
        if isinstance(source, str):
            try:
                self._stream = open(source, "rb")
                self._opened = True
            except OSError as error:
                raise OSError(
                    error.args[0],
                    "%s, which is to be %s, cannot be opened: is it there, and is the path right?"
                    % (source, name),
                )
        try:
            self.base = self._stream.tell()
            self._stream.seek(self.base)
        except (AttributeError, OSError):
            self.base = None  # cannot be rewound
        if self.base is not None:
            self._survey()
        elif size is None:
            raise ValueError("%s needs size=, in bytes: its source cannot be rewound" % name)
        check_range(self.size, "size", 1, SIZE_MAX)
        self.check()

    def _close(self):
        if self._opened:
            self._stream.close()
            self._opened = False
        self._stream = None

    def _survey(self):
        total = 0
        while n := self._stream.readinto(self.channel.buffer):
            self._look(n)
            total += n
            if self._judge.fault:
                break  # it is known to be bad, however long it is
        self._judged()
        if self.size is None:
            self.size = total
        elif self.size != total:
            raise ValueError(
                "size is %d, but the source of %s has %d bytes" % (self.size, self.name, total)
            )

    def _look(self, n):
        buffer = self.channel.buffer
        self._judge.feed(buffer, n)
        self.hash(buffer if n == len(buffer) else memoryview(buffer)[:n])

    def _judged(self):
        self._judge.finish()
        self.digests = self.hashed()

    # What depends on the form; inline.py has the other one

    def check(self):
        """Refuses what this form cannot carry."""

    def sizes(self):
        """The sizes under which the module may list this content."""
        return (self.size,)

    def begin_hash(self):
        self._hash = md5()

    def hash(self, data):
        self._hash.update(data)

    def hashed(self):
        """The digests, once all is hashed."""
        return (self._hash.digest(),)

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
                self.modem.certs.hear(self.digests)
            else:
                yield

    # Common to both

    def begin_packets(self):
        if self.base is not None:
            self._stream.seek(self.base)
        self.modem.certs.unfinished = self.name
        return self.size

    def end_packets(self):
        """All is sent: the module is asked what it has."""
        if self.base is None:
            self._judged()
        self.modem.certs.unfinished = None
        self.modem.certs.ask(self.name)

    def command(self, remain):
        name = b"+MSSLKEYWR=" if self.kind == KEY else b"+MSSLCERTWR="
        return self.channel.begin(name).quote(self.name).number(remain)

    def fill(self, most):
        """Reads up to `most` bytes into the buffer; how many, None for none yet."""
        buffer = self.channel.buffer
        n = self._stream.readinto(buffer if most >= len(buffer) else memoryview(buffer)[:most])
        if n == 0:
            raise ValueError("the source of %s ended before its %d bytes" % (self.name, self.size))
        if n and self.base is None:
            self._look(n)
        return n

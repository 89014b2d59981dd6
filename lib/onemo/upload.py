# A PEM's way into the module (manual 3.2, 3.3): file -> buffer -> UART, as packets behind the `>`
# prompt. A source that can be rewound is read through, judged and hashed before anything is sent,
# for a write replaces what was there; the module's digest is compared with that.

from binascii import hexlify

from ._port import const
from .certs import CERT, KEY, SIZE_MAX
from .channel import DONE, PROMPT, SENT
from .digest import md5
from .errors import CommandError, ModemError, VerifyError
from .pem import Judge
from .syntax import check_range

_PROMPT_MS = const(10000)
_FLASH_MS = const(30000)  # a write to the module's flash can take seconds
_EXISTS = const(763)
_BUSY = const(765)


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

    def write(self, name, source, kind, size, force, progress):
        ch = self.channel
        certs = self.modem.certs
        try:
            yield from self._there(name, source, kind, size)
            if ch.result is True and self.base is not None and not force:
                ch.result = False
                return
            if ch.result is not None:
                yield from certs.removal(name)
            try:
                yield from self.packets(progress)
            except CommandError as error:
                # 763 and 765 are left-overs of an earlier write; to remove it is the way out.
                yield from certs.removal(name)
                certs.unfinished = None
                if error.code not in (_EXISTS, _BUSY) or self.base is None:
                    raise error
                yield from self.packets(progress)
            except ModemError:
                raise  # the next command recovers
            except Exception as error:
                yield from self.modem.recovery()  # the source failed, not the module
                raise error
            certs.unfinished = None
            yield from certs.compare(name, self.digests)
            if ch.result is not True:
                theirs = ch.result
                yield from certs.removal(name)
                raise VerifyError(
                    "%s: the module's digest is %s, not ours; the object was removed, write it "
                    "again" % (name, theirs)
                )
            opened = self._stream is not source
            self.modem.remember(name, source, kind, size, None if opened else self.base)
        finally:
            self._close(source)

    def compare(self, name, path, kind):
        try:
            yield from self._there(name, path, kind, None)
        finally:
            self._close(path)

    def _there(self, name, source, kind, size):
        # In result whether the module has this content under this name; None: nothing.
        ch = self.channel
        certs = self.modem.certs
        self._open(name, source, kind, size)
        yield from certs.find(name, CERT if kind == KEY else KEY)
        if ch.result is not None:
            # MSSLCHECK and MSSLRM take no type: they would mix the two up.
            raise ValueError(
                "%s is the name of a %s already: give each its own name"
                % (name, "certificate" if kind == KEY else "key")
            )
        yield from certs.find(name, kind)
        if ch.result is not None:
            if ch.result in self.sizes() and self.digests:
                yield from certs.compare(name, self.digests)
            else:
                ch.result = False

    # The source

    def _open(self, name, source, kind, size):
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
        check_range(self.size, "size of " + name, 1, SIZE_MAX)
        self.check()

    def _close(self, source):
        if self._stream is not source:
            self._stream.close()
        self._stream = None

    def _survey(self):
        total = 0
        while n := self._stream.readinto(self.channel.buffer):
            self._look(n)
            total += n
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
        return (hexlify(self._hash.digest()),)

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
        if self.base is None:
            self._judged()

    # Common to both

    def begin_packets(self):
        if self.base is not None:
            self._stream.seek(self.base)
        self.modem.certs.unfinished = self.name
        return self.size

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

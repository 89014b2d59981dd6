# A PEM's way into the module (manual 3.2, 3.3): file -> buffer -> UART, as packets behind the `>`
# prompt. A source that can be rewound is read through, judged and hashed before anything is sent,
# for a write replaces what was there; the module's digest is compared with that.

from binascii import hexlify

from ._port import const
from .certs import KEY, SIZE_MAX
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
    opened = isinstance(source, str)
    stream = _open(source, name) if opened else source
    try:
        job = _job(modem, name, stream, kind, size, progress)
        yield from job.run(force)
    finally:
        if opened:
            stream.close()
    modem.remember(name, source, kind, size, None if opened else job.base)


def comparison(modem, name, path, kind):
    """Operation: in result whether the module holds this file's content under `name`; None where
    it holds nothing there. ValueError for a file that no write would take."""
    stream = _open(path, name)
    try:
        yield from _job(modem, name, stream, kind, None, None).compare()
    finally:
        stream.close()


def _job(modem, *what):
    if modem.needed_model().prompt:
        return Upload(modem, *what)
    from .inline import InlineUpload

    return InlineUpload(modem, *what)


def _open(path, name):
    try:
        return open(path, "rb")
    except OSError as error:
        raise OSError(
            error.args[0],
            "%s, which is to be %s, cannot be opened: is it there, and is the path right?"
            % (path, name),
        )


class Upload:
    def __init__(self, modem, name, stream, kind, size, progress):
        self.modem = modem
        self.ch = modem.channel
        self.name = name
        self.kind = kind
        self.size = size
        self.digests = ()  # any of these from the module means that it holds what we sent
        self._stream = stream
        self._progress = progress
        self._judge = Judge(kind)
        self._hash = md5()
        try:
            self.base = stream.tell()
            stream.seek(self.base)
        except (AttributeError, OSError):
            self.base = None  # cannot be rewound

    def run(self, force):
        """Writes what differs, verifies it; in result whether anything was written."""
        ch = self.ch
        certs = self.modem.certs
        yield from self.compare()
        if ch.result and not force:
            ch.result = False
            return
        if ch.result is not None:
            yield from certs.removal(self.name)
        yield from self._send()
        yield from certs.check(self.name)
        if not self.is_ours(ch.result):
            theirs = ch.result
            yield from certs.removal(self.name)
            raise VerifyError(
                "%s: the module's digest is %s, not %s; the object was removed, write it again"
                % (self.name, theirs, " or ".join(self.digests))
            )
        ch.result = True

    def compare(self):
        """Judges the source; in result whether the module holds its content under this name, None
        where it holds nothing there."""
        ch = self.ch
        certs = self.modem.certs
        if self.base is not None:
            self._survey()
        elif self.size is None:
            raise ValueError("%s needs size=, in bytes: its source cannot be rewound" % self.name)
        check_range(self.size, "size of " + self.name, 1, SIZE_MAX)
        self.check()
        yield from certs.find(self.name, self.kind)
        if ch.result is None:
            return
        same = ch.result in self.sizes() and len(self.digests) > 0
        if same:
            yield from certs.check(self.name)
            same = self.is_ours(ch.result)
        ch.result = same

    # What depends on the form; inline.py has the other one

    def check(self):
        """Refuses what this form cannot carry."""

    def sizes(self):
        """The sizes under which the module may list this content."""
        return (self.size,)

    def is_ours(self, digest):
        return digest in self.digests

    def hash(self, data):
        self._hash.update(data)

    def hashed(self):
        """The digests, once all is hashed."""
        return (hexlify(self._hash.digest()).decode(),)

    def packet_max(self):
        return self.modem.packet

    def packet(self, remain, length):
        ch = self.ch
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
                self.report(remain + length)
            else:
                ch.poll()
                yield
        while ch.poll() != DONE:
            yield

    # Common to both

    def command(self, remain):
        name = b"+MSSLKEYWR=" if self.kind == KEY else b"+MSSLCERTWR="
        return self.ch.begin(name).quote(self.name).number(remain)

    def fill(self, most):
        """Reads up to `most` bytes into the buffer; how many, None for none yet."""
        buffer = self.ch.buffer
        n = self._stream.readinto(buffer if most >= len(buffer) else memoryview(buffer)[:most])
        if n == 0:
            raise ValueError("the source of %s ended before its %d bytes" % (self.name, self.size))
        if n and self.base is None:
            self._look(n)
        return n

    def report(self, left):
        if self._progress:
            self._progress(self.size - left, self.size)

    def _survey(self):
        total = 0
        while n := self._stream.readinto(self.ch.buffer):
            self._look(n)
            total += n
        self._judge.finish()
        self.digests = self.hashed()
        if self.size is None:
            self.size = total
        elif self.size != total:
            raise ValueError(
                "size is %d, but the source of %s has %d bytes" % (self.size, self.name, total)
            )

    def _look(self, n):
        buffer = self.ch.buffer
        self._judge.feed(buffer, n)
        self.hash(buffer if n == len(buffer) else memoryview(buffer)[:n])

    def _send(self):
        # 763 and 765 are left-overs of an earlier write; removing the name is the way out of both.
        try:
            yield from self._packets()
        except CommandError as error:
            yield from self.modem.certs.removal(self.name)
            self.modem.certs.unfinished = None
            if error.code not in (_EXISTS, _BUSY) or self.base is None:
                raise error
            yield from self._packets()

    def _packets(self):
        if self.base is not None:
            self._stream.seek(self.base)
        self.modem.certs.unfinished = self.name
        remain = self.size
        try:
            while remain:
                length = min(remain, self.packet_max())
                remain -= length
                yield from self.packet(remain, length)
            if self.base is None:
                self._judge.finish()
                self.digests = self.hashed()
        except ModemError:
            raise  # the next command recovers
        except Exception as error:
            yield from self.modem.recovery()  # the source failed, not the module
            raise error
        self.modem.certs.unfinished = None

# SPDX-License-Identifier: MIT
#
# A PEM's way into the module (manual 3.2, 3.3): file -> buffer -> UART, as packets behind the `>`
# prompt. Its blocks are what is sent, counted and hashed; text around them is passed over.
#
# A source that can be rewound is read through, judged and hashed before anything is sent, for a
# write replaces what was there; the module's digest is compared with that.
#
# The scanner cuts the channel's buffer down to the blocks, in place; it grows again for the next
# read. Both allocate nothing, and need no view of a part of the buffer, which would. What runs for
# each buffer is written out where it is needed: a call of one's own costs a chip as much as
# hashing 30 bytes.

from builtins import len, min  # noqa: A004 (as in at_channel)

from ._port import const, unload
from .at_channel import DONE, FLASH_MS, LINE, PROMPT, SENT, STORE_MS
from .at_syntax import PAYLOAD_MAX, check_range
from .cert_pem import PemScanner
from .cert_store import CERT, KEY, check_unused, discard_op, remember_source, remove_op
from .errors import CommandError, ModemError
from .md5 import md5

_LEFT_OVER = const((763, 765))  # codes of an earlier write that broke off (manual 5.2)
_ZEROS = const(b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")
_LINE = const(48)  # bytes by which the scanner may make the buffer longer: a BEGIN line
_RETRIES = const(1000)  # 10 ms apart
_TURN = const(4)  # buffers that are judged before others have their turn
_AGAIN = const(3)  # behind CERT and KEY: their own kind once more
_UNSURE = const(-1)  # in place of a size


class Uploader:
    # One object serves every upload, so that they allocate little.

    def __init__(self, modem):
        self._modem = modem
        self._ch = modem.channel
        self._scanner = PemScanner(CERT)
        self._room = len(self._ch.buffer)
        self._ch.buffer.extend(bytes(_LINE))  # so that it never has to move
        self._ch.buffer[self._room :] = b""
        self._start = self._stop = 0  # what is sent of the buffer now
        self._ready = 0  # bytes of it that are to be sent
        self._stream = None
        self._opened = False  # _stream is ours to close
        self._arrives = False  # it comes through the module itself, a piece at a time

        # The upload at hand
        self._name = self._name_bytes = None
        self._kind = CERT
        self._size = None  # bytes that are to be sent; None: not known yet
        self._raw_left = 0  # bytes of a source that cannot be rewound, not read yet
        self._position = None  # where the source begins; None: it cannot be rewound
        self._cut = False  # it has more than its blocks
        self._as_read = False  # what is read is sent, and was looked at before
        self._hash = self._hasher = None  # what counts in the end; what gets all buffers
        self._digests = ()  # that the object may have in the module
        self._min_size = self._max_size = None  # likewise
        self._given_size = None  # bytes of the source, as the caller says
        self._retries = -1  # so often may the source give nothing; -1: it need not be read through

    def write_op(self, name, source, kind, size, force, progress, in_use_ok=False):
        """Write an object; returns False if the same content was there already."""
        # Locals are few: each of them, and each argument of a call, makes the generator larger.
        try:
            self.prepare(name, source, kind, size)
            while self.read_on():
                yield
            suspect = self._modem.unverified == name  # it may stand under a damaged name
            stored = yield from self.compare_op()
            if stored is True and self._position is not None and not force:
                self.remember(source, size)
                return self._ch.set_result(False)
            if stored is not None:
                if not in_use_ok:
                    check_unused(self._modem, name)
                yield from remove_op(self._modem, name)
            stored = yield from self._send_op(progress)
        except Exception as error:
            if not self._modem.partial_upload:
                if isinstance(error, CommandError) and self._digests:
                    yield from self.remove_copies_op()  # and once more behind the next write
                raise error
            if isinstance(error, CommandError):
                # 763 and 765 are left-overs of an earlier write; to remove it is the way out.
                yield from discard_op(self._modem, name)
                if error.code not in _LEFT_OVER or self._position is None:
                    raise error
                stored = yield from self._send_op(progress)
            else:
                if not isinstance(error, ModemError):  # the source failed, not the module
                    yield from self._modem.resync_op()
                raise error
        finally:
            self.close()
        if stored is not True:
            yield from remove_op(self._modem, name)
            yield from self.remove_copies_op()
            self._refuse("digest", stored)
        if suspect:
            yield from self.remove_copies_op()
        self._modem.unverified = None
        self.remember(source, size)
        return self._ch.set_result(True)

    def _refuse(self, fault, *known):
        # Raises what `fault` means, see cert_upload_faults.
        from .cert_upload_faults import refuse

        unload("cert_upload_faults")
        refuse(fault, self._name, *known)

    def remove_copies_op(self):
        """Remove what this write left under a damaged name, see cert_removal."""
        from binascii import hexlify

        from .cert_removal import remove_copies_op

        codes = [hexlify(digest).decode() for digest in self._digests]
        return remove_copies_op(self._modem, self._name, codes)

    def prepare(self, name, source, kind, size):
        """Begin an upload, or a comparison. The caller lets read_on() read the source through,
        and calls close()."""
        self._name = name
        self._name_bytes = name.encode()
        self._kind = kind
        self._open(source, size)

    def read_on(self):
        """Judge and hash some more of a source that can be rewound; False at its end. ValueError
        for one that no write would take, Timeout for one that gives nothing for 10 s."""
        ch = self._ch
        ch.busy = False
        if self._retries < 0:
            return False
        buffer = ch.buffer
        scanner = self._scanner
        for _ in range(_TURN):
            n = self._stream.readinto(buffer)
            if n is None:  # the front waits a while
                self._retries -= 1
                if self._retries < 0:
                    self._refuse("silent")
                return True
            self._retries = _RETRIES
            if n:
                scanner.feed(buffer, n)
                self._hasher.update(buffer)
                if len(buffer) != self._room:
                    self._restore_room()
            if n == 0 or scanner.fault:  # it is known to be bad, however long it is
                self._end_reading()
                return False
        ch.busy = True
        return True

    def compare_op(self):
        """Compare the module's object with what was prepared: True if it holds exactly this
        content, None if there is no such object, else False or its digest."""
        ch = self._ch
        stored = None
        kind = CERT
        # A `for`, or another local, would make the generator larger.
        while kind <= KEY or (kind == _AGAIN and stored == _UNSURE):
            ch.command(b"+MSSLLIST=").number(self._kind if kind == _AGAIN else kind)
            ch.send(STORE_MS, b"+MSSLLIST:")
            while (event := ch.poll()) != DONE:
                if event != LINE:
                    yield
                elif ch.field_equals(0, self._name_bytes):
                    if kind <= KEY and kind != self._kind:
                        self._refuse_name()
                    stored = ch.value(1)
                    if stored is None:
                        stored = _UNSURE
                elif stored is None and kind == self._kind and self._has_own_size():
                    stored = _UNSURE  # it may be its line, and damaged
            kind += 1
        if stored is None or stored == _UNSURE:
            return None
        if stored not in (self._min_size, self._max_size):
            return False
        self._request_digest()
        stored = False
        while (event := ch.poll()) != DONE:
            if event == LINE:
                stored = self._check_digest_line()
            else:
                yield
        return stored

    def _has_own_size(self):
        # Whether the listed object may have this content: by its size, or if that is not readable.
        size = self._ch.value(1)
        return size is None or size == self._min_size or size == self._max_size  # noqa: PLR1714

    def _refuse_name(self):
        # MSSLCHECK and MSSLRM take no type: they would mix a certificate and a key up.
        self._refuse("kind", "certificate" if self._kind == KEY else "key")

    def remember(self, source, size=None):
        """Note the source of what the module holds now, see cert_restore."""
        position = None if isinstance(source, str) else self._position
        remember_source(self._modem, self._name, self._kind, source, size, position)

    def close(self):
        """Close the source if it was opened here."""
        if self._opened:
            self._stream.close()
            self._opened = False
        self._stream = None
        self._ch.busy = False
        self._restore_room()
        if self._kind == KEY:
            self._ch.wipe()
            self._scanner.begin(KEY)

    # The source

    def _open(self, source, size):
        self.close()  # a write that was interrupted may have left its file
        self._stream = source
        self._size = size
        self._raw_left = size or 0
        self._min_size = self._max_size = None
        self._retries = -1
        self._scanner.begin(self._kind)
        self._begin_hash()
        self._arrives = hasattr(source, "fetch")
        if isinstance(source, str):
            if "\n" in source or "-----" in source:
                self._refuse("text")
            try:
                self._stream = open(source, "rb")
                self._opened = True
            except OSError as error:
                from .cert_upload_faults import refuse_path

                unload("cert_upload_faults")
                refuse_path(error, source, self._name)
        elif not (self._arrives or hasattr(source, "readinto")):
            self._refuse("type", type(source).__name__)
        try:
            # Files that mpremote mounts have no tell: these are read from their beginning.
            self._position = self._stream.tell() if hasattr(self._stream, "tell") else 0
            self._stream.seek(self._position)
        except (AttributeError, OSError):
            self._position = None
        if self._position is not None:
            self._given_size = size
            self._size = None
            self._retries = _RETRIES
            return
        if size is None:
            self._refuse("unsized")
        check_range(size, "size", 1, PAYLOAD_MAX)

    def _end_reading(self):
        # All was read, or enough to refuse it.
        scanner = self._scanner
        self._retries = -1
        scanner.finish(self._name)
        size = self._given_size
        if size is not None and size not in (scanner.size, scanner.kept):
            self._refuse("size", scanner.size, size)
        self._size = scanner.kept
        self._cut = scanner.kept != scanner.size
        self._end_hash()

    def _restore_room(self):
        # Gives the buffer its size back. It has its room, so that nothing is allocated.
        buffer = self._ch.buffer
        while len(buffer) < self._room:
            buffer.extend(_ZEROS)
        buffer[self._room :] = b""

    def _fill(self, wanted):
        # Finds up to `wanted` bytes to be sent, buffer[_start:_stop]; how many, 0 for none yet.
        if self._stop != self._ready:
            self._start = self._stop
            n = self._ready - self._stop
        else:
            n = self._stream.readinto(self._ch.buffer) if self._as_read else self._refill()
            if n is None:
                return 0
            if n == 0:
                if self._position is None and not self._raw_left:
                    self._refuse("mixed")
                self._refuse("short", self._size)
            self._start = 0
            self._ready = n
        if n > wanted:  # noqa: PLR1730 (min() takes twice as long)
            n = wanted
        self._stop = self._start + n
        return n

    def _refill(self):
        # Reads and judges what is to be sent next; how many bytes of the buffer that is, None for
        # nothing yet, 0 at the source's end. A source that was not read through before is hashed.
        scanner = self._scanner
        buffer = self._ch.buffer
        while True:
            self._restore_room()
            if self._position is None:
                buffer[self._raw_left :] = b""
                if not self._raw_left:
                    return 0
            n = self._stream.readinto(buffer)
            if not n:
                return n
            self._raw_left -= n
            scanner.feed(buffer, n)
            n = len(buffer)
            if self._position is None:
                self._hasher.update(buffer)
            if scanner.fault or scanner.kept == self._size:
                scanner.finish(self._name)  # before the last byte goes out
            if n:
                return n

    # What depends on the form of an upload; cert_upload_inline has the other one

    def _begin_hash(self):
        self._hasher = self._hash = md5()

    def _end_hash(self):
        # All is hashed: the digests and sizes that it may have in the module.
        self._digests = (self._hash.digest(),)
        self._min_size = self._max_size = self._size

    def _send_op(self, progress):
        # Sends the source; True if the module's digest is ours then, else that digest.
        ch = self._ch
        remain = self._begin_packets()
        while remain:
            if self._starved():
                yield self._stream
            length = self._packet_length(remain, self._modem.packet)
            remain -= length
            self._command(remain).number(length)
            if self._kind == KEY:
                ch.begin_secret()
            ch.send(STORE_MS, payload=length)
            while ch.poll() != PROMPT:
                yield
            ch.set_deadline(FLASH_MS, length)
            while length:
                n = self._fill(length)
                if n:
                    length -= n
                    ch.push(ch.buffer, self._start, self._stop)
                    while ch.poll() != SENT:
                        yield
                    if progress:
                        progress(self._size - remain - length, self._size)
                else:
                    ch.poll()
                    yield
            while ch.poll() != DONE:
                yield
        self._end_packets()
        n = None
        while (event := ch.poll()) != DONE:
            if event == LINE:
                n = self._check_digest_line()
            else:
                yield
        return n

    # What both forms share

    # A source with `fetch` brings what comes through the module itself, which says nothing while
    # it takes a packet. So no packet is longer than what is here of it, and between two packets,
    # with the channel idle, the operation yields the source: whoever drives it has it fetch more.

    def _starved(self):
        # True if the next packet has to be fetched first.
        return self._arrives and self._stop == self._ready and not self._stream.ready

    def _packet_length(self, remain, packet_max):
        length = min(remain, packet_max)
        if self._arrives:
            length = min(length, self._ready - self._stop + self._stream.ready)
            if not length:
                raise ValueError("a source with fetch() is for asyncio's rotate()")
        return length

    def _begin_packets(self):
        if self._position is not None:
            self._stream.seek(self._position)
            self._scanner.begin(self._kind)
        self._start = self._stop = self._ready = 0
        self._as_read = self._position is not None and not self._cut
        self._modem.partial_upload = self._modem.unverified = self._name
        return self._size

    def _end_packets(self):
        # All is sent: the module is asked what it has.
        if self._position is None:
            self._end_hash()
        self._modem.partial_upload = None
        self._request_digest()

    def _request_digest(self):
        self._ch.command(b"+MSSLCHECK=").quote(self._name).send(STORE_MS, b"+MSSLCHECK:")

    def _check_digest_line(self):
        # True if the module's MD5 is one of ours, else that MD5.
        ch = self._ch
        digests = self._digests
        for i in range(len(digests)):
            if ch.hex_equals(digests[i]):
                if len(digests) > 1:  # which one it is tells how the module stores line ends
                    self._modem.newline = b"\r\n" if i else b"\n"
                return True
        return ch.text(0)

    def _command(self, remain):
        name = b"+MSSLKEYWR=" if self._kind == KEY else b"+MSSLCERTWR="
        return self._ch.command(name).quote(self._name).number(remain)

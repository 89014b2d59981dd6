# SPDX-License-Identifier: MIT
#
# A PEM's way into the module (manual 3.2, 3.3): file -> buffer -> UART, as packets behind the `>`
# prompt. Its blocks are what is sent, counted and hashed; text around them is passed over.
#
# A source that can be rewound is read through, judged and hashed before anything is sent, for a
# write replaces what was there; the module's digest is compared with that.

from ._port import const
from .at_channel import DONE, FLASH_MS, LINE, PROMPT, SENT, STORE_MS
from .at_syntax import PAYLOAD_MAX, check_range
from .cert_pem import PemScanner
from .cert_store import CERT, KEY, discard_op, remember_source, remove_op
from .errors import CommandError, ModemError, VerifyError
from .md5 import md5

_LEFT_OVER = const((763, 765))  # codes of an earlier write that broke off (manual 5.2)


class Uploader:
    # One object serves every upload, so that they allocate little.

    def __init__(self, modem):
        self._modem = modem
        self._ch = modem.channel
        self._scanner = PemScanner(CERT)
        self._view = memoryview(self._ch.buffer)
        self._last_view = self._view  # the part of it that was asked for last
        self._stream = None
        self._opened = False  # _stream is ours to close

        # The upload at hand
        self._name = self._name_bytes = None
        self._kind = CERT
        self._size = None  # bytes of its blocks
        self._unread = 0  # bytes of a source that cannot be rewound which are still to come
        # What was read and is not sent yet: scanner.line[_line_at:_line_stop], then
        # buffer[_at:_stop]
        self._line_at = self._line_stop = 0
        self._at = self._stop = 0
        self._position = None  # where the source begins; None: it cannot be rewound
        self._hash = None
        self._digests = ()  # that the object may have in the module
        self._min_size = self._max_size = None  # likewise

    def write_op(self, name, source, kind, size, force, progress):
        """Write an object; returns False if the same content was there already."""
        # Locals are few: each of them, and each argument of a call, makes the generator larger.
        try:
            self.prepare(name, source, kind, size)
            suspect = self._modem.unverified == name  # it may stand under a damaged name
            stored = yield from self.compare_op()
            if stored is True and self._position is not None and not force:
                self.remember(source, size)
                return self._ch.set_result(False)
            if stored is not None:
                yield from remove_op(self._modem, name)
            stored = yield from self._send_op(progress)
        except Exception as error:
            if not self._modem.partial_upload:
                if isinstance(error, CommandError) and self._digests:
                    yield from self._remove_copies_op()
                    self._modem.unverified = None
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
            yield from self._remove_copies_op()
            raise VerifyError(
                "%s: the module's digest is %s, not ours; the object was removed, write it again"
                % (name, stored)
            )
        if suspect:
            yield from self._remove_copies_op()
        self._modem.unverified = None
        self.remember(source, size)
        return self._ch.set_result(True)

    def _remove_copies_op(self):
        from binascii import hexlify

        from .cert_list import remove_copies_op

        codes = [hexlify(digest).decode() for digest in self._digests]
        return remove_copies_op(self._modem, self._name, codes)

    def prepare(self, name, source, kind, size):
        """Begin an upload, or a comparison. A source that can be rewound is read through;
        ValueError for one that no write would take. The caller calls close()."""
        self._name = name
        self._name_bytes = name.encode()
        self._kind = kind
        self._open(source, size)

    def compare_op(self):
        """Compare the module's object with what was prepared: True if it holds exactly this
        content, None if there is no such object, else False or its digest."""
        ch = self._ch
        stored = None
        kind = CERT
        while kind <= KEY:  # a `for` would make the generator larger
            ch.command(b"+MSSLLIST=").number(kind).send(STORE_MS, b"+MSSLLIST:")
            while (event := ch.poll()) != DONE:
                if event != LINE:
                    yield
                elif ch.field_equals(0, self._name_bytes):
                    if kind != self._kind:
                        self._refuse_name()
                    stored = ch.value(1)
            kind += 1
        if stored is None:
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

    def _refuse_name(self):
        # MSSLCHECK and MSSLRM take no type: they would mix a certificate and a key up.
        raise ValueError(
            "%s is the name of a %s already: give each its own name"
            % (self._name, "certificate" if self._kind == KEY else "key")
        )

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
        if self._kind == KEY:
            self._ch.wipe()

    # The source

    def _open(self, source, size):
        self.close()  # a write that was interrupted may have left its file
        self._stream = source
        self._size = size
        self._min_size = self._max_size = None
        self._scanner.begin(self._kind)
        self._begin_hash()
        if isinstance(source, str):
            if "\n" in source or "-----" in source:
                raise ValueError(
                    "the source of %s is text, not the path of a file: give a path, or a stream "
                    "such as io.BytesIO" % self._name
                )
            try:
                self._stream = open(source, "rb")
                self._opened = True
            except OSError as error:
                raise OSError(
                    error.args[0],
                    "%s, which is to be %s, cannot be opened: is it there, and is the path right?"
                    % (source, self._name),
                )
        self._position = self._find_position()
        if self._position is not None:
            while (n := self._stream.readinto(self._ch.buffer)) and not self._scanner.fault:
                self._inspect(n)
            self._scanner.finish(self._name)
            self._size = self._scanner.size
            if size is not None and size not in (self._size, self._scanner.total):
                raise ValueError(
                    "size is %d, but the source of %s has %d bytes"
                    % (size, self._name, self._scanner.total)
                )
            self._end_hash()
        elif size is None:
            raise ValueError("%s needs size=, in bytes: its source cannot be rewound" % self._name)
        check_range(self._size, "size", 1, PAYLOAD_MAX)

    def _find_position(self):
        # Where the source begins; None if it cannot be rewound. A file on a folder that mpremote
        # has mounted has seek and no tell: it is read from its beginning.
        stream = self._stream
        try:
            position = stream.tell() if hasattr(stream, "tell") else 0
            stream.seek(position)
            return position
        except (AttributeError, OSError):
            return None

    def _inspect(self, n):
        # Judges the first n bytes of the buffer and hashes what belongs to blocks.
        scanner = self._scanner
        n = scanner.feed(self._ch.buffer, n)
        if scanner.carried:
            self._update_hash(memoryview(scanner.line)[: scanner.carried])
        if n:
            self._update_hash(self._view_of(n))

    def _view_of(self, n):
        # The first n bytes of the buffer, as something that can be read into. Packets end alike,
        # so that what was made for one serves the next.
        view = self._view
        if n >= len(view):
            return self._ch.buffer
        if len(self._last_view) != n:
            self._last_view = view[:n]
        return self._last_view

    def _fill(self, wanted):
        # Reads on, unless something is left; how much of it, up to `wanted`, is at hand: see
        # _piece(). None if the source has nothing yet.
        scanner = self._scanner
        while self._line_at == self._line_stop and self._at == self._stop:
            room = self._ch.buffer
            if self._position is None:
                room = self._view_of(min(len(room), self._unread))
            n = self._stream.readinto(room)
            if not n:
                if n is None:
                    return None
                raise ValueError(
                    "the source of %s ended before its %d bytes" % (self._name, self._size)
                )
            self._at = self._line_at = 0
            if self._position is None:
                self._inspect_once(n)
            else:
                scanner.feed(self._ch.buffer, n)
            self._stop = scanner.kept
            self._line_stop = scanner.carried
        return min(wanted, self._line_stop - self._line_at or self._stop - self._at)

    def _inspect_once(self, n):
        # For a source that cannot be rewound, of which nothing may be sent that is not a block's:
        # the packet that would complete a bad object is not completed.
        self._inspect(n)
        self._unread -= n
        scanner = self._scanner
        if not scanner.fault and scanner.size + scanner.pending() != scanner.total:
            raise ValueError(
                "%s needs a source that can be rewound, or one without text around its blocks and "
                "spaces at its line ends" % self._name
            )
        if scanner.fault or not self._unread:
            scanner.finish(self._name)

    def _take(self, n):
        # Takes `n` bytes of what is at hand; where they begin: see _piece().
        if self._line_at < self._line_stop:
            self._line_at += n
            return self._line_at - n
        self._at += n
        return self._at - n

    def _piece(self):
        # Where the bytes at hand are.
        return self._scanner.line if self._line_at < self._line_stop else self._ch.buffer

    # What depends on the form of an upload; cert_upload_inline has the other one

    def _begin_hash(self):
        self._hash = md5()

    def _update_hash(self, data):
        self._hash.update(data)

    def _end_hash(self):
        # All is hashed: the digests and sizes that it may have in the module.
        self._digests = (self._hash.digest(),)
        self._min_size = self._max_size = self._size

    def _send_op(self, progress):
        # Sends the source; True if the module's digest is ours then, else that digest.
        ch = self._ch
        remain = self._begin_packets()
        while remain:
            length = min(remain, self._modem.packet)
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
                    self._push(n)
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

    def _push(self, n):
        piece = self._piece()
        start = self._take(n)
        self._ch.push(piece, start, start + n)

    # What both forms share

    def _begin_packets(self):
        if self._position is not None:
            self._stream.seek(self._position)
            self._scanner.begin(self._kind)
        self._unread = self._size
        self._line_at = self._line_stop = self._at = self._stop = 0
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
                    self._modem.certs.newline = b"\r\n" if i else b"\n"
                return True
        return ch.text(0)

    def _command(self, remain):
        name = b"+MSSLKEYWR=" if self._kind == KEY else b"+MSSLCERTWR="
        return self._ch.command(name).quote(self._name).number(remain)

# SPDX-License-Identifier: MIT
#
# What a trace may see: everything but keys, PSKs and, unless asked for, the numbers that identify
# the module and its SIM. Of what is secret it is told the number of bytes.


from ._port import as_buffer

# Commands that are answered by an identifier: of the module, of its SIM, of its owner
_IDENTIFIERS = (b"+CGSN", b"+GSN", b"+ICCID", b"+MCCID", b"+CCID", b"+CIMI", b"+CNUM", b"+MEID")
# So many commas stand before the secret.
_SECRETS = (
    (b"+MSSLPSK=", 1),
    (b"+MSSLKEYWR=", 3),
    (b"+CPIN=", 0),
    (b"+CLCK=", 2),
    (b"+CPWD=", 1),
    (b"+CGAUTH=", 3),
)


def checked(text, line_max):
    """A command that the application wrote, or pasted, without its AT and its line end. ValueError
    unless it is one, and fits into a line."""
    at, ends = ("AT", "\r\n") if isinstance(text, str) else (b"AT", b"\r\n")
    if not 1 <= len(text) < line_max:
        raise ValueError(
            "command has %d characters; it must have 1 to %d" % (len(text), line_max - 1)
        )
    text = text.rstrip(ends)
    if ends[0] in text or ends[1] in text:
        raise ValueError("command %r... holds a line end; one command a call" % (text[:8],))
    if text.startswith(at) or text.startswith(at.lower()):  # noqa: PIE810
        return text[2:]
    return text


def begin_raw(ch, text):
    """Begin a command that the application wrote, keeping what is secret in it out of traces and
    errors: a PSK, a key, a PIN, an APN's password, and whatever looks like a key."""
    data = bytes(as_buffer(text)) if isinstance(text, (bytes, bytearray)) else text.encode()
    public = len(data)
    upper = data.upper()
    for name, commas in _SECRETS:
        at = upper.find(name)  # it may follow another command in the same line
        if at >= 0:
            at += len(name)
            for _ in range(commas):
                at = data.find(b",", at) + 1 or len(data)
            public = min(public, at)
    for mark in (b"-----BEGIN", b"PRIVATE KEY"):
        at = upper.find(mark)
        if at >= 0:
            public = min(public, at)
    ch.command(data[:public])
    if public < len(data):
        ch.begin_secret().append(data[public:])


class Masking:
    """Between a channel and its user's trace(direction, data), which sees identifiers if it has an
    attribute `identifiers` that is true."""

    def __init__(self, channel, trace):
        self._channel = channel
        self._trace = trace
        self._hides = not getattr(trace, "identifiers", False)
        self._hiding = False  # what is received may be an identifier, even a late one

    def sent(self, source, start, stop):
        """source[start:stop] was sent."""
        ch = self._channel
        if source is ch.out and not start and not (self._hiding and ch.out_of_sync):
            public = ch.public_len if ch.mask_tx else stop
            self._hiding = self._hides and _asks_identifier(source, public)
        public = stop
        if ch.mask_tx:
            public = max(start, min(stop, ch.public_len)) if source is ch.out else start
        self._tell(">", source, start, stop, public)

    def received(self, chunk, size):
        """The first `size` bytes of `chunk` were received."""
        masked = self._channel.mask_rx or self._hiding
        self._tell("<", chunk, 0, size, 0 if masked else size)

    def _tell(self, direction, data, start, stop, public):
        # data[start:stop]; what stands from `public` on is secret.
        text = bytes(memoryview(data)[start:public])
        if public < stop:
            text += b"<%d bytes>" % (stop - public)
        self._trace(direction, text)


def _asks_identifier(line, public):
    line = bytes(memoryview(line)[:public]).upper()  # no copy of what is secret
    for name in _IDENTIFIERS:  # noqa: SIM110 - any() would make a generator of it
        if name in line:
            return True
    return False

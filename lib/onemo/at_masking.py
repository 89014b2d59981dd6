# SPDX-License-Identifier: MIT
#
# What a trace may see: everything but keys and PSKs, of which it is told the number of bytes.


from ._port import as_buffer

# So many commas stand before the secret.
_SECRETS = ((b"+MSSLPSK=", 1), (b"+MSSLKEYWR=", 3), (b"+CPIN=", 0), (b"+CGAUTH=", 3))


def begin_raw(ch, text):
    """Begin a command that the application wrote, keeping what is secret in it out of traces and
    errors: a PSK, a key, a PIN, an APN's password, and whatever looks like a key."""
    data = bytes(as_buffer(text)) if isinstance(text, (bytes, bytearray)) else text.encode()
    public = len(data)
    upper = data.upper()
    for name, commas in _SECRETS:
        if upper.startswith(name):
            public = len(name)
            for _ in range(commas):
                public = data.find(b",", public) + 1 or len(data)
    for mark in (b"-----BEGIN", b"PRIVATE KEY"):
        at = upper.find(mark)
        if at >= 0:
            public = min(public, at)
    ch.command(data[:public])
    if public < len(data):
        ch.begin_secret().append(data[public:])


class Masking:
    """Between a channel and its user's trace(direction, data)."""

    def __init__(self, channel, trace):
        self._channel = channel
        self._trace = trace

    def sent(self, source, start, stop):
        """source[start:stop] was sent."""
        ch = self._channel
        public = stop
        if ch.mask_tx:
            public = max(start, min(stop, ch.public_len)) if source is ch.out else start
        self._tell(">", source, start, stop, public)

    def received(self, chunk, size):
        """The first `size` bytes of `chunk` were received."""
        self._tell("<", chunk, 0, size, 0 if self._channel.mask_rx else size)

    def _tell(self, direction, data, start, stop, public):
        # data[start:stop]; what stands from `public` on is secret.
        text = bytes(memoryview(data)[start:public])
        if public < stop:
            text += b"<%d bytes>" % (stop - public)
        self._trace(direction, text)

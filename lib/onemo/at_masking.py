# SPDX-License-Identifier: MIT
#
# What a trace may see: everything but keys and PSKs, of which it is told the number of bytes.


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

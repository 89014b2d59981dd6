# What a trace is told: everything but keys and PSKs, which are counted.


class Tracing:
    """Between a channel and its user's trace(direction, data)."""

    def __init__(self, channel, trace):
        self._channel = channel
        self._trace = trace

    def sent(self, source, start, stop):
        """source[start:stop] went out."""
        ch = self._channel
        shown = stop
        if ch.secret:
            shown = max(start, min(stop, ch.shown)) if source is ch.out else start
        self._show(">", source, start, stop, shown)

    def came(self, piece, size):
        """The first `size` bytes of `piece` came in."""
        self._show("<", piece, 0, size, 0 if self._channel.hushed else size)

    def _show(self, direction, data, start, stop, shown):
        # data[start:stop], of which what stands from `shown` on is secret.
        text = bytes(memoryview(data)[start:shown])
        if shown < stop:
            text += b"<%d bytes>" % (stop - shown)
        self._trace(direction, text)

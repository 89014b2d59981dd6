# Counted data inside an answer, `+MIPRD: 0,0,5,<5 bytes>`: it may hold anything, line ends too.
#
#     ch.go(5000, b"+MIPRD:", counted=after(3))     # allocates: once, when a module is loaded
#     ...on DATA:
#     while ch.left:
#         data = piece(ch)
#         ...or yield, where it is empty

from . import syntax


def after(commas):
    """For `Channel.go`: data that stands behind so many commas, the number before it is its
    size."""

    def begins(ch, at, stop):
        # True if all that stands before the data is there.
        rx = ch._rx
        first = ch.first = syntax.after_colon(rx, at, stop)
        at = syntax.field(rx, first, stop, commas)
        if at < 0:
            return False
        count = ch.value(commas - 1)
        if count is None or count < 0:
            ch._dropped = True  # noise: what follows cannot be told from the rest
            count = 0
        ch.left = count
        ch._taken = at
        return True

    return begins


def piece(ch):
    """The next piece of the data, good until the next call; empty: wait. `ch.left` counts down to
    0."""
    rx = ch._rx
    if ch._lent:
        rx[:] = b""
        ch._lent = False
    if ch._taken:
        rx[: ch._taken] = b""
        ch._taken = 0
    ch._surplus = True
    if len(rx) > ch.left:  # the end of the answer came along
        ch._taken = ch.left
        ch.left = 0
        return rx[: ch._taken]
    most = min(ch.left, ch._room)
    while len(rx) < most and ch._read(most - len(rx)):
        pass
    if rx:
        ch.left -= len(rx)
        ch._lent = True
    else:
        ch._expire()
    return rx

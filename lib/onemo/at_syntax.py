# SPDX-License-Identifier: MIT
#
# Pure AT syntax (manual 2): how a parameter is written, how a response is taken apart. Nothing
# here does I/O, and nothing here allocates but what it returns: a response is looked at where it
# lies, buf[start:end].

from ._port import const, unload

OK = const(1)
ERROR = const(2)
CME_ERROR = const(3)  # an error that says more after its colon
OTHER_ERROR = const(4)  # CMS, CIS: the same of services that are not ours

# bytes of a certificate, key or PSK, and of one packet (manual 3.2, 3.7)
PAYLOAD_MAX = const(8192)
BAUD_MIN = const(1200)  # bit/s that a UART may have
BAUD_MAX = const(4000000)

_QUOTE = const(0x22)
_MINUS = const(0x2D)
_NAME_MAX = const(64)


def decimal(out, number):
    """Appends a number of 0 or more in decimal."""
    if number > 9:
        decimal(out, number // 10)
    out.append(48 + number % 10)


def check_text(value, what, max_len=_NAME_MAX):
    """ValueError or TypeError unless `value` can stand between quotes in a command: printable
    ASCII, 1..`max_len` characters, no quote, comma or backslash."""
    if isinstance(value, str) and 1 <= len(value) <= max_len:
        for character in value:
            if not " " <= character <= "~" or character in '",\\':
                break
        else:
            return
    from .refusals import refuse_text

    unload("refusals")
    refuse_text(value, what, max_len)


def check_range(value, what, low, high):
    """ValueError or TypeError unless `value` is an int from `low` to `high`."""
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return
    from .refusals import refuse_range

    unload("refusals")
    refuse_range(value, what, low, high)


def final(buf, start, end):
    """OK, ERROR, CME_ERROR or OTHER_ERROR if the line is a final result, else 0. Whole lines
    only."""
    if end - start == 2 and buf.startswith(b"OK", start):
        return OK
    if end - start == 5 and buf.startswith(b"ERROR", start):
        return ERROR
    if buf.startswith(b"+C", start) or buf.startswith(b"+ C", start):  # so the manual prints it
        at = buf.find(b" ERROR:", start, end) - 3
        if 0 < at - start <= 2:
            if buf.startswith(b"CME", at):
                return CME_ERROR
            if buf.startswith(b"CMS", at) or buf.startswith(b"CIS", at):
                return OTHER_ERROR
    return 0


def after_colon(buf, start, end):
    """Where the parameters of a response begin: after its colon and the space that follows it, if
    any."""
    at = buf.find(b":", start, end) + 1
    if not at:
        return end
    if at < end and buf[at] == 0x20:
        at += 1
    return at


def field(buf, at, end, index):
    """Where parameter `index` (from 0) begins, counted from the parameter that begins at `at`; -1
    if there are not so many. A comma between quotes does not count."""
    while index:
        if at < end and buf[at] == _QUOTE:
            at = buf.find(b'"', at + 1, end)
            if at < 0:
                return -1
        at = buf.find(b",", at, end) + 1
        if not at:
            return -1
        index -= 1
    return at


def field_end(buf, at, end):
    """Where the parameter that begins at `at` ends."""
    if at < end and buf[at] == _QUOTE:
        stop = buf.find(b'"', at + 1, end)
        if stop < 0:
            return end
        at = stop
    stop = buf.find(b",", at, end)
    return end if stop < 0 else stop


def number(buf, at, end):
    """The decimal number that begins at `at` (signed, spaces before it allowed), or None. A
    parameter with something else behind its digits is no number."""
    while at < end and buf[at] == 0x20:
        at += 1
    negative = at < end and buf[at] == _MINUS
    if negative:
        at += 1
    value = None
    while at < end and 48 <= buf[at] <= 57:
        if value is not None and value > 99999999:
            return None
        value = (value or 0) * 10 + buf[at] - 48
        at += 1
    if at < end and buf[at] not in b', ")':
        return None
    return -value if negative and value is not None else value


def text(buf, at, end):
    """The parameter that begins at `at`, as str, without its quotes. Bytes that are not ASCII
    become `?`."""
    stop = field_end(buf, at, end)
    if at < stop and buf[at] == _QUOTE:
        at += 1
        if buf[stop - 1] == _QUOTE:
            stop -= 1
    return ascii_str(buf[at:stop])


def ascii_str(data):
    """Bytes as str; what is not printable ASCII becomes `?`."""
    for i in range(len(data)):
        if not 0x20 <= data[i] <= 0x7E:
            data = bytearray(data)
            for k in range(i, len(data)):
                if not 0x20 <= data[k] <= 0x7E:
                    data[k] = 0x3F
            break
    return bytes(data).decode()


def same(buf, at, end, name):
    """Whether the parameter that begins at `at` is `name` (bytes), with quotes or without."""
    if at < end and buf[at] == _QUOTE:
        at += 1
    stop = at + len(name)
    return (
        buf.startswith(name, at)
        and stop <= end
        and (stop == end or buf[stop] == _QUOTE or buf[stop] == 0x2C)
    )

# SPDX-License-Identifier: MIT
#
# A conversation as lines of text, for people and for `onemo trace`. On a board:
#
#     from onemo.trace import Trace
#     modem = Modem(uart, trace=Trace(open("trace.txt", "w")))
#
#        0.012 > AT+MSSLCERTWR="ca.pem",0,1261
#        0.020 < >
#        0.131 > <1261 bytes>
#        0.204 < OK
#
# Seconds since the first line, ">" to the module, "<" from it. Payload is counted, whatever it is,
# and so is what identifies the module or its SIM (IMEI, ICCID, IMSI), unless it is asked for.

from . import _port
from ._port import const

_LINE_MAX = const(160)  # characters of a line that are shown
_SECRET = (b"AT+MSSLPSK=", 1, b"AT+MSSLKEYWR=", 3)  # so many commas stand before what is secret
_COUNTED = (b"+MSSLCERTRD:", 1, b"+MIPRD:", 3)  # and before counted data


class Trace:
    """To be given as `trace=`. Writes lines into sink.write; `flush()` writes what has begun. The
    driver masks keys and PSKs already; here they are not let through either. `identifiers`: show
    IMEI, ICCID and IMSI as well."""

    def __init__(self, sink, identifiers=False):
        self._sink = sink
        self.identifiers = identifiers  # the driver looks at it once, see at_masking
        self._start = None
        self._out = bytearray()  # a command, as far as it is shown
        self._out_size = 0  # bytes of it, or of payload
        self._payload = False
        self._prompted = False  # the module asked for payload
        self._in = bytearray()
        self._in_size = 0
        self._left = 0  # counted data that is still to come in
        self._hidden = 0  # bytes that came in and that the driver masked

    def __call__(self, direction, data):
        shown = len(data)
        hidden = 0
        if data.endswith(b" bytes>"):  # the driver put `<n bytes>` in place of a secret
            at = data.rfind(b"<")
            if data[at + 1 : -7].isdigit():
                shown = at
                hidden = int(data[at + 1 : -7])
        if direction == "<":
            self._end_out()
            for i in range(shown):
                self._receive(data[i])
            self._hidden += hidden
        else:
            self._end_hidden()
            for i in range(shown):
                self._send(data[i])
            if hidden and not self._out_size:
                self._payload = True
            self._out_size += hidden

    def _send(self, byte):
        if not self._out_size:
            # Without a prompt, what is no command is filler.
            self._payload = self._prompted or byte not in b"Aa"
            self._prompted = False
        if byte == 0x0D and not self._payload:
            self._end_out()
            return
        self._out_size += 1
        if len(self._out) < _LINE_MAX and not self._payload:
            self._out.append(byte if 0x20 <= byte < 0x7F else 0x3F)

    def _end_out(self):
        if self._payload:
            self._say(">", "<%d bytes>" % self._out_size)
        elif self._out_size:
            self._line(">", self._out, self._out_size)
        self._payload = False
        self._out_size = 0
        self._out[:] = b""

    def _receive(self, byte):
        self._end_hidden()
        line = self._in
        if self._left:
            self._left -= 1
            self._in_size += 1
            if not self._left:
                self._say("<", "<%d bytes>" % self._in_size)
                self._in_size = 0
        elif byte in b"\r\n":
            self._end_in()
        elif self._in_size or byte > 0x20:
            self._in_size += 1
            if len(line) < _LINE_MAX:
                line.append(byte if 0x20 <= byte < 0x7F else 0x3F)
            self._prompted = byte == 0x3E and self._in_size == 1
            if byte == 0x2C:
                left = self._counted()
            if self._prompted or (byte == 0x2C and left):
                self._end_in()
                if not self._prompted:
                    self._left = left

    def _counted(self):
        # How much data begins after the comma that was the last to come.
        line = self._in
        for i in (0, 2):
            if line.startswith(_COUNTED[i]) and _commas(line) == _COUNTED[i + 1]:
                start = max(line.rfind(b",", 0, len(line) - 1), line.find(b":")) + 1
                size = bytes(line[start:-1]).strip()
                return int(size) if size.isdigit() and len(size) < 6 else 0
        return 0

    def _end_in(self):
        if self._in_size:
            self._line("<", self._in, self._in_size)
        self._in_size = 0
        self._in[:] = b""

    def _end_hidden(self):
        if self._hidden:
            self._say("<", "<%d bytes>" % self._hidden)
            self._hidden = 0

    def _line(self, direction, line, size):
        shown = len(line)
        for i in (0, 2):
            if bytes(line[: len(_SECRET[i])]).upper() == _SECRET[i]:
                at = 0
                for _ in range(_SECRET[i + 1]):
                    at = line.find(b",", at) + 1 or shown
                shown = at
        text = bytes(line[:shown]).decode()
        if size - shown > 1:  # one is a command's CR that was masked
            text += "<%d bytes>" % (size - shown)
        self._say(direction, text)

    def _say(self, direction, text):
        now = _port.ticks_ms()
        if self._start is None:
            self._start = now
        ms = _port.ticks_diff(now, self._start)
        self._sink.write("%5d.%03d %s %s\n" % (ms // 1000, ms % 1000, direction, text))

    def flush(self):
        """Writes what has begun and is not over; then the sink's own flush, if it has one."""
        self._end_out()
        self._end_hidden()
        if not self._left:
            self._end_in()
        if hasattr(self._sink, "flush"):
            self._sink.flush()


def _commas(line):
    return sum([1 for byte in line if byte == 0x2C])

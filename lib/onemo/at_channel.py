# SPDX-License-Identifier: MIT
#
# The AT conversation, one command at a time, without waiting: a command goes out, its answer is
# looked at where it lies, unsolicited result codes (URCs) go to their handlers. `poll` tells what
# happened next, or WAIT; it never sleeps. The fronts do the waiting.
#
#     ch.command(b"+MSSLLIST=").number(1).send(REPLY_MS, b"+MSSLLIST:")
#     while (event := ch.poll()) != DONE:      # a failed command raises CommandError here
#         if event == LINE:
#             ...ch.text(0), ch.value(1)...
#         else:
#             yield
#
# This loop is written out wherever a command is sent: a shared one behind `yield from` would cost
# another generator, 384 bytes an upload.
#
# `phase` tells how far the command under way has got. Only the channel changes it, and only so:
#
#     phase        what happens in it             next         when
#     IDLE         nothing is waited for          LISTENING    set_deadline()
#                                                 COMMAND      send()
#                                                 PAYLOAD      resume_payload()
#     LISTENING    URCs are served                IDLE         deadline, reset(), cancel(), send()
#     COMMAND      the command line goes out      PROMPT_WAIT  written, a payload is announced
#                                                 PAYLOAD      written, the line is still open
#                                                 ANSWER       written
#     PROMPT_WAIT  ">" is waited for              PAYLOAD      ">" came
#     PAYLOAD      push() after push()            ANSWER       the last byte is written
#     ANSWER       the final result is waited for
#     all of them                                 IDLE         final result, deadline, reboot,
#                                                              reset(), cancel()

from builtins import bytes, len, min  # noqa: A004 (found at once here, and not after a look elsewhere)

from . import _port, at_syntax
from ._port import IS_BOARD, as_buffer, const
from .errors import CommandError, ModemReset, ProtocolError, Timeout

# Phases: from the third on a command is under way, in the last two something is written.
_IDLE = const(0)
_LISTENING = const(1)
_PROMPT_WAIT = const(2)
_ANSWER = const(3)
_COMMAND = const(4)
_PAYLOAD = const(5)

# What poll() returns
WAIT = const(0)  # nothing yet
LINE = const(1)  # an information line of the answer: see line(), value(), text()
PROMPT = const(2)  # the module takes the payload now
SENT = const(3)  # what push() was given is with the UART
DATA = const(4)  # data begins inside the answer: see read_chunk()
DONE = const(5)  # final result OK

REPLY_MS = const(5000)  # a command that the module answers from its memory
STORE_MS = const(10000)  # one that reads the module's flash
FLASH_MS = const(30000)  # one that writes the module's flash, which can take seconds
RESYNC_MS = const(30000)  # getting in step, a boot of the module included

ALL = b""  # as `expect`: every line that is no URC
REST_OF_LINE = const(0)  # as `data_after`: all behind the colon, up to the line end

_CHUNK = const(128)  # bytes a read: a smaller piece is slower
_LINE_BURST = const(16)  # bytes of a line that are waited for together: 1 ms at 115200
_LIST_BURST = const(64)  # and of more lines, once there are two
_JOINED_MAX = const(2048)  # longest line that is put together
_BURST_MIN = const(32)  # bytes of announced data that are waited for together, from a UART that
_BURST_MAX = const(512)  # does not say how many it keeps; at most: others are to have their turn
_READS_PER_POLL = const(32)
_READS_PER_FLUSH = const(256)
_GRACE_MS = const(1000)
_UNTIMED = const(0x780)  # of endless lines each 2 KB have a piece in which time is looked at
_SOURCE_WAIT_MS = const(10)
_SLEEP_MAX_MS = const(1000)
_QUEUE_MAX_MS = const(60000)  # no UART's buffer takes as long
_COLON = const(0x3A)
_PLUS = const(0x2B)
_STAR = const(0x2A)
_CARET = const(0x5E)
_CR = const(0x0D)
_LETTERS = const(0x40)  # what is below can end a name
_ALL_PUBLIC = const(0xFFFF)
_NO_STATUS = const(-1)
_NOT_READ = const(-1)
_PERHAPS = const(2)  # as `rebooted`: nothing tells that it started anew, nor that it did not
_NOT_FOUND = const(-1)
_REST = const(-1)  # of a line that is too long: it is discarded up to its end
_READY = const(b"+MATREADY")
HEX_DIGITS = const(b"0123456789abcdef")
_LINE_END = const(b"\r\n")


class Channel:
    # Received bytes are appended to one bytearray and taken from its front, which allocates
    # nothing once it has its room: a whole piece is added and its unused tail cut off, for a slice
    # as the source would be a new object.
    #
    #     _rx      ...done with...   line at hand        not looked at yet
    #              0                 start args_at end   _rx_pos             len(_rx)
    #
    # While data inside an answer is handed out, read_chunk() returns all of _rx or its front:
    #
    #     _rx      the chunk that the caller looks at    the rest of the answer, if it came along
    #              0                                     _rx_pos             len(_rx)
    #
    # What runs per command, line or chunk has a frame of at most 11 words, the most that
    # MicroPython keeps on the stack: a larger one is taken from the heap at each call, which
    # costs more than most of these functions. That is why some are cut in two.

    def __init__(self, uart, baud, buffer, trace):
        self.baud = baud  # bit/s
        self.set_uart(uart)
        self.buffer = bytearray(buffer)  # payload on its way out; free for others meanwhile
        self.result = None  # of the operation that a front drives, see set_result()
        self.busy = False  # no command is under way, and others are only given their turn
        self.running = False  # an operation is under way (blocking front), or ciphers() is read
        self.bytes_received = 0  # modulo 2**24

        # The command under way
        self.phase = _IDLE
        self.out = bytearray(96)  # its line, as far as it is written here
        self.out[:] = b""
        self.public_len = 0  # bytes of `out` that traces and errors may show
        self.mask_tx = False  # what is sent now is secret
        self.mask_rx = False  # so may be what is received: an echo of a secret, even a late one
        self.payload_remaining = 0  # bytes that the module was promised and may still wait for
        self.fillable = True  # they may be anything; False: a peer would get them
        self.prompt_refused = False  # the prompt for them was, but it may come all the same
        self.timeout_ms = 0
        self._since = None  # ticks when timeout_ms began; None: poll() never raises Timeout
        self._expect = None  # beginning of its information lines; None: it has none
        self._data_after = None  # commas before data inside the answer; None: it has none
        self._lines = 0  # information lines so far; -1: a final result before the first is late
        self._line_open = False  # the caller pushes the rest of the command line
        self._discarded = False  # part of the answer was discarded: it was too long

        # What is being written: _source[_at:_stop]
        self._source = None
        self._at = self._stop = 0
        self._pushing = False  # it was given to push(), and SENT is still to be told
        self._line_free = _port.ticks_ms()  # from then on nothing is on its way, as reckoned
        self._line_rest = 0  # and so many ten-thousandths of a bit's time more

        # The module, as far as the conversation shows it
        self.out_of_sync = True  # an answer to an earlier command may still come
        self.strays = 0  # final results that no command was waiting for, modulo 256
        self.rebooted = False  # it said that it started anew, or _PERHAPS it did
        self.cold = True  # nothing is known of it: it may be in any mode
        self.sleep_ms = None  # after a command it is awake for so long; None: it does not sleep
        self._sent_ms = 0  # ticks of the last command

        # What is received
        self.data_remaining = 0  # bytes of data that read_chunk() has still to hand out
        self.start = self.args_at = self.end = 0  # the line at hand; its first parameter
        self._rx_room = buffer
        self._piece = bytearray(_CHUNK)
        self._rx = bytearray(buffer + _CHUNK)
        self._rx[:] = b""
        self._rx_pos = 0
        self._skipping = 0  # bytes of the line end that are to come behind data, or _REST
        self._data_ended = False  # nothing but URCs and the final result may follow
        self._urcs = []  # (prefix, handler)
        self._in_handler = False

        self._trace = None
        if trace:
            from .at_masking import Masking

            self._trace = Masking(self, trace)
        try:
            uart.write(b"", 0, 0)
            self._write_takes_offset = True  # write(buf, offset, n) as MicroPython's streams
        except TypeError:
            self._write_takes_offset = False

    def set_uart(self, uart):
        """Use `uart` from now on."""
        self.uart = uart
        # Ports print the sizes of their buffers, and say them nowhere else. Half of each is used.
        self._rx_burst = _BURST_MIN
        self._write_piece = 0  # bytes; 0: as much as it takes
        for field in str(uart).split(", "):
            if field.startswith("rxbuf="):
                self._rx_burst = max(_BURST_MIN, min(_BURST_MAX, int(field[6:].rstrip(")")) // 2))
            elif field.startswith("txbuf="):
                self._write_piece = int(field[6:].rstrip(")")) // 2
        self._piece_ms = self._write_piece * 10000 // self.baud

    # A command

    def command(self, name):
        """Begin a command: what stands after `AT`, up to and with its `=`."""
        if self._in_handler:
            raise RuntimeError("a URC handler must not issue commands; note the event and return")
        out = self.out
        out[:] = b"AT"
        out += name if IS_BOARD else as_buffer(name)
        self.mask_tx = False
        self.public_len = _ALL_PUBLIC
        return self

    def quote(self, text):
        """Append a string parameter. The caller has checked what it holds."""
        self._separate()
        out = self.out
        out.append(0x22)
        out += as_buffer(text)
        out.append(0x22)
        return self

    def number(self, value):
        """Append a number of 0 or more."""
        self._separate()
        at_syntax.decimal(self.out, value)
        return self

    def verbatim(self, text):
        """Append a parameter as it is."""
        self._separate()
        self.out += as_buffer(text)
        return self

    def append(self, data):
        """Append bytes as they are."""
        self.out += data
        return self

    def begin_secret(self):
        """Keep the rest of the command, and what is pushed after it, out of traces and errors."""
        self.public_len = len(self.out)
        self.mask_tx = self.mask_rx = True
        return self

    def _separate(self):
        if self.out[-1] != 0x3D:
            self.out.append(0x2C)

    def send(
        self,
        timeout_ms,
        expect=None,
        data_after=None,
        payload=0,
        line_open=False,
        require_info=False,
        fillable=True,
    ):
        """Send the command.

        `expect`: how its information lines begin (None: it has none; ALL).
        `data_after`: its line holds data behind so many commas, and the number before the last of
        them is its size; REST_OF_LINE: all behind the colon.
        `payload`: bytes that will follow the prompt.
        `line_open`: the caller pushes the rest of the line, then calls end_line().
        `fillable`: a payload that breaks off may be filled up to get the module out of data mode;
        not if a peer would get that.
        `require_info`: ignore final results until an information line has arrived; they belong to
        an earlier command.
        """
        if self.phase != _IDLE or self._rx_pos < len(self._rx) or self.uart.any():
            self._flush_before_send()
        self.out.append(0x0D)
        self._expect = expect
        self._data_after = data_after
        self._lines = -require_info
        self._line_open = line_open
        self.payload_remaining = payload
        self.fillable = fillable
        self.prompt_refused = self._discarded = False
        self._source = self.out
        self._at = 0
        payload = len(self.out)  # once more, for another local would make the frame too large
        self._stop = payload - line_open
        self.phase = _COMMAND
        self.timeout_ms = timeout_ms + payload * 10000 // self.baud
        self._since = _port.ticks_ms()
        if self.sleep_ms is not None:
            self._sent_ms = self._since

    def _flush_before_send(self):
        # What came since the command before may not allow another one.
        before = self.rebooted + 2 * self.out_of_sync
        self._flush()
        if before == self.rebooted + 2 * self.out_of_sync:
            return
        if self.rebooted:
            raise ModemReset("the module rebooted before " + self.command_text())
        raise ProtocolError(
            "a final result came that no command was waiting for, before " + self.command_text()
        )

    def push(self, source, start, stop):
        """Write source[start:stop] as (part of) the payload, or of a command line that was left
        open; poll() returns SENT when `source` is free again."""
        self._source = source
        self._at = start
        self._stop = stop
        self._pushing = True

    def end_line(self):
        """End the parameter and the command line that were left open; the answer follows."""
        self._line_open = False
        self.push(b'"\r', 0, 2)

    def set_deadline(self, timeout_ms, size=0):
        """Make poll() raise Timeout from `timeout_ms`, and the time that `size` bytes take on the
        line, from now on. Without a command it serves URCs until then."""
        if self.phase == _IDLE:
            self.phase = _LISTENING
        self.timeout_ms = timeout_ms + size * 10000 // self.baud
        self._since = _port.ticks_ms()

    def max_sleep_ms(self):
        """How long a front may sleep, unless bytes come, before it must poll again."""
        if self.phase > _ANSWER:
            if self._at < self._stop:  # the UART is to take bytes, which wakes nobody
                return max(1, self._write_wait_ms())
            return _SOURCE_WAIT_MS  # the source has nothing yet
        if self._since is None:
            return 0 if self.busy else _SOURCE_WAIT_MS
        left_ms = self.timeout_ms - _port.ticks_diff(_port.ticks_ms(), self._since)
        if left_ms > _SLEEP_MAX_MS:
            return _SLEEP_MAX_MS
        return left_ms if left_ms > 0 else 1

    def min_sleep_ms(self):
        """How long a front had better sleep though bytes come: announced data is taken together,
        not byte by byte, up to half of what the UART keeps; so is some of a line; and a UART that
        has enough to send is left alone."""
        if self.phase > _ANSWER:
            return max(0, self._write_wait_ms()) if self._at < self._stop else 0
        if self.data_remaining:
            missing = min(self.data_remaining, self._rx_burst) - self.uart.any()
            return missing * 10000 // self.baud if missing > 0 else 0
        if (
            self.phase == _ANSWER
            and self._data_after is None  # a connection's short answers are not delayed
            and self.fillable
        ):
            missing = min(_LIST_BURST, self._rx_burst) if self._lines > 1 else _LINE_BURST
            return missing * 10000 // self.baud
        return 0

    def _write_wait_ms(self):
        # Until a UART that was given payload has room for the next piece: it would keep all tasks
        # waiting until it had. 0 or less: it has.
        left_ms = _port.ticks_diff(self._line_free, _port.ticks_ms())
        if left_ms > _QUEUE_MAX_MS:  # ticks have wrapped meanwhile
            left_ms = 0
        return left_ms - self._piece_ms

    def command_text(self):
        """The command sent last, as str, without its secrets."""
        return at_syntax.ascii_str(self.out[: self.public_len].rstrip(_LINE_END))

    def set_result(self, value):
        """Store and return the value of an operation. A front reads it here: the value that a
        generator returns to a `for` would cost 96 bytes. Operations inside others just return."""
        self.result = value
        return value

    # In step with the module

    def ready(self):
        """Serve what came meanwhile; True if the next command can go without a recovery."""
        if self.phase != _IDLE or self._rx_pos < len(self._rx) or self.uart.any():
            if self.phase > _LISTENING:
                return False
            self._flush()
        if self.out_of_sync or self.rebooted or self.payload_remaining:
            return False
        return self.sleep_ms is None or not self.may_sleep()

    def set_sleep(self, sleep_ms):
        """Note for how long after a command the module is awake; None: it does not sleep."""
        self.sleep_ms = sleep_ms

    def may_sleep(self):
        """Whether the module may be asleep by now: the bytes that wake it would be lost."""
        if self.sleep_ms is None:
            return False
        # Weeks may have passed, so that ticks have wrapped.
        return not 0 <= _port.ticks_diff(_port.ticks_ms(), self._sent_ms) < self.sleep_ms

    def cancel(self):
        """Leave whatever is under way, or is waited for; the next command recovers first."""
        if self.phase > _LISTENING:
            self.out_of_sync = True
            if not self.fillable:  # what comes next could still go to the peer
                self.payload_remaining = max(1, self.payload_remaining)
        self._end_command()

    def reset(self):
        """Begin a recovery: leave the command under way, and what was noticed. A payload that the
        module may wait for stays on record."""
        self._end_command()
        self.rebooted = False
        self.out_of_sync = False

    def set_in_sync(self):
        """End a recovery: the next answer is the next command's."""
        self.out_of_sync = self.mask_rx = self.cold = False

    def lose_sync(self):
        """Make the next command recover first."""
        self.out_of_sync = True

    def set_baud(self, baud):
        """Use another speed, bit/s, in deadlines; until the module has answered, nothing is known
        of it."""
        self.baud = baud  # deadlines contain the time that bytes take on the line
        self.set_uart(self.uart)
        self.out_of_sync = True

    def set_rebooted(self, rebooted=True):
        """Note that the module started anew, or that this has been dealt with."""
        self.rebooted = rebooted

    def forget(self):
        """Note that nothing is known of the module, not even whether it started anew."""
        self.rebooted = self.rebooted or _PERHAPS
        self.cold = True

    def expect_payload(self, size):
        """Note how many bytes of a payload the module may be waiting for."""
        self.payload_remaining = size
        self.fillable = True

    def take_prompt(self):
        """True if a late prompt came while nothing was waiting for one."""
        rx = self._rx
        if self._rx_pos < len(rx) and rx[self._rx_pos] == 0x3E:
            self._rx_pos += 1
            return True
        return False

    def resume_payload(self, timeout_ms):
        """Take push() for the payload that the module still waits for; its command has no final
        result yet."""
        self._lines = 0
        self.phase = _PAYLOAD
        self.set_deadline(timeout_ms, self.payload_remaining)

    def _end_command(self):
        self.phase = _IDLE
        self._expect = self._since = None
        self._pushing = self._line_open = False
        self._stop = self._at
        if self._data_after is not None:
            self._data_after = None
            self.data_remaining = 0
            self._skipping = min(self._skipping, 0)
            self._data_ended = False

    # What happens

    def on_urc(self, prefix, handler):
        """Pass lines that begin with `prefix` to handler(buf, start, end), which looks and
        returns."""
        self._urcs.append((prefix, handler))

    def poll(self):
        """What happened next: WAIT, LINE, PROMPT, SENT, DATA or DONE. Raises CommandError,
        Timeout, ModemReset or ProtocolError. With no command under way it serves URCs and returns
        WAIT."""
        if self.phase > _ANSWER:
            if self._at < self._stop and not self._write():
                self._expire()
                return WAIT
            if self.phase == _COMMAND:
                if self._line_open:
                    self.phase = _PAYLOAD
                    return SENT
                self.phase = _PROMPT_WAIT if self.payload_remaining else _ANSWER
                return WAIT  # no answer is there yet
            if self._pushing and not self.payload_remaining:
                self._pushing = False
                if not self._line_open:
                    self.phase = _ANSWER
                return SENT  # an answer that is there already is for the next call
        # Of much that came some is read before what is there is looked at, line after line: the
        # UART must not overflow meanwhile. But no more than there is room for.
        n = len(self._rx) - self._rx_pos
        if not n:
            n = self.uart.any()
            if n:
                n = self._read(n)
        elif n < self._rx_room and self.uart.any() >= _CHUNK:
            n = self._read(_CHUNK)
        else:
            n = _NOT_READ
        reads = _READS_PER_POLL  # a UART that never falls silent must not keep us
        while n:
            event = self._next_event()
            if event != WAIT:
                if event == LINE and n > 0 and not self.bytes_received & _UNTIMED:
                    self._expire(_GRACE_MS)  # what is on its way at the deadline still counts
                return event
            if 0 < n < _CHUNK or not reads:
                break  # less was all there was: what comes meanwhile is for the next call
            n = self.uart.any()
            if n:
                n = self._read(n)
            reads -= 1
        if self._pushing:
            self._pushing = False
            return SENT
        if self._since is not None:
            self._expire()
        return WAIT

    # The line at hand, until the next poll

    def line(self):
        """A copy of it, as bytes."""
        return bytes(self._rx[self.start : self.end])

    def value(self, index):
        """Its parameter `index` as a number; None if it is none."""
        at = self.field(index)
        return None if at < 0 else at_syntax.number(self._rx, at, self.end)

    def text(self, index):
        """Its parameter `index` as str, without quotes; None if there are not so many."""
        at = self.field(index)
        return None if at < 0 else at_syntax.text(self._rx, at, self.end)

    def raw(self, index):
        """Its parameter `index` as bytes, without quotes, whatever they are; b"" if there are not
        so many."""
        at = self.field(index)
        if at < 0:
            return b""
        return bytes(self._rx[at : at_syntax.field_end(self._rx, at, self.end)]).strip(b'"')

    def keep_line(self, command):
        """Add a copy of it to `result`, a list, unless it is another command's. `command`,
        as_buffer: the one sent; b"": all lines are kept."""
        rx = self._rx
        at = self.start
        if (
            command
            and not (rx.startswith(command, at) and rx[at + len(command)] == _COLON)
            and not self.is_own_line()
        ):
            return
        self.result.append(bytes(rx[at : self.end]))

    def is_own_line(self):
        """False if it begins with another command's name, `+OTHER:`, or as chatter, `^OTHER:`."""
        rx = self._rx
        at = self.start
        if self.out[2] != _PLUS:
            return True
        if rx[at] == _PLUS:
            at = self._match_command(at + 1, 3, b"=?")
            if at and rx[at] == _COLON:
                return True
        elif rx[at] != _STAR and rx[at] != _CARET:
            return True
        return rx.find(b":", self.start, self.end) < 0 or self.out.find(b";") >= 0

    def is_query(self):
        """True if the command asks for something: `+NAME` or `+NAME?`."""
        out = self.out
        return out[2] == 0x2B and (out.find(b"=") < 0 or out[-2] == 0x3F)

    def wipe(self):
        """Overwrite what secrets left in the buffers."""
        out = self.out
        for i in range(self.public_len, len(out)):
            out[i] = 0x20
        buffer = self.buffer
        for i in range(len(buffer)):
            buffer[i] = 0
        self._piece[:] = bytes(_CHUNK)
        rx = self._rx  # a secret may have been received as well: its room behind what is there
        end = len(rx)
        rx.extend(bytes(max(0, self._rx_room + _CHUNK - end)))
        rx[end:] = b""

    def field_equals(self, index, name):
        """True if its parameter `index` is `name` (bytes). Allocates nothing."""
        rx = self._rx
        at = self.args_at
        if index or at < 0:
            at = self.field(index)
            if at < 0:
                return False
        if not rx.startswith(name, at + (rx[at] == 0x22)):  # nearly all lines are others'
            return False
        return at_syntax.same(rx, at, self.end, name)

    def field(self, index):
        """Where its parameter `index` begins; -1 if there are not so many."""
        if self.args_at < 0:
            self.args_at = at_syntax.after_colon(self._rx, self.start, self.end)
        return at_syntax.field(self._rx, self.args_at, self.end, index)

    def hex_equals(self, digest):
        """True if its first parameter is `digest` (bytes) in hexadecimal, small or capital."""
        rx = self._rx
        at = self.field(0)
        if rx[at] == 0x22:
            at += 1
        for i in range(len(digest)):  # a line too short has its line end where a digit would be
            if rx[at] | 0x20 != HEX_DIGITS[digest[i] >> 4] or (
                rx[at + 1] | 0x20 != HEX_DIGITS[digest[i] & 15]
            ):
                return False
            at += 2
        return at == self.end or rx[at] == 0x22

    # Data inside an answer, `+MIPRD: 0,0,5,<5 bytes>`: it may hold anything, line ends too

    def read_chunk(self, end=False):
        """The next chunk of the data, valid until the next call; empty: nothing yet. `end`: with
        the end of the answer, if it came along, for a slice is a new object.
        `data_remaining` counts down to 0. `drained`: wait before the next call, if there is one:
        there is no more yet, or so much was handed out that others should have their turn."""
        rx = self._rx
        if self._rx_pos:
            rx[: self._rx_pos] = b""
            self._rx_pos = 0
        self._skipping = 2
        before = self.data_remaining
        if len(rx) > before:  # the end of the answer came along
            self._rx_pos = before
            self.data_remaining = 0
            return rx if end else rx[:before]
        wanted = before if before < self._rx_room else self._rx_room
        size = len(rx)
        while size < wanted:
            n = self.uart.any()
            if n > wanted - size:  # noqa: PLR1730
                n = wanted - size
            if not n:
                break
            n = self._read(n)
            size += n
            if n != _CHUNK:
                break
        self.data_remaining = before - size
        self.drained = size < wanted or (before ^ self.data_remaining) & _BURST_MAX
        if size:
            self._rx_pos = size
        else:
            self._expire()
        return rx

    def end_data(self, used):
        """End data of REST_OF_LINE: only `used` bytes of the chunk at hand belong to it."""
        self.data_remaining = 0
        self._skipping = 0
        self._rx_pos = used

    def _begin_data(self, at, stop):
        # True if the line holds data, and all that stands before them is there.
        if not self._rx.startswith(self._expect, at):
            return False
        if stop < 0:
            stop = len(self._rx)
        self.end = stop
        self.args_at = at = at_syntax.after_colon(self._rx, at, stop)
        if self._data_after == REST_OF_LINE:
            self.data_remaining = 0xFFFF
            self._rx_pos = at
            return True
        at = at_syntax.field(self._rx, at, stop, self._data_after)
        if at < 0:
            return False
        self._rx_pos = at
        count = self.value(self._data_after - 1)
        if count is None or count < 0:
            self._discarded = True  # noise: what follows cannot be told from the rest
            count = 0
        self.data_remaining = count
        if not count:
            self._skipping = 2
        return True

    # Inside

    def _write(self):
        # True once all is written. A UART may take less than asked, or return None.
        n = self._stop - self._at
        paced = (self._pushing or self._line_open) and self._write_piece
        if paced:
            left_ms = _port.ticks_diff(self._line_free, _port.ticks_ms())  # as _write_wait_ms()
            if self._piece_ms < left_ms <= _QUEUE_MAX_MS:
                return False
            if n > self._write_piece:  # noqa: PLR1730 (min() takes twice as long)
                n = self._write_piece
        if self._write_takes_offset:
            n = self.uart.write(self._source, self._at, n)
        else:
            n = self.uart.write(memoryview(self._source)[self._at : self._at + n])
        if not n:
            return False
        if self._trace:
            self._trace.sent(self._source, self._at, self._at + n)
        self._at += n
        if self._pushing:
            left = self.payload_remaining - n
            self.payload_remaining = left if left > 0 else 0
        if paced:
            if left_ms <= 0 or left_ms > _QUEUE_MAX_MS:  # all that was written before is out
                self._line_free = _port.ticks_ms()
                self._line_rest = 0
            # What is left of whole milliseconds counts: the UART would wait for room, awake.
            n = n * 10000 + self._line_rest
            self._line_rest = n % self.baud
            self._line_free = _port.ticks_add(self._line_free, n // self.baud)
        return self._at >= self._stop

    def _read(self, n):
        # Append `n` bytes, which the UART has, or a piece of them. Returns how much that was.
        if n > _CHUNK:  # noqa: PLR1730
            n = _CHUNK
        piece = self._piece
        n = self.uart.readinto(piece, n)
        if not n:
            return 0
        if self._trace:
            self._trace.received(piece, n)
        self.bytes_received = (self.bytes_received + n) & 0xFFFFFF
        rx = self._rx
        if self._rx_pos:
            rx[: self._rx_pos] = b""
            self._rx_pos = 0
        size = n + len(rx)
        rx += piece
        if n < _CHUNK:
            rx[size:] = b""
        return n

    def _flush(self):
        # What comes between commands is URCs, or late; a line that has only begun stays.
        self._end_command()
        self._next_event()
        for _ in range(_READS_PER_FLUSH):
            size = self.uart.any()
            if not size or not self._read(size):
                break
            self._next_event()

    def _next_event(self):
        while True:
            rx = self._rx
            at = self._rx_pos
            size = len(rx)
            # 1. The rest of a line that was too long, and what follows data
            if self._skipping:
                at = self._skip(at, size)
            # 2. Line ends, and junk that a module sends as it wakes up
            if rx.startswith(b"\r\n", at):
                at += 2
            while at < size and not 0x20 < rx[at] < 0x7F:
                at += 1
            # 3. Nothing is left: the room that a long line took is given back
            if at == size:
                if size > self._rx_room + _CHUNK:
                    rx = self._rx = bytearray(self._rx_room + _CHUNK)
                rx[:] = b""
                self._rx_pos = 0
                return WAIT
            # 4. The prompt, which no line end follows
            if self.phase == _PROMPT_WAIT and rx[at] == 0x3E:
                self._rx_pos = at + 1
                self.phase = _PAYLOAD
                return PROMPT
            size = rx.find(b"\n", at)
            # 5. Data, which may hold line ends
            if self._data_after is not None and self._begin_data(at, size):
                return DATA
            # 6. A line that is not whole yet
            if size < 0:
                self._rx_pos = at
                if len(rx) - at <= _JOINED_MAX:
                    return WAIT
                self._skipping = _REST
                self._discarded = True
                continue
            # 7. A whole line
            self._rx_pos = size + 1
            while rx[size - 1] <= 0x20:  # not at `at`
                size -= 1
            while rx[at + 1] == 0x0D and size - at > 2:  # ATV0: an earlier answer's result, `0` CR
                at += 2
            self.start = at
            self.end = size
            # 8. An information line of the answer: there are more of them than of all else
            expect = self._expect
            if expect and expect[-1] == _COLON and rx.startswith(expect, at):
                self._lines += 1
                at += len(expect)
                if at < size and rx[at] == 0x20:
                    at += 1
                self.args_at = at
                return LINE
            # 9. The final result, while nothing is unusual: _end_answer() for all others
            if (
                size - at == 2
                and self.phase == _ANSWER
                and rx.startswith(b"OK", at)
                and self._lines >= 0
                and not (self.payload_remaining or self._discarded)
            ):
                if self.mask_rx:
                    self.mask_rx = not self.mask_tx  # until its own final result
                self.phase = _IDLE
                self._expect = self._since = None
                if self._data_after is not None:
                    self._end_command()
                return DONE
            at = self._classify(at, size)
            if at:
                return at

    def _skip(self, at, size):
        # The rest of a line that was too long, up to its end
        if self._skipping == _REST:
            at = self._rx.find(b"\n", at) + 1
            if not at:
                return size
            self._skipping = 0
        # What follows data: CR LF, or the count was wrong, and who knows what follows
        while self._skipping and at < size:
            self._data_ended = True
            if self._rx[at] != _LINE_END[-self._skipping]:
                self._discarded = self.out_of_sync = True
            self._skipping -= 1
            at += 1
        return at

    def _classify(self, start, end):
        # What any other line means; WAIT if it is none of the caller's business.
        rx = self._rx
        expect = self._expect
        # 1. Final results, the echo of the command, the module started anew
        if rx[start] != _PLUS or rx.find(b" ERROR:", start, end) >= 0:
            event = self._status(start, end)
            if event != _NO_STATUS:
                return event
            start = self.start
        if rx[start + 1] == 0x4D and rx.startswith(_READY, start):
            event = self.phase
            self._end_command()
            self.payload_remaining = 0
            self.rebooted = True
            if event != _IDLE:
                raise ModemReset("the module rebooted during " + self.command_text())
            return WAIT
        # 2. Information lines of which the caller does not say the whole name
        if expect and rx.startswith(expect, start):
            self._lines += 1
            self.args_at = at_syntax.after_colon(rx, start, end)
            return LINE
        # 3. URCs
        if self._urcs and self._dispatch(start):
            return WAIT
        # 4. All else
        if expect == ALL:
            self.args_at = _NOT_FOUND  # few ask for them
            return LINE
        if self._data_ended and rx[start] != _PLUS:  # the rest of data: its count was too small
            self._discarded = self.out_of_sync = True
        return WAIT

    def _status(self, start, end):
        # What the line means if it is a final result or an echo.
        rx = self._rx
        if self.phase <= _LISTENING:
            if not self.out_of_sync and at_syntax.final(rx, start, end):
                self.out_of_sync = True  # whose answer was taken for whose?
                self.strays = (self.strays + 1) & 255
            return _NO_STATUS
        verdict = at_syntax.final(rx, start, end)
        if verdict and self._lines >= 0:
            return self._end_answer(verdict, start, end)
        if verdict and not self.out_of_sync:
            self.strays = (self.strays + 1) & 255
        if rx[start] == 0x41:
            start = self._match_command(start, 0, b"")
            if start == end:
                return WAIT
            if start and rx[start] == 0x0D:  # with ATV0 no line end comes before the answer
                self.start = start + 1
        return _NO_STATUS

    def _dispatch(self, start):
        # Tells those who asked for such lines; whether there are any.
        told = False
        for i in range(len(self._urcs)):
            if not self._rx.startswith(self._urcs[i][0], start):
                continue
            if self._expect == ALL and self._match_command(start, 2, b"=?"):
                continue  # the application has asked for it
            told = True
            self._call(self._urcs[i][1])
        return told

    def _call(self, handler):
        self._in_handler = True
        try:
            handler(self._rx, self.start, self.end)
        except BaseException:  # `finally` would make the frame larger
            self._in_handler = False
            raise
        self._in_handler = False

    def _end_answer(self, verdict, start, end):
        # A final result: DONE, or what else it means is raised.
        promised = self.payload_remaining
        refused = self.phase == _PROMPT_WAIT
        # A refusal may be another's: lines of any kind, or data, which may be secret, would be
        # taken for the next command's then.
        wanted = self._expect == ALL or self._data_after is not None
        if self.mask_tx and not wanted:
            self.mask_rx = False
        self._end_command()
        if verdict == at_syntax.OK and not promised and not self._discarded:
            return DONE  # of a line that was left open
        if self._discarded:
            raise ProtocolError(
                "%s was answered by a line over %d bytes, or by data of a size not announced"
                % (self.command_text(), _JOINED_MAX)
            )
        if verdict == at_syntax.OK:
            self.out_of_sync = True
            raise ProtocolError(
                "%s: OK, though %d bytes were still to come" % (self.command_text(), promised)
            )
        if self.fillable or not promised:
            self.payload_remaining = 0
        else:  # the refusal may be another's, and the prompt still to come
            self.prompt_refused = refused
            self.out_of_sync = True
        if wanted or verdict == at_syntax.ERROR:  # not numbered: a damaged line's answer
            self.out_of_sync = True
        code = None
        response = ""
        if verdict == at_syntax.CME_ERROR:
            at = at_syntax.after_colon(self._rx, start, end)
            code = at_syntax.number(self._rx, at, end)
            response = at_syntax.ascii_str(self._rx[at:end])
        elif verdict == at_syntax.OTHER_ERROR:
            response = at_syntax.ascii_str(self._rx[start:end])
        raise CommandError(code, self.command_text(), response)

    def _expire(self, grace_ms=0):
        if self._since is None:
            return
        grace_ms += self.timeout_ms
        if _port.ticks_diff(_port.ticks_ms(), self._since) < grace_ms:
            return
        phase = self.phase
        self._end_command()
        if phase > _LISTENING:
            self.out_of_sync = True
        raise Timeout(
            "%s: no %s within %d ms"
            % (
                self.command_text(),
                "prompt" if phase == _PROMPT_WAIT else "answer",
                self.timeout_ms,
            )
        )

    def _match_command(self, at, start, ends):
        # Where the line, from `at` on, stops to repeat the command, from `start` on and up to its
        # end or one of `ends`; 0 if it does not repeat all of that. An echo is as it was sent, but
        # a name is answered in capitals even if it was sent in small letters.
        rx = self._rx
        out = self.out
        mask = 0xDF if start else 0xFF
        while True:
            byte = out[start]
            if byte < _LETTERS and (byte == _CR or byte in ends):
                return at
            if (byte ^ rx[at]) & mask:
                return 0
            start += 1
            at += 1

# SPDX-License-Identifier: MIT
#
# A UART with a module of few words behind it. Once made it allocates nothing, so that what is
# counted is the driver's alone. It can lock the heap while an answer is read or a payload
# written: whoever allocates then fails.

from micropython import RingIO, heap_lock, heap_unlock

OK = b"\r\nOK\r\n"
PROMPT = b"\r\n>"
# Command -> answer. Who does not know the module asks these first.
START = (
    (b"AT+CMEE?", b"\r\n+CMEE: 1\r\n\r\nOK\r\n"),
    (b"AT+CGMM", b"\r\nML307R\r\n\r\nOK\r\n"),
    (b"AT+CSQ", b"\r\n+CSQ: 24,99\r\n\r\nOK\r\n"),
)


class Uart:
    """any(), readinto(), read(), write() as machine.UART has them; an answer is there at once."""

    def __init__(self, room=512):
        ring = RingIO(room)
        self.any = ring.any
        self.readinto = ring.readinto
        self.read = ring.read
        self._ring = ring
        self._answers = []
        for command, answer in START:
            self.answer(command, answer)
        self._owed = 0
        self.guard_answers = False  # lock the heap while an answer is read
        self.guard_payload = False  # and while a payload is written
        self.locked = False
        self.seen = 0  # payload bytes and answers that went by under the lock

    def answer(self, command, *pieces):
        """What comes on a line that begins with `command`; the latest is what counts. Plain
        scripts write str, which startswith wants as str."""
        for i in range(len(self._answers)):
            if self._answers[i][0] == command:
                self._answers[i] = (command, self._answers[i][1], pieces)
                return
        self._answers.append((command, command.decode(), pieces))

    def upload(self, digest):
        """The answers to a write into an empty store."""
        self.answer(b"AT+MSSLCERTWR=", PROMPT)
        self.answer(b"AT+MSSLCHECK=", b"\r\n+MSSLCHECK: " + digest + b"\r\n" + OK)

    def write(self, buf, at=None, n=None):
        if at is None:
            at = 0
            n = len(buf)
        elif n is None:
            n = at
            at = 0
        if not n:
            return 0
        if self._owed:
            if self.guard_payload:
                self._lock()
                self.seen += n
            self._owed -= n
            if self._owed <= 0:
                self._owed = 0
                self.unlock()
                self._ring.write(OK)
        else:
            self._command(buf, at)
        return n

    def _command(self, buf, at):
        text = isinstance(buf, str)
        for command, same, pieces in self._answers:
            if buf.startswith(same if text else command, at):
                for piece in pieces:
                    self._ring.write(piece)
                if pieces[0] is PROMPT:
                    self._owed = _last_number(buf, text)
                elif self.guard_answers:
                    self._lock()
                return
        self._ring.write(OK)

    def _lock(self):
        if not self.locked:
            self.locked = True
            heap_lock()

    def unlock(self):
        if self.locked:
            self.locked = False
            heap_unlock()


def _last_number(buf, text):
    # The number that stands behind the last comma, by hand: int() of a slice would allocate.
    value = 0
    for i in range(buf.rfind("," if text else b",") + 1, len(buf)):
        digit = (ord(buf[i]) if text else buf[i]) - 48
        if not 0 <= digit <= 9:
            break
        value = value * 10 + digit
    return value


class CutUart(Uart):
    """Hands an answer out in pieces of the sizes in `cuts` (bytes), over and over; the heap is
    locked from the command until all but the last piece has been read."""

    def __init__(self, room, cuts):
        super().__init__(room)
        self.cuts = cuts
        self._turn = 0
        self.any = self._any
        self.readinto = self._readinto

    def _any(self):
        return min(self._ring.any(), self.cuts[self._turn])

    def _readinto(self, buf, n):
        n = min(n, self._any())
        if not n:
            return None
        self._turn = (self._turn + 1) % len(self.cuts)
        n = self._ring.readinto(buf, n)
        if self.locked:
            self.seen += n
            if self._ring.any() <= 2:
                self.unlock()
        return n

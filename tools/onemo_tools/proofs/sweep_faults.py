# SPDX-License-Identifier: MIT
"""The sweep's faults, and the UART that they strike: `machine.UART` for the driver, with a
simulated module behind it and no line in between that takes time."""

from __future__ import annotations

from typing import NamedTuple

from onemo_simulator import Module

TO_MODULE, TO_HOST = ">", "<"
LATE_S = (7.0, 17.0, 40.0)  # beyond the deadlines of some commands, of most, of all
KINDS = {
    "flip": "one bit flipped",
    "drop": "a byte lost",
    "double": "a byte doubled",
    "cr": "a CR inserted",
    "line": "a line that nobody sent",
    "late": "all is late by 7, 17 or 40 s",
    "reboot": "the module reboots, heard",
    "mute": "the module reboots, unheard",
    "nap": "it reboots unheard while the host is idle",
    "stop": "KeyboardInterrupt while the driver waits",
    "halt": "KeyboardInterrupt in a write to the UART",
    "cancel": "a task is cancelled",
    "two": "two of these in one run",
    "none": "none",
}
LINES = (
    b"\r\nOK\r\n",
    b"\r\nERROR\r\n",
    b"\r\n+CME ERROR: 762\r\n",
    b"\r\n+CEREG: 1\r\n",
    b'\r\n+MIPURC: "rtcp",1,5,5\r\n',
    b'\r\n+MIPURC: "disconn",1,1\r\n',
    b"\r\n+MIPOPEN: 0,0\r\n",
    b"\r\n+MIPCLOSE: 1\r\n",
)
_SEND = b"+MIPSEND="


class Strike(NamedTuple):
    """One fault. `where`: ">" or "<" for byte `at` of that direction, else "" for the `at`-th
    wait, write or pause between two steps. `what`: the bit's mask; the line's or the
    delay's number; for "halt" how many hundredths of the bytes went out before."""

    kind: str
    where: str
    at: int
    what: int = 0

    def __str__(self) -> str:
        return " ".join([self.kind, self.where or "-", str(self.at), str(self.what)])


class FaultyUart:
    """`any`, `readinto`, `write` as `machine.UART` has them; strikes count from `arm` on."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.clock = module.clock
        self.log: list[tuple[float, str, bytes]] | None = None  # set it to keep the conversation
        self.struck: list[Strike] = []
        self.counts = {TO_MODULE: 0, TO_HOST: 0}
        self.writes = 0
        self.payload = bytearray()  # of each byte to the module: 1 if a packet takes it
        self.said = bytearray()  # all that the module said
        self.sent_damaged = False  # application data was, on its way to the module
        self.send_cut = False  # a MIPSEND was, by a CR: the rest of it went to the peer
        self._armed = False
        self._strikes: dict[str, list[Strike]] = {TO_MODULE: [], TO_HOST: []}
        self._halts: dict[int, int] = {}
        self._held: dict[str, list[tuple[float, bytes]]] = {TO_MODULE: [], TO_HOST: []}
        self._late = {TO_MODULE: 0.0, TO_HOST: 0.0}
        self._muted = False
        self._rx = bytearray()
        self._quiet_at = -1.0  # when all that the module had said was taken, and nothing was sent

    def arm(self, strikes: list[Strike]) -> None:
        """From now on bytes and writes count."""
        self._pump()
        self._armed = True
        for way in (TO_MODULE, TO_HOST):
            found = [strike for strike in strikes if strike.where == way]
            self._strikes[way] = sorted(found, key=lambda strike: -strike.at)
        self._halts = {strike.at: strike.what for strike in strikes if strike.kind == "halt"}

    def struck_by(self, strike: Strike) -> None:
        """Note that it happened."""
        self.struck.append(strike)

    # As machine.UART

    def any(self) -> int:
        if not self._rx and self._quiet_at != self.clock.now():
            self._pump()
        return len(self._rx)

    def readinto(self, buf: bytearray, nbytes: int | None = None) -> int | None:
        rx = self._rx
        count = min(len(buf) if nbytes is None else nbytes, len(rx))
        if not count:
            return None
        buf[:count] = rx[:count]
        del rx[:count]
        return count

    def write(self, buf: bytes, start: int = 0, count: int | None = None) -> int:
        data = bytes(buf[start:] if count is None else buf[start : start + count])
        if not data:
            return 0
        share = None
        if self._armed:
            share = self._halts.pop(self.writes, None)
            self.writes += 1
        if share is None:
            self._feed(data)
            return len(data)
        self.struck_by(Strike("halt", "", self.writes - 1, share))
        self._feed(data[: len(data) * share // 100])
        raise KeyboardInterrupt

    def next_event(self) -> float | None:
        """When something may happen by itself."""
        if self._rx:
            return self.clock.now()
        event = self.module.next_event()
        for held in self._held.values():
            if held and (event is None or held[0][0] < event):
                event = held[0][0]
        return event

    # The wire

    def reboot(self, heard: bool) -> None:
        """The module starts anew, with +MATREADY or without a word."""
        module = self.module
        if not heard and module.quirks.matready:
            module.quirks.matready = False
            self._muted = True
        module.reboot(lose_output=True)

    def _note(self, way: str, data: bytes) -> None:
        if self.log is not None and data:
            self.log.append((self.clock.now(), way, data))

    def _feed(self, data: bytes) -> None:
        self._note(TO_MODULE, data)
        self._quiet_at = -1.0
        self._deliver()
        if not self._armed:
            self._give(data)
            return
        phase = self.module.in_data_phase
        self.payload += bytes((phase,)) * len(data)
        strikes = self._strikes[TO_MODULE]
        at = self.counts[TO_MODULE]
        self.counts[TO_MODULE] = at + len(data)
        while data and strikes and strikes[-1].at < at + len(data):
            strike = strikes.pop()
            n = max(0, strike.at - at)
            self._send(data[:n])
            data, at = data[n:], at + n
            self.sent_damaged = self.sent_damaged or self._damages_data(strike, data[:1])
            self.send_cut = self.send_cut or (strike.kind == "cr" and _SEND in self.module._line)
            instead, rest = self._changed(strike, data)
            self._send(instead)
            data, at = rest, at + len(data) - len(rest)
        self._send(data)

    def _damages_data(self, strike: Strike, byte: bytes) -> bool:
        # Whether it strikes what a peer gets, without a chance for the driver to see that. A
        # second CR behind a MIPSEND is the first byte of its data.
        phase = self.module._data
        if phase is not None:
            return not phase.judged
        line = self.module._line
        if _SEND not in line:
            return False
        inside = line.count(b'"') == 1  # data in the command
        return inside or (byte == b"\r" and strike.kind in ("cr", "double"))

    def _send(self, data: bytes) -> None:
        if not data:
            return
        if self._late[TO_MODULE] > self.clock.now():
            self._held[TO_MODULE].append((self._late[TO_MODULE], data))
        else:
            self._give(data)

    def _give(self, data: bytes) -> None:
        module = self.module
        if data[:2] == b"\r\r" and not (module._busy or module._line or module._data):
            data = b"\r" + data.lstrip(b"\r")  # empty lines: one takes as long as a command
        module.feed(data)

    def _deliver(self) -> None:
        held = self._held[TO_MODULE]
        while held and held[0][0] <= self.clock.now():
            self._give(held.pop(0)[1])

    def _pump(self) -> None:
        module = self.module
        self._deliver()
        if self._muted and not module._deaf:
            module.quirks.matready = True
            self._muted = False
        held = self._held[TO_HOST]
        while held and held[0][0] <= self.clock.now():
            self._hear(held.pop(0)[1])
        data = module.take()
        if not module._out:
            self._quiet_at = self.clock.now()
        if not data:
            return
        if not self._armed:
            self._hear(data)
            return
        self.said += data
        strikes = self._strikes[TO_HOST]
        at = self.counts[TO_HOST]
        self.counts[TO_HOST] = at + len(data)
        while data and strikes and strikes[-1].at < at + len(data):
            strike = strikes.pop()
            n = max(0, strike.at - at)
            self._come(data[:n])
            data, at = data[n:], at + n
            instead, rest = self._changed(strike, data)
            self._come(instead)
            data, at = rest, at + len(data) - len(rest)
        self._come(data)

    def _come(self, data: bytes) -> None:
        if self._late[TO_HOST] > self.clock.now():
            self._held[TO_HOST].append((self._late[TO_HOST], data))
        else:
            self._hear(data)

    def _hear(self, data: bytes) -> None:
        self._note(TO_HOST, data)
        self._rx += data

    def _changed(self, strike: Strike, data: bytes) -> tuple[bytes, bytes]:
        # What comes in place of the data's beginning, and what follows as it was.
        kind, way, _, what = strike
        self.struck_by(strike)
        self._note("!", str(strike).encode())
        if kind == "flip":
            return bytes((data[0] ^ what,)), data[1:]
        if kind == "drop":
            return b"", data[1:]
        if kind == "double":
            return data[:1], data
        if kind == "cr":
            return b"\r", data
        if kind == "line":
            return LINES[what], data
        if kind == "late":
            self._late[way] = self.clock.now() + LATE_S[what]
            return b"", data
        self.reboot(kind == "reboot")
        return b"", data if way == TO_MODULE else b""

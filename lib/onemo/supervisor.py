# SPDX-License-Identifier: MIT
#
# What to try when nothing gets on: a ladder from the PDP context to a reset of the board. From the
# "recovery" object of config.json, here with its defaults:
#
#     {"after": 3, "tries": 2, "pause_s": 120, "rest_s": 1800,
#      "steps": ["context", "radio", "module", "uart", "power", "board"]}
#
# `after` failures in a row without progress lead to the first step; `tries` more, and `pause_s`
# seconds, to each next one; behind the last one the ladder rests for `rest_s` seconds and begins
# anew. Progress is a message that was acknowledged, and nothing less. Where the ladder stands
# outlives a reset of the board, in a small file, written at each step and at the progress that
# follows.

import random

from . import _port
from ._port import const
from .at_channel import DONE, RESYNC_MS
from .at_retry import pause_op
from .errors import ModemError, ModemReset, Timeout

_BY_COMMANDS = ("context", "radio", "module")
STEPS = _BY_COMMANDS + ("uart", "power", "board")

_DEFAULTS = {"after": 3, "tries": 2, "pause_s": 120, "rest_s": 1800, "steps": STEPS}
_RADIO_MS = const(15000)  # for AT+CFUN
_OFF_MS = const(2000)
_DIAL_MS = const(60000)
_DOUBLINGS_MAX = const(16)
_SLICE_S = const(300)  # a longer pause is made of such: the watchdog has to see that it goes on
_SIGNS_S = const(900)  # without a sign of life, until the watchdog is fed no more
_TOLD = {
    "context": "the PDP context was ended, to be dialled again",
    "radio": "the radio was switched off and on (AT+CFUN)",
    "module": "the module was rebooted (AT+MREBOOT)",
    "uart": "the UART was opened anew",
    "power": "the module was restarted by its pins",
    "board": "the board is reset",
}


def _rules(recovery):
    # The "recovery" object with its defaults; None for none. ValueError names a wrong entry.
    if recovery is None:
        return None
    from . import schema

    schema.check(recovery, "recovery")
    _port.unload("schema")
    found = {}
    for name, default in _DEFAULTS.items():
        value = recovery.get(name)
        found[name] = default if value is None else value
    return found


class Supervisor:
    """Counts failures, and does what `recovery` says about them. `retry`: {"first_s", "most_s"},
    for the pauses in between. `reopen(baud)` returns the UART opened anew (`uart.reopen` makes
    one). `counts`: how often each step was taken, in the board's life."""

    def __init__(self, modem, recovery, retry: dict, reopen=None, file: str = "onemo.recovery"):
        self._modem = modem
        self._rules = _rules(recovery)
        self._retry = retry
        self._reopen = reopen
        self._file = file
        self._failures = 0  # in a row, since the last step
        self._since = _port.ticks_ms()  # the last failure
        self._rested_s = 0  # since the last step, as far as failures show it
        self.counts = {}
        self._next = 0  # the next step
        self._round = 0  # how often all were taken
        self.writes = 0  # to the file, since the board's start
        self._signs_s = 0  # seconds that the watchdog is still fed without a sign of life
        self.alive()
        self._load()

    # What the application tells

    def alive(self) -> None:
        """There is a sign of life: the watchdog is fed on."""
        self._signs_s = _SIGNS_S

    def progress(self) -> None:
        """A message was acknowledged: the ladder begins at the bottom again."""
        self.alive()
        self._failures = 0
        if self._next or self._round:
            self._next = self._round = 0
            self._store()

    def failed(self, error=None):
        """Note a failure, and take the next step if it is due; returns its name, or None. To be
        awaited in asyncio. `error`: a ValueError is the configuration's, which no step mends."""
        self.alive()
        self._failures += 1
        now = _port.ticks_ms()
        # Below 0 ticks have wrapped: days have passed.
        elapsed_ms = _port.ticks_diff(now, self._since)
        self._rested_s += elapsed_ms // 1000 if elapsed_ms >= 0 else 86400
        self._since = now
        due = self._is_due() and not isinstance(error, ValueError)
        return self._modem.run_operation(self._climb_op(due), False)

    def pause_s(self) -> float:
        """Seconds until the next attempt: twice as many each time, and not the same for all
        devices when their broker comes back."""
        doublings = min(max(0, self._failures - 1), _DOUBLINGS_MAX)
        pause = min(self._retry["most_s"], self._retry["first_s"] << doublings)
        return pause * random.uniform(0.5, 1)

    # The ladder

    def _is_due(self):
        rules = self._rules
        if not rules or not rules["steps"]:
            return False
        if self._next:
            return self._failures >= rules["tries"] and self._rested_s >= rules["pause_s"]
        if self._round and self._rested_s < rules["rest_s"]:
            return False
        return self._failures >= rules["after"]

    def _climb_op(self, due):
        ch = self._modem.channel
        steps = self._rules["steps"] if due else ()
        done = None
        answers = True
        while due and done is None:
            step = steps[self._next]
            self._next = (self._next + 1) % len(steps)
            if not self._next:
                self._round += 1
                due = False  # the last one
            if not self._can(step, answers):
                continue
            self.counts[step] = self.counts.get(step, 0) + 1
            self._store()
            self._modem.tell("recovery", "no progress: " + _TOLD[step])
            try:
                yield from getattr(self, "_%s_op" % step)()
                done = step
            except Timeout:
                answers = step not in _BY_COMMANDS  # the others of these are of no use then
                done = step if answers else None
            except (OSError, ValueError) as error:
                self._modem.tell("recovery", "that failed: %s" % error)
        if steps:
            self._failures = self._rested_s = 0
            self._since = _port.ticks_ms()
        ch.set_result(done)

    def _can(self, step, answers):
        if step == "uart":
            return self._reopen is not None
        if step == "power":
            return self._modem.power is not None and self._modem.power.can_restart()
        return answers or step == "board"

    def _context_op(self):
        yield from self._modem.resync_op()
        yield from self._tolerant_op(b"+MIPCALL=0,1", _DIAL_MS)

    def _radio_op(self):
        yield from self._modem.resync_op()
        yield from self._tolerant_op(b"+CFUN=0", _RADIO_MS)
        yield from pause_op(self._modem, _OFF_MS)
        yield from self._tolerant_op(b"+CFUN=1", _RADIO_MS)

    def _module_op(self):
        from .reboot import reboot_op

        yield from self._modem.resync_op()
        yield from reboot_op(self._modem, RESYNC_MS)

    def _uart_op(self):
        modem = self._modem
        modem.set_uart(self._reopen(modem.channel.baud))
        modem.channel.forget()
        yield from modem.resync_op()

    def _power_op(self):
        modem = self._modem
        yield from modem.power.restart_op(modem.channel)
        modem.channel.forget()
        modem.channel.set_rebooted()
        yield from modem.resync_op()

    def _board_op(self):
        import machine  # type: ignore[import-not-found]

        machine.reset()
        yield

    def _tolerant_op(self, command, timeout_ms):
        # What a model refuses is no reason not to go on.
        ch = self._modem.channel
        ch.command(command).send(timeout_ms)
        try:
            while ch.poll() != DONE:
                yield
        except (Timeout, ModemReset):
            raise
        except ModemError:
            pass

    # Its file: next step, round, then "step=count" for each

    def _load(self):
        try:
            with open(self._file) as file:
                words = file.read(200).split()
            self._next = min(int(words[0]), len(STEPS))
            self._round = int(words[1])
            for word in words[2:]:
                step, count = word.split("=")
                if step in STEPS:
                    self.counts[step] = int(count)
        except (OSError, ValueError, IndexError):
            pass  # none, or the rest of one: from the bottom
        if self._rules and not 0 <= self._next < len(self._rules["steps"]):
            self._next = 0

    def _store(self):
        words = [str(self._next), str(self._round)]
        words += ["%s=%d" % (step, self.counts[step]) for step in STEPS if step in self.counts]
        self.writes += 1
        try:
            with open(self._file + ".new", "w") as file:
                file.write(" ".join(words))
            import os

            os.rename(self._file + ".new", self._file)
        except OSError as error:  # the ladder works without
            self._modem.tell("recovery", "%s cannot be written: %s" % (self._file, error))

    # Its watchdog

    async def feed(self, watchdog) -> None:
        """Feed a Watchdog for as long as there are signs of life; returns when there are none."""
        import asyncio

        while self._signs_s > 0:
            watchdog.feed()
            await asyncio.sleep(watchdog.period_s)
            self._signs_s -= watchdog.period_s

    def slices(self, seconds):
        """Iterate the pauses that make up a long one: asyncio's end at six days on MicroPython,
        and the watchdog sees that it goes on."""
        while seconds > 0:
            self.alive()
            yield min(seconds, _SLICE_S)
            seconds -= _SLICE_S


class Watchdog:
    """machine.WDT with `seconds`, or as near as the port allows: an RP2040 takes 8.388 s at the
    most. Once started it cannot be stopped. `period_s`: how often it must be fed."""

    def __init__(self, seconds: int) -> None:
        from machine import WDT  # type: ignore[import-not-found]

        timeout_ms = seconds * 1000
        while True:
            try:
                self._watchdog = WDT(timeout=timeout_ms)
                break
            except (ValueError, OverflowError):
                if timeout_ms < 1000:
                    raise
                timeout_ms //= 2
        self.timeout_ms = timeout_ms
        self.period_s = timeout_ms / 4000

    def feed(self) -> None:
        """It has its time again."""
        self._watchdog.feed()

# SPDX-License-Identifier: MIT
#
# The module's clock: what AT+CCLK says, and whether that is the time. It should be local time and
# its zone, but firmware is known whose fields are UTC and end in +32 all the same (ML307C). So the
# first time after each boot it is compared with a time server's (AT+MNTP, which sets the clock as
# well) before it is believed.

from . import _port
from ._port import const
from .at_channel import DONE, REPLY_MS
from .at_retry import ask_op, pause_op
from .errors import ClockError, CommandError, Timeout

TYPE_CHECKING = const(0)  # for type checkers, who take it for true
if TYPE_CHECKING:
    from typing import Any

_RETRY_MS = const(500)
_BUSY_MS = const(2000)  # that a module may refuse to say what its clock says
_SERVER_MS = const(10000)  # that a time server may take
_ASK_AGAIN_MS = const(10000)  # from one question to the next
_CONNECT_MS = const(20000)  # that connect spends on a clock which was not compared
_READS = const(4)
_TOLERANCE_MIN = const(5)  # networks are that far off
_DIFFERENCES_MAX = const(3)  # between clock and server, until it is no accident
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class Methods:
    """Part of BaseModem, loaded when it is called."""

    if TYPE_CHECKING:  # what BaseModem has
        run_operation: Any

    def clock(self, timeout_ms: int = 30000) -> "tuple[int, ...]":
        """The time, UTC, as a tuple like time.gmtime's: from the module's clock (AT+CCLK), which
        the network or a time server sets (AT+MNTP; the network must be attached). The first time
        after a boot of the module it is compared with the server's, for firmware is known whose
        clock has UTC and says +32 all the same. If no server answers, it is believed as it is on
        models that are not known for that, and told as a "clock" event. Sets the board's own
        clock, machine.RTC, if it has one.

        ClockError, which says what was found, if the time is not known within `timeout_ms`
        milliseconds or clock and server differ."""
        _port.unload("clock", "at_retry")
        return self.run_operation(clock_op(self, timeout_ms))


def _clock_of(modem):
    if modem.module_clock is None:
        from .clock_known import ModuleClock

        modem.module_clock = ModuleClock(modem)
        _port.unload("clock_known")
    return modem.module_clock


def _compare(clock, answer):
    # True if what the module says is what the server said; notes how it is to be read.
    server = _minutes(parse_clock(clock.server))
    for utc_fields in (False, True):
        minutes = _minutes(parse_clock(answer, utc_fields))
        if minutes and server and abs(minutes - server) <= _TOLERANCE_MIN:
            clock.utc_fields = utc_fields
            clock.fault = ""
            return True
    clock.fault = "the module's clock says %s, a time server %s" % (answer, clock.server)
    return False


def clock_op(modem, timeout_ms):
    """The time, set on the board too: see BaseModem.clock."""
    now = yield from _time_op(modem, timeout_ms)
    try:
        from machine import RTC

        RTC().datetime(now[:3] + (now[6] + 1,) + now[3:6] + (0,))
    except (ImportError, AttributeError):
        pass  # a board without such a clock
    return modem.channel.set_result(now)


def check_op(modem):
    """Operation: ClockError unless the module's clock can judge a certificate's dates."""
    clock = _clock_of(modem)
    answer = yield from _read_op(modem.channel)
    if parse_clock(answer) is None:
        raise ClockError(
            "the module's clock says %s, so it cannot judge a certificate's dates: call "
            "modem.clock(), which asks the network, before connecting, "
            "or configure with ignorestamp=True" % answer
        )
    doubtful = not modem.require_model().clock_zoned and _is_zoned(answer)
    if clock.fault or (doubtful and clock.epoch != modem.epoch):
        yield from _time_op(modem, _CONNECT_MS)


def _time_op(modem, timeout_ms):
    # The module's clock as UTC, once it is known to be right. ClockError.
    ch = modem.channel
    clock = _clock_of(modem)
    start = _port.ticks_ms()
    asked = None  # ticks of the last question to the server
    differences = 0
    while True:
        answer = yield from _read_op(ch)
        if clock.epoch == modem.epoch and not clock.fault:
            now = parse_clock(answer, clock.utc_fields)
            if now:
                return now
        elapsed = _port.ticks_diff(_port.ticks_ms(), start)
        if asked is None or elapsed - asked >= _ASK_AGAIN_MS:
            heard = yield from _ask_server_op(ch, clock, timeout_ms - elapsed)
            yield from pause_op(modem, 0)  # the server may have taken long
            if heard:
                asked = elapsed
            if clock.server:
                answer = yield from _read_op(ch)
                if _compare(clock, answer):
                    clock.epoch = modem.epoch
                    continue
                differences += parse_clock(answer) is not None
                asked = None
            elif parse_clock(answer) and (
                modem.require_model().clock_zoned or not _is_zoned(answer)
            ):
                modem.tell(
                    "clock",
                    "no time server answers (AT+MNTP), so the module's clock is believed as it "
                    "is: %s" % answer,
                )
                if heard:  # else there is no network yet, and it is asked again the next time
                    clock.epoch = modem.epoch
                clock.utc_fields = False
                clock.fault = ""
                now = parse_clock((yield from _read_op(ch)))  # the server took its time
                if now:
                    return now
        if _port.ticks_diff(_port.ticks_ms(), start) >= timeout_ms or (
            differences == _DIFFERENCES_MAX
        ):
            _refuse(modem, clock, answer, timeout_ms)
        yield from pause_op(modem, _RETRY_MS)


def _refuse(modem, clock, answer, timeout_ms):
    if parse_clock(answer) is None:
        raise ClockError(
            "the network did not tell the time within %d ms; the module's clock says %s"
            % (timeout_ms, answer)
        )
    if clock.fault:
        raise ClockError(
            clock.fault + ": neither local time nor UTC; set the clock (AT+CCLK) or look at the "
            "module's time server, or configure with ignorestamp=True"
        )
    raise ClockError(
        "the module's clock says %s, which is %s if that is local time and %s if its zone means "
        "nothing, as %s was seen to have it; no time server answered within %d ms (AT+MNTP) to "
        "decide"
        % (
            answer,
            _shown(parse_clock(answer)),
            _shown(parse_clock(answer, True)),
            modem.require_model(),
            timeout_ms,
        )
    )


def _shown(time):
    return "%d-%02d-%02d %02d:%02d UTC" % time[:5]


def _ask_server_op(ch, clock, timeout_ms):
    # Asks the module's time server; `clock.server` has its answer. False if the module refuses.
    clock.server = None
    ch.command(b"+MNTP").send(REPLY_MS)
    try:
        while ch.poll() != DONE:
            yield
    except CommandError:
        return False  # no network yet
    ch.set_deadline(max(0, min(_SERVER_MS, timeout_ms)))
    try:
        while clock.server is None:
            ch.poll()
            yield
    except Timeout:
        pass
    ch.cancel()
    return True


def _clock_text(ch):
    # NB models have no quotes, so that its comma parts it in two.
    return ch.text(0) if ch.text(1) is None else ch.text(0) + "," + ch.text(1)


def _read_op(ch):
    # What the clock says, as str, once it has said so twice: one damaged digit is another time.
    before = None
    for _ in range(_READS):
        end = _port.ticks_add(_port.ticks_ms(), _BUSY_MS)
        answer = (yield from ask_op(ch, b"+CCLK?", end, _clock_text)) or ""
        minutes = _minutes(parse_clock(answer))
        if before is not None and abs(minutes - before) <= 1:
            return answer
        before = minutes
    raise ClockError("the module's clock says something else each time, %s at last" % answer)


# Pure


def _clock_text(ch):
    # NB models have no quotes, so that its comma parts it in two.
    return ch.text(0) if ch.text(1) is None else ch.text(0) + "," + ch.text(1)


def parse_clock(answer, utc_fields=False):
    """UTC, as a tuple like time.gmtime's, from "yy/MM/dd,hh:mm:ss+zz", local time with the zone in
    quarters of an hour; None for a clock that was never set: it shows 1970, 1980 or 2070.
    `utc_fields`: the zone means nothing."""
    if not answer:
        return None
    try:
        year, month, day = [int(part) for part in answer[:8].split("/")]
        hour, minute, second = [int(part) for part in answer[9:17].split(":")]
        zone = int(answer[17:] or "0")
    except ValueError:
        return None
    if not (
        24 <= year < 70
        and 1 <= month <= 12
        and 1 <= day <= _days(year, month)
        and 0 <= hour < 24
        and 0 <= minute < 60
        and 0 <= second < 61
        and -48 <= zone <= 56
    ):
        return None
    year += 2000
    minute += hour * 60 - (0 if utc_fields else zone * 15)
    if minute < 0:
        minute += 1440
        day -= 1
        if not day:
            month = month - 1 or 12
            year -= month == 12
            day = _days(year, month)
    elif minute >= 1440:
        minute -= 1440
        day += 1
        if day > _days(year, month):
            day = 1
            month = month % 12 + 1
            year += month == 1
    yearday = day
    for earlier in range(1, month):
        yearday += _days(year, earlier)
    # 2001-01-01 was a Monday, as is day 0 here.
    weekday = ((year - 2001) * 365 + (year - 2001) // 4 + yearday - 1) % 7
    return (year, month, day, minute // 60, minute % 60, second, weekday, yearday)


def _days(year, month):
    return _DAYS[month - 1] + (month == 2 and year % 4 == 0)


def _minutes(time):
    # Minutes since 2024; 0 for None.
    if time is None:
        return 0
    year = time[0]
    days = (year - 2024) * 365 + (year - 2021) // 4 + time[7]
    return days * 1440 + time[3] * 60 + time[4]


def _is_zoned(answer):
    # True if its zone makes a difference.
    return parse_clock(answer) != parse_clock(answer, True)

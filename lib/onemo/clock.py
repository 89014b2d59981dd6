# The time of day: the module has it from the network, the board from the module.

from . import _port
from ._port import const
from .channel import DONE, LINE
from .errors import ClockError, CommandError
from .recovery import listen

_ANSWER_MS = const(5000)
_LOOK_MS = const(500)  # between looks whether the time has come
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def asking(ch):
    """Operation: the module's clock, as a tuple of UTC like time.gmtime's; while it is not set, as
    it says it (str or None)."""
    said = ""
    ch.begin(b"+CCLK?").go(_ANSWER_MS, b"+CCLK:")
    while (event := ch.poll()) != DONE:
        if event == LINE:  # NB models have no quotes, so that its comma parts it in two
            said = ch.text(0) if ch.text(1) is None else ch.text(0) + "," + ch.text(1)
        else:
            yield
    ch.result = _utc(said) or said


def clock(modem, timeout_ms=30000):
    """The time, UTC, as a tuple like time.gmtime's: from the module's clock, which the network
    sets (AT+CCLK), else a time server (AT+MNTP; the network must be attached). Sets the
    board's own clock, machine.RTC, where it has one. ClockError where nobody tells."""
    return modem.run_operation(_setting(modem, timeout_ms))


def _setting(modem, timeout_ms):
    """Operation of `Modem.clock`."""
    ch = modem.channel
    end = _port.ticks_add(_port.ticks_ms(), timeout_ms)
    asked = False
    yield from asking(ch)
    while not isinstance(ch.result, tuple):
        if _port.ticks_diff(end, _port.ticks_ms()) <= 0:
            raise ClockError(
                "the network did not tell the time within %d ms; the module's clock says %s"
                % (timeout_ms, ch.result)
            )
        if not asked:
            asked = True
            ch.begin(b"+MNTP").go(_ANSWER_MS)
            try:
                while ch.poll() != DONE:
                    yield
            except CommandError:
                asked = False  # no network yet
        yield from listen(modem.channel, _LOOK_MS)
        yield from asking(ch)
    now = ch.result
    try:
        from machine import RTC

        RTC().datetime(now[:3] + (now[6] + 1,) + now[3:6] + (0,))
    except (ImportError, AttributeError):
        pass  # a board without such a clock
    ch.result = now


def _utc(said):
    # "yy/MM/dd,hh:mm:ss+zz", local time with the zone in quarters of an hour. A clock that was
    # never set shows 1970, 1980 or 2070.
    try:
        year, month, day = [int(part) for part in said[:8].split("/")]
        hour, minute, second = [int(part) for part in said[9:17].split(":")]
        zone = int(said[17:] or "0")
    except ValueError:
        return None
    if not (24 <= year < 70 and 1 <= month <= 12 and 1 <= day <= 31):
        return None
    year += 2000
    minute += hour * 60 - zone * 15
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

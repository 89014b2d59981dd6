# SPDX-License-Identifier: MIT
#
# The module's clock and its reboot. Its way to the network is network_attach.py's.

from . import _port
from .at_channel import DONE, LINE, REPLY_MS
from .at_retry import RETRY_MS, listen_op
from .errors import ClockError, CommandError, ModemReset

_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


# The clock


def read_clock_op(ch):
    """The module's clock, as a tuple of UTC like time.gmtime's; while it is not set, the str that
    it answers."""
    answer = ""
    ch.command(b"+CCLK?").send(REPLY_MS, b"+CCLK:")
    while (event := ch.poll()) != DONE:
        if event == LINE:  # NB models have no quotes, so that its comma parts it in two
            answer = ch.text(0) if ch.text(1) is None else ch.text(0) + "," + ch.text(1)
        else:
            yield
    return parse_clock(answer) or answer


def clock_op(modem, timeout_ms):
    """The time, set on the board too: see BaseModem.clock."""
    ch = modem.channel
    end = _port.ticks_add(_port.ticks_ms(), timeout_ms)
    asked_server = False
    now = yield from read_clock_op(ch)
    while not isinstance(now, tuple):
        if _port.ticks_diff(end, _port.ticks_ms()) <= 0:
            raise ClockError(
                "the network did not tell the time within %d ms; the module's clock says %s"
                % (timeout_ms, now)
            )
        if not asked_server:
            ch.command(b"+MNTP").send(REPLY_MS)
            try:
                while ch.poll() != DONE:
                    yield
                asked_server = True
            except CommandError:
                pass  # no network yet
        yield from listen_op(ch, RETRY_MS)
        now = yield from read_clock_op(ch)
    try:
        from machine import RTC

        RTC().datetime(now[:3] + (now[6] + 1,) + now[3:6] + (0,))
    except (ImportError, AttributeError):
        pass  # a board without such a clock
    return ch.set_result(now)


def parse_clock(answer):
    """UTC from "yy/MM/dd,hh:mm:ss+zz", local time with the zone in quarters of an hour; None for a
    clock that was never set: it shows 1970, 1980 or 2070."""
    try:
        year, month, day = [int(part) for part in answer[:8].split("/")]
        hour, minute, second = [int(part) for part in answer[9:17].split(":")]
        zone = int(answer[17:] or "0")
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


# Reboot


def reboot_op(modem, timeout_ms):
    """Reboot the module and set it up again."""
    ch = modem.channel
    try:
        ch.command(b"+MREBOOT").send(REPLY_MS)
        while ch.poll() != DONE:
            yield
        # A module whose speed is automatic may not say that it is ready.
        yield from listen_op(ch, timeout_ms)
    except ModemReset:
        pass
    ch.set_rebooted()
    yield from modem.resync_op(timeout_ms)
    ch.set_result(None)

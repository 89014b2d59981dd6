# SPDX-License-Identifier: MIT
"""The channel's waits: deadlines, what a front may sleep, what is left; on a still clock."""

import pytest
from onemo import _port
from onemo.at_channel import ALL, DONE, LINE, WAIT, Channel
from onemo.errors import CommandError, ModemReset, ProtocolError, Timeout

from .scripted import Script, Talk


@pytest.fixture
def talk(monkeypatch):
    return Talk(monkeypatch, baud=1000)  # a byte takes 10 ms


def silent(talk, ms):
    """So long nothing comes, and no deadline is over."""
    for _ in range(2):
        assert talk.poll() == []
        talk.now += ms // 2
    talk.now += ms % 2
    assert talk.poll() == []


def late(talk):
    """What Timeout says, a millisecond later."""
    talk.now += 1
    with pytest.raises(Timeout) as caught:
        talk.ch.poll()
    return str(caught.value)


def test_a_deadline_is_that_of_the_command_and_of_its_bytes(talk):
    talk.ch.command(b"+CSQ").send(1000)  # AT+CSQ and CR: 70 ms
    silent(talk, 1069)
    assert late(talk) == "AT+CSQ: no answer within 1070 ms"
    assert talk.ch.out_of_sync
    assert not talk.ch.ready()
    assert talk.poll() == []  # it is told once


def test_a_deadline_may_be_set_anew(talk):
    talk.ch.command(b"+CSQ").send(1000)
    silent(talk, 1000)
    talk.ch.set_deadline(500, 25)
    silent(talk, 749)
    assert late(talk) == "AT+CSQ: no answer within 750 ms"
    talk.ch.set_deadline(20)  # with no command under way: a front listens
    silent(talk, 19)
    assert late(talk).endswith("no answer within 20 ms")


def test_a_deadline_is_in_whole_milliseconds(monkeypatch):
    talk = Talk(monkeypatch, baud=115200)
    talk.ch.command(b"+CSQ").send(1000)  # 7 bytes: 0.6 ms
    silent(talk, 999)
    assert late(talk) == "AT+CSQ: no answer within 1000 ms"
    talk.ch.set_deadline(0, 115200)
    silent(talk, 9999)
    assert late(talk).endswith("within 10000 ms")


def test_a_prompt_that_does_not_come(talk):
    talk.ch.command(b"+X").send(100, payload=10)
    silent(talk, 149)
    assert late(talk) == "AT+X: no prompt within 150 ms"
    assert talk.ch.payload_remaining == 10  # it may be waiting all the same


def test_an_answer_that_does_not_come_after_the_prompt(talk):
    talk.ch.command(b"+X").send(100, payload=2)
    assert talk.poll(b">") == ["prompt"]
    talk.ch.push(b"ab", 0, 2)
    assert talk.poll() == ["sent"]
    silent(talk, 149)
    assert late(talk) == "AT+X: no answer within 150 ms"
    assert talk.ch.payload_remaining == 0


def test_a_uart_that_takes_nothing_does_not_wait_for_ever(monkeypatch):
    talk = Talk(monkeypatch, Script(takes=0), baud=1000)
    talk.ch.command(b"+X").send(100)
    silent(talk, 149)
    assert late(talk) == "AT+X: no answer within 150 ms"


def test_a_deadline_across_the_clocks_turn(monkeypatch):
    talk = Talk(monkeypatch, baud=1000)
    talk.now = (1 << 30) - 50
    monkeypatch.setattr(_port, "ticks_ms", lambda: talk.now % (1 << 30))
    talk.ch.command(b"+X").send(100)
    silent(talk, 149)
    assert late(talk) == "AT+X: no answer within 150 ms"


def test_lines_that_are_on_their_way_at_the_deadline_count_for_a_second(talk):
    talk.ch.command(b"+X").send(100, b"+X:")
    talk.now += 150 + 999
    assert talk.poll(b"\r\n+X: 1\r\n+X: 2\r\n\r\nOK\r\n") == [b"+X: 1", b"+X: 2", "done"]
    talk.ch.command(b"+X").send(100, b"+X:")
    talk.now += 150 + 1000
    with pytest.raises(Timeout, match="150 ms"):
        talk.poll(b"\r\n+X: 1\r\n+X: 2\r\n\r\nOK\r\n")


def test_a_final_result_counts_whenever_it_comes(talk):
    talk.ch.command(b"+X").send(100)
    talk.now += 5000
    assert talk.poll(b"\r\nOK\r\n") == ["done"]


# What a front may sleep


def test_how_long_a_front_may_sleep(monkeypatch):
    talk = Talk(monkeypatch, Script(takes=3), baud=1000)
    assert talk.ch.max_sleep_ms() == 10  # nothing is under way
    talk.ch.command(b"+X").send(3000)
    assert talk.ch.max_sleep_ms() == 1  # it has bytes to write, which wakes nobody
    talk.poll()
    assert talk.ch.max_sleep_ms() == 1
    talk.poll()
    assert talk.ch.max_sleep_ms() == 1000  # there is a deadline, far away
    talk.now += 3050 - 1000
    assert talk.ch.max_sleep_ms() == 1000
    talk.now += 1
    assert talk.ch.max_sleep_ms() == 999
    talk.now += 998
    assert talk.ch.max_sleep_ms() == 1
    talk.now += 1
    assert talk.ch.max_sleep_ms() == 1
    talk.now += 100
    assert talk.ch.max_sleep_ms() == 1
    assert talk.poll(b"\r\nOK\r\n") == ["done"]
    assert talk.ch.max_sleep_ms() == 10


# In step or not


@pytest.fixture
def fresh(monkeypatch):
    """One that nothing was done with."""
    return Channel(Script(), 115200, 64, None)


def test_a_new_channel_is_out_of_step(fresh):
    assert (fresh.out_of_sync, fresh.phase, fresh.rebooted, fresh.mask_rx) == (
        True,
        0,
        False,
        False,
    )
    assert (fresh.payload_remaining, fresh.data_remaining, fresh.bytes_received) == (0, 0, 0)
    assert fresh.result is None
    assert fresh.max_sleep_ms() == 10
    assert fresh.command_text() == ""
    assert not fresh.ready()
    fresh.reset()
    assert fresh.ready()
    assert (fresh.out_of_sync, fresh.phase, fresh.rebooted) == (False, 0, False)


def test_a_new_channel_expects_nothing(fresh):
    assert fresh.poll() == WAIT
    fresh.uart.pieces = [bytearray(b"> 1\r\n> 2\r\n+X: 1\r\nOK\r\n")]
    assert fresh.poll() == WAIT
    assert not fresh.uart.pieces
    assert fresh.uart.written == b""


def test_a_new_channel_may_wait_for_a_result(fresh):
    fresh.uart.pieces = [bytearray(b"OK\r\n")]
    fresh.resume_payload(1000)  # of a command that its host sent before it was reset
    assert fresh.poll() == DONE


def flags(ch):
    """What is under way, or is not: all that a new channel knows as a yes, a no or a nothing. But
    for what it was given to write last, which is nobody's business then."""
    known = vars(ch).items()
    return {
        name: what
        for name, what in known
        if (what is None or isinstance(what, bool)) and name != "_source"
    }


def plain(talk):
    assert talk.ask(b"+X:").poll(b"\r\n+X: 1\r\n\r\nOK\r\n")[-1] == "done"


def refused(talk):
    with pytest.raises(CommandError):
        talk.ask(b"+X:", payload=5).poll(b"\r\n+CME ERROR: 50\r\n")


def written(talk):
    assert talk.ask(None, payload=5).poll(b"\r\n> ") == ["prompt"]
    talk.ch.push(b"abcde", 0, 5)
    assert talk.poll(b"\r\nOK\r\n") == ["sent", "done"]


def required(talk):
    assert talk.ask(b"+X:", require_info=True).poll(b"+X: 1\r\nOK\r\n") == [b"+X: 1", "done"]


def read(talk):
    said = talk.ask(b"+X:", data_after=1).poll(b"\r\n+X: 100," + b"x" * 100 + b"\r\nOK\r\n")
    assert said == [("data", b"x" * 100), "done"]


def flooded(talk):
    with pytest.raises(ProtocolError):
        talk.ask(ALL).poll(b"x" * 3000 + b"\r\nOK\r\n")
    plain(talk)


def interrupted(talk):
    assert talk.ask(b"+X:").poll(b"\r\n+URC: 1\r\nOK\r\n") == ["done"]


def hidden(talk):
    talk.ch.command(b"+X=").begin_secret().quote("abc").send(1000)
    assert talk.poll(b"\r\nOK\r\n") == ["done"]
    plain(talk)


@pytest.mark.parametrize(
    "work", [plain, refused, written, required, read, flooded, interrupted, hidden]
)
def test_a_command_that_is_over_leaves_the_channel_as_it_was_new(talk, fresh, work):
    new = flags(fresh)
    assert new.pop("out_of_sync") is True
    assert len(new) > 5
    work(talk)
    assert {name: vars(talk.ch)[name] for name in new} == new
    assert talk.ch.out_of_sync is False


def test_ready_serves_what_came_meanwhile(talk):
    assert talk.ch.ready()
    talk.hear(b"\r\n+URC: 1\r\n", b"+UR")
    assert talk.ch.ready()
    assert talk.urcs == [b"+URC: 1"]
    talk.hear(b"C: 2\r\n")
    assert talk.ch.ready()
    assert talk.urcs == [b"+URC: 1", b"+URC: 2"]
    talk.ch.command(b"+X").send(100)
    talk.hear(b"\r\n+URC: 3\r\n")
    assert not talk.ch.ready()
    assert talk.uart.pieces  # an answer under way is not looked through


def test_not_ready_while_something_is_owed_or_after_a_reboot(talk):
    talk.ch.command(b"+X").send(100, payload=5)
    talk.ch.reset()
    assert talk.ch.payload_remaining == 5
    assert not talk.ch.ready()
    talk.ch.payload_remaining = 0
    assert talk.ch.ready()
    talk.hear(b"\r\n+MATREADY\r\n")
    assert not talk.ch.ready()
    assert talk.ch.rebooted
    talk.ch.reset()
    assert talk.ch.ready()


def test_what_is_abandoned_leaves_the_channel_out_of_step(talk):
    talk.ch.cancel()
    assert talk.ch.ready()  # nothing was under way
    talk.ch.command(b"+X").send(100, b"+X:", payload=5)
    talk.ch.cancel()
    assert talk.ch.out_of_sync
    assert talk.ch.phase == 0
    assert talk.ch.max_sleep_ms() == 10
    assert talk.poll(b"\r\n+X: 1\r\n> \r\nOK\r\n") == []  # nobody waits for these
    assert talk.sent() == b""
    talk.ch.cancel()
    assert talk.ch.out_of_sync
    talk.now += 10000
    assert talk.poll() == []


@pytest.mark.parametrize("leave", ["reset", "cancel"])
def test_a_command_that_was_left_leaves_nothing_behind(talk, leave):
    talk.ch.command(b"+X").send(100, ALL, payload=5)
    assert talk.poll(b"\r\n>") == ["prompt"]
    talk.ch.push(b"abcde", 0, 5)
    getattr(talk.ch, leave)()
    assert talk.poll(b"\r\nline\r\n") == []
    assert talk.sent() == b"AT+X\r"
    talk.ch.command(b"+Y").send(100)
    assert talk.poll(b"\r\nline\r\n\r\nOK\r\n") == ["done"]
    assert talk.sent() == b"AT+Y\r"


def test_its_final_result_may_be_waited_for_once_more(talk):
    talk.ch.command(b"+X").send(100, payload=4)
    talk.ch.reset()
    talk.resume(300)
    assert talk.ch.phase > 1
    talk.ch.push(b"abcd", 0, 4)
    assert talk.poll() == ["sent"]
    silent(talk, 299)
    assert talk.poll(b"\r\nOK\r\n") == ["done"]
    talk.resume(300)
    silent(talk, 299)
    assert late(talk).endswith("within 300 ms")


def test_a_marked_command_takes_no_result_before_its_own_line(talk):
    talk.ch.command(b"+CMEE?").send(1000, b"+CMEE:", require_info=True)
    assert talk.poll(b"\r\nOK\r\n\r\nERROR\r\n\r\n+CME ERROR: 50\r\n") == []
    assert talk.poll(b"\r\n+CMEE: 1\r\n") == [b"+CMEE: 1"]
    assert talk.poll(b"\r\nOK\r\n") == ["done"]
    talk.ch.command(b"+CMEE?").send(1000, b"+CMEE:", require_info=True)
    talk.resume(1000)  # what is waited for once more is not
    assert talk.poll(b"\r\nOK\r\n") == ["done"]
    talk.ch.command(b"+X").send(1000, b"+X:")
    assert talk.poll(b"\r\nOK\r\n") == ["done"]


# Reboots


def test_a_reboot_during_a_command(talk):
    talk.ch.command(b"+X").send(1000, payload=5)
    with pytest.raises(ModemReset) as caught:
        talk.poll(b"\r\n+MATREADY\r\n")
    assert str(caught.value) == "the module rebooted during AT+X"
    assert (talk.ch.rebooted, talk.ch.payload_remaining, talk.ch.phase) == (True, 0, 0)
    assert talk.ch.max_sleep_ms() == 10


def test_a_reboot_while_a_front_listens(talk):
    talk.ch.set_deadline(1000)
    with pytest.raises(ModemReset):
        talk.poll(b"\r\n+MATREADY\r\n")
    assert talk.poll(b"\r\n+MATREADY\r\n") == []  # nobody waits now
    assert talk.ch.rebooted


# Final results


def test_what_the_errors_say(talk):
    for answer, code, said in (
        (b"ERROR", None, "ERROR"),
        (b"+CME ERROR: 762", 762, "762"),
        (b"+CME ERROR: no such file", None, "no such file"),
        (b"+CME ERROR:   5", 5, "5"),
        (b"+CMS ERROR: 305", None, "+CMS ERROR: 305"),
        (b"+CIS ERROR: x\xff", None, "+CIS ERROR: x?"),
    ):
        talk.ch.command(b"+X=").number(1).send(1000, payload=3)
        with pytest.raises(CommandError) as caught:
            talk.poll(b"\r\n" + answer + b"\r\n")
        assert (caught.value.code, caught.value.command) == (code, "AT+X=1")
        assert said in str(caught.value)
        assert talk.ch.payload_remaining == 0
        # A plain ERROR answers a damaged line, of which more may come.
        assert talk.ch.ready() == (answer != b"ERROR")
        talk.ch.set_in_sync()


def test_ok_though_bytes_were_owed_is_out_of_step(talk):
    talk.ch.command(b"+X").send(1000, payload=7)
    with pytest.raises(ProtocolError) as caught:
        talk.poll(b"\r\nOK\r\n")
    assert str(caught.value) == "AT+X: OK, though 7 bytes were still to come"
    assert talk.ch.out_of_sync
    assert talk.ch.payload_remaining == 7


def test_what_is_behind_a_final_result_is_for_later(talk):
    talk.ch.command(b"+X").send(1000, b"+X:")
    assert talk.ch.poll() == WAIT
    talk.hear(b"\r\n+X: 1\r\n\r\nOK\r\n\r\n+X: 2\r\n\r\n+URC: 1\r\n")
    assert talk.ch.poll() == LINE
    assert talk.ch.line() == b"+X: 1"
    assert talk.poll() == ["done"]
    assert talk.poll() == []
    assert talk.urcs == [b"+URC: 1"]

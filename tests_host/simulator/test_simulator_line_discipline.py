# SPDX-License-Identifier: MIT
"""Framing byte by byte, echo, the data phase, URCs and time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onemo_simulator import Module, VirtualClock


def test_framing_is_that_of_the_logic_analyser(make_host):
    host = make_host("ML307R-DL")
    assert host.command("AT\n"[:-1]) == b"\r\nOK\r\n"
    assert host.command("AT+CGMR") == b"\r\nML307R-DL-MBRH0S01\r\n\r\nOK\r\n"
    assert host.command("AT+CPIN?") == b"\r\n+CPIN: READY\r\n\r\nOK\r\n"
    host.command("AT+CEREG=2")
    assert host.command("AT+CEREG?") == b'\r\n+CEREG: 2,1,"5141","0521870C",7\r\n\r\nOK\r\n'
    answer = b'\r\n+MLPMCFG: "sleepmode",0\r\n\r\nOK\r\n'
    assert host.command('AT+MLPMCFG="sleepmode"') == answer
    assert [len(a) for a in (b"\r\nOK\r\n", answer)] == [6, 33]


def test_echo_shows_the_command_without_lf_and_ends_with_ate0():
    clock = VirtualClock()
    module = Module(clock=clock)
    module.feed(b"ATE0\r\n")
    clock.advance(1)
    assert module.take() == b"ATE0\r\r\nOK\r\n"
    module.feed(b"AT\r\n")
    clock.advance(1)
    assert module.take() == b"\r\nOK\r\n"
    module.feed(b"ATE1\r")
    clock.advance(1)
    assert module.take() == b"\r\nOK\r\n"
    module.feed(b"at+csq\r\n")
    clock.advance(1)
    assert module.take() == b"at+csq\r\r\n+CSQ: 24,99\r\n\r\nOK\r\n"


def test_a_command_ends_at_cr_and_a_stray_lf_counts_for_nothing(host):
    assert host.command(b"A\nT\n") == b"\r\nOK\r\n"
    assert host.command(b"\n\n\nAT") == b"\r\nOK\r\n"
    host.module.feed(b"AT")
    assert host.wait(5) == b""
    host.module.feed(b"\r")
    assert host.wait(0.1) == b"\r\nOK\r\n"
    assert host.module.violations == []


def test_a_lone_line_start_other_than_at_is_an_error_or_silence(make_host):
    host = make_host()
    assert host.command(b"hello") == b"\r\nERROR\r\n"
    assert host.command(b"aT") == b"\r\nERROR\r\n"
    assert [b.kind for b in host.module.violations] == ["junk", "junk"]
    assert make_host(junk_line="silent").command(b"hello") == b""
    assert make_host(junk_line="hunt").command(b"\xe0AT") == b"\r\nOK\r\n"


@pytest.mark.parametrize("level, shown", [(0, b"ERROR"), (1, b"+CME ERROR: 762")])
def test_cmee_decides_how_errors_look(host, level, shown):
    host.command(f"AT+CMEE={level}")
    assert host.lines('AT+MSSLCERTRD="none"') == [shown]


def test_cmee_2_puts_it_in_words(host):
    host.command("AT+CMEE=2")
    assert host.lines('AT+MSSLCERTRD="none"') == [b"+CME ERROR: CERTS/KEYS not exist"]
    assert host.lines("AT+CREG?") == [b"ERROR"]


@pytest.mark.parametrize("prompt", [b"\r\n>", b"\r\n> ", b"\r\n>\r\n"])
def test_prompt_forms(make_host, prompt):
    host = make_host(prompt=prompt)
    assert host.command('AT+MSSLCERTWR="a",0,3') == prompt
    host.module.feed(b"abc")
    assert host.wait(1) == b"\r\nOK\r\n"


def test_the_data_phase_counts_bytes_and_nothing_else(host):
    payload = bytes(range(256)) + b"\r\nOK\r\n>AT\r\n\x1a\x1b"
    assert host.write("blob", payload) == [b"OK"]
    assert host.module.store.certs["blob"] == payload
    assert [b.kind for b in host.module.violations] == []


def test_the_prompt_takes_its_time_and_bytes_before_it_are_a_violation(host):
    host.module.feed(b'AT+MSSLCERTWR="a",0,3\r\n')
    assert host.module.take() == b""
    host.module.feed(b"abc")
    host.wait(1)
    assert [(b.kind, b.data) for b in host.module.violations] == [("unasked", b"abc")]
    assert host.module.store.certs["a"] == b"abc"


def test_data_timeout_ends_in_error_and_late_bytes_are_commands(make_host):
    host = make_host(data_timeout=3.0)
    host.command('AT+MSSLCERTWR="a",0,10')
    host.module.feed(b"abc")
    assert host.wait(2.5) == b""
    assert host.wait(1.0) == b"\r\nERROR\r\n"
    assert host.command(b"defghij") == b"\r\nERROR\r\n"
    assert host.module.store.certs == {}


@pytest.mark.parametrize(
    "answer, shown", [(764, b"\r\n+CME ERROR: 764\r\n"), ("silent", b""), (None, b"\r\nERROR\r\n")]
)
def test_data_timeout_answers(make_host, answer, shown):
    host = make_host(data_timeout=1.0, data_timeout_answer=answer)
    host.command('AT+MSSLCERTWR="a",0,10', 0.1)
    assert host.wait(2) == shown
    assert host.command("AT") == b"\r\nOK\r\n"


def test_data_timeout_0_waits_for_ever(make_host):
    host = make_host(data_timeout=0.0)
    host.command('AT+MSSLCERTWR="a",0,1')
    assert host.wait(100000) == b""
    host.module.feed(b"x")
    assert host.wait(1) == b"\r\nOK\r\n"


def test_urcs_are_held_as_asked(make_host):
    host = make_host(urc_during="idle")
    host.module.feed(b"AT\r")
    host.module.urc(b"+CEREG: 1")
    assert host.wait(1) == b"\r\nOK\r\n\r\n+CEREG: 1\r\n"
    host = make_host(urc_during="command")
    host.module.feed(b"AT\r")
    host.module.urc(b"+CEREG: 1")
    assert host.wait(1) == b"\r\n+CEREG: 1\r\n\r\nOK\r\n"
    for during, out in (("command", b""), ("always", b"\r\n+CEREG: 1\r\n")):
        host = make_host(urc_during=during)
        host.command('AT+MSSLCERTWR="a",0,1')
        host.module.urc(b"+CEREG: 1")
        assert host.wait(1) == out
        host.module.feed(b"x")
        assert (b"+CEREG" in host.wait(1)) == (during == "command")


def test_urcs_can_be_planted(host):
    host.module.urc(b"+A: 1", "answer")
    host.module.urc(b"+B: 2", "inside")
    host.module.urc(b"+C: 3", "prompt")
    assert host.lines("AT+CSQ") == [b"+A: 1", b"+CSQ: 24,99", b"+B: 2", b"OK"]
    assert host.command('AT+MSSLCERTWR="a",0,1') == b"\r\n>\r\n+C: 3\r\n"
    host.module.feed(b"x")
    assert host.wait(1) == b"\r\nOK\r\n"
    with pytest.raises(ValueError, match="no such place"):
        host.module.urc(b"+D: 4", "nowhere")


def test_planned_replies(host):
    host.module.reply(b"AT+MSSLCERTWR", b"+CME ERROR: 764")
    host.module.reply(b"AT+CSQ", None, times=2)
    assert host.command('AT+MSSLCERTWR="a",0,1') == b"\r\n+CME ERROR: 764\r\n"
    assert host.command("AT+CSQ", 100) == b""
    assert host.command("AT+CSQ") == b""
    assert host.command("AT+CSQ") == b"\r\n+CSQ: 24,99\r\n\r\nOK\r\n"


def test_compact_lists_and_a_line_too_long(make_host):
    host = make_host(compact_lists=True)
    assert host.command("ATI").count(b"\r\n\r\n") == 1
    host = make_host(max_line=40)
    assert host.command("AT+CSQ" + "x" * 50) == b"\r\nERROR\r\n"
    assert [b.kind for b in host.module.violations] == ["line"]
    assert host.command("AT") == b"\r\nOK\r\n"


_SCRIPT = (
    b'AT\r\n\nATE0\rAT+CMEE=1\r\nAT+MSSLCERTWR="ca",5,4\r\n',
    b"ab\rd",
    b'AT+MSSLCERTWR="ca",0,5\r',
    b"\n>\x1a\x00e",
    b'AT+MSSLCHECK="ca"\r\nAT+MSSLLIST=1\r\nAT+NONE\r\nAT+MSSLCERTRD="ca"\r\n',
)


def _play(cuts: list[int]) -> tuple[bytes, bytes | None, int]:
    clock = VirtualClock()
    module = Module(clock=clock)
    out = b""
    for step, part in enumerate(_SCRIPT):
        # Several commands go one after the other, as a careful host sends them.
        pieces = part.splitlines(keepends=True) if step in (0, 4) else [part]
        for piece in pieces:
            at = 0
            while at < len(piece):
                size = cuts[len(out) % len(cuts)] if cuts else len(piece)
                module.feed(piece[at : at + size])
                at += size
            clock.advance(1)
            out += module.take()
    return out, module.store.certs.get("ca"), len(module.violations)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_cuts_change_nothing(cuts):
    whole = _play([])
    assert whole[1] == b"ab\rd\n>\x1a\x00e"
    assert whole[2] == 0
    assert _play(cuts) == whole


def test_take_in_small_pieces_and_pending(host):
    host.module.feed(b"AT+CSQ\r")
    host.clock.advance(1)
    assert host.module.take(0) == b""
    assert host.module.pending == len(b"\r\n+CSQ: 24,99\r\n\r\nOK\r\n")
    got = b""
    while piece := host.module.take(3):
        assert len(piece) <= 3
        got += piece
    assert got == b"\r\n+CSQ: 24,99\r\n\r\nOK\r\n"


def test_next_event_says_when(host):
    assert host.module.next_event() is None
    host.module.feed(b'AT+MSSLCERTWR="a",0,1\r')
    event = host.module.next_event()
    assert event is not None and event > host.clock.now()
    host.wait(0.1)
    assert host.module.next_event() == pytest.approx(host.clock.now() + 10, abs=0.2)
    host.module.feed(b"x")
    host.wait(1)
    assert host.module.next_event() is None

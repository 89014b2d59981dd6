# SPDX-License-Identifier: MIT
"""The channel's way in: what is a line, whose it is, what its parameters are."""

import pytest
from onemo.at_channel import ALL, DATA, DONE, LINE, PROMPT, SENT, WAIT
from onemo.errors import ModemReset, ProtocolError

from .scripted import Talk


@pytest.fixture
def talk(monkeypatch):
    return Talk(monkeypatch)


def test_no_event_is_another():
    assert sorted((WAIT, LINE, PROMPT, SENT, DATA, DONE)) == list(range(6))
    assert WAIT == 0  # so that `while not` reads well


# Lines


@pytest.mark.parametrize(
    ("sent", "line"),
    [
        (b"\r\nabc\r\n", b"abc"),
        (b"abc\n", b"abc"),
        (b"\r\n  abc  \r\n", b"abc"),
        (b"\xe0\x00\x7f\xff abc\r\n", b"abc"),
        (b"\r\n!abc~\r\n", b"!abc~"),
        (b"\r\n~\r\n", b"~"),
        (b"\r\n!\r\n", b"!"),
        (b"\r\na\tb\r\n", b"a\tb"),
        (b"\r\nabc\r\r\n", b"abc"),
        (b"\r\nab\xe0c\r\n", b"ab\xe0c"),
    ],
)
@pytest.mark.parametrize("step", [1, 100])
def test_a_line_is_without_what_stands_around_it(talk, sent, line, step):
    talk.ask()
    pieces = [sent[i : i + step] for i in range(0, len(sent), step)]
    assert talk.poll(*pieces) == [line]
    assert talk.poll(b"\r\nOK\r\n") == ["done"]


def test_empty_lines_and_junk_are_none(talk):
    assert talk.ask().poll(b"\r\n\r\n \r\n\xff\xff\r\n\x00\r\n") == []


def test_a_line_is_one_only_when_it_is_whole(talk):
    talk.ask()
    assert talk.poll(b"\r\nabc") == []
    assert talk.poll(b"def") == []
    assert talk.poll(b"\r\n") == [b"abcdef"]
    assert talk.poll(b"OK") == []
    assert talk.poll(b"\r\n") == ["done"]


def test_lines_that_came_together(talk):
    talk.ask()
    assert talk.poll(b"\r\na\r\nb\r\nc\r\n\r\nOK\r\n") == [b"a", b"b", b"c", "done"]


@pytest.mark.parametrize("buffer", [32, 64])
@pytest.mark.parametrize("length", [60, 64, 65, 127, 128, 129, 500, 2000, 2048])
def test_a_line_longer_than_the_buffer_is_joined(monkeypatch, length, buffer):
    talk = Talk(monkeypatch, buffer=buffer)
    line = b"x" * length
    talk.ask()
    assert talk.poll(b"\r\n" + line + b"\r\n\r\nshort\r\n") == [line, b"short"]
    assert talk.poll(b"\r\n" + line, b"\r\n\r\nOK\r\n") == [line, "done"]


@pytest.mark.parametrize("ending", [b"\r\n", b"\n"])
@pytest.mark.parametrize("length", [2300, 10000])
def test_a_line_that_is_too_long_is_an_error_in_step(talk, length, ending):
    talk.ask()
    with pytest.raises(ProtocolError) as caught:
        talk.poll(b"\r\nbefore\r\n" + b"x" * length + ending, b"behind\r\n\r\nOK\r\n")
    assert str(caught.value) == (
        "AT+X=1 was answered by a line over 2048 bytes, or by data of a size not announced"
    )
    talk.ask()
    assert talk.poll(b"\r\nfine\r\n\r\nOK\r\n") == [b"fine", "done"]
    assert talk.ch.ready()


def test_what_is_too_long_is_dropped_up_to_its_end_and_no_further(talk):
    talk.ask()
    assert talk.poll(b"x" * 3000) == []
    assert talk.poll(b"OK\r\n") == []  # its end
    assert talk.poll(b"next\r\n") == [b"next"]
    with pytest.raises(ProtocolError):
        talk.poll(b"OK\r\n")


def test_what_is_too_long_may_end_with_a_piece(talk):
    talk.ask()
    assert talk.poll(b"x" * 3000, b"xx\n", b"next\r\n") == [b"next"]


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r", b" \r\n"])
@pytest.mark.parametrize("size", [3000, 3008, 3072])
def test_the_end_of_what_is_too_long_may_come_later(talk, size, end):
    talk.ask()
    pieces = [b"x" * size, *(bytes([byte]) for byte in end), b"\n"[: not end.endswith(b"\n")]]
    assert talk.poll(*pieces, b"next\r\n") == [b"next"]
    with pytest.raises(ProtocolError):
        talk.poll(b"OK\r\n")


def test_of_what_came_with_the_end_of_a_line_too_long_nothing_is_lost(talk):
    talk.ask()
    assert talk.poll(b"x" * 3008, b"xx\r\nnext\r\nlast\r\n") == [b"next", b"last"]
    with pytest.raises(ProtocolError):
        talk.poll(b"OK\r\n")


def test_a_flood_between_commands_spoils_none(talk):
    talk.hear(b"x" * 3000 + b"\r\n")
    talk.ask()
    assert talk.poll(b"\r\nfine\r\n\r\nOK\r\n") == [b"fine", "done"]


def test_bytes_received_are_counted(talk):
    talk.ask().poll(b"\r\nabc\r\n", b"\r\nOK\r\n")
    assert talk.ch.bytes_received == 13
    talk.ch.bytes_received = (1 << 24) - 3
    talk.poll(b"12345678")
    assert talk.ch.bytes_received == 5


def test_reads_are_small(talk):
    talk.ask().poll(b"x" * 1000 + b"\r\n")
    assert max(talk.uart.asked) == 128


def test_a_uart_may_say_that_there_is_something_and_give_nothing(talk):
    talk.ask()
    given = talk.uart.readinto
    talk.uart.readinto = lambda buf, n: talk.uart.asked.append(n)
    talk.hear(b"\r\na\r\n")
    assert talk.ch.poll() == talk.ch.poll() == WAIT
    assert len(talk.uart.asked) <= 2  # it is asked again at the next poll, not in a loop
    talk.uart.readinto = given
    assert talk.poll(b"\r\nOK\r\n") == [b"a", "done"]


# Whose a line is


def test_the_commands_own_lines_and_no_others(talk):
    talk.ask(b"+X:")
    assert talk.poll(b"\r\n+Y: 1\r\n+X: 1\r\nX\r\n+XY: 3\r\n\r\nOK\r\n") == [b"+X: 1", "done"]
    talk.ask(None)
    assert talk.poll(b"\r\n+X: 1\r\nfree text\r\n\r\nOK\r\n") == ["done"]


def test_every_line_but_urcs(talk):
    talk.ask(ALL)
    answer = b"\r\n+X: 1\r\nfree text\r\n+URC: 1\r\n+URC: 2\r\n\r\nOK\r\n"
    assert talk.poll(answer) == [b"+X: 1", b"free text", "done"]
    assert talk.urcs == [b"+URC: 1", b"+URC: 2"]


def test_a_line_of_the_commands_own_name_is_its_answer(talk):
    for name in (b"+URC", b"+URC?", b"+URC=?"):
        talk.ch.command(name).send(1000, ALL)
        assert talk.poll(b"\r\n+URC: 1\r\n\r\nOK\r\n") == [b"+URC: 1", "done"]
    assert talk.urcs == []
    for name in (b"+URCS", b"+XRC", b"+URD"):
        talk.ch.command(name).send(1000, ALL)
        assert talk.poll(b"\r\n+URC: 1\r\n\r\nOK\r\n") == ["done"]
    assert len(talk.urcs) == 3


def test_what_a_command_expects_is_no_urc(talk):
    talk.ask(b"+URC: 7")
    assert talk.poll(b"\r\n+URC: 1\r\n+URC: 7\r\n\r\nOK\r\n") == [b"+URC: 7", "done"]
    assert talk.urcs == [b"+URC: 1"]


def test_all_handlers_hear_a_urc_where_it_lies(talk):
    heard = []
    talk.ch.on_urc(b"+URC: 1", lambda buf, at, end: heard.append(bytes(buf[at:end])))
    talk.ch.on_urc(b"+OTHER", lambda buf, at, end: heard.append(b"no"))
    assert talk.poll(b"\r\n+URC: 12 \r\n+URC: 2\r\n") == []
    assert heard == [b"+URC: 12"]
    assert talk.urcs == [b"+URC: 12", b"+URC: 2"]


@pytest.mark.parametrize("step", [1, 100])
def test_an_echo_is_no_line(talk, step):
    talk.ask()
    sent = b"AT+X=1\r\r\n+X: 1\r\n\r\nOK\r\n"
    assert talk.poll(*(sent[i : i + step] for i in range(0, len(sent), step))) == [
        b"+X: 1",
        "done",
    ]


@pytest.mark.parametrize("like", [b"AT+X=", b"AT+X=12", b"AT+X=2", b"BT+X=1", b"at+x=1"])
def test_what_is_like_an_echo_is_a_line(talk, like):
    assert talk.ask().poll(b"\r\n" + like + b"\r\n\r\nOK\r\n") == [like, "done"]


def test_an_echo_counts_while_its_command_does(talk):
    talk.ask()
    assert talk.poll(b"\r\nOK\r\n") == ["done"]
    talk.ch.on_urc(b"AT+X", lambda buf, at, end: talk.urcs.append(bytes(buf[at:end])))
    talk.poll(b"AT+X=1\r\r\n")
    assert talk.urcs == [b"AT+X=1"]


@pytest.mark.parametrize("stray", [b"OK", b"ERROR", b"+CME ERROR: 1"])
def test_a_final_result_between_commands_means_out_of_step(talk, stray):
    assert talk.ch.ready()
    assert talk.poll(b"\r\n" + stray + b"\r\n") == []
    assert not talk.ch.ready()
    assert talk.ch.strays == 1
    talk.ch.set_in_sync()
    talk.hear(b"\r\n" + stray + b"\r\n")
    with pytest.raises(ProtocolError, match="no command was waiting for"):
        talk.ask(ALL)
    assert not talk.uart.written


def test_a_reboot_is_seen_wherever_it_is_said(talk):
    assert talk.poll(b"\r\n+MATREADY\r\n") == []
    assert talk.ch.rebooted
    talk.ch.reset()
    assert talk.poll(b"\r\nx+MATREADY\r\n+MATREAD\r\n") == []
    assert not talk.ch.rebooted
    talk.ask(ALL)
    with pytest.raises(ModemReset):
        talk.poll(b"\r\n+MATREADY: 1\r\n")


# Prompts


def test_a_prompt_is_taken_once(talk):
    talk.ask(None, payload=5)
    assert talk.poll(b"\r\n> ") == ["prompt"]
    talk.ch.push(b"12345", 0, 5)
    assert talk.poll() == ["sent"]
    assert talk.poll(b"> \r\n> \r\n") == []
    assert talk.poll(b"\r\nOK\r\n") == ["done"]


@pytest.mark.parametrize("pieces", [(b">+X: 1\r\n",), (b">", b"+X: 1\r\n")])
def test_what_follows_a_prompt_at_once_is_whole(talk, pieces):
    talk.ask(payload=5)
    assert talk.poll(*pieces) == ["prompt", b"+X: 1"]


def test_lines_before_a_prompt(talk):
    talk.ask(ALL, payload=5)
    assert talk.poll(b"\r\nfirst\r\n", b"\r\n+URC: 1\r\n\r\n>") == [b"first", "prompt"]


def test_a_prompt_within_a_line_is_none(talk):
    talk.ask(ALL, payload=5)
    assert talk.poll(b"\r\na > b\r\n") == [b"a > b"]


# Parameters


@pytest.mark.parametrize("expect", [ALL, b"+X:"])
def test_parameters_are_those_of_this_line(talk, expect):
    talk.ask(expect)
    assert talk.until(LINE, b"\r\n+X: 1,2\r\n+X: 3\r\n77").value(0) == 1
    assert talk.until(LINE).value(0) == 3
    assert talk.ch.value(1) is None
    assert talk.ch.text(1) is None
    assert not talk.ch.field_equals(1, b"77")


def test_parameters_of_the_line_at_hand(talk):
    talk.ask(b"+X:")
    ch = talk.until(LINE, b'\r\n+X: "a,b",-7,,x\r\n')
    assert ch.line() == b'+X: "a,b",-7,,x'
    assert [ch.text(index) for index in range(5)] == ["a,b", "-7", "", "x", None]
    assert [ch.value(index) for index in range(5)] == [None, -7, None, None, None]
    assert [ch.field_equals(index, b"a,b") for index in range(5)] == [
        True,
        False,
        False,
        False,
        False,
    ]
    assert [ch.field_equals(index, b"x") for index in range(5)] == [
        False,
        False,
        False,
        True,
        False,
    ]
    assert ch.field_equals(2, b"")
    assert not ch.field_equals(4, b"")
    assert talk.poll(b"\r\nOK\r\n") == ["done"]
    for expect in (ALL, b"+X:"):
        talk.ask(expect)
        assert talk.until(LINE, b"\r\n+X:9\r\n").value(0) == 9
        assert talk.poll(b"\r\nOK\r\n") == ["done"]


DIGEST = bytes([0x01, 0x23, 0xAF, 0xFA, 0x90])


@pytest.mark.parametrize(
    ("shown", "it_is"),
    [
        (b"0123affa90", True),
        (b"0123AFFA90", True),
        (b"0123AffA90", True),
        (b'"0123affa90"', True),
        (b'"0123affa90",0', True),
        (b"0123affa9", False),
        (b"0123affa901", False),
        (b"0123affa90,0", False),
        (b"1123affa90", False),
        (b"0223affa90", False),
        (b"0123affa91", False),
        (b"0123affa80", False),
        (b"0123agfa90", False),
        (b'"0123affa9"', False),
        (b'"0123affa901"', False),
        (b'"', False),
        (b"x", False),
    ],
)
def test_a_digest_in_hexadecimal(talk, shown, it_is):
    talk.ask(b"+X:")
    ch = talk.until(LINE, b"\r\n+X: " + shown + b"\r\n0123affa90\r\n")
    assert ch.line() == b"+X: " + shown
    assert ch.hex_equals(DIGEST) is it_is

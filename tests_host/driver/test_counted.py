# SPDX-License-Identifier: MIT
"""Counted data inside an answer: it may hold anything, and come in any pieces."""

import pytest
from onemo.at_channel import DATA
from onemo.errors import CommandError, ProtocolError, Timeout

from .scripted import Script, Talk


@pytest.fixture
def talk(monkeypatch):
    return Talk(monkeypatch)


def counted(talk, commas=1):
    return talk.ask(b"+X:", data_after=commas)


@pytest.mark.parametrize("buffer", [32, 64, 256])
@pytest.mark.parametrize("step", [1, 7, 1000])
@pytest.mark.parametrize("size", [0, 1, 2, 63, 64, 65, 128, 129, 1000])
def test_data_is_what_was_announced(monkeypatch, size, step, buffer):
    talk = Talk(monkeypatch, buffer=buffer)
    data = bytes(i & 0xFF for i in range(size))
    counted(talk, 3)
    answer = b'\r\n+X: 0,"a,b",%d,' % size + data + b"\r\n\r\nOK\r\n"
    pieces = [answer[i : i + step] for i in range(0, len(answer), step)]
    assert talk.poll(*pieces) == [("data", data), "done"]
    assert talk.ch.data_remaining == 0
    assert talk.ch.ready()


@pytest.mark.parametrize("count", [b"x", b"-1", b""])
def test_a_size_that_is_none_announces_nothing(talk, count):
    counted(talk)
    assert talk.until(DATA, b"\r\n+X: " + count + b",").data_remaining == 0


def test_data_is_behind_the_commas_of_its_own_line(talk):
    counted(talk, 2)
    assert talk.poll(b"\r\n+X: 1\r\na,b,c\r\n\r\nOK\r\n") == [b"+X: 1", "done"]


def test_data_that_is_slow(talk):
    counted(talk)
    assert talk.until(DATA, b"\r\n+X: 100,").data_remaining == 100
    assert not talk.ch.read_chunk()
    talk.hear(b"a" * 10)
    assert talk.ch.read_chunk() == b"a" * 10
    assert talk.ch.data_remaining == 90
    assert not talk.ch.read_chunk()
    assert talk.ch.drained
    talk.hear(b"b" * 50, b"c" * 20)
    assert talk.ch.read_chunk() == b"b" * 50  # less than a read takes: that was all there was
    assert talk.ch.drained
    assert talk.ch.read_chunk() == b"c" * 20
    assert talk.ch.data_remaining == 20
    talk.hear(b"d" * 10 + b"e" * 10 + b"\r\n\r\nOK\r\n")
    assert talk.ch.read_chunk() == b"d" * 10 + b"e" * 10
    assert talk.ch.data_remaining == 0
    assert talk.poll() == ["done"]


def test_data_that_is_there_is_taken_until_the_buffer_is_full(monkeypatch):
    talk = Talk(monkeypatch, buffer=150)
    counted(talk)
    assert talk.until(DATA, b"\r\n+X: 400,").data_remaining == 400
    talk.hear(b"a" * 200 + b"b" * 64)
    assert talk.ch.read_chunk() == b"a" * 150  # as much as the buffer has room for
    assert not talk.ch.drained
    assert talk.ch.read_chunk() == b"a" * 50 + b"b" * 64
    assert talk.ch.drained
    talk.hear(b"c" * 136 + b"\r\n\r\nOK\r\n")
    assert talk.ch.read_chunk() == b"c" * 136
    assert talk.ch.data_remaining == 0  # nothing more is waited for
    assert talk.poll() == ["done"]


def test_announced_data_is_waited_for_together(talk):
    assert talk.ch.min_sleep_ms() == 0
    counted(talk)
    talk.until(DATA, b"\r\n+X: 100,")
    assert talk.ch.min_sleep_ms() == 32 * 10000 // 115200 == 2
    talk.hear(b"a" * 90)
    while talk.ch.data_remaining > 10:
        talk.ch.read_chunk()
    assert talk.ch.min_sleep_ms() == 0  # 0.9 ms
    talk.ch.set_baud(9600)
    assert talk.ch.min_sleep_ms() == 10
    talk.ch.reset()
    assert talk.ch.min_sleep_ms() == 0


def test_data_that_stays_away(talk):
    counted(talk)
    talk.until(DATA, b"\r\n+X: 100,abc")
    assert talk.ch.read_chunk() == b"abc"
    assert not talk.ch.read_chunk()
    talk.now += 10000
    with pytest.raises(Timeout):
        talk.ch.read_chunk()
    assert talk.ch.data_remaining == 0
    assert talk.ch.out_of_sync


def test_data_whose_end_came_along(talk):
    counted(talk)
    assert talk.until(DATA, b"\r\n+X: 3,abc\r\n\r\nOK\r\n").read_chunk() == b"abc"
    assert talk.ch.data_remaining == 0
    assert talk.poll() == ["done"]


def test_two_answers_with_data_in_one(talk):
    counted(talk)
    answer = b"\r\n+X: 3,abc\r\n+URC: 1\r\n+X: 5,defgh\r\n\r\nOK\r\n"
    assert talk.poll(answer) == [("data", b"abc"), ("data", b"defgh"), "done"]
    assert talk.urcs == [b"+URC: 1"]


@pytest.mark.parametrize("behind", [b"", b"\r\n"])
def test_data_ends_with_its_line(talk, behind):
    counted(talk)
    assert talk.poll(b"\r\n+X: 3,abc", behind, b"\r\n\r\nOK\r\n") == [("data", b"abc"), "done"]


@pytest.mark.parametrize("step", [1, 1000])
@pytest.mark.parametrize("extra", [b"d", b"OK", b"+", b"X"])
def test_data_that_goes_on_is_an_error(talk, step, extra):
    counted(talk)
    answer = b"\r\n+X: 3,abc" + extra + b"\r\n\r\nOK\r\n"
    with pytest.raises(ProtocolError, match="not announced"):
        talk.poll(*(answer[i : i + step] for i in range(0, len(answer), step)))
    counted(talk)
    assert talk.poll(b"\r\n+X: 3,abc\r\n\r\nOK\r\n") == [("data", b"abc"), "done"]


def test_a_line_with_too_few_parameters_has_no_data(talk):
    counted(talk, 2)
    assert talk.poll(b"\r\n+X: 1,2\r\n\r\nOK\r\n") == [b"+X: 1,2", "done"]


def test_data_is_nobodys_where_none_is_counted(talk):
    talk.ask(b"+X:")
    assert talk.poll(b"\r\n+X: 3,abc\r\n\r\nOK\r\n") == [b"+X: 3,abc", "done"]


@pytest.mark.parametrize("leave", ["reset", "cancel"])
def test_data_that_is_left_half_way(monkeypatch, leave):
    talk = counted(Talk(monkeypatch, Script()))
    talk.until(DATA, b"\r\n+X: 1000," + b"a" * 40)
    assert talk.ch.read_chunk() == b"a" * 40
    getattr(talk.ch, leave)()
    talk.ch.lose_sync()
    assert talk.ch.data_remaining == 0
    talk.hear(b"a" * 100 + b"\r\n\r\nOK\r\n")
    talk.ask()
    assert talk.poll(b"\r\nfine\r\n\r\nOK\r\n") == [b"fine", "done"]


def test_an_error_instead_of_data(talk):
    counted(talk)
    with pytest.raises(CommandError, match="762"):
        talk.poll(b"\r\n+CME ERROR: 762\r\n")

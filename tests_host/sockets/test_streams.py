# SPDX-License-Identifier: MIT
"""Blocking streams on a virtual clock: what comes, what goes, and how it ends."""

import errno
import json
import random

import pytest
from onemo import at_retry, net_flow, net_links, net_seldom
from onemo.errors import ConnectionLost, ModemError, ModemReset, Timeout
from onemo_simulator import Fault

from .conftest import HOST, sends, talker


def test_what_is_written_comes_back(rig):
    stream = rig.modem.connect(HOST, 7)
    assert stream.write(b"hello\nworld\n") == 12
    assert stream.readline() == b"hello\n"
    assert stream.read(3) == b"wor"
    buf = bytearray(10)
    assert stream.readinto(buf) == 3
    assert buf[:3] == b"ld\n"


def test_text_and_parts_are_written(rig):
    stream = rig.modem.connect(HOST, 7)
    assert stream.write("späß") == 6
    assert stream.write(bytearray(b"abcdef"), 2) == 2
    assert stream.write(memoryview(b"xyz")) == 3
    assert stream.write(b"") == 0
    assert stream.read(11) == "späßabxyz".encode()


def test_print_and_json_write_to_it(rig):
    stream = rig.modem.connect(HOST, 7)
    print("a", 1, file=stream)
    json.dump({"b": [2, None]}, stream)
    assert stream.read(4 + len('{"b": [2, null]}')) == b'a 1\n{"b": [2, null]}'


def test_what_stands_twice_to_save_heap_is_the_same():
    assert net_links.RETRY_MS == at_retry.RETRY_MS
    assert net_seldom._SILENCE_MS == net_links.SILENCE_MS


def test_a_finaliser_while_the_heap_is_locked_leaves_the_close_to_the_next_opening(
    rig, monkeypatch
):
    stream = rig.modem.connect(HOST, 7)
    said = len(rig.module.commands)

    def locked(size):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(net_flow, "bytearray", locked, raising=False)
        assert stream.ioctl(4, 0) == 0
    assert len(rig.module.commands) == said
    rig.modem.connect(HOST, 7)
    assert b"AT+MIPCLOSE=0" in rig.module.commands[said:]


def test_a_read_that_was_interrupted_in_its_answer_ends_the_connection(rig, monkeypatch):
    stream = rig.modem.connect(HOST, 7)
    stream.write(b"abc")
    rig.clock.advance(1)
    rig.modem.command("+CSQ")  # the module has told by now

    def interrupted():
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(rig.modem, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            stream.read(3)
    rig.clock.advance(1)
    with pytest.raises(ConnectionLost, match="broken off"):
        stream.read(3)


def test_a_read_takes_what_was_read_ahead_and_no_more_of_what_follows(rig):
    stream = rig.modem.connect(HOST, 7)
    stream.write(b"abc")
    assert stream.read(2) == b"ab"
    stream.write(b"defghijkl")
    assert stream.read(5) == b"cdefg"
    assert stream.read(5) == b"hijkl"


def test_the_end_comes_after_all_that_is_unread(rig):
    stream = rig.modem.connect(HOST, 19)
    rig.clock.advance(5)
    rig.modem.command("+CSQ")  # the disconnection is known by now
    assert stream.readline() == b"first line\n"
    assert stream.read() == b"second\nlast without end"
    assert stream.read(5) == b"" and stream.readline() == b"" and stream.read() == b""
    assert stream.readinto(bytearray(5)) == 0
    with pytest.raises(ConnectionLost):
        stream.write(b"to nobody")


def test_none_for_a_size_is_all(rig):
    stream = rig.modem.connect(HOST, 19)
    assert stream.read(None) == b"first line\nsecond\nlast without end"


def test_a_stream_that_nobody_gave_a_time_waits_for_a_minute(rig):
    stream = rig.modem.connect(HOST, 9)
    began = rig.clock.now()
    with pytest.raises(Timeout):
        stream.read(1)
    assert 60 <= rig.clock.now() - began < 66


def test_a_poll_tells_each_time_that_the_module_has_rebooted(rig):
    stream = rig.modem.connect(HOST, 7)
    assert stream.ioctl(3, 5) == 4
    rig.module.reboot()
    rig.clock.advance(5)
    for _ in range(3):
        assert stream.ioctl(3, 5) == 17  # hung up, and a read would say why
    with pytest.raises(ModemReset):
        stream.read(1)


def test_a_half_closed_peer_is_read_to_its_end(rigs):
    rig = rigs(network=talker(b"bye\n"))
    with rig.modem.connect(HOST, 20) as stream:
        assert stream.read() == b"bye\n"
        with pytest.raises(ConnectionLost):
            stream.write(b"still there?")
    assert rig.modem.connect(HOST, 7).write(b"next") == 4


@pytest.mark.parametrize(("state", "word"), [(2, "reset"), (3, "PDP")])
def test_an_abnormal_end_is_an_error_after_what_is_unread(rigs, state, word):
    rig = rigs(network=talker(b"x" * 700, end=state))
    stream = rig.modem.connect(HOST, 20)
    assert stream.read(700) == b"x" * 700
    with pytest.raises(ConnectionLost, match=word) as caught:
        stream.read(1)
    assert caught.value.errno == errno.ECONNRESET


def test_a_timeout_loses_nothing(rig):
    stream = rig.modem.connect(HOST, 7)
    stream.settimeout(1.5)
    stream.write(b"part")
    before = rig.clock.now()
    with pytest.raises(Timeout) as caught:
        stream.read(6)
    assert caught.value.errno == errno.ETIMEDOUT
    assert 1.4 < rig.clock.now() - before < 2.5
    with pytest.raises(Timeout):
        stream.readline()
    stream.write(b"ly\n")
    assert stream.readline() == b"partly\n"
    with pytest.raises(Timeout):
        stream.readinto(bytearray(4))


def test_without_blocking_it_says_none(rig):
    stream = rig.modem.connect(HOST, 7)
    stream.setblocking(False)
    assert stream.read(1) is None and stream.readline() is None
    assert stream.readinto(bytearray(3)) is None
    stream.write(b"ab")
    rig.clock.advance(1)
    assert stream.readline() is None  # no half lines
    assert stream.read(5) == b"ab"
    assert stream.read(5) is None
    stream.setblocking(True)
    stream.write(b"c\n")
    assert stream.readline() == b"c\n"


def test_poll_tells_what_there_is(rig):
    stream = rig.modem.connect(HOST, 7)
    assert stream.ioctl(3, 5) == 4
    stream.buffered = True
    stream.write(b"ab")
    assert sends(rig) == []
    assert stream.ioctl(3, 5) == 4  # sends what was held
    rig.clock.advance(1)
    assert stream.ioctl(3, 5) == 5
    assert stream.read(1) == b"a"
    assert stream.ioctl(3, 1) == 1  # read ahead
    assert stream.ioctl(99, 0) < 0
    assert stream.ioctl(4, 0) == 0
    assert stream.ioctl(3, 5) & 16


def test_small_writes_go_together_where_asked(rig):
    stream = rig.modem.connect(HOST, 7)
    stream.buffered = True
    for word in ("GET ", "/ ", "HTTP/1.0\r\n", "\r\n"):
        stream.write(word)
    assert sends(rig) == []
    assert stream.readline() == b"GET / HTTP/1.0\r\n"
    assert sends(rig) == [18]
    stream.write(b"x" * 600)
    stream.write(b"x" * 600)  # more than is held
    assert sends(rig) == [18, 1200]
    stream.write(b"a")
    stream.write(b"y" * 3000)  # not copied: it goes as it is, after what came first
    assert sends(rig) == [18, 1200, 1, 3000]
    stream.write(b"z")
    stream.close()
    assert sends(rig)[-1] == 1


@pytest.mark.parametrize(
    ("model", "baud", "most"),
    [("ML307R", 115200, 8192), ("ML305U", 115200, 4096), ("ML307R", 9600, 4800), ("MN316", 0, 0)],
)
def test_large_writes_go_in_the_largest_packets(rigs, model, baud, most):
    data = random.Random(1).randbytes(20000)
    rig = rigs(model, driver={"baud": baud or 115200})
    stream = rig.modem.connect(HOST, 9)
    stream.write(data)
    assert bytes(rig.network.connections[0].sent) == data
    assert max(sends(rig)) == (most or 500)
    longest = max(len(command) for command in rig.module.commands)
    assert most or 1000 < longest <= 1024


def test_partial_sends_are_gone_on_with(rigs):
    rig = rigs(partial_send=100)
    stream = rig.modem.connect(HOST, 7)
    stream.write(bytes(range(250)) * 2)
    assert stream.read(500) == bytes(range(250)) * 2


@pytest.mark.parametrize("model", ["ML307R", "MN316"])
@pytest.mark.parametrize("line", ["before", "after", "absent"])
def test_the_count_may_come_before_the_ok_or_after_it_or_never(rigs, model, line):
    rig = rigs(model, send_line=line)
    stream = rig.modem.connect(HOST, 7)
    for n in (10, 400, 7, 1000, 300):
        stream.write(bytes([n & 255]) * n)
        assert stream.read(n) == bytes([n & 255]) * n


def test_a_count_after_the_ok_that_is_too_small_breaks_the_connection(rigs):
    rig = rigs(send_line="after", partial_send=100)
    stream = rig.modem.connect(HOST, 7)
    stream.write(b"x" * 500)
    with pytest.raises(ConnectionLost, match="took 100 of 500"):
        stream.read(500)


def test_bytes_lost_on_their_way_break_the_connection(rigs):
    rig = rigs(strict=False)
    stream = rig.modem.connect(HOST, 9)
    stream.write(b"good")
    rig.line.add(Fault("drop", ">", rig.line.counts[">"] + 100))
    with pytest.raises(ConnectionLost, match="lost on their way"):
        stream.write(b"y" * 500)
    with pytest.raises(ConnectionLost):
        stream.write(b"y")
    assert rig.modem.connect(HOST, 7).write(b"x") == 1


def test_a_module_that_takes_nothing_is_a_timeout(rigs):
    rig = rigs()
    stream = rig.modem.connect(HOST, 9)
    rig.module.reply(b"AT+MIPSEND", b"+CME ERROR: 560")
    with pytest.raises(ModemError, match="560"):
        stream.write(b"x")
    with pytest.raises(ConnectionLost):
        stream.write(b"x")


def swallow(rig, word):
    """The next URC with `word` is lost."""
    urc = rig.module.urc

    def lossy(line, *how):
        if word in line:
            rig.module.urc = urc
        else:
            urc(line, *how)

    rig.module.urc = lossy


@pytest.mark.parametrize("blocking", [True, False])
@pytest.mark.parametrize("tls", [False, True])
def test_a_lost_word_of_arrival_hangs_no_reader(rigs, tls, blocking):
    rig = rigs()
    context = rig.modem.tls(1)
    context.configure(0)
    stream = rig.modem.connect(HOST, 7, tls=context if tls else None)
    stream.setblocking(blocking)
    swallow(rig, b"rtcp")
    stream.write(b"answer me")
    before = rig.clock.now()
    while (got := stream.read(9)) is None:
        rig.clock.advance(0.5)
    assert got == b"answer me"
    assert 5 < rig.clock.now() - before < 15
    stream.write(b"again")
    stream.setblocking(True)
    assert stream.read(5) == b"again"


def test_a_reader_that_gives_up_asks_before(rigs):
    rig = rigs()
    stream = rig.modem.connect(HOST, 7)
    swallow(rig, b"rtcp")
    stream.settimeout(2)
    stream.write(b"answer me")
    assert stream.read(9) == b"answer me"


def test_a_lost_word_of_the_end_hangs_no_reader(rigs):
    rig = rigs(network=talker(b"ab"))
    stream = rig.modem.connect(HOST, 20)
    swallow(rig, b"disconn")
    stream.settimeout(None)
    assert stream.read(2) == b"ab"
    before = rig.clock.now()
    with pytest.raises(ConnectionLost, match="reset by its peer, or by the network"):
        stream.read(1)  # how it ended nobody knows
    assert rig.clock.now() - before < 15

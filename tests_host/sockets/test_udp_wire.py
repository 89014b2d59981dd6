# SPDX-License-Identifier: MIT
"""What datagrams say on the line, and in which time; what becomes of answers that are odd."""

import pytest
from onemo.errors import CommandError, ConnectionLost, ProtocolError, Timeout

from .conftest import HOST, commands, talker, waited
from .test_wire import fresh, since

LOOKS = [b"AT+MIPSTATE=0", b"AT+MIPRD=0"]


def announced(rig, count=1):
    """The module tells of datagrams."""
    rig.module.urc(b'+MIPURC: "rudp",0,3,%d' % count)


def test_a_life(rigs):
    rig = fresh(rigs)
    there = rig.modem.udp(HOST, 7, 9000)
    assert commands(rig, b"AT+MIPOPEN") == [b'AT+MIPOPEN=0,"UDP","%s",7,4,3' % HOST.encode()]
    assert repr(there) == "<Datagrams of connection 0>"
    since(rig)
    assert there.send(b"abcdef", 4) == 4
    rig.clock.advance(0.1)
    assert there.recv() == b"abcd"
    assert since(rig) == [b"AT+MIPSEND=0,4", b"AT+MIPRD=0,1460"]
    there.send(b"abc")
    assert there.recv(2) == b"ab"
    with pytest.raises(ValueError, match="a datagram has 1 to 1460 bytes, not 0"):
        there.send(b"abc", 0)
    since(rig)
    there.close()
    there.close()
    assert since(rig) == [b"AT+MIPCLOSE=0"]


def test_an_opening_has_a_minute(rigs):
    rig = fresh(rigs, open_urc="never")
    lasted, error = waited(rig, lambda: rig.modem.udp(HOST, 7))
    assert isinstance(error, Timeout) and str(error).endswith("no +MIPOPEN within 60000 ms")
    assert lasted == pytest.approx(60, abs=0.5)


@pytest.mark.parametrize("size", [1, 255, 256, 257, 1459, 1460])
@pytest.mark.parametrize("room", [1, 256, 300, 2000])
def test_as_much_as_there_is_room_for(rigs, size, room):
    rig = fresh(rigs)
    there = rig.modem.udp(HOST, 7)
    data = bytes(i % 251 for i in range(size))
    there.send(data)
    there.send(b"next")
    buf = bytearray(room)
    assert there.recv_into(buf) == min(size, room)
    assert bytes(buf) == data[:room] + bytes(max(0, room - size))
    lasted, found = waited(rig, there.recv)
    assert found == b"next" and lasted < 1


def test_a_slow_line_has_the_time_that_its_bytes_take(rigs):
    speed = {"baud": 1200}
    rig = fresh(rigs, uart=speed, driver=speed, **speed)
    there = rig.modem.udp(HOST, 7)
    rig.modem.require_model().prompt = True
    there.send(b"x" * 600)
    began = rig.clock.now()
    assert there.recv() == b"x" * 600
    assert rig.clock.now() - began > 5


@pytest.mark.parametrize("seconds", [0.5, 2, 25])
def test_timeouts_last_as_long_as_they_say(rigs, seconds):
    rig = fresh(rigs)
    there = rig.modem.udp(HOST, 7)
    there.settimeout(seconds)
    since(rig)
    for _ in range(2):
        lasted, error = waited(rig, there.recv)
        assert isinstance(error, Timeout)
        assert str(error) == f"no datagram came within {int(seconds * 1000)} ms"
        assert lasted == pytest.approx(seconds, abs=0.1)
        assert since(rig) == LOOKS  # once, before it gives up


def test_without_a_time_it_waits(rigs):
    rig = fresh(rigs, network=talker(b"at last"))
    rig.network.latency = 200
    there = rig.modem.udp(HOST, 20)
    there.settimeout(None)
    lasted, found = waited(rig, there.recv)
    assert found == b"at last" and lasted > 190


def test_without_waiting_there_is_none(rigs):
    rig = fresh(rigs)
    there = rig.modem.udp(HOST, 7)
    there.settimeout(0)
    since(rig)
    lasted, found = waited(rig, there.recv)
    assert found is None and lasted == 0
    assert since(rig) == []
    there.send(b"x")
    rig.clock.advance(0.1)
    assert there.recv() == b"x"  # what is there is taken without waiting
    since(rig)
    assert there.recv() is None
    assert since(rig) == []  # the module has told that there is no more


def test_an_end_is_told_and_gives_the_id_back(rigs):
    rig = fresh(rigs)
    all_of_them = [rig.modem.udp(HOST, 7) for _ in range(6)]
    there = all_of_them[2]
    rig.module.urc(b'+MIPURC: "disconn",2,3')
    with pytest.raises(ConnectionLost) as caught:
        there.recv()
    assert str(caught.value) == "the module has ended <Datagrams of connection 2>: make another"
    assert repr(rig.modem.udp(HOST, 7)) == "<Datagrams of connection 2>"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"+MIPRD: 1,0,3,abc", "for connection 1"),
        (b"+MIPRD: x", "for connection None"),
        (b"+MIPRD: 3,1", "for connection 3"),
        (b"+MIPRD: 0,0,1461," + b"x" * 1461, "1461 bytes came as a datagram"),
    ],
)
def test_an_answer_that_does_not_fit_is_the_end(rigs, line, text):
    rig = fresh(rigs)
    there = rig.modem.udp(HOST, 7)
    announced(rig)
    rig.module.reply(b"AT+MIPRD=0", b"OK", lines=[line])
    with pytest.raises(ProtocolError, match=text):
        there.recv()
    with pytest.raises(ConnectionLost, match="connection 0 is over"):
        there.recv()
    assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]


def test_an_answer_without_a_datagram_is_waited_past(rigs):
    rig = fresh(rigs)
    there = rig.modem.udp(HOST, 7)
    announced(rig)
    rig.module.reply(b"AT+MIPRD=0,1460", b"OK")
    rig.module.reply(b"AT+MIPRD=0,1460", b"OK", lines=[b"+MIPRD: 0,0"])
    there.settimeout(1)
    with pytest.raises(Timeout):
        there.recv()
    announced(rig)
    with pytest.raises(Timeout):
        there.recv()
    there.send(b"x")
    assert there.recv() == b"x"


@pytest.mark.parametrize("refusal", [b"+CME ERROR: 14", b"+CME ERROR: 3", b"ERROR"])
def test_a_module_that_is_busy_is_asked_again(rigs, refusal):
    rig = fresh(rigs)
    there = rig.modem.udp(HOST, 7)
    there.send(b"hello")
    rig.clock.advance(0.1)
    rig.module.reply(b"AT+MIPRD=0,1460", refusal, times=2)
    lasted, found = waited(rig, there.recv)
    assert found == b"hello" and lasted < 3
    there.send(b"again")
    assert there.recv() == b"again"


def test_one_that_refuses_for_good_is_left(rigs):
    rig = fresh(rigs)
    there = rig.modem.udp(HOST, 7)
    announced(rig)
    rig.module.reply(b"AT+MIPRD=0,1460", b"+CME ERROR: 550")
    with pytest.raises(CommandError) as caught:
        there.recv()
    assert caught.value.code == 550
    with pytest.raises(ConnectionLost, match="connection 0 is over"):
        there.recv()


def test_a_refusal_behind_a_datagram_is_the_end(rigs):
    rig = fresh(rigs)
    there = rig.modem.udp(HOST, 7)
    announced(rig)
    rig.module.reply(b"AT+MIPRD=0,1460", b"ERROR", lines=[b"+MIPRD: 0,0,3,abc"])
    with pytest.raises(CommandError):
        there.recv()
    with pytest.raises(ConnectionLost, match="connection 0 is over"):
        there.recv()


def test_one_that_was_left_half_way_is_no_connection_any_more(rigs):
    rig = fresh(rigs, strict=False)  # what finds out what became of it comes early
    there = rig.modem.udp(HOST, 7)
    there.send(b"x" * 1000)
    rig.clock.advance(0.1)
    operation = there._receive_packet_op(bytearray(1460))
    next(operation)
    operation.close()
    rig.modem.channel.cancel()
    with pytest.raises(ConnectionLost, match="a transfer was broken off"):
        there.recv()


@pytest.mark.parametrize("under_way", [None, KeyError])
def test_an_error_of_closing_gives_way_to_the_one_that_is_under_way(rigs, under_way):
    rig = fresh(rigs)
    there = rig.modem.udp(HOST, 7)
    rig.module.power_off()
    with pytest.raises(under_way or Timeout), there as same:
        assert same is there
        if under_way:
            raise under_way

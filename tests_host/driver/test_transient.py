# SPDX-License-Identifier: MIT
"""A module that is busy for a moment is asked again, within the caller's deadline."""

from datetime import datetime

import pytest
from onemo.errors import CommandError, ConnectionLost, ModemError, ProtocolError, Timeout
from onemo_simulator import EchoPeer, LoopNetwork, Peer

BUSY = (b"+CME ERROR: 14", b"+CME ERROR: 3", b"ERROR")


@pytest.mark.parametrize("refusal", BUSY)
@pytest.mark.parametrize("command", [b"ATE0", b"AT+CMEE=1", b"AT+CMEE?", b"AT+CGMM"])
def test_start_asks_again(rigs, command, refusal):
    rig = rigs(started=False, refuse_once=((command, refusal),) * 2)
    rig.modem.start()
    assert rig.modem.model == "ML307R"
    assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]


@pytest.mark.parametrize("refusal", BUSY[:2])
def test_a_module_that_refuses_to_say_what_it_is_for_seconds_is_not_taken_for_unknown(
    rigs, refusal
):
    rig = rigs(started=False)
    for command in (b"AT+CGMM", b"AT+CGMR", b"ATI"):
        rig.module.reply(command, refusal, 10)
    rig.modem.start()
    assert rig.modem.model == "ML307R"
    rig = rigs(started=False)
    for command in (b"AT+CGMM", b"AT+CGMR", b"ATI"):
        rig.module.reply(command, refusal, None)
    began = rig.clock.now()
    with pytest.raises(Timeout):
        rig.modem.start(timeout_ms=15000)
    assert 15 <= rig.clock.now() - began < 18


@pytest.mark.parametrize("command", [b"ATE0", b"AT+CMEE=1"])
def test_start_ends_within_its_deadline(rigs, command):
    rig = rigs(started=False)
    rig.module.reply(command, b"+CME ERROR: 14", times=None)
    began = rig.clock.now()
    with pytest.raises(CommandError) as caught:
        rig.modem.start(timeout_ms=10000)
    assert caught.value.code == 14
    assert 10 <= rig.clock.now() - began < 16


@pytest.mark.parametrize("refusal", [b"+CME ERROR: 50", b"+CME ERROR: 4", b"+CME ERROR: 100"])
def test_what_is_refused_for_good_is_not_asked_again(rigs, refusal):
    rig = rigs(started=False, refuse_once=((b"ATE0", refusal),))
    with pytest.raises(CommandError):
        rig.modem.start()
    assert rig.module.commands.count(b"ATE0") == 1


@pytest.mark.parametrize("refusal", [*BUSY, b"+CME ERROR: 50"])
def test_a_module_that_does_not_tell_its_series_is_known_by_its_firmware(rigs, refusal):
    rig = rigs(started=False)
    rig.module.reply(b"AT+CGMM", refusal, times=None)
    rig.modem.start()
    assert rig.modem.model == "ML307R"


@pytest.mark.parametrize("refusal", BUSY)
def test_a_new_connection_is_looked_at_again(rigs, refusal):
    network = LoopNetwork()
    network.listen("a.example", 6, EchoPeer())
    rig = rigs(network=network, refuse_once=((b"AT+MIPSTATE=", refusal),))
    rig.modem.attach()
    with rig.modem.connect("a.example", 6) as stream:
        stream.write(b"ping")
        assert stream.read(4) == b"ping"
    assert len(network.connections) == 1


@pytest.mark.parametrize("refusal", BUSY)
@pytest.mark.parametrize("times", [1, 3])
def test_the_clock_is_asked_again(rigs, refusal, times):
    rig = rigs(date=datetime(2026, 5, 6, 7, 8, 9), refuse_once=((b"AT+CCLK?", refusal),) * times)
    rig.modem.attach()
    assert rig.modem.clock()[:5] == (2026, 5, 6, 7, 8)


@pytest.mark.parametrize("said", [b"+MATREADY", b"+MATREADY: 1"])
def test_one_that_reboots_again_and_again_is_not_taken_for_unknown(rigs, said):
    rig = rigs(started=False)
    for command in (b"AT+CGMM", b"AT+CGMR", b"ATI"):
        rig.module.chatter(command, said, 1000)
    began = rig.clock.now()
    with pytest.raises(Timeout, match="the module answers"):
        rig.modem.start()
    assert rig.clock.now() - began < 33
    assert rig.modem.model is None


def test_one_that_gets_in_step_as_the_time_is_over_is_a_timeout(rigs):
    rig = rigs(started=False, boot_chatter=(b"+MATREADY",), boot_chatter_time=30.0)
    with pytest.raises(ModemError):
        rig.modem.start()
    rig.modem.start()
    assert rig.modem.model == "ML307R"


# Connections


class Lines(Peer):
    """Sends a line as the connection stands, and keeps what it gets."""

    def __init__(self, end=None):
        self.end = end
        self.got = b""

    def on_connect(self, conn):
        self.conn = conn
        conn.reply(b"0123456789")
        if self.end:
            conn.end(self.end, 0.001)

    def on_data(self, conn, data):
        self.got += data


@pytest.fixture
def peers(rigs):
    """Makes a connection to a peer that speaks first."""

    def make(series="ML307R", end=None, **settings):
        network = LoopNetwork()
        peer = network.listen("a.example", 6, Lines(end))
        rig = rigs(series, network=network, **settings)
        rig.modem.attach()
        return rig, peer, rig.modem.connect("a.example", 6)

    return make


def bare(rig, prefix):
    return [line for line in rig.module.commands if line.startswith(prefix) and b"," in line]


@pytest.mark.parametrize("refusal", BUSY)
@pytest.mark.parametrize("times", [1, 4])
@pytest.mark.parametrize("series", ["ML307R", "MN316"])
@pytest.mark.parametrize("end", [None, 1])
def test_a_read_is_tried_again(peers, series, end, times, refusal):
    rig, _, stream = peers(series, end)
    rig.module.reply(b"AT+MIPRD=0,", refusal, times)
    began = rig.clock.now()
    assert stream.read(10) == b"0123456789"
    assert 0.5 * times - 0.1 < rig.clock.now() - began < 0.5 * times + 1
    assert len(bare(rig, b"AT+MIPRD")) == times + 1
    if end:
        assert stream.read(1) == b""
    else:
        stream.write(b"on")
    stream.close()


@pytest.mark.parametrize("refusal", BUSY)
@pytest.mark.parametrize("times", [1, 4])
def test_a_write_that_was_refused_before_its_prompt_is_tried_again(peers, times, refusal):
    rig, peer, stream = peers()
    rig.module.reply(b"AT+MIPSEND=0,", refusal, times)
    stream.write(b"first ")
    stream.write(b"second")
    rig.clock.advance(1)
    assert stream.read(10) == b"0123456789"
    stream.close()
    assert peer.got == b"first second"
    assert len(bare(rig, b"AT+MIPSEND")) == times + 2


@pytest.mark.parametrize("timeout", [5, 60, None, 0])
@pytest.mark.parametrize("refusal", BUSY)
def test_a_read_that_stays_refused_ends_with_the_streams_time(peers, timeout, refusal):
    rig, _, stream = peers()
    rig.module.reply(b"AT+MIPRD=0,", refusal, None)
    stream.settimeout(timeout)
    began = rig.clock.now()
    if timeout == 0:
        assert stream.read(10) is None
        assert rig.clock.now() - began < 1
    else:
        with pytest.raises(Timeout if timeout else CommandError):
            stream.read(10)
        assert (timeout or 30) <= rig.clock.now() - began < (timeout or 30) + 6
    rig.module.reply(b"AT+MIPRD=0,", None, 0)


@pytest.mark.parametrize("timeout", [5, 20, None])
def test_a_write_that_stays_refused_ends_with_the_streams_time(peers, timeout):
    rig, peer, stream = peers()
    rig.module.reply(b"AT+MIPSEND=0,", BUSY[0], None)
    stream.settimeout(timeout)
    began = rig.clock.now()
    with pytest.raises(CommandError, match="MIPSEND"):
        stream.write(b"never")
    assert (timeout or 30) <= rig.clock.now() - began < (timeout or 30) + 6
    with pytest.raises(ConnectionLost):
        stream.write(b"never")
    assert peer.got == b""


@pytest.mark.parametrize("code", [b"+CME ERROR: 50", b"+CME ERROR: 553", b"+CME ERROR: 4"])
@pytest.mark.parametrize("command", [b"AT+MIPRD=0,", b"AT+MIPSEND=0,"])
def test_what_is_refused_for_good_ends_the_connection_at_once(peers, command, code):
    rig, _, stream = peers()
    rig.module.reply(command, code)
    with pytest.raises(CommandError):
        stream.write(b"x") if b"SEND" in command else stream.read(10)
    with pytest.raises(ConnectionLost):
        stream.read(10)


def test_unread_data_that_is_refused_for_good_is_no_end_of_the_stream(peers):
    rig, _, stream = peers(end=1)
    rig.clock.advance(2)
    rig.module.reply(b"AT+MIPRD=0,", b"+CME ERROR: 553", None)
    with pytest.raises(CommandError):
        stream.read()


@pytest.mark.parametrize("refusal", BUSY)
def test_a_refusal_of_anothers_loses_no_data_in_silence(peers, refusal):
    # The data comes behind it all the same, and nobody knows what of it was lost.
    rig, _, stream = peers()
    rig.module.chatter(b"AT+MIPRD=0,", refusal)
    with pytest.raises(ProtocolError):
        stream.read(10)
    with pytest.raises(ConnectionLost):
        stream.read(10)


@pytest.mark.parametrize("refusal", [*BUSY, b"+CME ERROR: 553"])
def test_a_secret_long_behind_a_refusal_of_anothers_is_in_no_trace(peers, refusal):
    told = bytearray()

    def trace(way, data):
        told.extend(data)
        if data.startswith(b"AT+MIPRD=0,"):
            rig.module.urc(refusal, "immediate")

    rig, _, stream = peers(driver={"trace": trace}, answer_delay=0.2, strict=False)
    stream.hide_received()
    with pytest.raises(ModemError):
        stream.read(10)
    rig.modem.command("+CSQ")
    assert b"+CSQ: 24,99" in told and b"0123" not in told


@pytest.mark.parametrize("refusal", BUSY)
def test_a_prompt_behind_a_refusal_of_anothers_sends_nothing_twice(peers, refusal):
    rig, peer, stream = peers(strict=False)
    rig.module.chatter(b"AT+MIPSEND=0,", refusal)
    stream.write(b"once")
    rig.clock.advance(1)
    assert peer.got == b"once"


@pytest.mark.parametrize("late", [0.05, 0.9, 1.5, 3])
@pytest.mark.parametrize("size", [4, 40])
def test_a_prompt_long_behind_a_refusal_of_anothers_adds_nothing_unseen(peers, size, late):
    # Whatever is asked before it comes goes to the peer: then the connection is over.
    rig, peer, stream = peers(prompt_delay=late, strict=False)
    rig.module.chatter(b"AT+MIPSEND=0,", BUSY[0])
    if late < 1:
        stream.write(b"x" * size)
        rig.clock.advance(15)
        assert peer.got == b"x" * size
    else:
        with pytest.raises(ProtocolError):
            stream.write(b"x" * size)
        with pytest.raises(ConnectionLost):
            stream.write(b"x" * size)


@pytest.mark.parametrize("timeout", [5, None])
def test_an_end_that_comes_while_a_write_is_refused_ends_the_reads(peers, timeout):
    # The module refuses reads of a connection that has ended.
    def trace(way, data):
        if way == ">" and data.startswith(b"AT+MIPSEND=0,"):
            peer.conn.end(1, 0.2)

    rig, peer, stream = peers(driver={"trace": trace})
    stream.settimeout(timeout)
    assert stream.read(10) == b"0123456789"
    rig.module.reply(b"AT+MIPSEND=0,", BUSY[0])
    with pytest.raises(ConnectionLost):
        stream.write(b"x")
    rig.module.reply(b"AT+MIPRD=0,", b"+CME ERROR: 551", 60)
    began = rig.clock.now()
    assert stream.read(10) == b""
    assert rig.clock.now() - began < 3


def test_a_module_that_rebooted_unheard_is_noticed_at_its_refusal(peers):
    rig, _, stream = peers(matready=False, strict=False)
    rig.clock.advance(1)
    rig.modem.channel.ready()  # its URC is heard
    rig.module.reboot(delay=0)
    rig.clock.advance(1)
    rig.module.reply(b"AT+MIPRD=0,", BUSY[0], None)
    began = rig.clock.now()
    with pytest.raises(ModemError, match="reboot"):
        stream.read(10)
    assert rig.clock.now() - began < 2


class Pieces(Peer):
    """Sends piece after piece, faster than a slow module answers, then ends."""

    PIECES = tuple(bytes([65 + i % 26]) * (3 + i % 7) for i in range(60))

    def on_connect(self, conn):
        at = 0.0
        for i, piece in enumerate(self.PIECES):
            conn.reply(piece, at)
            at += 0.013 + 0.01 * (i % 4)
        conn.end(1, at + 0.3)


@pytest.mark.parametrize("delay", [0.001, 0.02, 0.2])
@pytest.mark.parametrize("during", ["idle", "command", "always"])
@pytest.mark.parametrize("series", ["ML307R", "MN316"])
def test_a_urc_held_back_until_what_it_counts_was_read_breaks_nothing(rigs, series, during, delay):
    network = LoopNetwork()
    network.listen("a.example", 6, Pieces())
    rig = rigs(series, network=network, answer_delay=delay, urc_during=during)
    rig.modem.attach()
    assert rig.modem.connect("a.example", 6).read() == b"".join(Pieces.PIECES)


@pytest.mark.parametrize("timeout", [0.2, 1])
def test_reads_of_less_time_than_a_module_is_busy_only_time_out(peers, timeout):
    rig, _, stream = peers()
    stream.settimeout(timeout)
    rig.module.reply(b"AT+MIPRD=0,", BUSY[0], 12)
    for _ in range(30):
        try:
            got = stream.read(10)
            break
        except Timeout:
            pass
    assert got == b"0123456789"


@pytest.mark.parametrize("timeout", [1e6, 1e7])
def test_a_streams_time_of_weeks_is_no_reason_to_give_up_at_once(peers, timeout):
    rig, peer, stream = peers()
    stream.settimeout(timeout)
    rig.module.reply(b"AT+MIPSEND=0,", BUSY[0], 3)
    stream.write(b"x")
    rig.clock.advance(1)
    assert peer.got == b"x"

# SPDX-License-Identifier: MIT
"""Many connections on a virtual clock: their ids, their closing, and much traffic on them."""

import io
import random

import pytest
from onemo.errors import ConnectionLost, ModemError, Timeout
from onemo_simulator import LoopNetwork

from .conftest import HOST, Sink, Talker, commands, network, talker


def test_many_connections_keep_their_bytes_apart(rig):
    streams = [rig.modem.connect(HOST, 7) for _ in range(6)]
    with pytest.raises(ModemError, match="in use"):
        rig.modem.connect(HOST, 7)
    for number, stream in enumerate(streams):
        stream.write(bytes([number]) * 2000)
    for number, stream in enumerate(streams):
        assert stream.read(2000) == bytes([number]) * 2000
    streams[3].close()
    again = rig.modem.connect(HOST, 7)
    again.write(b"new")
    assert again.read(3) == b"new"
    with pytest.raises(ConnectionLost):
        streams[3].read(1)


def test_a_hundred_connections_one_after_the_other(rig):
    for number in range(100):
        with rig.modem.connect(HOST, 7) as stream:
            stream.write(b"%d\n" % number)
            assert stream.readline() == b"%d\n" % number


@pytest.mark.parametrize("word", [b"+MIPCLOSE: %d", b'+MIPURC: "disconn",%d,1'])
def test_a_late_word_of_closing_does_not_hit_the_next_user(rigs, word):
    rig = rigs(close_delay=0.05)
    others = [rig.modem.connect(HOST, 7) for _ in range(5)]
    first = rig.modem.connect(HOST, 7)
    number = first._connection.id
    first.close()
    opening = rig.network.open

    def open_late(*args):
        rig.module.urc(word % number)  # as the new connection opens
        return opening(*args)

    rig.network.open = open_late
    second = rig.modem.connect(HOST, 7)  # the one id that there is
    assert second._connection.id == number
    second.write(b"mine")
    assert second.read(4) == b"mine"
    assert len(others) == 5


def test_an_id_rests_when_its_closing_is_not_confirmed(rigs):
    rig = rigs(close_delay=8.0)
    streams = [rig.modem.connect(HOST, 7) for _ in range(6)]
    streams[0].close()
    before = rig.clock.now()
    stream = rig.modem.connect(HOST, 7)
    assert 7.5 < rig.clock.now() - before < 12
    stream.write(b"x")
    assert stream.read(1) == b"x"


@pytest.mark.parametrize("answer", ["551", "error", "ok"])
def test_closing_what_is_closed(rigs, answer):
    rig = rigs(close_free=answer)
    stream = rig.modem.connect(HOST, 7)
    rig.module.sockets._used.clear()
    stream.close()
    stream.close()
    assert rig.modem.connect(HOST, 7).write(b"x") == 1


def test_connections_of_an_earlier_life_are_closed(rigs):
    rig = rigs()
    for _ in range(6):
        rig.modem.connect(HOST, 7)
    fresh = rig.new_driver()  # the board was reset, the module was not
    fresh.start()
    stream = fresh.connect(HOST, 7)
    stream.write(b"x")
    assert stream.read(1) == b"x"
    assert len(commands(rig, b"AT+MIPCLOSE")) == 6


def test_connections_that_failed_are_taken_back_when_ids_run_out(rigs):
    net = network()
    net.listen(HOST, 20, Talker(b"", end=2))
    rig = rigs(network=net)
    good = rig.modem.connect(HOST, 7)
    for _ in range(20):  # never closed, as umqtt.robust leaves them
        stream = rig.modem.connect(HOST, 20)
        with pytest.raises(ConnectionLost):
            stream.read(1)
    for _ in range(20):
        stream = rig.modem.connect(HOST, 7)
        stream.settimeout(0.1)
        with pytest.raises(Timeout):
            stream.read(1)
    good.write(b"alive")
    assert good.read(5) == b"alive"


def test_two_tls_connections_are_all_of_an_mn316(rigs):
    rig = rigs("MN316", mipcfg_ssl=True)
    context = rig.modem.tls(1)
    context.configure(0)
    first, second = (rig.modem.connect(HOST, 7, tls=context) for _ in range(2))
    before = len(rig.module.commands)
    with pytest.raises(ModemError, match="2 with TLS"):
        rig.modem.connect(HOST, 7, tls=context)
    assert not any(b"MIPOPEN" in command for command in rig.module.commands[before:])
    plain = rig.modem.connect(HOST, 7)
    first.close()
    third = rig.modem.connect(HOST, 7, tls=context)
    for stream in (second, plain, third):
        stream.write(b"x")
        assert stream.read(1) == b"x"


def test_a_megabyte_each_way_over_three_connections(rigs):
    """With reads and writes cut at random, and URCs of all kinds in between."""
    net = LoopNetwork()
    net.latency = 0
    for number in range(3):
        net.listen(HOST, number + 1, Sink())
        net.listen(HOST, number + 11, Talker(random.Random(number).randbytes(350000), piece=3000))
    rig = rigs(
        network=net, uart={"seed": 3, "short_reads": 0.3, "short_writes": 0.3, "nothing": 0.05}
    )
    choice = random.Random(5)
    outward = [random.Random(number + 100).randbytes(350000) for number in range(3)]
    writers = [rig.modem.connect(HOST, number + 1) for number in range(3)]
    readers = [rig.modem.connect(HOST, number + 11) for number in range(3)]
    sent, got = [0, 0, 0], [b"", b"", b""]
    heard = []
    rig.modem.on_urc(b"+CEREG:", heard.append)
    buf = bytearray(5000)
    open_ones = {0, 1, 2}
    while open_ones or min(sent) < 350000:
        rig.module.urc(choice.choice([b"+CEREG: 1", b'+MIPURC: "ack",1,5', b"+MLPMEXIT", b"OK?"]))
        number = choice.randrange(3)
        n = choice.choice([1, 100, 5000, 20000])
        data = outward[number][sent[number] : sent[number] + n]
        sent[number] += writers[number].write(data)
        number = choice.randrange(3)
        if number in open_ones:
            kind = choice.randrange(3)
            if kind == 0:
                got[number] += buf[: readers[number].readinto(buf)]
            elif kind == 1:
                got[number] += readers[number].read(choice.choice([1, 200, 3000, 9000]))
            else:
                got[number] += readers[number].readline()
            if len(got[number]) == 350000:
                assert readers[number].read() == b""
                open_ones.discard(number)
    for number in range(3):
        assert got[number] == random.Random(number).randbytes(350000)
        assert bytes(net.connections[number].sent) == outward[number]
    assert len(heard) > 20


def test_a_flood_stays_in_the_module_until_it_is_read(rigs):
    data = random.Random(9).randbytes(1_000_000)
    rig = rigs(network=talker(data))
    stream = rig.modem.connect(HOST, 20)
    for _ in range(20):
        rig.clock.advance(1)
        rig.modem.command("+CSQ")
    assert len(stream._readahead) == 0
    assert len(rig.modem.channel._rx) < 400
    sink = io.BytesIO()
    buf = bytearray(4096)
    while n := stream.readinto(buf):
        sink.write(buf[:n])
    assert sink.getvalue() == data


@pytest.mark.parametrize("looks_for_speed", [False, True])
def test_a_second_start_is_no_reboot(rigs, looks_for_speed):
    rig = rigs(started=False, driver={"reopen": lambda baud: rig.uart} if looks_for_speed else {})
    told = []
    rig.modem.on_event(lambda kind, text: told.append(kind))
    rig.modem.start()
    stream = rig.modem.connect(HOST, 7)
    for _ in range(3):
        rig.modem.start()
        assert (told, rig.modem.boot_count) == ([], 1)
        stream.write(b"still here")
        assert stream.read(10) == b"still here"
    stream.close()

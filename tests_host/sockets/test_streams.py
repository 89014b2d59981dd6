"""Blocking streams on a virtual clock: what comes, what goes, and how it ends."""

import errno
import io
import json
import random

import pytest
from onemo.errors import ConnectionLost, ModemError, Timeout
from onemo_tools.simulator import Fault, LoopNetwork

from .conftest import HOST, Sink, Talker, commands, network, sends


def talker(data, **how):
    net = network()
    net.listen(HOST, 20, Talker(data, **how))
    return net


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
    with pytest.raises(ConnectionLost):  # how it ended nobody knows
        stream.read(1)
    assert rig.clock.now() - before < 15


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
    number = first._link.id
    first.close()
    opening = rig.network.open

    def open_late(*args):
        rig.module.urc(word % number)  # as the new connection opens
        return opening(*args)

    rig.network.open = open_late
    second = rig.modem.connect(HOST, 7)  # the one id that there is
    assert second._link.id == number
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


class Chatter(Talker):
    """Echoes, in random pieces."""

    def __init__(self, seed):
        super().__init__(b"", end=None)
        self.random = random.Random(seed)

    def on_data(self, conn, data):
        while data:
            n = self.random.randint(1, 2000)
            conn.reply(data[:n], self.random.random() / 100)
            data = data[n:]


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
    assert len(stream._ahead) == 0
    assert len(rig.modem.channel._rx) < 400
    sink = io.BytesIO()
    buf = bytearray(4096)
    while n := stream.readinto(buf):
        sink.write(buf[:n])
    assert sink.getvalue() == data

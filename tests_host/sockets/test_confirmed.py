# SPDX-License-Identifier: MIT
"""What is confirmed before it is believed: certificates before a handshake, counts, ends, closes;
and what a far peer gets from a host that starts anew."""

import io

import pytest
from onemo import AUTH_SERVER, CERT
from onemo.errors import CommandError, ConnectionLost, ProtocolError, Timeout

from tests_host.driver.conftest import pem

from .conftest import HOST, Sink, Talker


def test_a_certificate_that_the_module_lacks_is_named_before_the_handshake(rigs):
    rig = rigs()
    rig.modem.certs.write("ca.pem", io.BytesIO(pem(500)))
    rig.modem.tls(1).configure(AUTH_SERVER, ca="ca.pem", ignorestamp=True)
    del rig.module.store.objects[CERT, "ca.pem"]
    with pytest.raises(CommandError, match=r"ca\.pem") as caught:
        rig.modem.connect(HOST, 7, rig.modem.tls(1))
    assert caught.value.code == 762
    assert not [c for c in rig.module.commands if c.startswith(b"AT+MIPOPEN")]


def test_what_a_connection_uses_is_not_rewritten_unless_told(rigs):
    rig = rigs()
    rig.modem.certs.write("ca.pem", io.BytesIO(pem(500)))
    rig.modem.tls(1).configure(AUTH_SERVER, ca="ca.pem", ignorestamp=True)
    stream = rig.modem.connect(HOST, 7, rig.modem.tls(1))
    assert rig.modem.certs.write("ca.pem", io.BytesIO(pem(500))) is False
    with pytest.raises(ValueError, match="in use by connection 0"):
        rig.modem.certs.write("ca.pem", io.BytesIO(pem(600)))
    assert rig.module.store.certs["ca.pem"] == pem(500)
    assert rig.modem.certs.write("ca.pem", io.BytesIO(pem(600)), in_use_ok=True) is True
    stream.close()


@pytest.mark.parametrize("limit", [1, 10, 300, 5000])
def test_a_line_without_an_end_ends_and_loses_nothing(rigs, limit):
    rig = rigs()
    data = bytes(range(65, 91)) * 400
    rig.network.listen(HOST, 20, Talker(data, piece=700, end=None))
    stream = rig.modem.connect(HOST, 20)
    stream.line_max = limit
    with pytest.raises(ProtocolError, match="no line end"):
        stream.readline()
    assert stream.readline(5) == data[:5]
    assert stream.read(2000) == data[5:2005]


@pytest.mark.parametrize("total", [b"4,4,0,0", b"9,9,0,0"])
def test_a_partial_send_counts_once_the_total_agrees(rigs, total):
    rig = rigs()
    stream = rig.modem.connect(HOST, 7)
    rig.module.reply(b"AT+MIPSACK", b"+MIPSACK: " + total + b"\r\n\r\nOK")
    rig.module.quirks.partial_send = 4
    if total.startswith(b"9"):
        with pytest.raises(ConnectionLost, match="in all"):
            stream.write(b"12345678")
        return
    stream.write(b"1234")
    rig.module.quirks.partial_send = None
    stream.write(b"5678")
    assert stream.read(8) == b"12345678"


@pytest.mark.parametrize(("count", "told"), [("before", "15"), ("after", "lost on their way")])
def test_more_sent_than_was_written_ends_the_connection(rigs, monkeypatch, count, told):
    # A CR inside its MIPSEND: the rest of the command goes to the peer, once the module has waited
    # for more. Where the count comes after the OK, that time tells it.
    rig = rigs(strict=False, send_line=count)
    stream = rig.modem.connect(HOST, 7)
    feed = rig.module.feed

    def damaged(data):
        feed(bytes(data).replace(b"=0,11", b"=0\r,11"))

    monkeypatch.setattr(rig.module, "feed", damaged)
    with pytest.raises(ConnectionLost, match=told):
        stream.write(b"hello world")
        stream.read(1)


@pytest.mark.parametrize("answer", [b"+CME ERROR: 551", b"+MIPRD: 0,0\r\n\r\nOK", b"OK"])
def test_an_end_before_all_that_was_announced_is_none(rigs, answer):
    rig = rigs()
    rig.network.listen(HOST, 20, Talker(b"readings of today"))
    stream = rig.modem.connect(HOST, 20)
    rig.clock.advance(5)
    rig.modem.channel.ready()
    rig.module.reply(b"AT+MIPRD", answer, None)
    with pytest.raises((ConnectionLost, ProtocolError, CommandError)):
        stream.read(17)


@pytest.mark.parametrize(
    "answer",
    [b"0,,0,17,readings of today", b"0,,17,readings of today", b"0,0,0,readings of today"],
)
@pytest.mark.parametrize("announced", [True, False])
def test_data_behind_damaged_counts_is_no_end(rigs, answer, announced):
    rig = rigs()
    rig.network.listen(HOST, 20, Talker(b"readings of today"))
    stream = rig.modem.connect(HOST, 20)
    if announced:
        rig.clock.advance(5)
        rig.modem.channel.ready()
    rig.module.reply(b"AT+MIPRD", b"OK", lines=[b"+MIPRD: " + answer])
    with pytest.raises((ConnectionLost, ProtocolError)):
        stream.read(17)


@pytest.mark.parametrize("series", ["MN316A", "MN318", "MN319", "MN326A", "ML307R"])
def test_packets_that_wait_are_read_one_by_one_where_the_model_gives_no_more(rigs, series):
    data = bytes(range(256)) * 12
    rig = rigs(series)
    rig.network.listen(HOST, 20, Talker(data, piece=400))
    with rig.modem.connect(HOST, 20) as stream:
        rig.clock.advance(5)  # all of them are there
        rig.modem.channel.ready()
        assert stream.read(len(data)) == data


def test_a_close_that_nothing_confirmed_is_told_by_asyncio_too(aios):
    rig = aios()

    async def main():
        stream = await rig.aio.connect(HOST, 7)
        rig.module.reply(b"AT+MIPCLOSE", None)
        with pytest.raises(Timeout):
            await stream.aclose()
        await stream.aclose()  # twice is harmless
        await (await rig.aio.connect(HOST, 7)).aclose()
        rig.clock.advance(5)
        assert {rig.module.sockets.get(number) for number in range(6)} == {None}

    rig.run(main())


def test_an_end_that_is_none_is_not_believed(rigs):
    rig = rigs()
    stream = rig.modem.connect(HOST, 7)
    stream.write(b"hello\n")
    rig.module.urc(b'+MIPURC: "disconn",0,1')
    assert stream.readline() == b"hello\n"
    stream.settimeout(2)
    with pytest.raises(Timeout):  # it is open: no b""
        stream.read(1)
    stream.write(b"again\n")
    assert stream.readline() == b"again\n"


# A host that starts anew


def opened(rigs, mode, **quirks):
    """A rig, whose module has a connection of an earlier driver in this access mode, and what its
    peer gets."""
    rig = rigs(strict=False, **quirks)
    rig.network.listen("sink.example", 9, Sink())
    rig.modem.attach()
    rig.module.feed(b'AT+MIPOPEN=0,"TCP","sink.example",9,30,%d\r' % mode)
    for _ in range(3):
        rig.clock.advance(1.0)
        rig.module.take()
    return rig, rig.network.connections[-1].sent


@pytest.mark.parametrize("guard", [0.0, 1.0])
@pytest.mark.parametrize("data", [b"", b"data"])
@pytest.mark.parametrize("talks", [False, True])
def test_a_module_left_in_transparent_mode_is_escaped(rigs, guard, data, talks):
    rig, sent = opened(rigs, 1, transparent_guard=guard)
    for second in range(30 if talks else 0):
        rig.network.connections[-1].reply(b"\r\nOK\r\nnews\r\n", second * 0.3)
    rig.module.feed(data)
    rig.clock.advance(1.0)
    modem = rig.new_driver()
    modem.start()
    assert modem.command("+CSQ") == [b"+CSQ: 24,99"]
    assert bytes(sent) == data + b"AT+CMEE?\r"  # one probe, no filler


@pytest.mark.parametrize("size", [20, 300])
def test_a_module_left_in_a_send_gets_no_filler(rigs, size):
    rig, sent = opened(rigs, 2)
    rig.module.feed(b"AT+MIPSEND=0,%d\r" % size)
    rig.clock.advance(0.1)
    rig.module.feed(b"data")
    rig.clock.advance(0.1)
    rig.module.take()  # the prompt was for the host before
    modem = rig.new_driver()
    modem.start()
    assert modem.command("+CSQ") == [b"+CSQ: 24,99"]
    assert b"\r\r" not in bytes(sent)
    assert bytes(sent).startswith(b"data")
    assert bytes(sent).count(b"AT") <= 1, bytes(sent)


def test_half_a_command_of_an_earlier_host_needs_no_escape(rigs):
    rig = rigs(strict=False)
    rig.module.feed(b"AT+MSSLL")
    rig.clock.advance(1.0)
    modem = rig.new_driver()
    began = rig.clock.now()
    modem.start()
    assert modem.model == "ML307R"
    assert not [c for c in rig.module.commands if b"+++" in c]
    assert rig.clock.now() - began < 5

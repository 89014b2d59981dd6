# SPDX-License-Identifier: MIT
"""What a connection says on the line, command by command and in which time; what it makes of
answers that are odd; and its sentences."""

import pytest
from onemo import AUTH_SERVER
from onemo.errors import (
    CommandError,
    ConnectionLost,
    ModemError,
    ModemReset,
    ProtocolError,
    Timeout,
    VerifyError,
)
from onemo_simulator import EchoPeer, LoopNetwork
from rigs import unknown

from .conftest import HOST, Talker, network, talker

SAFE = ["auth", "cert", "version", "ciphersuite", "ignorestamp", "ignoreverify"]


def fresh(rigs, *args, **settings):
    """A rig that is attached, and whose commands begin now."""
    rig = rigs(*args, **settings)
    rig.modem.attach()
    rig.module.commands.clear()
    return rig


def since(rig):
    """The commands since the last time."""
    found = list(rig.module.commands)
    rig.module.commands.clear()
    return found


def opening(number, *, ssl=b"0", encoding=b"0", port=7, seconds=55):
    return [
        b'AT+MIPCFG="ssl",%d,%b' % (number, ssl),
        b'AT+MIPCFG="ssl",%d' % number,
        b'AT+MIPCFG="encoding",%d,%b,0' % (number, encoding),
        b'AT+MIPCFG="autofree",%d,1' % number,
        b'AT+MIPOPEN=%d,"TCP","%b",%d,%d,2' % (number, HOST.encode(), port, seconds),
        b"AT+MIPSTATE=%d" % number,
    ]


# The life of a connection


@pytest.mark.parametrize(
    ("series", "encoding", "send"),
    [
        ("ML307R", b"0", b"AT+MIPSEND=0,6"),
        ("MN316", b"1", b'AT+MIPSEND=0,6,"68656c6c6f0a"'),
    ],
)
def test_a_life(rigs, series, encoding, send):
    rig = fresh(rigs, series, mipcfg_ssl=True)
    stream = rig.modem.connect(HOST, 7)
    assert since(rig) == [b"AT+MIPSTATE?", *opening(0, encoding=encoding)]
    assert repr(stream) == "<Stream of connection 0>"
    assert stream.get_extra_info("peername") == (HOST, 7)
    assert stream.get_extra_info("socket", 5) == 5
    assert stream.write(b"hello\n") == 6
    assert stream.readline() == b"hello\n"
    assert since(rig) == [send, b"AT+MIPRD=0,256"]
    stream.close()
    stream.close()
    assert since(rig) == [b"AT+MIPCLOSE=0"]
    with pytest.raises(ConnectionLost) as caught:
        stream.read(1)
    assert str(caught.value) == "connection 0 is over: it was closed"
    # The next one takes the next id, and need not look what is open.
    rig.modem.connect(HOST, 7)
    assert since(rig) == opening(1, encoding=encoding)


def test_ids_go_round(rigs):
    rig = fresh(rigs)
    for number in (0, 1, 2, 3, 4, 5, 0, 1):
        with rig.modem.connect(HOST, 7):
            assert b"AT+MIPSTATE=%d" % number in since(rig)
        since(rig)


@pytest.mark.parametrize("series", ["ML307R", "MR880A"])
def test_tls_is_read_back_and_what_is_safe_is_not_sent_again(rigs, series):
    rig = fresh(rigs, series)
    tls = rig.modem.tls(1)
    tls.configure(0)
    since(rig)
    rig.modem.connect(HOST, 7, tls)
    read = [b'AT+MSSLCFG="%s",1' % name.encode() for name in SAFE]
    if series == "MR880A":
        read.append(b'AT+MSSLCFG="sni",1')
    encoding = b"0" if rig.modem.require_model().prompt else b"1"
    assert since(rig) == [b"AT+MIPSTATE?", *read, *opening(0, ssl=b"1,1", encoding=encoding)]


@pytest.mark.parametrize(
    ("timeout_ms", "seconds"), [(6000, 1), (6999, 1), (7000, 2), (65000, 60), (600000, 180)]
)
def test_the_module_gives_up_before_the_host(rigs, timeout_ms, seconds):
    rig = fresh(rigs)
    rig.modem.connect(HOST, 7, timeout_ms=timeout_ms)
    assert since(rig)[1:] == opening(0, seconds=seconds)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (("", 7), ValueError, "^host "),
        (("h" * 254, 7), ValueError, "^host .*253"),
        ((7, 7), TypeError, "^host "),
        ((HOST, 0), ValueError, "port is 0; it must be 1 to 65535"),
        ((HOST, 65536), ValueError, "port is 65536; it must be 1 to 65535"),
        ((HOST, 7, None, 5999), ValueError, "timeout_ms is 5999; it must be 6000 to 600000"),
        ((HOST, 7, None, 600001), ValueError, "timeout_ms is 600001; it must be 6000 to 600000"),
        (
            (HOST, 7, 1),
            TypeError,
            r"tls is 1; it must be a context, modem.tls\(ssl_id\), or None",
        ),
    ],
)
def test_wrong_arguments(rigs, arguments, error, text):
    rig = fresh(rigs)
    with pytest.raises(error, match=text):
        rig.modem.connect(*arguments)
    assert since(rig) == []


@pytest.mark.parametrize(("port", "works"), [(1, True), (65535, True)])
def test_ports(rigs, port, works):
    net = LoopNetwork()
    net.listen(HOST, port, EchoPeer())
    rig = fresh(rigs, network=net)
    assert (rig.modem.connect(HOST, port) is not None) is works


@pytest.mark.parametrize(
    ("negotime_s", "timeout_ms", "told"),
    [(45, 60000, False), (60, 60000, False), (61, 60000, True), (20, 19999, True)],
)
def test_a_handshake_with_too_little_time_is_told_once(rigs, negotime_s, timeout_ms, told):
    rig = fresh(rigs)
    events = []
    rig.modem.on_event(lambda kind, text: events.append((kind, text)))
    tls = rig.modem.tls(2)
    tls.configure(0, negotime_s=negotime_s)
    for _ in range(2):
        rig.modem.connect(HOST, 7, tls, timeout_ms=timeout_ms).close()
    assert events == told * [
        (
            "negotime",
            f"negotime_s of TLS context 2 is {negotime_s}, but connect gives up after "
            f"{timeout_ms} ms: a handshake that takes longer ends with that; raise timeout_ms, "
            "or lower negotime_s",
        )
    ]


# Looking at the new one


def test_a_busy_module_is_looked_at_twice(rigs):
    rig = fresh(rigs)
    rig.module.reply(b"AT+MIPSTATE=0", b"+CME ERROR: 14")
    began = rig.clock.now()
    rig.modem.connect(HOST, 7)
    assert since(rig)[-2:] == [b"AT+MIPSTATE=0"] * 2
    assert 0.1 < rig.clock.now() - began < 3


def test_one_that_does_not_show_is_closed(rigs):
    rig = fresh(rigs)
    rig.module.reply(b"AT+MIPSTATE=0", b"+CME ERROR: 14", times=2)
    with pytest.raises(VerifyError) as caught:
        rig.modem.connect(HOST, 7)
    assert str(caught.value) == (
        f"the module does not show connection 0 to {HOST}:7 as connected; it was closed, "
        "connect again"
    )
    assert since(rig)[-3:] == [b"AT+MIPSTATE=0"] * 2 + [b"AT+MIPCLOSE=0"]
    rig.modem.connect(HOST, 7).close()


def test_a_module_that_shows_no_state_is_believed(rigs):
    rig = fresh(rigs)
    line = b'+MIPSTATE: 0,"TCP","%b",7' % HOST.encode()
    rig.module.reply(b"AT+MIPSTATE=0", b"OK", lines=[line])
    assert rig.modem.connect(HOST, 7).write(b"x") == 1


def test_one_that_ended_at_once_is_no_other(rigs):
    rig = fresh(rigs, network=talker(b"bye"))
    assert rig.modem.connect(HOST, 20).read() == b"bye"


def ssl_read(lines):
    return {"answer": b"OK", "lines": lines}


@pytest.mark.parametrize(
    ("tls", "line", "good"),
    [
        (False, b'+MIPCFG: "ssl",0,0', True),
        (False, b'+MIPCFG: "ssl",0,0,1', True),
        (False, b'+MIPCFG: "ssl",0,1,1', False),
        (False, b'+MIPCFG: "ssl",1,0', False),
        (False, b'+MIPCFG: "encoding",0,0', False),
        (False, b'+MIPCFG: "ssl",0', False),
        (True, b'+MIPCFG: "ssl",0,1,1', True),
        (True, b'+MIPCFG: "ssl",0,1,2', False),
        (True, b'+MIPCFG: "ssl",0,0,1', False),
        (True, b'+MIPCFG: "ssl",0,0', False),
        (True, b'+MIPCFG: "ssl",1,1,1', False),
    ],
)
def test_tls_of_a_connection_is_as_asked_or_nothing_is_opened(rigs, tls, line, good):
    rig = fresh(rigs)
    context = rig.modem.tls(1)
    context.configure(0)
    since(rig)
    # After the setting, for a prefix would match that as well.
    rig.module.reply(b'AT+MIPCFG="ssl",0,', b"OK")
    rig.module.reply(b'AT+MIPCFG="ssl",0', b"OK", lines=[line])
    if good:
        rig.modem.connect(HOST, 7, context if tls else None)
        return
    with pytest.raises(VerifyError, match=r"keeps TLS of connection 0 at .*nothing was opened"):
        rig.modem.connect(HOST, 7, context if tls else None)
    assert not [command for command in since(rig) if b"MIPOPEN" in command]


@pytest.mark.parametrize("answer", [b"+CME ERROR: 50", b"+CME ERROR: 4", b"ERROR"])
@pytest.mark.parametrize("tls", [False, True])
def test_a_model_without_tls_on_its_sockets(rigs, answer, tls):
    rig = fresh(rigs, "MN316", mipcfg_ssl=False)
    rig.module.reply(b'AT+MIPCFG="ssl"', answer, times=None)
    context = None
    if tls:
        context = rig.modem.tls(1)
        context.configure(0)
        with pytest.raises(ModemError) as caught:
            rig.modem.connect(HOST, 7, context)
        assert str(caught.value) == 'MN316 refuses TLS on its sockets (MIPCFG "ssl")'
        return
    assert rig.modem.connect(HOST, 7).write(b"x") == 1


def test_another_refusal_of_that_is_an_error(rigs):
    rig = fresh(rigs, "MN316", mipcfg_ssl=False)
    rig.module.reply(b'AT+MIPCFG="ssl"', b"+CME ERROR: 3")
    with pytest.raises(CommandError) as caught:
        rig.modem.connect(HOST, 7)
    assert caught.value.code == 3


# What verify_op makes of a refusal


@pytest.mark.parametrize("code", [50, 4, None])
@pytest.mark.parametrize("name", ["version", "ignorestamp"])
def test_one_refusal_while_a_context_is_looked_at_is_asked_again(rigs, name, code):
    rig = fresh(rigs)
    tls = rig.modem.tls(1)
    tls.configure(0)
    since(rig)
    answer = b"ERROR" if code is None else b"+CME ERROR: %d" % code
    rig.module.reply(b'AT+MSSLCFG="%s",1' % name.encode(), answer)
    rig.modem.connect(HOST, 7, tls)
    read = b'AT+MSSLCFG="%s",1' % name.encode()
    asked = [command for command in since(rig) if command.startswith(read)]
    value = {"version": b"3", "ignorestamp": b"0"}[name]
    assert asked == [read, read + b"," + value, read]
    assert rig.modem.absent == ()


def test_what_stays_different_is_told_with_what_it_is(rigs):
    rig = fresh(rigs)
    tls = rig.modem.tls(1)
    tls.configure(0, ciphersuite=0xC030)
    rig.module.quirks.ignored_options = frozenset({"ciphersuite"})
    rig.module.contexts.set(1, "ciphersuite", (0xC02F,))
    with pytest.raises(VerifyError) as caught:
        rig.modem.connect(HOST, 7, tls)
    assert str(caught.value) == (
        "the module keeps ciphersuite of TLS context 1 at 49199, not 49200; "
        "no connection is safe with it"
    )
    assert not [command for command in since(rig) if b"MIPOPEN" in command]


@pytest.mark.parametrize(("name", "code"), [("auth", 50), ("cert", 4), ("version", 3)])
def test_another_refusal_opens_nothing(rigs, name, code):
    rig = fresh(rigs)
    tls = rig.modem.tls(1)
    tls.configure(0)
    since(rig)
    rig.module.reply(b'AT+MSSLCFG="%s",1' % name.encode(), b"+CME ERROR: %d" % code)
    with pytest.raises(CommandError) as caught:
        rig.modem.connect(HOST, 7, tls)
    assert caught.value.code == code
    assert not [command for command in since(rig) if b"MIPOPEN" in command]


def test_only_the_names_that_are_used_are_looked_for(rigs):
    rig = fresh(rigs)
    tls = rig.modem.tls(1)
    tls.configure(AUTH_SERVER, ca="ca.pem", ignorestamp=True)
    since(rig)
    with pytest.raises(CommandError):
        rig.modem.connect(HOST, 7, tls)
    assert [command for command in since(rig) if b"MSSLCHECK" in command] == [
        b'AT+MSSLCHECK="ca.pem"'
    ]


# Closing


@pytest.mark.parametrize("shown", [b"INITIAL", b"CLOSED", b"CLOSING", b"DISCONNECTED", b""])
def test_a_close_without_its_word_is_looked_at(rigs, shown):
    rig = fresh(rigs, close_delay=5.0)
    stream = rig.modem.connect(HOST, 7)
    since(rig)
    rig.module.reply(b"AT+MIPSTATE=0", b"OK", lines=[b'+MIPSTATE: 0,"","",,"%b"' % shown])
    began = rig.clock.now()
    stream.close()
    assert since(rig) == [b"AT+MIPCLOSE=0", b"AT+MIPSTATE=0"]
    assert rig.clock.now() - began == pytest.approx(0.3, abs=0.05)
    # What is open is known; but this id rests until its word has come after all.
    others = [rig.modem.connect(HOST, 7) for _ in range(5)]
    assert b"AT+MIPSTATE?" not in since(rig)
    assert rig.clock.now() - began < 4
    rig.modem.connect(HOST, 7)
    assert 5.3 < rig.clock.now() - began < 6
    assert len(others) == 5


@pytest.mark.parametrize(
    "line",
    [
        b'+MIPSTATE: 0,"TCP","%b",7,"CONNECTED"' % HOST.encode(),
        b'+MIPSTATE: 0,"TCP","%b' % HOST[:3].encode(),  # cut
        b'+MIPSTATE: 1,"","",,"INITIAL"',
        None,
    ],
)
def test_a_close_that_is_not_confirmed_is_sent_again(rigs, line):
    rig = fresh(rigs, close_delay=100.0)
    stream = rig.modem.connect(HOST, 7)
    since(rig)
    rig.module.reply(b"AT+MIPSTATE=0", b"OK", times=2, lines=[line] if line else [])
    stream.close()
    assert since(rig) == [b"AT+MIPCLOSE=0", b"AT+MIPSTATE=0"] * 2
    rig.modem.connect(HOST, 7)
    assert since(rig)[0] == b"AT+MIPSTATE?"  # it may be open still


@pytest.mark.parametrize(("answer", "times"), [(b"+CME ERROR: 551", 1), (b"ERROR", 2)])
def test_a_refused_look_means_that_there_is_none(rigs, answer, times):
    rig = fresh(rigs, close_delay=100.0)
    stream = rig.modem.connect(HOST, 7)
    since(rig)
    rig.module.reply(b"AT+MIPSTATE=0", answer, times=2)
    stream.close()
    assert since(rig) == [b"AT+MIPCLOSE=0", b"AT+MIPSTATE=0"] * times


def test_a_refused_close_rests_shortly(rigs):
    rig = fresh(rigs)
    stream = rig.modem.connect(HOST, 7)
    for _ in range(5):
        rig.modem.connect(HOST, 7)
    rig.module.reply(b"AT+MIPCLOSE=0", b"+CME ERROR: 551")
    rig.module.reply(b"AT+MIPSTATE=0", b"+CME ERROR: 551")
    stream.close()
    began = rig.clock.now()
    rig.module.sockets._used.pop(0, None)
    rig.modem.connect(HOST, 7)
    assert 0.1 < rig.clock.now() - began < 1


def test_what_an_earlier_life_left_is_closed(rigs):
    rig = fresh(rigs)
    lines = [
        b'+MIPSTATE: 0,"","",,"INITIAL"',
        b'+MIPSTATE: 1,"TCP","%b",7,"CONNECTED"' % HOST.encode(),
        b'+MIPSTATE: 2,"","",,"INITIAL"',
        b'+MIPSTATE: 3,"TCP","%b",7,"CLOSING"' % HOST.encode(),
        b'+MIPSTATE: 77,"TCP","%b",7,"CONNECTED"' % HOST.encode(),
        b"+MIPSTATE: x",
    ]
    rig.module.reply(b"AT+MIPSTATE?", b"OK", lines=lines)
    rig.module.reply(b"AT+MIPCLOSE=", b"+CME ERROR: 551", times=2)
    rig.module.reply(b"AT+MIPSTATE=", b"+CME ERROR: 551", times=2)
    rig.modem.connect(HOST, 7)
    assert since(rig)[:5] == [
        b"AT+MIPSTATE?",
        b"AT+MIPCLOSE=1",
        b"AT+MIPSTATE=1",
        b"AT+MIPCLOSE=3",
        b"AT+MIPSTATE=3",
    ]


def test_a_module_that_does_not_tell_gets_all_closed(rigs):
    rig = fresh(rigs)
    rig.module.reply(b"AT+MIPSTATE?", b"+CME ERROR: 50")
    rig.modem.connect(HOST, 7)
    closed = [command for command in since(rig) if b"MIPCLOSE" in command]
    assert closed == [b"AT+MIPCLOSE=%d" % number for number in range(6)]


def test_none_is_left(rigs):
    rig = fresh(rigs)
    for _ in range(6):
        rig.modem.connect(HOST, 7)
    with pytest.raises(ModemError) as caught:
        rig.modem.connect(HOST, 7)
    assert str(caught.value) == (
        "all connections of the module are in use (ML307R has 6, all with TLS): close one first"
    )


def test_a_failed_one_is_taken_back_and_says_so(rigs):
    rig = fresh(rigs)
    streams = [rig.modem.connect(HOST, 7) for _ in range(6)]
    streams[2].settimeout(1)
    with pytest.raises(Timeout, match="nothing to read from connection 2 within 1000 ms"):
        streams[2].read(1)
    rig.modem.connect(HOST, 7)
    with pytest.raises(ConnectionLost) as caught:
        streams[2].read(1)
    assert str(caught.value) == "connection 2 is over: it was closed" or str(
        caught.value
    ).endswith("after it had failed, its id was needed for another")
    for number in (0, 1, 3, 4, 5):
        assert streams[number].write(b"x") == 1


@pytest.mark.parametrize("under_way", [None, KeyError])
def test_an_error_of_closing_gives_way_to_the_one_that_is_under_way(rigs, under_way):
    rig = fresh(rigs)
    stream = rig.modem.connect(HOST, 7)
    rig.module.power_off()
    with pytest.raises(under_way or Timeout), stream as same:
        assert same is stream
        if under_way:
            raise under_way


# What URCs tell


@pytest.mark.parametrize(
    "urc",
    [
        b'+MIPURC: "disconn",0,1',
        b'+MIPURC: "disconn",7,1',
        b'+MIPURC: "disconn",x,1',
        b'+MIPURC: "disconn"',
        b'+MIPURC: "other",1,1',
        b'+MIPURC: "rtcp",0,4,4',
        b'+MIPURC: "rudp",1,4,4',
        b"+MIPCLOSE: 0",
        b"+MIPCLOSE: 9",
        b"+MIPCLOSE: 6",
        b'+MIPURC: "disconn",6,1',
        b"+MIPOPEN: 6,0",
        b"+MIPSEND: 6,1",
        b"+MIPCLOSE:",
        b"+MIPOPEN: 1,558",
        b"+MIPOPEN: 1",
        b"+MIPSEND: 0,1",
        b"+MIPSEND: 1",
    ],
)
def test_words_about_others_do_nothing(rigs, urc):
    rig = fresh(rigs)
    rig.modem.connect(HOST, 7).close()
    stream = rig.modem.connect(HOST, 7)  # connection 1
    since(rig)
    rig.module.urc(urc)
    rig.modem.command("+CSQ")
    assert stream.write(b"mine") == 4
    assert stream.read(4) == b"mine"
    assert since(rig) == [b"AT+CSQ", b"AT+MIPSEND=1,4", b"AT+MIPRD=1,256"]


BEHIND = b"+CSCON: 1\r\n\r\n"  # another's line, which comes with ours


def test_an_opening_that_is_told_right_behind_another_line(rigs):
    rig = fresh(rigs)
    rig.module.chatter(b"AT+MIPOPEN=0", BEHIND + b"+MIPOPEN: 0,558")
    with pytest.raises(CommandError) as caught:
        rig.modem.connect(HOST, 7)
    assert caught.value.code == 558


@pytest.mark.parametrize(
    ("urc", "text"),
    [
        (b'+MIPURC: "disconn",0,3', "the network is gone"),
        (b"+MIPCLOSE: 0", "reset by its peer"),
        (b"+MIPSEND: 0,2", "the module took 2 of 5 bytes"),
    ],
)
def test_what_is_told_right_behind_another_line(rigs, urc, text):
    rig = fresh(rigs, send_line="absent")
    stream = rig.modem.connect(HOST, 9)
    stream.write(b"12345")
    rig.module.chatter(b"AT+CSQ", BEHIND + urc)
    rig.modem.command("+CSQ")
    rig.module.reply(b"AT+MIPSTATE=0", b"OK", times=None, lines=[b'+MIPSTATE: 0,,,,"CLOSED"'])
    with pytest.raises(ConnectionLost, match=text):
        stream.read(1)


@pytest.mark.parametrize(
    ("urc", "text"),
    [
        (b'+MIPURC: "disconn",0,2', "connection 0 broke: reset by its peer, or by the network"),
        (b'+MIPURC: "disconn",0', "connection 0 broke: reset by its peer, or by the network"),
        (b'+MIPURC: "disconn",0,3', "connection 0 broke: the network is gone (PDP context)"),
        (b"+MIPCLOSE: 0", "connection 0 broke: reset by its peer, or by the network"),
    ],
)
def test_how_it_ended(rigs, urc, text):
    rig = fresh(rigs)
    stream = rig.modem.connect(HOST, 7)
    rig.module.urc(urc)
    rig.module.reply(b"AT+MIPSTATE=0", b"OK", times=None, lines=[b'+MIPSTATE: 0,,,,"CLOSED"'])
    with pytest.raises(ConnectionLost) as caught:
        stream.read(1)
    assert str(caught.value) == text
    with pytest.raises(ConnectionLost, match="the peer of connection 0 has gone"):
        stream.write(b"x")


def test_both_words_of_an_end_leave_the_first_reason(rigs):
    rig = fresh(rigs)
    stream = rig.modem.connect(HOST, 7)
    rig.module.urc(b'+MIPURC: "disconn",0,1')
    rig.module.urc(b"+MIPCLOSE: 0")
    rig.module.reply(b"AT+MIPSTATE=0", b"OK", times=None, lines=[b'+MIPSTATE: 0,,,,"CLOSED"'])
    assert stream.read(1) == b""  # in order


@pytest.mark.parametrize(
    ("urc", "over"),
    [
        (b'+MIPURC: "rtcp",0,3,3', False),
        (b'+MIPURC: "rtcp",0,3', False),
        (b'+MIPURC: "rtcp",0', False),
        (b'+MIPURC: "rtcp",0,3,0', False),
        (b'+MIPURC: "rtcp",0,3,', False),
        (b'+MIPURC: "rtcp",0,3,abc', True),
        (b'+MIPURC: "rtcp",0,3,"abc"', True),
    ],
)
def test_data_unasked_is_another_mode(rigs, urc, over):
    rig = fresh(rigs)
    stream = rig.modem.connect(HOST, 7)
    stream.write(b"abc")
    rig.clock.advance(0.5)
    rig.module.urc(urc)
    rig.modem.command("+CSQ")
    if not over:
        assert stream.read(3) == b"abc"
        return
    with pytest.raises(ConnectionLost) as caught:
        stream.read(3)
    assert str(caught.value) == (
        "connection 0 is over: the module sends data unasked, so it opened in another mode"
    )


def test_a_reboot_ends_it_and_says_so(rigs):
    rig = fresh(rigs)
    stream = rig.modem.connect(HOST, 7)
    rig.module.reboot()
    rig.clock.advance(5)
    with pytest.raises(ModemReset) as caught:
        stream.read(1)
    assert str(caught.value) == "the module rebooted: connection 0 is gone, connect again"


def test_whose_objects_are_in_use(rigs):
    rig = fresh(rigs)
    from onemo.net_links import connections_of

    tls = rig.modem.tls(1)
    tls.configure(0, ca="ca.pem")
    rig.module.store.objects[1, "ca.pem"] = b"x"
    stream = rig.modem.connect(HOST, 7, tls)
    links = connections_of(rig.modem)
    assert links.user_of("ca.pem") == 0
    assert links.user_of("other.pem") is None
    stream.close()
    assert links.user_of("ca.pem") is None


@pytest.mark.parametrize("end", ["broken", "ended", "reboot"])
def test_objects_of_a_connection_that_is_over_are_not_in_use(rigs, end):
    rig = fresh(rigs)
    tls = rig.modem.tls(1)
    tls.configure(0, ca="ca.pem")
    rig.module.store.objects[1, "ca.pem"] = b"x"
    stream = rig.modem.connect(HOST, 7, tls)
    if end == "broken":
        rig.module.reply(b"AT+MIPSEND=0", b"+CME ERROR: 50")
        with pytest.raises(CommandError):
            stream.write(b"x")
    elif end == "ended":
        rig.module.urc(b'+MIPURC: "disconn",0,1')
    else:
        rig.module.reboot()
        rig.clock.advance(5)
    rig.modem.command("+CSQ")
    assert rig.modem.connections.user_of("ca.pem") is None


def test_what_a_finaliser_could_not_close_is_closed_before_the_next_one(rigs):
    rig = fresh(rigs)
    connection = rig.modem.connect(HOST, 7)._connection
    rig.modem.connect(HOST, 7)
    connection.abandoned = True
    since(rig)
    rig.modem.connect(HOST, 7)
    assert since(rig)[0] == b"AT+MIPCLOSE=0"
    rig.modem.connect(HOST, 7)
    assert b"AT+MIPCLOSE=0" not in since(rig)


# Receiving


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"+MIPRD: 1,0,3,abc", "for connection 1"),
        (b"+MIPRD: x", "for connection None"),
        (b"+MIPRD: 0,5,2,ab", "2 bytes came, and 5 are left, where 3 were asked for"),
        (b"+MIPRD: 0,0,4,abcd", "4 bytes came, and 0 are left, where 3 were asked for"),
        (b"+MIPRD: 0,0,2,ab", "2 bytes came, and 0 are left, where 3 were asked for"),
        (b"+MIPRD: 0,x", r"AT\+MIPRD=0,3 has an answer that cannot be read"),
        (b"+MIPRD: 0,0,y", r"AT\+MIPRD=0,3 has an answer that cannot be read"),
    ],
)
def test_an_answer_that_does_not_fit_breaks_the_connection(rigs, line, text):
    rig = fresh(rigs)
    stream = rig.modem.connect(HOST, 7)
    rig.module.urc(b'+MIPURC: "rtcp",0,3,3')
    rig.module.reply(b"AT+MIPRD=0", b"OK", lines=[line])
    buf = bytearray(3)
    stream.readahead = 3
    with pytest.raises(ProtocolError, match=text):
        stream.readinto(buf)
    with pytest.raises(ConnectionLost, match="connection 0 is over"):
        stream.read(1)
    assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]


def test_what_comes_behind_an_answer_may_be_its_rest(rigs):
    rig = fresh(rigs, network=talker(b"0123456789"))
    stream = rig.modem.connect(HOST, 20)
    rig.clock.advance(1)
    assert stream.read(4) == b"0123"
    rig.module.urc(b"OK")  # no command waits for it
    rig.modem.command("+CSQ")
    assert stream.read(6) == b"456789"  # was read ahead
    with pytest.raises(ConnectionLost) as caught:
        stream.read(1)
    assert str(caught.value) == (
        "connection 0 is over: what was read last was not all of an answer"
    )


def test_announced_bytes_that_do_not_come(rigs):
    rig = fresh(rigs)
    stream = rig.modem.connect(HOST, 7)
    rig.module.urc(b'+MIPURC: "rtcp",0,5,5')
    rig.module.reply(b"AT+MIPRD=0", b"OK")
    with pytest.raises(ProtocolError, match="5 bytes had been announced, and none came"):
        stream.read(1)


@pytest.mark.parametrize(("told", "more"), [(2, b""), (2, b"de"), (5, b"defgh"), (1, b"")])
def test_a_urc_of_what_was_read_before_only_says_that_there_may_be_more(rigs, told, more):
    rig = fresh(rigs)
    stream = rig.modem.connect(HOST, 9)
    stream.settimeout(1)
    rig.module.urc(b'+MIPURC: "rtcp",0,1,1')
    rig.module.reply(b"AT+MIPRD=0", b"OK", lines=[b"+MIPRD: 0,0,3,abc"])
    assert stream.read(3) == b"abc"  # of two no URC has told
    rig.module.urc(b'+MIPURC: "rtcp",0,%d,%d' % (told, told))
    lines = [b"+MIPRD: 0,0,%d,%s" % (len(more), more)] if more else []
    rig.module.reply(b"AT+MIPRD=0", b"OK", lines=lines)
    if more:
        assert stream.read(len(more)) == more
    else:
        with pytest.raises(Timeout):
            stream.read(1)
    late = told == 1  # there is one more of which no URC has told
    rig.module.urc(b'+MIPURC: "rtcp",0,1,1' if late else b'+MIPURC: "rtcp",0,4,4')
    rig.module.reply(b"AT+MIPRD=0", b"OK")
    with pytest.raises(Timeout if late or more else ProtocolError):
        stream.read(1)


def test_an_answer_without_bytes_in_the_midst_of_a_read_does_not_end_it(rigs):
    class Slow(EchoPeer):
        def on_connect(self, conn):
            conn.reply(b"y" * 100, 3)

    net = network()
    net.listen(HOST, 8, Slow())
    rig = fresh(rigs, network=net)
    stream = rig.modem.connect(HOST, 8)
    most = rig.modem.require_model().read_max
    rig.module.urc(b'+MIPURC: "rtcp",0,%d,%d' % (most, most))
    whole = b"+MIPRD: 0,1,%d," % most + b"x" * most
    rig.module.reply(b"AT+MIPRD=0", b"OK", lines=[whole])
    rig.module.reply(b"AT+MIPRD=0", b"OK")
    assert stream.read(most + 100) == b"x" * most + b"y" * 100


@pytest.mark.parametrize("size", [1, 100, 255, 256, 257, 1000, 5000])
@pytest.mark.parametrize("model", ["ML307R", "MN316"])
def test_large_reads_go_straight_and_small_ones_through_the_buffer(rigs, model, size):
    data = bytes(range(256)) * 40
    rig = fresh(rigs, model, network=talker(data))
    stream = rig.modem.connect(HOST, 20)
    rig.clock.advance(1)
    since(rig)
    most = rig.modem.require_model().read_max
    assert stream.read(size) == data[:size]
    asked = [int(c.split(b",")[1]) for c in since(rig) if c.startswith(b"AT+MIPRD")]
    assert max(asked) <= most
    if size < 256:
        assert asked == [256]
    assert sum(asked) >= size
    assert stream.read(len(data) - size) == data[size:]
    assert stream.read(10) == b""


def test_a_slow_line_has_the_time_that_its_bytes_take(rigs):
    data = bytes(range(256)) * 16
    speed = {"baud": 4800}
    rig = fresh(rigs, network=talker(data), uart=speed, driver=speed, **speed)
    stream = rig.modem.connect(HOST, 20)
    rig.clock.advance(1)
    began = rig.clock.now()
    assert stream.read(len(data)) == data
    assert rig.clock.now() - began > 8


@pytest.mark.parametrize("n", [-1, 0, 1, 5, 6, 7, 300])
def test_lines(rigs, n):
    rig = fresh(rigs, network=talker(b"first\nsecond"))
    stream = rig.modem.connect(HOST, 20)
    first = b"first\n"
    assert stream.readline(n) == (first if n < 0 else first[:n])
    rest = b"first\nsecond"[(6 if n < 0 else min(6, n)) :]
    assert stream.read() == rest
    assert stream.readline() == b""
    assert stream.read() == b""


@pytest.mark.parametrize("size", [0, 1, 3, 255, 256, 300])
def test_readinto(rigs, size):
    rig = fresh(rigs, network=talker(b"0123456789" * 100))
    stream = rig.modem.connect(HOST, 20)
    rig.clock.advance(1)
    buf = bytearray(size)
    n = stream.readinto(buf)
    assert n == size and bytes(buf) == (b"0123456789" * 100)[:size]
    buf = bytearray(10)
    n = stream.readinto(buf, 4)
    assert n == (1 if size == 255 else 4)  # what was read ahead, at once
    assert bytes(buf) == (b"0123456789" * 100)[size : size + n] + bytes(10 - n)


def test_nothing_of_a_secret_stays_where_it_was_read_ahead(rigs):
    rig = fresh(rigs, network=talker(b"0123456789"))
    stream = rig.modem.connect(HOST, 20)
    rig.clock.advance(1)
    stream.hide_received()
    buf = bytearray(4)
    assert stream.readinto(buf) == 4 and bytes(buf) == b"0123"
    assert bytes(stream._readahead[:10]) == bytes(4) + b"456789"
    assert stream.read(6) == b"456789"


def test_what_a_reader_that_gave_up_had_comes_next(rigs):
    rig = fresh(rigs)
    stream = rig.modem.connect(HOST, 7)
    stream.settimeout(2)
    for n, sent in ((700, 600), (20, 15)):
        stream.write(b"x" * sent)
        with pytest.raises(Timeout):
            stream.read(n)
        stream.write(b"y" * (n - sent))
        assert stream.read(n) == b"x" * sent + b"y" * (n - sent)
    stream.write(b"half a ")
    with pytest.raises(Timeout):
        stream.readline()
    stream.write(b"line\nmore")
    assert stream.readline() == b"half a line\n"
    assert stream.read(4) == b"more"


@pytest.mark.parametrize("seconds", [0.5, 2, 25])
def test_timeouts_last_as_long_as_they_say(rigs, seconds):
    rig = fresh(rigs)
    stream = rig.modem.connect(HOST, 7)
    stream.settimeout(seconds)
    since(rig)
    began = rig.clock.now()
    with pytest.raises(Timeout) as caught:
        stream.read(1)
    assert str(caught.value) == (
        f"nothing to read from connection 0 within {int(seconds * 1000)} ms"
    )
    assert seconds <= rig.clock.now() - began < seconds + 0.2
    # It asks before it gives up, and after 10 s of silence, at doubling intervals.
    looks = [b"AT+MIPSTATE=0", b"AT+MIPRD=0"]
    assert since(rig) == looks * (2 if seconds > 10 else 1)


def test_without_waiting_there_is_none(rigs):
    rig = fresh(rigs)
    stream = rig.modem.connect(HOST, 7)
    stream.setblocking(False)
    since(rig)
    began = rig.clock.now()
    assert stream.read(1) is None
    assert stream.readline() is None
    assert stream.readinto(bytearray(5)) is None
    assert rig.clock.now() - began < 0.05
    assert since(rig) == []
    rig.clock.advance(11)  # silence: it asks once
    assert stream.read(1) is None
    assert since(rig) == [b"AT+MIPSTATE=0", b"AT+MIPRD=0"]
    assert stream.read(1) is None
    assert since(rig) == []


# Sending


def test_a_partial_send_that_the_total_denies(rigs):
    rig = fresh(rigs, partial_send=4)
    stream = rig.modem.connect(HOST, 7)
    stream.write(b"0123")
    rig.module.reply(b"AT+MIPSACK=0", b"OK", lines=[b"+MIPSACK: 9,9,0,0"])
    with pytest.raises(ConnectionLost) as caught:
        stream.write(b"12345678")
    assert str(caught.value) == ("the module says that it took 4 of 8 bytes, and 9 in all, not 8")
    with pytest.raises(ConnectionLost, match="connection 0 is over"):
        stream.write(b"x")


@pytest.mark.parametrize("answer", [b"+CME ERROR: 50", b"ERROR"])
def test_a_partial_send_without_a_total_is_not_believed(rigs, answer):
    rig = fresh(rigs, partial_send=4)
    stream = rig.modem.connect(HOST, 7)
    rig.module.reply(b"AT+MIPSACK=0", answer)
    with pytest.raises(ConnectionLost, match="took 4 of 8 bytes, and None in all, not 4"):
        stream.write(b"12345678")


def test_a_damaged_count_sends_nothing_twice(rigs):
    rig = fresh(rigs)
    stream = rig.modem.connect(HOST, 7)
    rig.module.quirks.send_line = "absent"
    rig.module.chatter(b"AT+MIPSEND=0,8", b"+MIPSEND: 0,3")
    try:
        stream.write(b"12345678")
    except ModemError:
        return
    assert stream.read(8) == b"12345678"


def test_what_is_taken_after_the_ok_counts_for_the_next(rigs):
    rig = fresh(rigs, send_line="after")
    stream = rig.modem.connect(HOST, 7)
    for size in (1, 300, 5):
        assert stream.write(b"x" * size) == size
        assert stream.read(size) == b"x" * size
    rig.module.quirks.partial_send = 2
    with pytest.raises(ConnectionLost, match=r"the module took 2 of 5 bytes"):
        for _ in range(3):
            stream.write(b"x" * 5)
            rig.modem.command("+CSQ")


def test_what_is_taken_is_told_once(rigs):
    rig = fresh(rigs, send_line="absent")
    stream = rig.modem.connect(HOST, 7)
    stream.write(b"12345")
    for count in (5, 4, 0):  # the others are about nothing
        rig.module.urc(b"+MIPSEND: 0,%d" % count)
        rig.modem.command("+CSQ")
    assert stream.read(5) == b"12345"


@pytest.mark.parametrize("count", [5, 4])
def test_what_is_taken_between_the_next_command_and_its_prompt(rigs, count):
    rig = fresh(rigs, send_line="absent")
    stream = rig.modem.connect(HOST, 7)
    stream.write(b"12345")
    rig.module.chatter(b"AT+MIPSEND=0,6", b"+MIPSEND: 0,%d" % count)
    if count == 5:
        assert stream.write(b"678901") == 6
        assert stream.read(11) == b"12345678901"
        return
    with pytest.raises(ConnectionLost, match="the module took 4 of 5 bytes"):
        stream.write(b"678901")


@pytest.mark.parametrize("code", [50, 4])
def test_a_refused_send_breaks_the_connection(rigs, code):
    rig = fresh(rigs)
    stream = rig.modem.connect(HOST, 7)
    rig.module.reply(b"AT+MIPSEND=0", b"+CME ERROR: %d" % code)
    with pytest.raises(CommandError) as caught:
        stream.write(b"abc")
    assert caught.value.code == code
    assert rig.modem.require_model().prompt  # this one is known to have it
    with pytest.raises(ConnectionLost, match="connection 0 is over"):
        stream.write(b"abc")


@pytest.mark.parametrize(("seconds", "lasts"), [(5, 5), (60, 60), (None, 30), (700, 600)])
def test_a_module_that_stays_busy_has_the_time_of_the_stream(rigs, seconds, lasts):
    rig = fresh(rigs)
    stream = rig.modem.connect(HOST, 7)
    stream.settimeout(seconds)
    rig.module.reply(b"AT+MIPSEND=0", b"+CME ERROR: 14", times=None)
    began = rig.clock.now()
    with pytest.raises(CommandError):
        stream.write(b"x")
    assert lasts <= rig.clock.now() - began < lasts + 3


@pytest.mark.parametrize("code", [50, 4, 559])
def test_an_unknown_model_that_refuses_the_prompt_sends_inside_commands_next_time(rigs, code):
    rig = fresh(rigs, profile=unknown("ML307R"))
    stream = rig.modem.connect(HOST, 7)
    rig.module.reply(b"AT+MIPSEND=0", b"+CME ERROR: %d" % code)
    with pytest.raises(CommandError):
        stream.write(b"abc")
    assert rig.modem.require_model().prompt is (code == 559)
    stream = rig.modem.connect(HOST, 7)
    since(rig)
    stream.write(b"abc")
    assert since(rig) == [b"AT+MIPSEND=1,3" + (b"" if code == 559 else b',"616263"')]


def test_a_send_without_an_answer_is_waited_out_once(rigs):
    rig = fresh(rigs, strict=False)
    stream = rig.modem.connect(HOST, 7)
    rig.module.reply(b"AT+MIPSEND=0", None)
    with pytest.raises(ModemError):
        stream.write(b"abc")
    for waits in (True, False):
        began = rig.clock.now()
        assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]
        assert (rig.clock.now() - began > 10) is waits
        rig.module.reply(b"AT+CSQ", None)
        with pytest.raises(Timeout):
            rig.modem.command("+CSQ", timeout_ms=500)
    with pytest.raises(ConnectionLost, match="connection 0 is over"):
        stream.write(b"abc")


def test_an_interrupted_send_is_no_connection_any_more(rigs):
    rig = fresh(rigs)
    stream = rig.modem.connect(HOST, 7)
    operation = stream._send_op(b"abc", 0, 3)
    next(operation)
    operation.close()
    with pytest.raises(ConnectionLost) as caught:
        stream.write(b"x")
    assert str(caught.value) == "connection 0 is over: a transfer was broken off"


HELLO = bytes.fromhex("160301 0005 01 000001 00")


@pytest.mark.parametrize(
    ("data", "refused"),
    [
        (HELLO, True),
        (HELLO[:6], True),
        (HELLO[:5], False),
        (b"\x17" + HELLO[1:], False),
        (HELLO[:1] + b"\x02" + HELLO[2:], False),
        (HELLO[:5] + b"\x02" + HELLO[6:], False),
    ],
)
def test_tls_inside_tls_is_told(rigs, data, refused):
    rig = fresh(rigs)
    tls = rig.modem.tls(1)
    tls.configure(0)
    stream = rig.modem.connect(HOST, 7, tls)
    if refused:
        with pytest.raises(ModemError) as caught:
            stream.write(data)
        assert str(caught.value) == (
            "this connection is TLS by the module: use http:// or a plain socket, "
            "for TLS inside TLS no server answers"
        )
    assert stream.write(b"first") == 5
    assert stream.write(data) == len(data)  # as anything but the first
    plain = rig.modem.connect(HOST, 7)
    assert plain.write(data) == len(data)


@pytest.mark.parametrize(
    ("data", "n", "sent"),
    [
        (b"abc", None, b"abc"),
        (b"abc", 2, b"ab"),
        (b"abc", 9, b"abc"),
        (b"abc", -1, b"abc"),
        (b"abc", 0, b""),
        (b"", None, b""),
        ("äb", None, b"\xc3\xa4b"),
        (bytearray(b"abc"), 1, b"a"),
        (memoryview(b"abc")[1:], None, b"bc"),
    ],
)
@pytest.mark.parametrize("buffered", [False, True])
def test_what_is_written(rigs, data, n, sent, buffered):
    rig = fresh(rigs)
    stream = rig.modem.connect(HOST, 7)
    stream.buffered = buffered
    assert stream.write(data, n) == len(sent)
    assert stream.write(b"!") == 1
    stream.flush()
    assert stream.read(len(sent) + 1) == sent + b"!"


def test_what_is_held_back_goes_before_what_is_read_or_large(rigs):
    rig = fresh(rigs)
    stream = rig.modem.connect(HOST, 7)
    stream.buffered = True
    since(rig)
    stream.write(b"a" * 500)
    stream.write(b"b" * 523)
    assert since(rig) == []
    stream.write(b"c")
    assert since(rig) == [b"AT+MIPSEND=0,1024"]
    stream.write(b"d")
    stream.write(b"e" * 1024)
    assert since(rig) == [b"AT+MIPSEND=0,1", b"AT+MIPSEND=0,1024"]
    stream.write(b"f")
    assert stream.read(3) == b"aaa"
    assert since(rig)[0] == b"AT+MIPSEND=0,1"
    stream.write(b"g")
    stream.close()
    assert since(rig) == [b"AT+MIPSEND=0,1", b"AT+MIPCLOSE=0"]


def test_a_peer_that_talks_while_we_write(rigs):
    net = network()
    net.listen(HOST, 21, Talker(b"n" * 3000, end=None))
    rig = fresh(rigs, network=net)
    stream = rig.modem.connect(HOST, 21)
    assert stream.write(b"w" * 9000) == 9000
    assert stream.read(3000) == b"n" * 3000
    assert bytes(net.connections[-1].sent) == b"w" * 9000

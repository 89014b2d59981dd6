# SPDX-License-Identifier: MIT
"""MIP sockets over the network in the process: open, send, receive in both ways, close."""

from __future__ import annotations

import pytest
from onemo_simulator import LoopNetwork, Peer

OPEN = 'AT+MIPOPEN={},"TCP","echo.example",7,,{}'


def open_socket(host, conn=0, mode=2):
    lines = host.lines(OPEN.format(conn, mode), 1)
    assert lines == [b"OK", b"+MIPOPEN: %d,0" % conn]


def send(host, data, conn=0):
    prompt = host.command(f"AT+MIPSEND={conn},{len(data)}", 0.1)
    assert prompt == b"\r\n>"
    host.module.feed(data)
    return host.wait(0.5)


def peer_of(host):
    return host.network.connections[-1]


def test_open_send_and_pull(online):
    open_socket(online)
    answer = send(online, b"hello\r\nOK\r\n")
    assert answer == b'\r\n+MIPSEND: 0,11\r\n\r\nOK\r\n\r\n+MIPURC: "rtcp",0,11,11\r\n'
    assert online.command("AT+MIPRD=0") == b"\r\n+MIPRD: 0,11\r\n\r\nOK\r\n"
    assert online.command("AT+MIPRD=0,4") == b"\r\n+MIPRD: 0,7,4,hell\r\n\r\nOK\r\n"
    assert online.command("AT+MIPRD=0,0") == b"\r\n+MIPRD: 0,0,7,o\r\nOK\r\n\r\n\r\nOK\r\n"
    assert online.command("AT+MIPRD=0,9") == b"\r\nOK\r\n"
    assert online.lines("AT+MIPSTATE=0") == [
        b'+MIPSTATE: 0,"TCP","echo.example",7,"CONNECTED"',
        b"OK",
    ]
    assert online.lines("AT+MIPSACK=0")[0] == b"+MIPSACK: 11,11,0,11"
    assert online.lines("AT+MIPCLOSE=0") == [b"OK", b"+MIPCLOSE: 0"]
    assert online.lines("AT+MIPSTATE=0") == [b'+MIPSTATE: 0,,,,"INITIAL"', b"OK"]


def test_pushed_raw_and_in_hex(online):
    open_socket(online, 1, 0)
    peer_of(online).reply(b"a\r\nb\xff")
    assert online.wait(1) == b'\r\n+MIPURC: "rtcp",1,5,a\r\nb\xff\r\n'
    assert online.code('AT+MIPCFG="encoding",1,0,1') == 0
    peer_of(online).reply(bytes.fromhex("8904b594b706"))
    assert online.wait(1) == b'\r\n+MIPURC: "rtcp",1,6,8904B594B706\r\n'
    assert online.code("AT+MIPRD=1,1") == 50
    online.code('AT+MIPCFG="encoding",1,0,0')
    peer_of(online).reply(b"x" * 3000)
    parts = online.wait(1).split(b'\r\n+MIPURC: "rtcp",1,')[1:]
    assert [part.split(b",")[0] for part in parts] == [b"1460", b"1460", b"80"]
    assert sum(part.count(b"x") for part in parts) == 3000


def test_hex_in_pull_mode(online):
    online.code('AT+MIPCFG="encoding",0,0,1')
    open_socket(online)
    peer_of(online).reply(b"\x00\xff")
    online.wait(1)
    assert online.lines("AT+MIPRD=0,10") == [b"+MIPRD: 0,0,2,00FF", b"OK"]


@pytest.mark.parametrize(
    "encoding, text, sent",
    [
        ("0,0", '"plain"', b"plain"),
        ("1,0", "414243", b"ABC"),
        ("1,0", '"414243"', b"ABC"),
        ("2,0", '"a\\r\\nb"', b"a\r\nb"),
    ],
)
def test_sending_inside_the_command(online, encoding, text, sent):
    online.code(f'AT+MIPCFG="encoding",0,{encoding}')
    open_socket(online)
    assert online.lines(f"AT+MIPSEND=0,0,{text}")[:2] == [b"+MIPSEND: 0,%d" % len(sent), b"OK"]
    assert peer_of(online).sent == sent
    assert online.code('AT+MIPSEND=0,99,"x"') == 50
    assert online.code(f'AT+MIPSEND=0,0,"{"x" * 1461}"') == 50


def test_sending_up_to_ctrl_z_and_breaking_off(online):
    open_socket(online)
    online.command("AT+MIPSEND=0", 0.1)
    online.module.feed(b"until\x1a")
    online.wait(1)
    assert peer_of(online).sent == b"until"
    online.command("AT+MIPSEND=0", 0.1)
    online.module.feed(b"\x1b")
    assert online.wait(1) == b"\r\nOK\r\n"
    online.command("AT+MIPSEND=0,5", 0.1)
    online.module.feed(b"\x1a\x1b\x00ab")
    online.wait(1)
    assert peer_of(online).sent == b"until\x1a\x1b\x00ab"


def test_a_send_that_times_out_sends_what_it_has(online):
    assert online.code('AT+MIPCFG="timeout",0,3') == 0
    open_socket(online)
    online.command("AT+MIPSEND=0,5", 0.1)
    online.module.feed(b"abc")
    assert online.wait(2.5) == b""
    assert b"+MIPSEND: 0,3" in online.wait(1)
    assert peer_of(online).sent == b"abc"


@pytest.mark.parametrize(
    "quirk, shown",
    [
        ({"send_line": "after"}, b"\r\nOK\r\n\r\n+MIPSEND: 0,5\r\n"),
        ({"send_line": "absent"}, b"\r\nOK\r\n"),
        ({"partial_send": 2}, b"\r\n+MIPSEND: 0,2\r\n\r\nOK\r\n"),
    ],
)
def test_send_answers(make_host, quirk, shown):
    network = LoopNetwork()
    network.listen("echo.example", 7, Peer())
    host = make_host(network=network, **quirk)
    open_socket(host)
    assert send(host, b"hello") == shown


def test_ack_mode(online):
    online.code('AT+MIPCFG="ackmode",0,1')
    open_socket(online)
    assert b'+MIPURC: "ack",0,5' in send(online, b"hello")


def test_limits_of_a_send(online, make_host):
    open_socket(online)
    assert online.code("AT+MIPSEND=0,8193") == 50
    assert online.code("AT+MIPSEND=0,0") == 50
    assert online.code("AT+MIPRD=0,4097") == 50
    assert online.code("AT+MIPSEND=1,5") == 551
    network = LoopNetwork()
    network.listen("echo.example", 7, Peer())
    small = make_host("ML305U", network=network)
    open_socket(small)
    assert small.code("AT+MIPSEND=0,4097") == 50
    nb = make_host("MN316", network=network)
    open_socket(nb)
    assert nb.code("AT+MIPSEND=0,5") == 50
    assert nb.lines('AT+MIPSEND=0,5,"hello"') == [b"+MIPSEND: 0,5", b"OK"]
    assert nb.code("AT+MIPSACK=0") == "ERROR"


def test_the_window_holds_the_peer_back(make_host):
    network = LoopNetwork()
    network.listen("echo.example", 7, Peer())
    host = make_host(network=network, window=1000)
    open_socket(host)
    peer_of(host).reply(b"x" * 2500)
    assert host.wait(1) == b'\r\n+MIPURC: "rtcp",0,1000,1000\r\n'
    assert host.wait(100) == b""
    out = host.command("AT+MIPRD=0,400", 1)
    assert out.endswith(b'\r\nOK\r\n\r\n+MIPURC: "rtcp",0,400,1000\r\n')
    got = 400
    while b"+MIPRD:" in (out := host.command("AT+MIPRD=0,4096", 1)):
        got += int(out.split(b",")[2])
    assert got == 2500


def test_tls_reports_nothing_more_until_drained(make_host):
    network = LoopNetwork()
    network.listen("echo.example", 7, Peer())
    host = make_host(network=network)
    host.code('AT+MIPCFG="ssl",0,1,0')
    open_socket(host)
    peer_of(host).reply(b"first")
    assert b'"rtcp",0,5,5' in host.wait(1)
    peer_of(host).reply(b"second")
    assert host.wait(100) == b""
    assert b"rtcp" not in host.command("AT+MIPRD=0,3", 1)
    assert b'"rtcp",0,6,6' in host.command("AT+MIPRD=0,2", 1)


@pytest.mark.parametrize("mode", [0, 2])
def test_disconnect_with_autofree_0_frees_the_id(online, mode):
    open_socket(online, 0, mode)
    peer_of(online).reply(b"last words")
    peer_of(online).end(1)
    out = online.wait(1)
    assert out.index(b"rtcp") < out.index(b'+MIPURC: "disconn",0,1')
    assert online.code("AT+MIPRD=0") == 551
    assert online.code("AT+MIPCLOSE=0") == 551
    open_socket(online)


def test_disconnect_with_autofree_1_keeps_what_is_unread(online):
    online.code('AT+MIPCFG="autofree",0,1')
    open_socket(online)
    peer_of(online).reply(b"last words")
    peer_of(online).end(2)
    assert b'"disconn",0,2' in online.wait(1)
    assert b'"CLOSED"' in online.lines("AT+MIPSTATE=0")[0]
    assert online.code("AT+MIPSEND=0,5") == 553
    assert online.code(OPEN.format(0, 2)) == 552
    assert online.lines("AT+MIPRD=0,100")[0] == b"+MIPRD: 0,0,10,last words"
    assert online.lines("AT+MIPCLOSE=0") == [b"OK", b"+MIPCLOSE: 0"]


def test_autofree_0_may_keep_what_is_unread(make_host):
    network = LoopNetwork()
    network.listen("echo.example", 7, Peer())
    host = make_host(network=network, disconnect_keeps=True)
    open_socket(host)
    peer_of(host).reply(b"last words")
    peer_of(host).end(1)
    host.wait(1)
    assert b"INITIAL" in host.lines("AT+MIPSTATE=0")[0]
    assert host.lines("AT+MIPRD=0,100")[0] == b"+MIPRD: 0,0,10,last words"
    open_socket(host)


@pytest.mark.parametrize("answer, code", [("551", 551), ("error", "ERROR"), ("ok", 0)])
def test_closing_a_free_id(make_host, answer, code):
    assert make_host(close_free=answer).code("AT+MIPCLOSE=3") == code


@pytest.mark.parametrize(
    "command, result",
    [
        ('AT+MIPOPEN=0,"TCP","none.example",7', 580),
        ('AT+MIPOPEN=0,"TCP","echo.example",8', 557),
        ('AT+MIPOPEN=0,"SSL","echo.example",7', 50),
        ('AT+MIPOPEN=0,"TCP","echo.example",0', 50),
        ('AT+MIPOPEN=0,"TCP","echo.example",70000', 50),
        ('AT+MIPOPEN=6,"TCP","echo.example",7', 50),
        ('AT+MIPOPEN=0,"TCP","echo.example",7,181', 50),
        ('AT+MIPOPEN=0,"TCP","echo.example",7,60,3', 50),
        ('AT+MIPOPEN=0,"TCP","",7', 50),
    ],
)
def test_opening_that_fails(online, command, result):
    lines = online.lines(command, 2)
    if result == 50:
        assert lines == [b"+CME ERROR: 50"]
    else:
        assert lines == [b"OK", b"+MIPOPEN: 0,%d" % result]
        assert b"INITIAL" in online.lines("AT+MIPSTATE=0")[0]


def test_result_before_ok_never_late_or_made_up(make_host):
    network = LoopNetwork()
    network.listen("echo.example", 7, Peer())
    host = make_host(network=network, open_urc="before")
    assert host.lines(OPEN.format(0, 2), 2) == [b"+MIPOPEN: 0,0", b"OK"]
    host = make_host(network=network, open_urc="never")
    assert host.lines(OPEN.format(0, 2), 200) == [b"OK"]
    host = make_host(network=network, open_delay=60.0)
    assert host.lines(OPEN.format(0, 2), 59) == [b"OK"]
    assert b"CONNECTING" in host.lines("AT+MIPSTATE=0", 0.1)[0]
    assert host.wait(2) == b"\r\n+MIPOPEN: 0,0\r\n"
    for code in (-1, 558):
        host = make_host(network=network, open_result=code)
        assert host.lines(OPEN.format(0, 2), 1)[-1] == b"+MIPOPEN: 0,%d" % code
    host = make_host("MN316", network=network, open_result=557)
    assert host.lines(OPEN.format(0, 2), 1)[-1] == b"+MIPOPEN: 0,1"


def test_sockets_survive_a_reset_of_the_host(online):
    open_socket(online)
    assert online.code(OPEN.format(0, 2)) == 552
    open_socket(online, 1)
    online.module.reboot()
    online.wait(5)
    assert all(conn.closed for conn in online.network.connections)
    online.command("AT+CMEE=1")
    open_socket(online)


def test_552_as_urc(make_host):
    network = LoopNetwork()
    network.listen("echo.example", 7, Peer())
    host = make_host(network=network, open_refusal="urc")
    open_socket(host)
    assert host.lines(OPEN.format(0, 2), 1) == [b"OK", b"+MIPOPEN: 0,552"]


def test_when_the_pdp_context_goes(online):
    open_socket(online)
    lines = online.lines("AT+MIPCALL=0,1")
    assert lines == [b"OK", b"+MIPCALL: 1,0", b'+MIPURC: "disconn",0,3']


def test_mipcfg(online, make_host):
    assert online.lines('AT+MIPCFG="ssl",0') == [b'+MIPCFG: "ssl",0,0', b"OK"]
    assert online.code('AT+MIPCFG="ssl",0,1,3') == 0
    assert online.lines('AT+MIPCFG="ssl"')[0] == b'+MIPCFG: "ssl",0,1,3'
    assert len(online.lines('AT+MIPCFG="ssl"')) == 7
    assert b'+MIPCFG: "ssl",(0-5),(0-1),(0-5)' in online.lines("AT+MIPCFG=?")
    for bad in ('"ssl",0,2', '"ssl",0,1,6', '"sndbuf",0,1000', '"rcvbuf",0,1', '"nonsense"'):
        assert online.code(f"AT+MIPCFG={bad}") == 50
    assert online.code('AT+MIPCFG="timeout",0,121') == 50
    assert online.lines('AT+MIPCFG="rcvbuf",0')[0] == b'+MIPCFG: "rcvbuf",0,64240'
    online.module.reboot()
    online.wait(5)
    assert online.lines('AT+MIPCFG="ssl",0') == [b'+MIPCFG: "ssl",0,0', b"OK"]
    host = make_host("MN316", mipcfg_ssl=True)
    assert host.code('AT+MIPCFG="ssl",0,1,0') == 0
    assert host.code('AT+MIPCFG="timeout",0,5') == 50
    host = make_host(ignored_mipcfg=frozenset({"ssl"}))
    assert host.code('AT+MIPCFG="ssl",0,1,0') == 0
    assert host.lines('AT+MIPCFG="ssl",0')[0] == b'+MIPCFG: "ssl",0,0'


def test_names_and_keepalive(online):
    assert online.lines('AT+MDNSGIP="echo.example"') == [
        b"OK",
        b'+MDNSGIP: "echo.example","192.0.2.1"',
    ]
    assert online.lines('AT+MDNSGIP="none.example"') == [b"OK", b'+MDNSGIP: "none.example"']
    assert online.code('AT+MDNSCFG="priority",0') == 0
    assert online.lines('AT+MDNSCFG="priority"')[0] == b'+MDNSCFG: "priority",0'
    online.module.network.lookup = lambda host: ["2001:db8::1", "192.0.2.1"]
    both = b'+MDNSGIP: "echo.example","192.0.2.1","2001:db8::1"'
    assert both in online.lines('AT+MDNSGIP="echo.example"')
    assert online.code("AT+MIPTKA=0,1,60,60,5") == 0
    assert online.lines("AT+MIPTKA=0")[0] == b"+MIPTKA: 0,1,60,60,5"
    assert online.code("AT+MIPTKA=0,1,29") == 50
    online.module.reboot()
    online.wait(10)
    assert b'+MDNSCFG: "priority",1' in online.lines('AT+MDNSCFG="priority"')

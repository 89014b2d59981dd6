# SPDX-License-Identifier: MIT
"""UDP, transparent mode, numeric result codes, resumed sessions, bytes not yet sent."""

from __future__ import annotations

import socket
import time

import pytest
from onemo_simulator import EchoPeer, LoopNetwork, Peer, SimulatedUart, SystemNetwork

TCP = 'AT+MIPOPEN={},"TCP","echo.example",7,,{}'
UDP = 'AT+MIPOPEN={},"UDP","echo.example",7,,{}'


@pytest.fixture
def online_host(make_host):
    def make(model="ML307R", peer=None, **quirks):
        network = LoopNetwork()
        network.listen("echo.example", 7, peer or EchoPeer())
        return make_host(model, network=network, **quirks)

    return make


def send(host, data, conn=0):
    assert host.command(f"AT+MIPSEND={conn},{len(data)}", 0.1).strip() == b">"
    host.module.feed(data)
    return host.wait(0.5)


# --- UDP ------------------------------------------------------------------------------------


def test_udp_pushed(online_host):
    host = online_host()
    assert host.lines(UDP.format(1, 0)) == [b"OK", b"+MIPOPEN: 1,0"]
    assert host.lines("AT+MIPSTATE=1")[0] == b'+MIPSTATE: 1,"UDP","echo.example",7,"CONNECTED"'
    assert b'+MIPURC: "rudp",1,4,\x00\r\n\xff' in send(host, b"\x00\r\n\xff", 1)
    assert host.code('AT+MIPCFG="encoding",1,0,1') == 0
    assert b'+MIPURC: "rudp",1,2,00FF' in send(host, b"\x00\xff", 1)
    assert host.lines("AT+MIPCLOSE=1") == [b"OK", b"+MIPCLOSE: 1"]


def test_udp_kept_packet_by_packet(online_host):
    host = online_host()
    host.lines(UDP.format(0, 3))
    assert b'+MIPURC: "rudp",0,3,3' in send(host, b"one")
    assert b'+MIPURC: "rudp",0,5,8' in send(host, b"three")
    assert host.lines("AT+MIPRD=0") == [b"+MIPRD: 0,8", b"OK"]
    assert host.lines("AT+MIPRD=0,100") == [b"+MIPRD: 0,5,3,one", b"OK"]
    assert host.lines("AT+MIPRD=0,2") == [b"+MIPRD: 0,3,2,th", b"OK"]
    assert host.lines("AT+MIPRD=0,0") == [b"+MIPRD: 0,0,3,ree", b"OK"]
    assert host.lines("AT+MIPRD=0,100") == [b"OK"]


@pytest.mark.parametrize(("model", "most"), [("ML307H-DU", 45), ("ML307M", 128), ("ML307C", 256)])
def test_datagrams_beyond_the_cache_are_dropped(online_host, model, most):
    host = online_host(model, Peer())
    host.lines(UDP.format(0, 3))
    for number in range(most + 2):
        host.network.connections[-1].reply(b"%04d" % number)
    got = host.wait(1)
    assert got.count(b'"rudp",0,4,') == most
    assert got.count(b'+MIPURC: "drop",0,4') == 2
    assert host.lines("AT+MIPRD=0,9")[0].endswith(b",4,0000")


@pytest.mark.parametrize(
    "command",
    [UDP.format(0, 2), TCP.format(0, 3), 'AT+MIPOPEN=0,"SCTP","echo.example",7', UDP.format(0, 4)],
)
def test_modes_and_protocols_that_do_not_go_together(online_host, command):
    assert online_host().code(command) == 50


def test_udp_without_dns_or_without_anybody(online_host):
    host = online_host()
    assert host.lines('AT+MIPOPEN=0,"UDP","none.example",7,,3')[-1] == b"+MIPOPEN: 0,580"
    assert host.lines('AT+MIPOPEN=0,"UDP","echo.example",9,,3')[-1] == b"+MIPOPEN: 0,0"
    assert b"rudp" not in send(host, b"hello")


def test_udp_is_not_tls(online_host):
    host = online_host()
    host.code('AT+MIPCFG="ssl",0,1,0')
    assert host.lines(UDP.format(0, 0))[-1] == b"+MIPOPEN: 0,0"
    assert host.network.connections[-1].tls is None


def test_real_datagrams(make_host):
    network = SystemNetwork({"echo.example": "127.0.0.1"})
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(20)
        host = make_host(network=network)
        port = server.getsockname()[1]
        host.module.feed(b'AT+MIPOPEN=0,"UDP","echo.example",%d,,3\r' % port)
        end = time.monotonic() + 20
        got = b""
        while b"+MIPOPEN: 0,0" not in got and time.monotonic() < end:
            host.clock.advance(0.001)
            got += host.module.take()
        host.module.feed(b"AT+MIPSEND=0,5\r")
        host.clock.advance(0.1)
        host.module.take()
        host.module.feed(b"hello")
        host.clock.advance(0.1)
        host.module.take()
        data, address = server.recvfrom(2000)
        assert data == b"hello"
        for answer in (b"first", b"second!"):
            server.sendto(answer, address)
        got = b""
        while b'"rudp",0,7,12' not in got and time.monotonic() < end:
            host.clock.advance(0.001)
            got += host.module.take()
        assert b'"rudp",0,5,5' in got
        host.module.feed(b"AT+MIPRD=0,100\r")
        host.clock.advance(0.1)
        assert b"+MIPRD: 0,7,5,first" in host.module.take()
    network.close()


# --- transparent mode -----------------------------------------------------------------------


def test_transparent_mode_and_its_end(online_host):
    host = online_host(peer=Peer())
    assert host.lines(TCP.format(0, 1), 1) == [b"OK", b"CONNECT"]
    peer = host.network.connections[-1]
    assert host.command("AT+CSQ") == b""
    assert bytes(peer.sent) == b"AT+CSQ\r"
    peer.reply(b"\r\nOK\r\n\x00")
    assert host.wait(0.5) == b"\r\nOK\r\n\x00"
    host.module.feed(b"+++")
    assert host.wait(0.5) == b"\r\nOK\r\n"
    assert host.lines("AT+CSQ") == [b"+CSQ: 24,99", b"OK"]
    assert bytes(peer.sent) == b"AT+CSQ\r"
    assert host.lines("ATO") == [b"CONNECT"]
    host.module.feed(b"again")
    host.wait(0.1)
    assert bytes(peer.sent) == b"AT+CSQ\ragain"
    assert host.module.violations == []


@pytest.mark.parametrize("model", ["ML307X", "ML307Y"])
def test_the_guard_time(online_host, model):
    host = online_host(model, Peer())
    host.lines(TCP.format(0, 1), 1)
    sent = host.network.connections[-1].sent
    host.module.feed(b"data")
    host.wait(0.3)
    host.module.feed(b"+++")  # too soon after data
    assert host.wait(3) == b"" and bytes(sent) == b"data+++"
    host.module.feed(b"+++")
    host.wait(0.5)
    host.module.feed(b"x")  # too soon behind
    assert host.wait(3) == b"" and bytes(sent) == b"data++++++x"
    host.module.feed(b"+++")
    assert host.wait(1.1) == b"\r\nOK\r\n"
    assert bytes(sent) == b"data++++++x"


def test_a_guard_time_of_ones_own(online_host):
    host = online_host(transparent_guard=2.0)
    host.lines(TCP.format(0, 1), 3)
    host.module.feed(b"+++")
    assert host.wait(1.9) == b""
    assert host.wait(0.2) == b"\r\nOK\r\n"


@pytest.mark.parametrize("pieces", [[b"+", b"+", b"+"], [b"+", b"++"], [b"++", b"+"], [b"+++"]])
def test_pluses_in_pieces(online_host, pieces):
    host = online_host(peer=Peer(), transparent_guard=1.0)
    host.lines(TCP.format(0, 1), 2)
    for piece in pieces:
        host.module.feed(piece)
        host.wait(0.01)
    assert host.wait(1.1) == b"\r\nOK\r\n"
    assert not host.network.connections[-1].sent


@pytest.mark.parametrize("data", [b"+", b"++", b"++++", b"+++\r", b"a+++"])
def test_what_does_not_end_it(online_host, data):
    host = online_host(peer=Peer())
    host.lines(TCP.format(0, 1), 1)
    host.module.feed(data)
    assert host.wait(2) == b""
    assert bytes(host.network.connections[-1].sent) == data


def test_mipmode_and_models_without_it(online_host):
    host = online_host(peer=Peer())
    host.lines(TCP.format(2, 2), 1)
    assert host.lines("AT+MIPMODE=2")[0] == b"+MIPMODE: 2,2"
    assert host.lines("AT+MIPMODE=2,1") == [b"CONNECT"]
    host.module.feed(b"AT\r")
    host.wait(0.1)
    assert bytes(host.network.connections[-1].sent) == b"AT\r"
    assert online_host("MN316A").code(TCP.format(0, 1)) == 50
    assert online_host("MN316A").lines("AT+MIPMODE=0,1") == [b"ERROR"]
    assert host.module.tap is not None


def test_the_peer_ends_transparent_mode(online_host):
    host = online_host(peer=Peer())
    host.lines(TCP.format(0, 1), 1)
    host.network.connections[-1].reply(b"bye")
    host.network.connections[-1].end()
    assert host.wait(1) == b'bye\r\n+MIPURC: "disconn",0,1\r\n'
    assert host.command("AT") == b"\r\nOK\r\n"
    assert host.lines("ATO") == [b"ERROR"]


def test_a_reboot_ends_transparent_mode(online_host):
    host = online_host()
    host.lines(TCP.format(0, 1), 1)
    host.module.reboot()
    host.wait(5)
    assert b"OK" in host.command("ATE0")


def test_a_transparent_opening_that_fails(online_host):
    host = online_host()
    assert host.lines('AT+MIPOPEN=0,"TCP","echo.example",8,,1', 1)[-1] == b"+MIPOPEN: 0,557"
    assert host.command("AT") == b"\r\nOK\r\n"


# --- numeric result codes -------------------------------------------------------------------


def test_numeric_result_codes(make_host):
    host = make_host(verbose=False)
    assert host.command("AT") == b"0\r"
    assert host.command("AT+NONSENSE") == b"4\r"
    assert host.command("AT+CSQ") == b"+CSQ: 24,99\r\n0\r"
    assert host.command("ATV1") == b"\r\nOK\r\n"
    assert host.command("ATV0") == b"0\r"
    host.module.reboot()
    host.wait(5)
    assert host.command("ATE0").endswith(b"\r\nOK\r\n")


def test_no_result_codes(host):
    assert host.command("ATQ1") == b""
    assert host.command("AT") == b""
    assert host.command("AT+CSQ") == b"\r\n+CSQ: 24,99\r\n"
    assert host.command("ATQ0") == b"\r\nOK\r\n"


# --- bytes that are not sent yet --------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "quirk", "dropped"),
    [("ML307R", None, False), ("ML307H-DU", None, True), ("ML307R", True, True)],
)
def test_mipclose_and_what_is_not_sent_yet(online_host, model, quirk, dropped):
    host = online_host(model, Peer(), stack_delay=1.0, close_drops_unsent=quirk)
    host.lines(TCP.format(0, 2), 1)
    assert b"+MIPSEND: 0,5" in send(host, b"early")
    host.wait(1)
    send(host, b"late")
    peer = host.network.connections[-1]
    assert bytes(peer.sent) == b"early"
    host.lines("AT+MIPCLOSE=0")
    host.wait(5)
    assert bytes(peer.sent) == (b"early" if dropped else b"earlylate")


@pytest.mark.parametrize("model", ["MN316A", "MN319", "MN326A"])
def test_one_packet_a_read(online_host, model):
    host = online_host(model, Peer())
    host.lines(TCP.format(0, 2), 1)
    host.network.connections[-1].reply(b"a" * 2000)
    host.wait(1)
    assert host.lines("AT+MIPRD=0")[0] == b"+MIPRD: 0,2000"
    assert host.code("AT+MIPRD=0,1461") == 50
    assert host.lines("AT+MIPRD=0,1460")[0].startswith(b"+MIPRD: 0,540,1460,")
    assert host.lines("AT+MIPRD=0,1460")[0].startswith(b"+MIPRD: 0,0,540,")


# --- resumed sessions -------------------------------------------------------------------------


class Fickle(EchoPeer):
    """Accepts the first handshake; would not accept another one."""

    def __init__(self, resumes=True):
        self.handshakes = 0
        self.resumes = resumes

    def verdict(self, tls):
        self.handshakes += 1
        return 0 if self.handshakes == 1 else 752


def tls_open(host, conn=0, ssl_id=0):
    host.code(f'AT+MIPCFG="ssl",{conn},1,{ssl_id}')
    result = int(host.lines(TCP.format(conn, 2), 2)[-1].split(b",")[1])
    info = host.module.tls_info(conn)
    host.command(f"AT+MIPCLOSE={conn}")
    return result, bool(info and info.resumed)


@pytest.mark.parametrize(
    ("module_resumes", "server_resumes", "session", "second"),
    [
        (True, True, 1, (0, True)),
        (True, True, 0, (752, False)),
        (True, False, 1, (752, False)),
        (False, True, 1, (752, False)),
    ],
)
def test_a_resumed_session_proves_nothing(
    online_host, module_resumes, server_resumes, session, second
):
    peer = Fickle(server_resumes)
    host = online_host(peer=peer, session_resumes=module_resumes)
    host.code(f'AT+MSSLCFG="session",1,{session}')
    assert tls_open(host) == (0, False)
    assert tls_open(host, ssl_id=1) == second
    assert peer.handshakes == (1 if second[1] else 2)


def test_a_reboot_forgets_sessions(online_host):
    host = online_host(peer=Fickle(), session_resumes=True)
    assert tls_open(host) == (0, False)
    assert tls_open(host) == (0, True)
    host.module.reboot()
    host.wait(5)
    host.command("ATE0")
    assert tls_open(host)[0] == 752


# --- peers and UARTs that fall silent -----------------------------------------------------------


@pytest.mark.parametrize(
    ("keepalive", "noticed"),
    [(None, None), ("0,30,30,1", None), ("1,30,30,1", 60), ("1,90,75,3", 315), ("1", 315)],
)
def test_keep_alive_notices_a_peer_that_vanished(online_host, keepalive, noticed):
    host = online_host(peer=Peer())
    if keepalive:
        assert host.code(f"AT+MIPTKA=0,{keepalive}") == 0
    host.lines(TCP.format(0, 2), 1)
    peer = host.network.connections[-1]
    peer.vanish()
    peer.reply(b"never")
    assert b"+MIPSEND: 0,5" in send(host, b"hello")
    assert not peer.sent
    if noticed is None:
        assert host.wait(100000) == b""
        assert b'"CONNECTED"' in host.command("AT+MIPSTATE=0")
    else:
        assert host.wait(noticed - 5) == b""
        assert host.wait(10) == b'\r\n+MIPURC: "disconn",0,2\r\n'


@pytest.mark.parametrize("baud", [None, 115200])
def test_a_deaf_uart_hears_again_when_it_is_opened_anew(make_host, baud):
    host = make_host()
    uart = SimulatedUart(host.module, baud=baud)

    def ask():
        uart.write(b"AT\r")
        host.clock.advance(0.1)
        uart.any()
        host.clock.advance(0.1)
        return uart.read()

    assert ask() == b"\r\nOK\r\n"
    uart.deafen()
    assert ask() is None and uart.any() == 0
    assert host.module.commands[-2:] == [b"AT", b"AT"]  # the module hears, and answers
    uart.init(baudrate=115200)
    assert ask() == b"\r\nOK\r\n"

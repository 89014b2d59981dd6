# SPDX-License-Identifier: MIT
"""How opening with TLS ends, over the network in the process: from the store and the options."""

from __future__ import annotations

import pytest
from onemo_simulator import LoopNetwork, Peer, VerifyingPeer

OPEN = 'AT+MIPOPEN={},"TCP","echo.example",7,,{}'


def test_verdicts_follow_from_what_is_stored(make_host, manual_ca, manual_key):
    network = LoopNetwork()
    network.listen("echo.example", 7, VerifyingPeer(manual_ca, (manual_ca, manual_key)))
    host = make_host(network=network)
    host.code('AT+MIPCFG="ssl",0,1,2')

    def result(*settings):
        for setting in settings:
            assert host.code(f"AT+MSSLCFG={setting}") == 0
        last = host.lines(OPEN.format(0, 2), 2)[-1]
        host.command("AT+MIPCLOSE=0")
        return int(last.rsplit(b",", 1)[1])

    assert result() == 754
    assert result('"auth",2,1') == 762  # no CA bound
    assert result('"cert",2,"ca","cert","key"') == 762  # not there
    host.write("ca", manual_ca)
    host.write("cert", manual_ca)
    host.write("key", manual_key, what="KEY")
    assert result() == 754
    assert result('"auth",2,2') == 0
    assert network.connections[-1].tls.key == manual_key
    other = manual_ca.replace(b"MII", b"MIJ", 1)
    host.write("ca", other)
    assert result() == 752
    assert result('"ignoreverify",2,1') == 0
    host.write("ca", manual_ca[:-30])
    assert result() == 769
    host.code('AT+MIPCFG="ssl",0,0')
    assert result() == 0
    assert network.connections[-1].tls is None  # plaintext is told apart


@pytest.mark.parametrize("code", [753, 762])
def test_authentication_without_ca(make_host, code):
    network = LoopNetwork()
    network.listen("echo.example", 7, Peer())
    host = make_host(network=network, no_ca_code=code)
    host.code('AT+MSSLCFG="auth",0,1')
    host.code('AT+MIPCFG="ssl",0,1,0')
    assert host.lines(OPEN.format(0, 2), 1)[-1] == b"+MIPOPEN: 0,%d" % code


class Silent(Peer):
    def verdict(self, tls):
        return 753


@pytest.mark.parametrize("limit, seconds", [("both", 20.1), ("timeout", 20.1), ("negotime", 30.1)])
def test_which_limit_ends_a_handshake(make_host, limit, seconds):
    network = LoopNetwork()
    network.listen("echo.example", 7, Silent())
    host = make_host(network=network, handshake_limit=limit)
    host.code('AT+MSSLCFG="negotime",0,30')
    host.code('AT+MIPCFG="ssl",0,1,0')
    assert host.lines('AT+MIPOPEN=0,"TCP","echo.example",7,20,2', seconds - 0.5) == [b"OK"]
    assert host.wait(0.6) == b"\r\n+MIPOPEN: 0,753\r\n"


def test_too_early_after_the_pdp_came_up(make_host):
    network = LoopNetwork()
    network.listen("echo.example", 7, Peer())
    host = make_host(network=network, early_open_753=True, auto_dial=False)
    host.code('AT+MIPCFG="ssl",0,1,0')
    host.command("AT+MIPCALL=1,1", 0.05)
    assert host.lines(OPEN.format(0, 2), 2)[-1] == b"+MIPOPEN: 0,753"
    assert host.lines(OPEN.format(0, 2), 2)[-1] == b"+MIPOPEN: 0,0"


def test_two_tls_links_on_nb(make_host):
    network = LoopNetwork()
    network.listen("echo.example", 7, Peer())
    host = make_host("MN316", network=network, mipcfg_ssl=True)
    for conn in range(3):
        host.code(f'AT+MIPCFG="ssl",{conn},1,0')
    results = [host.lines(OPEN.format(conn, 2), 2)[-1] for conn in range(3)]
    assert results == [b"+MIPOPEN: 0,0", b"+MIPOPEN: 1,0", b"+MIPOPEN: 2,1"]


def test_psk_is_refused_in_plain_words(make_host):
    network = LoopNetwork()
    network.listen("echo.example", 7, Peer())
    host = make_host("MN316-S", network=network, mipcfg_ssl=True)
    host.code('AT+MSSLPSK="1","2345"')
    host.code('AT+MSSLCFG="psk",0,"1"')
    host.code('AT+MIPCFG="ssl",0,1,0')
    assert host.lines(OPEN.format(0, 2), 1)[-1] == b"+MIPOPEN: 0,1"
    assert any(b"PSK handshakes cannot be simulated" in e.data for e in host.module.log)

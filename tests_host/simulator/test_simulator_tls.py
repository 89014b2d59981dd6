# SPDX-License-Identifier: MIT
"""Real TLS: the PEMs that came over the UART decide, against a real server on this machine."""

from __future__ import annotations

import socket
import ssl
import time
from datetime import UTC, datetime, timedelta

import pytest
from onemo_simulator import SystemNetwork
from onemo_simulator.network import TlsRequest
from onemo_simulator.tls import client_context

PATIENCE = 20  # s of real time for anything on this machine


@pytest.fixture
def real_host(make_host):
    networks = []

    def make(model="ML307R", network_options=None, **quirks):
        network = SystemNetwork(
            {"broker.example": "127.0.0.1", "old.example": "127.0.0.1"}, **(network_options or {})
        )
        networks.append(network)
        return make_host(model, network=network, **quirks)

    yield make
    for network in networks:
        network.close()


def until(host, sign, step=0.001, got=b""):
    """Let real and virtual time pass until `sign` has come; a look takes 1 ms of real time."""
    end = time.monotonic() + PATIENCE
    while sign not in got:
        assert time.monotonic() < end, got
        host.clock.advance(step)
        got += host.module.take()
    return got


def connect(host, port, conn=0, ssl_id=0, name="broker.example", step=0.001):
    """Open; the result of +MIPOPEN. What came behind it is in `host.behind`."""
    if ssl_id is not None:
        assert host.code(f'AT+MIPCFG="ssl",{conn},1,{ssl_id}') == 0
    host.module.feed(b'AT+MIPOPEN=%d,"TCP","%s",%d,60,2\r' % (conn, name.encode(), port))
    sign = b"+MIPOPEN: %d," % conn
    got = until(host, sign, step)
    code, host.behind = until(host, b"\r\n", got=got.split(sign)[1]).split(b"\r\n", 1)
    return int(code)


def provision(host, *, ca=None, client=None, auth=1, ssl_id=0, **settings):
    names = []
    if ca is not None:
        assert host.write("ca.pem", ca.cert) == [b"OK"]
        names.append('"ca.pem"')
    if client is not None:
        assert host.write("client.pem", client.cert, 500)[-1] == b"OK"
        assert host.write("client.key", client.key, 500, "KEY")[-1] == b"OK"
        names += ['"client.pem"', '"client.key"']
    assert host.code(f'AT+MSSLCFG="auth",{ssl_id},{auth}') == 0
    if names:
        assert host.code(f'AT+MSSLCFG="cert",{ssl_id},{",".join(names)}') == 0
    for option, value in settings.items():
        assert host.code(f'AT+MSSLCFG="{option}",{ssl_id},{value}') == 0


def echo(host, data, conn=0):
    """Send `data`, read the same number of bytes back."""
    for at in range(0, len(data), 8192):
        part = data[at : at + 8192]
        host.module.feed(b"AT+MIPSEND=%d,%d\r" % (conn, len(part)))
        until(host, b">")
        host.module.feed(part)
        until(host, b"\r\nOK\r\n")
    got = b""
    end = time.monotonic() + PATIENCE
    while len(got) < len(data):
        assert time.monotonic() < end, len(got)
        host.module.feed(b"AT+MIPRD=%d,4096\r" % conn)
        answer = until(host, b"\r\nOK\r\n")
        head = b"+MIPRD: %d," % conn
        if head in answer:
            rest = answer.split(head, 1)[1]
            _, size, rest = rest.split(b",", 2)
            got += rest[: int(size)]
    return got


def test_no_authentication_accepts_whoever_answers(real_host, serve, pki):
    server = serve(pki.server)
    host = real_host()
    assert connect(host, server.port) == 0
    info = host.module.tls_info(0)
    assert info.version == "TLSv1.2"
    assert info.peer == "CN=broker.example"
    assert "GCM" in info.cipher
    assert echo(host, b"hello") == b"hello"
    assert host.module.violations == []


def test_server_authentication(real_host, serve, pki):
    server = serve(pki.server)
    host = real_host()
    provision(host, ca=pki.ca)
    assert connect(host, server.port) == 0
    payload = bytes(range(256)) * 200
    assert echo(host, payload) == payload


def test_a_wrong_ca_is_752(real_host, serve, pki):
    server = serve(pki.server)
    host = real_host()
    provision(host, ca=pki.other_ca)
    assert connect(host, server.port) == 752
    assert host.module.tls_info(0) is None
    host.code('AT+MSSLCFG="ignoreverify",0,1')
    assert connect(host, server.port) == 0


def test_a_bundle_holds_the_right_one(real_host, serve, pki):
    server = serve(pki.server)
    host = real_host()
    host.write("ca.pem", pki.other_ca.cert + pki.ca.cert)
    host.code('AT+MSSLCFG="auth",0,1')
    host.code('AT+MSSLCFG="cert",0,"ca.pem"')
    assert connect(host, server.port) == 0


def test_mutual_authentication(real_host, serve, pki):
    server = serve(pki.server, pki.ca)
    host = real_host()
    provision(host, ca=pki.ca, client=pki.client, auth=2)
    assert connect(host, server.port) == 0
    assert echo(host, b"it is me") == b"it is me"
    assert server.peers == ["device-1"]


@pytest.mark.parametrize("auth", [1, 2])
def test_a_client_without_its_certificate_does_not_get_in(real_host, serve, pki, auth):
    server = serve(pki.server, pki.ca)
    host = real_host()
    provision(host, ca=pki.ca, auth=auth)
    assert connect(host, server.port) == 754
    assert server.peers == []


def test_auth_1_does_not_show_the_bound_client_certificate(real_host, serve, pki):
    server = serve(pki.server, pki.ca)
    host = real_host()
    provision(host, ca=pki.ca, client=pki.client, auth=1)
    assert connect(host, server.port) == 754


def test_missing_or_bad_pems(real_host, serve, pki):
    server = serve(pki.server)
    host = real_host()
    provision(host, auth=1)
    assert connect(host, server.port) == 762
    host.code('AT+MSSLCFG="cert",0,"none.pem"')
    assert connect(host, server.port) == 762
    host.write("none.pem", b"this is no PEM")
    assert connect(host, server.port) == 769
    # Well-formed base64 in a well-formed frame, yet no certificate: OpenSSL finds out.
    host.write("none.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert connect(host, server.port) == 769
    host = real_host(bad_pem_code=761)
    host.write("none.pem", b"this is no PEM")
    provision(host, auth=1)
    host.code('AT+MSSLCFG="cert",0,"none.pem"')
    assert connect(host, server.port) == 761


def test_a_key_that_is_not_the_certificates(real_host, serve, pki):
    server = serve(pki.server, pki.ca)
    host = real_host()
    provision(host, ca=pki.ca, client=pki.client, auth=2)
    host.write("client.key", pki.server.key, what="KEY")
    assert connect(host, server.port) == 769
    host.code('AT+MSSLRM="client.key"')
    assert connect(host, server.port) == 762


def test_a_damaged_ca_in_the_store(real_host, serve, pki):
    server = serve(pki.server)
    host = real_host()
    provision(host, ca=pki.ca)
    body = pki.ca.cert.index(b"\n") + 200
    letter = pki.ca.cert[body]
    host.module.store.damage("ca.pem", body, letter ^ (ord("B") if letter != 66 else ord("C")))
    assert connect(host, server.port) in (752, 769)


def test_dates_are_judged_by_the_modules_own_clock(real_host, serve, pki):
    server = serve(pki.server)
    host = real_host(date="unset")
    provision(host, ca=pki.ca)
    assert connect(host, server.port) == 0  # ignorestamp is 1 in a fresh module
    host.command("AT+MIPCLOSE=0")
    host.code('AT+MSSLCFG="ignorestamp",0,0')
    assert connect(host, server.port) == 752  # 2070
    host.lines("AT+MNTP", 1)
    assert connect(host, server.port) == 0
    host.command("AT+MIPCLOSE=0")
    before = (datetime.now(UTC) - timedelta(days=5)).strftime("%y/%m/%d,%H:%M:%S+00")
    host.code(f'AT+CCLK="{before}"')
    assert connect(host, server.port) == 752  # not valid yet
    host.code('AT+MSSLCFG="auth",0,0')
    assert connect(host, server.port) == 0  # no verification at all


def test_an_expired_certificate(real_host, serve, pki):
    server = serve(pki.expired)
    host = real_host()
    provision(host, ca=pki.ca, ignorestamp=0)
    assert connect(host, server.port, name="old.example") == 752
    host.code('AT+MSSLCFG="ignorestamp",0,1')
    assert connect(host, server.port, name="old.example") == 0


def test_the_hosts_name_is_compared_only_if_asked(real_host, serve, pki):
    server = serve(pki.server)  # its certificate names broker.example as CN only
    host = real_host()
    provision(host, ca=pki.ca)
    assert connect(host, server.port, name="old.example") == 0
    host = real_host(network_options={"check_hostname": True, "sni": True})
    provision(host, ca=pki.ca)
    assert connect(host, server.port, name="old.example") == 752


@pytest.mark.parametrize(
    "suite, name", [("C02F", "ECDHE-RSA-AES128-GCM-SHA256"), ("9D", "AES256-GCM-SHA384")]
)
def test_the_suite_asked_for_is_the_suite_in_use(real_host, serve, pki, suite, name):
    server = serve(pki.server, maximum="ALL:@SECLEVEL=0")
    host = real_host()
    provision(host, ca=pki.ca, ciphersuite=suite)
    assert connect(host, server.port) == 0
    assert host.module.tls_info(0).cipher == name


@pytest.mark.parametrize("suite", ["9", "C0FF", "8C", "C0A0"])
def test_suites_that_lead_nowhere_are_754(real_host, serve, pki, suite):
    server = serve(pki.server)
    host = real_host()
    provision(host, ca=pki.ca, ciphersuite=suite)
    assert connect(host, server.port) == 754


@pytest.mark.parametrize("version, result", [(0, 754), (1, 754), (2, 754), (3, 0), (255, 0)])
def test_versions(real_host, serve, pki, version, result):
    server = serve(pki.server)
    host = real_host()
    provision(host, ca=pki.ca, version=version)
    assert connect(host, server.port) == result


def test_a_server_of_tls_1_3_only_is_out_of_reach(real_host, serve, pki):
    server = serve(pki.server)
    server.context.minimum_version = ssl.TLSVersion.TLSv1_3
    host = real_host()
    assert connect(host, server.port) == 754


def test_negotiation_that_takes_too_long_is_753(real_host, serve):
    server = serve(mode="silent")
    host = real_host()
    host.code('AT+MSSLCFG="negotime",0,10')
    start = host.clock.now()
    assert connect(host, server.port, step=0.1) == 753
    assert 10 <= host.clock.now() - start < 13


def test_refused_unknown_and_unreachable(real_host):
    host = real_host()
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    assert connect(host, port) == 557
    assert connect(host, port, ssl_id=None, conn=1) == 557
    host.module.network.hosts["bad.example"] = "999.999.1.1 "
    assert connect(host, port, name="bad.example") == 580
    host.module.feed(b'AT+MDNSGIP="broker.example"\r')
    assert b'+MDNSGIP: "broker.example","127.0.0.1"' in until(host, b"+MDNSGIP") + host.wait(0.01)


def test_plain_tcp_and_a_peer_that_leaves(real_host, serve):
    server = serve(mode="farewell")
    host = real_host()
    host.code('AT+MIPCFG="autofree",0,1')
    assert connect(host, server.port, ssl_id=None) == 0
    assert host.module.tls_info(0) is None
    until(host, b'"disconn",0,1', got=host.behind)
    assert host.lines("AT+MIPRD=0,100")[0] == b"+MIPRD: 0,0,8,farewell"


def test_a_tls_peer_that_leaves(real_host, serve, pki):
    server = serve(pki.server, mode="farewell")
    host = real_host()
    host.code('AT+MIPCFG="autofree",0,1')
    assert connect(host, server.port) == 0
    until(host, b'"disconn",0,1', got=host.behind)
    assert host.lines("AT+MIPRD=0,100")[0] == b"+MIPRD: 0,0,8,farewell"


def test_closing_flushes(real_host, serve, pki):
    server = serve(pki.server)
    host = real_host()
    assert connect(host, server.port) == 0
    host.module.feed(b"AT+MIPSEND=0,5\r")
    until(host, b">")
    host.module.feed(b"hello")
    until(host, b"OK")
    host.module.feed(b"AT+MIPCLOSE=0\r")
    until(host, b"+MIPCLOSE: 0")
    assert connect(host, server.port) == 0
    host.module.reboot()
    host.wait(5)
    assert host.module.sockets.get(0) is None


def test_several_at_once(real_host, serve, pki):
    servers = [serve(pki.server) for _ in range(3)]
    host = real_host()
    provision(host, ca=pki.ca)
    for conn, server in enumerate(servers):
        assert connect(host, server.port, conn) == 0
    for conn in range(3):
        assert echo(host, b"conn %d" % conn * 1000, conn) == b"conn %d" % conn * 1000


@pytest.mark.parametrize(
    ("session", "resumes", "second"),
    [(1, True, (0, True)), (0, True, (752, False)), (1, False, (752, False))],
)
def test_a_resumed_session_is_not_verified(real_host, serve, pki, session, resumes, second):
    server = serve(pki.server)
    server.context.maximum_version = ssl.TLSVersion.TLSv1_2
    host = real_host(session_resumes=resumes)
    provision(host, ca=pki.ca, session=session)
    assert connect(host, server.port) == 0
    assert host.module.tls_info(0).resumed is False
    host.command("AT+MIPCLOSE=0")
    # Another authority, which does not vouch for this server.
    assert host.write("other.pem", pki.other_ca.cert) == [b"OK"]
    assert host.code('AT+MSSLCFG="cert",0,"other.pem"') == 0
    result = connect(host, server.port)
    info = host.module.tls_info(0)
    assert (result, bool(info and info.resumed)) == second


@pytest.mark.parametrize(
    ("oldest", "minimum"),
    [
        (0, ssl.TLSVersion.MINIMUM_SUPPORTED),
        (2, ssl.TLSVersion.TLSv1_1),
        (3, ssl.TLSVersion.TLSv1_2),
    ],
)
def test_255_means_the_versions_that_the_model_has(oldest, minimum):
    request = TlsRequest(
        auth=0,
        ca=None,
        cert=None,
        key=None,
        psk=False,
        version=255,
        suite=0,
        negotime=60.0,
        session=False,
        ignorestamp=True,
        ignoreverify=False,
        date=datetime.now(UTC),
        oldest=oldest,
    )
    assert client_context(request, False).minimum_version == minimum

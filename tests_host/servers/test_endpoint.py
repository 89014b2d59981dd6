# SPDX-License-Identifier: MIT
"""endpoint: a real server that does what it is told, reports what it saw, and always ends."""

import hashlib
import socket
import ssl
import time

import pytest
from onemo_tools.servers import pki
from onemo_tools.servers.endpoint import (
    Endpoint,
    close_after,
    echo,
    echo_lines,
    flood,
    half_close,
    pattern,
    reset_after,
    sink,
)

TIMEOUT = 20


@pytest.fixture(scope="module")
def authority():
    return pki.Authority("endpoint test CA")


@pytest.fixture(scope="module")
def server(authority):
    return authority.issue("endpoint.example", server=True)


@pytest.fixture(scope="module")
def client(authority):
    return authority.issue("device-0001")


def connect(endpoint: Endpoint) -> socket.socket:
    return socket.create_connection((endpoint.host, endpoint.port), TIMEOUT)


def context(authority, tmp_path, client=None) -> ssl.SSLContext:
    made = ssl.create_default_context(cadata=authority.pem.decode())
    if client:
        made.load_cert_chain(*client.write(tmp_path))
    return made


def connect_tls(endpoint: Endpoint, made: ssl.SSLContext) -> ssl.SSLSocket:
    sock = connect(endpoint)
    try:
        return made.wrap_socket(sock, server_hostname="localhost")
    except BaseException:
        sock.close()
        raise


def everything(sock: socket.socket) -> bytes:
    data = b""
    while piece := sock.recv(65536):
        data += piece
    return data


def test_mutual_tls_is_reported(authority, server, client, tmp_path):
    with Endpoint(echo, identity=server, client_ca=authority.pem) as endpoint:
        with connect_tls(endpoint, context(authority, tmp_path, client)) as sock:
            sock.sendall(b"over \0 TLS\n")
            assert sock.recv(100) == b"over \0 TLS\n"
            cipher = sock.cipher()[0]
        [seen] = endpoint.wait(1)
    assert (seen.peer, seen.version, seen.cipher) == ("device-0001", "TLSv1.2", cipher)
    assert (seen.received, seen.sent, seen.error) == (11, 11, None)
    assert seen.server_name == "localhost"


def test_a_client_without_certificate_does_not_get_in(authority, server, tmp_path):
    with Endpoint(echo, identity=server, client_ca=authority.pem) as endpoint:
        with pytest.raises(ssl.SSLError, match=r"handshake failure|certificate required"):
            connect_tls(endpoint, context(authority, tmp_path))
        [seen] = endpoint.wait(1)
    assert "did not return a certificate" in seen.error
    assert (seen.version, seen.received) == (None, 0)


@pytest.mark.parametrize("wrong", ["authority", "expired", "not_yet_valid"])
def test_a_client_with_a_bad_certificate_does_not_get_in(authority, server, tmp_path, wrong):
    if wrong == "authority":
        client = pki.Authority("somebody else").issue("device-0001")
    else:
        client = authority.issue("device-0001", **{wrong: True})
    with Endpoint(echo, identity=server, client_ca=authority.pem) as endpoint:
        with pytest.raises(ssl.SSLError, match="alert"):
            connect_tls(endpoint, context(authority, tmp_path, client))
        [seen] = endpoint.wait(1)
    assert "certificate verify failed" in seen.error


def test_a_client_that_trusts_another_ca_is_reported(server, tmp_path):
    other = pki.Authority("somebody else")
    with Endpoint(echo, identity=server) as endpoint:
        with pytest.raises(ssl.SSLCertVerificationError):
            connect_tls(endpoint, context(other, tmp_path))
        [seen] = endpoint.wait(1)
    assert "unknown ca" in seen.error


def test_no_client_certificate_is_demanded_unless_asked(authority, server, tmp_path):
    with Endpoint(echo, identity=server) as endpoint:
        with connect_tls(endpoint, context(authority, tmp_path)) as sock:
            sock.sendall(b"x")
            assert sock.recv(1) == b"x"
        [seen] = endpoint.wait(1)
    assert (seen.peer, seen.error) == (None, None)


def test_versions_and_ciphers_can_be_set(authority, server, tmp_path):
    newest = {"minimum": ssl.TLSVersion.TLSv1_3, "maximum": ssl.TLSVersion.TLSv1_3}
    with Endpoint(echo, identity=server, **newest) as endpoint:
        with connect_tls(endpoint, context(authority, tmp_path)) as sock:
            assert sock.version() == "TLSv1.3"
        made = context(authority, tmp_path)
        made.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(ssl.SSLError, match="protocol version"):
            connect_tls(endpoint, made)
        assert "unsupported protocol" in endpoint.wait(2)[1].error
    suite = "ECDHE-RSA-AES128-GCM-SHA256"
    with Endpoint(echo, identity=server, ciphers=suite) as endpoint:
        with connect_tls(endpoint, context(authority, tmp_path)) as sock:
            assert sock.cipher()[0] == suite
        assert endpoint.wait(1)[0].cipher == suite


def test_old_tls_can_be_offered(authority, server, tmp_path):
    old = ssl.TLSVersion.TLSv1_1
    with Endpoint(echo, identity=server, minimum=ssl.TLSVersion.TLSv1, maximum=old) as endpoint:
        made = context(authority, tmp_path)
        made.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning):
            made.minimum_version = ssl.TLSVersion.TLSv1
        with connect_tls(endpoint, made) as sock:
            assert sock.version() == "TLSv1.1"


def test_an_elliptic_identity_serves(authority, tmp_path):
    server = authority.issue("curve.example", server=True, algorithm="ec")
    with (
        Endpoint(echo, identity=server) as endpoint,
        connect_tls(endpoint, context(authority, tmp_path)) as sock,
    ):
        assert "ECDSA" in sock.cipher()[0]


@pytest.fixture(params=["tcp", "tls"])
def opened(request, authority, server, tmp_path):
    """Opens a connection to an endpoint with some behaviour; plain and with TLS."""
    identity = server if request.param == "tls" else None
    to_close: list = []

    def opener(behaviour, **options):
        endpoint = Endpoint(behaviour, identity=identity, **options).__enter__()
        to_close.append(endpoint)
        made = context(authority, tmp_path)
        sock = connect_tls(endpoint, made) if identity else connect(endpoint)
        to_close.append(sock)
        return endpoint, sock

    yield opener
    for each in reversed(to_close):
        each.close()


def test_echo_lines_answers_whole_lines(opened):
    endpoint, sock = opened(echo_lines)
    sock.sendall(b"one\ntwo\nthr")
    assert sock.recv(100) == b"one\ntwo\n"
    sock.sendall(b"ee\nrest")
    assert sock.recv(100) == b"three\n"
    sock.close()
    assert endpoint.wait(1)[0].sent == 14


def test_sink_reports_the_digest(opened):
    data = pattern(100_000)
    endpoint, sock = opened(sink(len(data)))
    sock.sendall(data)
    report = everything(sock)
    sock.close()
    [seen] = endpoint.wait(1)
    assert seen.sha256 == hashlib.sha256(data).hexdigest()
    assert report == b"100000 %s\n" % seen.sha256.encode()
    assert (seen.received, seen.error) == (100_000, None)


def test_sink_takes_all_until_the_end():
    with Endpoint(sink()) as endpoint, connect(endpoint) as sock:
        sock.sendall(b"abc")
        sock.shutdown(socket.SHUT_WR)
        assert everything(sock) == b"3 %s\n" % hashlib.sha256(b"abc").hexdigest().encode()


def test_flood_sends_the_pattern_and_ends(opened):
    endpoint, sock = opened(flood(300_001))
    assert everything(sock) == pattern(300_001)
    sock.close()
    [seen] = endpoint.wait(1)
    assert (seen.sent, seen.error) == (300_001, None)


def test_pattern_can_be_checked_piecewise():
    assert pattern(100, 4096) == pattern(5000)[4096:4196]
    assert set(pattern(2000)) == set(range(256))
    assert pattern(256) != pattern(256, 256)


def test_close_after_some_bytes_is_an_orderly_end(opened):
    endpoint, sock = opened(close_after(5))
    sock.sendall(b"1234")
    sock.settimeout(0.2)
    with pytest.raises(TimeoutError):
        sock.recv(1)
    sock.settimeout(TIMEOUT)
    sock.sendall(b"5 and more")
    assert everything(sock) == b""
    sock.close()
    assert endpoint.wait(1)[0].error is None


def test_half_close_still_receives(opened):
    endpoint, sock = opened(half_close(b"last words"))
    assert everything(sock) == b"last words"
    sock.sendall(b"heard you")
    sock.close()
    [seen] = endpoint.wait(1)
    assert (seen.received, seen.sent, seen.error) == (9, 10, None)


def test_reset_at_once():
    with Endpoint(reset_after()) as endpoint:
        # The reset may be there before connecting has returned.
        with pytest.raises(ConnectionResetError), connect(endpoint) as sock:
            sock.recv(1)
        assert endpoint.wait(1)[0].error is None


@pytest.mark.parametrize("length", [1, 4])
def test_reset_is_no_orderly_end(opened, length):
    endpoint, sock = opened(reset_after(length))
    with pytest.raises(ConnectionResetError):
        sock.sendall(b"data"[:length])
        while socket.socket.recv(sock, 1):  # below TLS, which takes a reset for an end
            pass
    assert endpoint.wait(1)[0].received == length


def test_a_stalled_handshake_is_never_answered(authority, server, tmp_path):
    with Endpoint(echo, identity=server, stall=True) as endpoint:
        sock = connect(endpoint)
        sock.settimeout(0.3)
        with pytest.raises(TimeoutError), sock:
            context(authority, tmp_path).wrap_socket(sock, server_hostname="localhost")
        [seen] = endpoint.wait(1)
    assert (seen.version, seen.received) == (None, 0)


def test_silent_clients_are_given_up(server):
    for identity in (None, server):
        with Endpoint(echo, identity=identity, timeout_s=0.2) as endpoint, connect(endpoint):
            assert "timed out" in endpoint.wait(1)[0].error


def test_a_behaviour_that_fails_is_reported():
    def broken(connection):
        raise KeyError("of the test")

    with Endpoint(broken) as endpoint:
        with connect(endpoint) as sock:
            assert everything(sock) == b""
        assert endpoint.wait(1)[0].error == "KeyError: 'of the test'"


def test_connections_at_the_same_time():
    with Endpoint(echo) as endpoint:
        socks = [connect(endpoint) for _ in range(8)]
        for number, sock in enumerate(socks):
            sock.sendall(b"%d" % number)
        assert [sock.recv(10) for sock in socks] == [b"%d" % number for number in range(8)]
        for sock in socks:
            sock.close()
        assert [seen.error for seen in endpoint.wait(8)] == [None] * 8


def test_closing_ends_open_connections_soon():
    endpoint = Endpoint(echo)
    with endpoint, connect(endpoint) as sock:
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
        start = time.monotonic()
        endpoint.close()
        assert everything(sock) == b""
    assert time.monotonic() - start < 5
    assert endpoint.connections[0].done.is_set()
    with pytest.raises(ConnectionRefusedError):
        connect(endpoint)


def test_waiting_has_an_end():
    with Endpoint(echo) as endpoint, pytest.raises(TimeoutError, match="0 of 1"):
        endpoint.wait(1, timeout=0.05)


def test_what_belongs_to_tls_needs_an_identity(authority):
    with pytest.raises(ValueError, match="give an identity"):
        Endpoint(echo, client_ca=authority.pem)

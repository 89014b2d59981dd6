# SPDX-License-Identifier: MIT
"""`requests`, as the MicroPython wheel freezes it, over a real HTTPS server through the module's
TLS."""

import json

import pytest
from onemo_simulator import Module, SystemNetwork
from onemo_tools.servers.endpoint import Endpoint
from onemo_tools.servers.pki import Authority

from .device import pattern, run

SERVER = "www.example"


def serve(connection):
    """One request of HTTP/1.0 or 1.1; what it was comes back as JSON, or `pattern` for /<n>."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.receive()
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    method, path, _ = lines[0].split(" ")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    while len(body) < int(headers.get("Content-Length", 0)):
        body += connection.receive()
    if path[1:].isdigit():
        answer = pattern(0, int(path[1:]))
    else:
        answer = json.dumps(
            {"method": method, "path": path, "headers": headers, "body": body.decode()}
        ).encode()
    length = b"" if path == "/endless" else b"Content-Length: %d\r\n" % len(answer)
    connection.send(b"HTTP/1.0 200 Fine\r\nX-Served: yes\r\n" + length + b"\r\n" + answer)


@pytest.mark.parametrize("tls", [True, False])
def test_requests(tls):
    authority = Authority("web ca")
    identity = authority.issue(SERVER, server=True) if tls else None
    with Endpoint(serve, identity=identity) as server:
        module = Module("ML307R", network=SystemNetwork({SERVER: "127.0.0.1"}))
        module.store.objects[1, "ca.pem"] = authority.pem
        out = run(
            module,
            """
import json
import requests
from onemo import Modem, AUTH_SERVER
modem = Modem(uart)
modem.start()
tls = None
if TLS:
    tls = modem.tls(1)
    tls.configure(AUTH_SERVER, ca="ca.pem")
requests.socket = modem.socket_module(tls)
url = "http://www.example:%d" % PORT

said = requests.get(url + "/hello", timeout=20)
assert said.status_code == 200 and said.reason == b"Fine", said.status_code
assert said.headers["X-Served"] == "yes"
assert said.json()["path"] == "/hello"
said.close()

said = requests.post(url + "/post", json={"a": [1, 2]}, headers={"X-Own": "mine"}).json()
assert said["method"] == "POST" and json.loads(said["body"]) == {"a": [1, 2]}, said
assert said["headers"]["X-Own"] == "mine"

said = requests.put(url + "/put", data="d" * 3000).json()
assert said["body"] == "d" * 3000

assert requests.get(url + "/endless").json()["path"] == "/endless"

said = requests.get(url + "/30000", stream=True)
buf = bytearray(1000)
at = 0
while at < 30000:
    n = said.raw.readinto(buf)
    assert buf[:n] == pattern(at, n)
    at += n
said.close()
assert requests.get(url + "/20000").content == pattern(0, 20000)
print("ok")
""",
            heap="384K",
            TLS=tls,
            PORT=server.port,
        )
        assert out == "ok\n"
        seen = server.wait(6)
        assert all(connection.error is None for connection in seen)
        assert all((connection.version == "TLSv1.2") is tls for connection in seen)
    sends = [command for command in module.commands if command.startswith(b"AT+MIPSEND")]
    assert len(sends) <= 6 + 2 + 1  # heads in one piece each, bodies in another
    assert module.violations == []

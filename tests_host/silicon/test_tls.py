# SPDX-License-Identifier: MIT
"""TLS on the board: a firmware with `tls`, over the module's plain connection to a real server."""

import datetime
from pathlib import Path

from onemo_tools.servers import pki
from onemo_tools.servers.endpoint import Endpoint, echo_lines

from .conftest import HOST, MOST_S, OTHER, UART, put

JOB = Path(__file__).with_name("tls_job.py")
DEVICE = "device-0001"


def test_mutual_tls_on_the_board(start, at, built, deployed, line, tmp_path):
    authority = pki.Authority("onemo board root", algorithm="ec")
    identity = authority.issue(HOST, server=True, algorithm="ec")
    client = authority.issue(DEVICE, algorithm="ec")
    board = start(deployed, firmware=built.with_tls, uarts={1: line.board_fd})
    call = at(board)
    files = {"ca.pem": authority.pem, "client.pem": client.chain, "client.key": client.key}
    put(call, {f"certs/{name}": pem for name, pem in files.items()}, tmp_path)
    now = datetime.datetime.now(datetime.UTC)
    clock = (now.year, now.month, now.day, 0, now.hour, now.minute, now.second, 0)
    # the board computes for long, as others see it
    server = Endpoint(echo_lines, identity=identity, client_ca=authority.pem, timeout_s=MOST_S)
    with server as endpoint:
        preset = f"HOST, OTHER, PORT = {HOST!r}, {OTHER!r}, {endpoint.port}\n"
        preset += f"UART, NOW = {UART!r}, {clock!r}"
        said = call("exec", preset, "run", JOB).stdout.splitlines()
        wrong, right = endpoint.wait(2)
    assert said[0].startswith("ModemError TLS on the board failed: ")
    assert "name" in said[0].lower() or "CN" in said[0]
    assert said[1:] == ["TLSv1.2", "exchanged 4"]
    assert (wrong.server_name, wrong.received, wrong.peer) == (OTHER, 0, None)
    assert (right.server_name, right.peer, right.error) == (HOST, DEVICE, None)
    assert right.received == right.sent == 4 * 401
    assert board.stats()["uarts"][1]["lost"] == 0

# SPDX-License-Identifier: MIT
"""The library's work, on real firmware: by the real mpremote, against real servers."""

import json
import time
from pathlib import Path

import pytest
from onemo_board.errors import MpremoteError
from onemo_simulator import Line
from onemo_tools.proofs import testdevice
from onemo_tools.servers.broker import Broker
from onemo_tools.servers.endpoint import Endpoint, echo_lines

from .conftest import BAUD, HOST, MOST_S, ROOT, UART, eventually, put

HERE = Path(__file__).parent
DEVICE = "device-0001"
LARGEST = 8192


@pytest.fixture(scope="module")
def pems(authority):
    client = authority.subordinate("onemo silicon devices").issue(DEVICE)
    return {
        "ca.pem": authority.bundle(LARGEST),
        "client.pem": client.chain,
        "client.key": client.key,
    }


def held(module, line):
    with line.locked():
        return {name: data for (_, name), data in module.store.objects.items()}


@pytest.mark.parametrize("script", ["main_job.py", "main_job_aio.py"])
def test_the_main_job(start, at, deployed, module, line, authority, pems, tmp_path, script):
    identity = authority.issue(HOST, server=True)
    server = Endpoint(echo_lines, identity=identity, client_ca=authority.pem)
    board = start(deployed, uarts={1: line.board_fd})
    with server as endpoint:
        call = at(board)
        put(call, {f"certs/{name}": pem for name, pem in pems.items()}, tmp_path)
        preset = f"HOST, PORT, UART = {HOST!r}, {endpoint.port}, {UART!r}"
        said = call("exec", preset, "run", HERE / script).stdout.splitlines()
        [seen] = endpoint.wait(1)
    listed = sorted((name, len(pems[name])) for name in ("ca.pem", "client.pem"))
    ticked = ["ticks True"] if "aio" in script else []
    assert said == [
        "model ML307R",
        *(f"write {name} True" for name in pems),
        "again False",
        f"list {listed}",
        f"read {LARGEST} True",
        "exchanged 4",
        *ticked,
    ]
    assert (seen.peer, seen.error, seen.version) == (DEVICE, None, "TLSv1.2")
    assert seen.received == seen.sent == 4 * 401
    assert held(module, line) == pems
    uart = board.stats()["uarts"][1]
    assert uart["lost"] == 0
    assert uart["sent"] > sum(map(len, pems.values()))


def test_main_py_and_a_broker(start, at, deployed, module, line, authority, pems, tmp_path):
    config = json.loads((ROOT / "config.json").read_bytes())
    config["uart"] = UART
    files = {name: (ROOT / name).read_bytes() for name in ("boot.py", "main.py", "mqtt.py")}
    files |= {f"certs/{name}": pem for name, pem in pems.items()}
    identity = authority.issue(HOST, server=True)
    with Broker(identity=identity, client_ca=authority.pem) as broker:
        config["endpoint"] |= {"host": HOST, "port": broker.port, "every_s": 1}
        files["config.json"] = json.dumps(config).encode()
        board = start(deployed, uarts={1: line.board_fd})
        put(at(board), files, tmp_path)
        mark = board.output.mark()
        board.hard_reset()
        for name in pems:
            board.output.wait_for(f"{name} written, MD5 ".encode(), MOST_S, since=mark)
        board.output.wait_for(f"connected to {HOST}:{broker.port}", MOST_S, since=mark)
        board.output.wait_for(rb'published .*"line": 2', MOST_S, since=mark)
        broker.cut()
        board.output.wait_for(rb"retrying in ", MOST_S, since=mark)
        mark = board.output.mark()
        board.output.wait_for(f"connected to {HOST}:{broker.port}", MOST_S, since=mark)
        board.output.wait_for(rb"published ", MOST_S, since=mark)
    assert held(module, line) == pems


def explained(results):
    files = {name.partition(".")[0].split()[0] for name in results.failed}
    return "\n".join(results.output[file] for file in files)


def test_the_device_tests_with_a_wire(start, deployed):
    board = start(deployed, wired=[1])
    results = testdevice.run(board.port, {"uart": UART})
    assert results.failed == [], explained(results)
    assert set(results.output) == {"test_lean", "test_uart", "test_upload"}
    assert len(results.ran) >= 20
    assert board.stats()["uarts"][1]["lost"] > 0  # the test of a small buffer made it so


def test_the_device_tests_with_a_module(start, deployed, module):
    """They change the speed, and reset the board softly in the middle of an upload."""
    module.data_timeout = 2
    line = Line(module, baud=BAUD)
    with line:
        board = start(
            deployed,
            uarts={1: line.board_fd},
            on_baud=lambda uart, baud: line.set_baud(baud) if uart == 1 else None,
        )
        results = testdevice.run(board.port, {"uart": UART}, real_module=True)
        assert results.failed == [], explained(results)
        assert set(results.output) == {"test_module", "test_module_reset"}
        with line.locked():
            assert module.store.objects == {}


UPLOAD = """
import io
from onemo import Modem
from onemo.uart import open_uart
modem = Modem(open_uart({uart!r}), baud={baud})
modem.start()
def progress(done, total):
    print("at", done)
print(modem.certs.write("ca.pem", "/certs/ca.pem", progress=progress))
"""


def test_power_fails_in_the_middle_of_an_upload(start, at, deployed, module, line, pems, tmp_path):
    board = start(deployed, uarts={1: line.board_fd})
    call = at(board)
    put(call, {"certs/ca.pem": pems["ca.pem"]}, tmp_path)
    script = UPLOAD.format(uart=UART, baud=BAUD)
    call("exec", "--no-follow", script)
    eventually(lambda: board.stats()["uarts"][1]["sent"] > LARGEST // 2)
    board.power_cut()
    with line.locked():
        assert module.violations == []
    time.sleep(0.5)
    board.power_on()
    assert call.exec(script).splitlines()[-1] == "True"
    assert held(module, line) == {"ca.pem": pems["ca.pem"]}


def test_power_fails_while_flash_is_written(start, at, built):
    """A file that is replaced as the library does it is the old one or the new one."""
    board = start()
    call = at(board)
    write = (
        "import os\nwith open('new', 'wb') as f:\n f.write(bytes([{0}]) * 3000)\n"
        "os.rename('new', 'file')"
    )
    call.exec(write.format(1))
    found = []
    for after in (0, 2, 5):
        board.power_cut(after_writes=after)
        with pytest.raises(MpremoteError):  # the power went before it had ended
            call("exec", write.format(2), timeout=10)
        board.wait_off()
        board.power_on()
        found.append(call.exec("d = open('file', 'rb').read()\nprint(len(d), d[0], set(d))"))
    assert all(said in ("3000 1 {1}\n", "3000 2 {2}\n") for said in found), found
    assert "3000 1 {1}\n" in found

# SPDX-License-Identifier: MIT
"""The main job on real MicroPython: 88 KB of heap, the library as .mpy, the real mpremote."""

import hashlib
from pathlib import Path

import pytest
from onemo_board import VirtualBoard, mpremote
from onemo_simulator import Line, Module, SystemNetwork
from onemo_tools.deploy import deployment
from onemo_tools.deploy.mpy import compile_mpy
from onemo_tools.servers.endpoint import Endpoint, echo_lines
from onemo_tools.servers.pki import Authority

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests_host" / "data"
LIMIT_S = 60
GOLDEN = "9e5e120bc7827646a0c4b007ec3e1453"  # manual 3.8, of the key of manual 3.3

PROVISION = """
from machine import UART
from onemo import Modem, KEY
m = Modem(UART(1, 921600, tx=17, rx=18, rxbuf=4096, timeout=0), baud=921600)
m.start()
print(m.certs.write("ca.pem", "/certs/ca.pem"))
print(m.certs.write("client.key", "/certs/client.key", KEY))
print(m.certs.write("ca.pem", "/certs/ca.pem"))
print(m.certs.digest("ca.pem"), m.certs.digest("client.key"))
class Sink:
    def __init__(self):
        import hashlib
        self.hash = hashlib.md5()
        self.most = 0
    def write(self, data):
        self.hash.update(data)
        self.most = max(self.most, len(data))
s = Sink()
print(m.certs.read("ca.pem", s), s.most)
import binascii
print(binascii.hexlify(s.hash.digest()).decode())
"""

CONNECT = """
from machine import UART
from onemo import AUTH_MUTUAL, KEY, Modem
m = Modem(UART(1, 921600, tx=17, rx=18, rxbuf=4096, timeout=0), baud=921600)
m.start()
m.attach()
m.certs.write("ca.pem", "/certs/ca.pem")
m.certs.write("client.pem", "/certs/client.pem")
m.certs.write("client.key", "/certs/client.key", KEY)
m.tls(1).configure(AUTH_MUTUAL, ca="ca.pem", cert="client.pem", key="client.key")
with m.connect("broker.example", %d, m.tls(1)) as stream:
    print("over TLS", file=stream)
    print(stream.readline())
"""


@pytest.fixture
def job(tmp_path):
    """Runs a script on a board with these PEM files; its output, the module, and the line."""

    def run(script, files, module, heap="88K"):
        certs = tmp_path / "certs"
        certs.mkdir()
        for name, content in files.items():
            (certs / name).write_bytes(content)
        with (
            Line(module, "socketpair", baud=921600) as line,
            VirtualBoard(
                str(tmp_path / "flash.lfs"),
                heap=heap,
                uarts={1: line.board_fd},
                on_baud=lambda _, baud: line.set_baud(baud),
            ) as board,
        ):
            boot = (ROOT / "boot.py").read_bytes()
            deployment.deploy(board.port, deployment.library(ROOT) | {"boot.py": boot})
            mpremote(board.port, "fs", "cp", "-r", str(certs), ":/", timeout=LIMIT_S)
            program = tmp_path / "program.py"
            program.write_text(script)
            (tmp_path / "program.mpy").write_bytes(compile_mpy(program))
            mpremote(board.port, "fs", "cp", str(tmp_path / "program.mpy"), ":/", timeout=LIMIT_S)
            result = mpremote(board.port, "exec", "import program", timeout=LIMIT_S)
            with line.locked() as served:
                assert served.violations == []
            assert board.overruns == {} or not any(board.overruns.values())
            return result.stdout.splitlines()

    return run


def test_8192_bytes_through_a_88_kb_heap(job):
    ca = Authority("onemo test").bundle(8192)
    assert len(ca) == 8192
    key = (DATA / "manual-key.pem").read_bytes()
    module = Module("ML307R", baud=921600)
    said = job(PROVISION, {"ca.pem": ca, "client.key": key}, module)
    digest = hashlib.md5(ca).hexdigest()
    size, most = said.pop(4).split()
    assert said == ["True", "True", "False", f"{digest} {GOLDEN}", digest]
    assert size == "8192"
    assert int(most) <= 256
    assert module.store.certs["ca.pem"] == ca


def test_verified_mutual_tls_from_a_board(job, tmp_path):
    authority = Authority("onemo test")
    server = authority.issue("broker.example", server=True)
    client = authority.issue("device-1")
    files = {
        "ca.pem": authority.pem,
        "client.pem": client.chain,
        "client.key": client.key,
    }
    with Endpoint(echo_lines, identity=server, client_ca=authority.pem) as endpoint:
        module = Module(
            "ML307R", baud=921600, network=SystemNetwork({"broker.example": "127.0.0.1"})
        )
        said = job(CONNECT % endpoint.port, files, module, heap="108K")
        assert said == ["b'over TLS\\n'"]
        endpoint.wait(1)
        assert [record.peer for record in endpoint.connections] == ["device-1"]

# SPDX-License-Identifier: MIT
"""main.py on real MicroPython: it renews its certificate and goes on; nothing of the new key is in
its flash, and nothing of it stays in its memory."""

import gc
import json
import warnings

import pytest
from driver.test_heap_secrets import PRINTABLE, memory_of, windows
from onemo_board import VirtualBoard
from onemo_board.images import read_files, write_files
from onemo_simulator import Line, Module, SystemNetwork
from onemo_tools.deploy import deployment
from onemo_tools.factory.tables import ACTIVE, SUPERSEDED
from onemo_tools.proofs.renewal import HOST, ROOT, SERVICE
from onemo_tools.servers.broker import Broker

HEAP = "256K"
LIMIT_S = 60

pytestmark = [
    pytest.mark.renewal,
    # Of amqtt, as elsewhere.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture
def broker(world):
    with Broker(identity=world.server, client_ca=world.authority.pem) as running:
        yield running
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def test_main_renews_and_goes_on(world, broker, tmp_path):
    unit_id, certificate, key = world.provision(algorithm="rsa-2048")
    config = json.loads((ROOT / "config.json").read_bytes())
    config["endpoint"] |= {"host": HOST, "port": broker.port, "every_s": 1}
    config["renewal"] = {
        "host": SERVICE,
        "port": world.listeners.port,
        "grace_port": world.listeners.grace_port,
        "within_s": 0,
    }
    files = {name: (ROOT / name).read_bytes() for name in ("boot.py", "main.py", "mqtt.py")}
    files |= deployment.library(ROOT)
    files["config.json"] = json.dumps(config).encode()
    files |= {"certs/ca.pem": world.authority.pem, "certs/client.pem": certificate}
    files["certs/client.key"] = key
    image = tmp_path / "flash.img"
    write_files(image, files)
    network = SystemNetwork({HOST: "127.0.0.1", SERVICE: "127.0.0.1"})
    module = Module("ML307R", network=network, boot_delay=0.2, register_delay=0.05)
    with (
        Line(module, "socketpair", baud=115200) as line,
        VirtualBoard(image, uarts={1: line.board_fd}, heap=HEAP) as board,
    ):
        board.output.wait_for(r"renewal: cert-\w+\.pem is in force", LIMIT_S)
        mark = board.output.mark()
        board.output.wait_for(r"published .*\n(?s:.*)published ", LIMIT_S, since=mark)
        active = world.records.credential(unit_id, ACTIVE)
        assert world.states(unit_id) == {ACTIVE: 1, SUPERSEDED: 1}
        with line.locked() as served:
            objects = dict(served.store.objects)
            assert served.violations == []
        names = [f"{kind}-{active.serial[-12:]}.pem" for kind in ("cert", "key")]
        assert sorted(objects) == [(1, "ca.pem"), (1, names[0]), (2, names[1])]
        renewed = objects[2, names[1]]
        texts = b"\n".join(PRINTABLE.findall(b"\n".join(memory_of(board.pid))))
        assert {piece for piece in windows(renewed) if piece in texts} == set()
        # The configuration is as it was: what is in force is known after a power cut as well.
        board.power_cut()
        mark = board.output.mark()
        board.power_on()
        board.output.wait_for(r"published ", LIMIT_S, since=mark)
        assert f"{names[0]}, {names[1]} is in force" in board.output.since(mark)
    kept = read_files(image)
    flash = image.read_bytes()
    assert not [piece for piece in windows(renewed) if piece in flash and piece not in key]
    assert json.loads(kept["/onemo.rotate"])["state"] == "done"
    assert "/onemo.renew" not in kept

# SPDX-License-Identifier: MIT
"""Each of examples/, as it is, on the virtual board: what it prints is what its head says."""

import re
from pathlib import Path

import pytest
from onemo_tools.deploy.packages import ROOT

from . import stage as scene

# amqtt leaves transports of clients that broke off to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
NAMES = ("ca.pem", "client.pem", "client.key")


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with scene.built(tmp_path_factory.mktemp("board")) as built:
        yield built


@pytest.fixture
def run(stage):
    """Runs an example on a module with the certificates, or an empty one."""

    def go(name, *, empty=False, enough=None, changed=None, prepare=None):
        code = (ROOT / "examples" / name).read_text()
        for before, after in (changed or {}).items():
            assert before in code
            code = code.replace(before, after)
        stage.begin(stored=not empty)
        if prepare:
            with stage.line.locked() as module:
                prepare(module)
        out = stage.run_until(code, enough) if enough else stage.run(code)
        with stage.line.locked() as module:
            assert module.violations == []
        return "\n".join(out)

    return go


def test_upload(stage, run):
    out = run("upload.py", empty=True)
    for name in NAMES:
        assert f"{name} written and verified" in out
    again = "\n".join(stage.run((ROOT / "examples" / "upload.py").read_text()))
    assert again.count("was there already") == 3
    assert re.findall("by the module: .*", again) == re.findall("by the module: .*", out)


def test_connect(stage, run):
    out = run("connect.py")
    assert "online as 10." in out
    assert "the server says hello" in out
    assert stage.echo.connections[-1].peer == "device-0001"


def test_sync(run):
    out = run("sync.py", empty=True).splitlines()
    done = (
        "[('write', 'ca.pem'), ('write', 'client.pem'), ('write', 'client.key'), ('configure', 1)]"
    )
    assert out == [f"to be done: {done}", f"done: {done}", "a second time: []"]


def test_rotate(stage, run):
    out = run("rotate.py", empty=True)
    assert "in use: ca.pem, client-2.key, client-2.pem" in out
    assert "proven by a connection: True" in out
    assert stage.echo.connections[-1].peer == "device-0002"
    with stage.line.locked() as module:
        assert sorted(name for _, name in module.store.objects) == [
            "ca.pem",
            "client-2.key",
            "client-2.pem",
        ]


def test_mqtt_blocking(run):
    out = run("mqtt_blocking.py")
    assert """received b'devices/device-0001/commands' b'{"valve": "open"}'""" in out


def test_mqtt_asyncio(run):
    out = run("mqtt_asyncio.py")
    assert """received devices/device-0001/commands b'{"valve": "open"}'""" in out


def test_asyncio_tasks(run):
    out = run("asyncio_tasks.py")
    assert [line for line in out.splitlines() if "echo" in line] == [
        f"echo of reading {number}" for number in range(3)
    ]
    assert "signal -65 dBm" in out


def test_https_get(run):
    assert "200 {'path': '/time'}" in run("https_get.py")


def test_tls_on_mcu(stage, run):
    assert "the server says hello" in run("tls_on_mcu.py", empty=True)
    assert stage.echo.connections[-1].server_name == scene.ECHO


def test_udp_ntp(run):
    out = run("udp_ntp.py", empty=True)
    assert f"Unix time {scene.UNIX_TIME}" in out
    assert "own clock (20" in out


def test_low_power(stage, run):
    out = run("low_power.py", changed={"PAUSE_MS = 60_000": "PAUSE_MS = 50"})
    assert out.count("acknowledged") == 3
    with stage.line.locked() as module:
        modes = [command for command in module.commands if b'"sleepmode",' in command]
    assert [mode[-1:] for mode in modes] == [b"2", b"0"]


def test_info(run):
    out = run("info.py")
    assert "ML307R" in out
    assert re.search(r"rsrp_dbm +-95", out)
    assert "certificates [('ca.pem', " in out
    assert "any command [b'+CSQ: " in out


def test_events(stage, run):
    out = run("events.py", empty=True)
    assert "event reboot: " in out
    assert "registration changed: b'+CEREG: " in out
    assert "attached: ['10." in out
    trace = stage.run("print(open('trace.txt').read())")
    assert any(line.endswith("> AT+CEREG=1") for line in trace)


def test_recovery(stage, run):
    """A module that connects nowhere until its PDP context is dialled anew."""
    before = len(stage.echo.connections)
    out = run(
        "recovery.py",
        empty=True,
        prepare=lambda module: module.wedge("pdp"),
        enough=lambda: len(stage.echo.connections) >= before + 2,
    )
    failed, _, rest = out.partition("recovery: no progress: the PDP context was ended")
    assert "failed: AT+MIPOPEN" in failed
    assert "acknowledged" in rest


def test_errors(run):
    out = run("errors.py").splitlines()
    assert out[0].startswith("762 - ")
    assert out[1].startswith("752 - ")
    assert "PEM refused" in out[2]
    assert "refused" in out[3]


def test_each_example_is_in_the_list():
    listed = re.findall(r"\[(\w+\.py)\]\(\1\)", (ROOT / "examples" / "README.md").read_text())
    assert sorted(listed) == sorted(path.name for path in (ROOT / "examples").glob("*.py"))


def test_each_example_is_tried():
    tried = set(re.findall(r'run\(\s*"(\w+\.py)"', Path(__file__).read_text()))
    assert tried == {path.name for path in (ROOT / "examples").glob("*.py")}

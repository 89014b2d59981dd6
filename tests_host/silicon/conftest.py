# SPDX-License-Identifier: MIT
"""Real firmware on the emulated RP2040. `make silicon` runs these; everything that they need is
made, or said to be missing, before the first."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from onemo_board import Mpremote
from onemo_board.rp2040 import EmulatedBoard, storage
from onemo_board.rp2040.firmware import Firmware, firmware
from onemo_simulator import Line, Module, SystemNetwork
from onemo_tools.deploy import deployment
from onemo_tools.servers import pki

ROOT = Path(__file__).resolve().parents[2]
HOST = "server.example"
OTHER = "other.example"  # the same server by another name
BAUD = 115200
UART = {"id": 1, "baud": BAUD, "tx": 4, "rx": 5}
MOST_S = 240  # for each call of mpremote: emulated time passes slower than ours when busy
Start = Callable[..., EmulatedBoard]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.silicon)
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def built() -> Firmware:
    return firmware()


@pytest.fixture
def start(built: Firmware, tmp_path: Path) -> Iterator[Start]:
    """Starts boards; stops them at the end of the test."""
    started: list[EmulatedBoard] = []

    def make(flash: Path | None = None, **options) -> EmulatedBoard:
        image = tmp_path / f"flash{len(started)}.img"
        if flash is not None:
            shutil.copy(flash, image)
        options.setdefault("link", tmp_path / f"board{len(started)}")
        board = EmulatedBoard(image, **{"firmware": built.uf2, **options})
        board.start()
        started.append(board)
        return board

    yield make
    assert [board.stop() for board in started] == [None] * len(started)


@pytest.fixture
def at() -> Callable[[EmulatedBoard], Mpremote]:
    return lambda board: Mpremote(board.port, timeout=MOST_S)


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A flash with the library as `deploy` puts it there."""
    flash = tmp_path_factory.mktemp("deployed") / "flash.img"
    files = deployment.library(ROOT)
    storage.write(flash, {f"/{path}": content for path, content in files.items()})
    return flash


@pytest.fixture(scope="session")
def authority() -> pki.Authority:
    return pki.Authority("onemo silicon root")


@pytest.fixture
def module() -> Module:
    return Module(
        "ML307R", network=SystemNetwork({HOST: "127.0.0.1", OTHER: "127.0.0.1"}), baud=BAUD
    )


@pytest.fixture
def line(module: Module) -> Iterator[Line]:
    """A module at the end of a line; nothing may break its protocol."""
    with Line(module) as found:
        yield found
        with found.locked():
            assert module.violations == []


def eventually(condition: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def put(call: Mpremote, files: dict[str, bytes], tmp_path: Path) -> None:
    """Files onto a board that is there; folders that are missing are made."""
    words: list[str] = []
    for name, content in files.items():
        local = tmp_path / name.replace("/", "-")
        local.write_bytes(content)
        words += ["+", "fs", "cp", "-f", str(local), f":{name}"]
    folders = sorted({str(Path(name).parent) for name in files} - {"."})
    made = "".join(f"try:\n os.mkdir({folder!r})\nexcept OSError:\n pass\n" for folder in folders)
    call("exec", f"import os\n{made}", *words)

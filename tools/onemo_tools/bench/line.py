# SPDX-License-Identifier: MIT
"""What boards side by side cost: time of eight against time of one, and the station's CPU.

    python -m onemo_tools.bench.line [--boards 8] [--algorithm rsa-2048]

Virtual boards with simulated modules, each a process of its own; the station is `onemo factory
run --once`, as anyone starts it. Its start (Python, imports, the CA's passphrase) is in the CPU
figure, and told apart.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from onemo_tools.proofs.line_kills import PASSPHRASE, new_line

_MOST_TIMES = 2.0  # eight boards against one
_MOST_CPU_S = 2.0  # a board
_COMMAND = [sys.executable, "-m", "onemo_tools"]


class Boards:
    """Virtual boards with the library on them."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count = folder, count
        self._stack = ExitStack()

    def __enter__(self) -> "Boards":
        image = self.folder / "first.img"
        port = self._start(image, 0, "first")
        subprocess.run(
            [*_COMMAND, "deploy", "--board", port], check=True, stdout=subprocess.DEVNULL
        )
        self._stack.close()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def fresh(self, lot: int, count: int) -> list[str]:
        """Ports of `count` boards that nobody has seen yet; earlier ones are taken away."""
        self._stack.close()
        ports = []
        for number in range(count):
            image = self.folder / f"{lot}-{number}.img"
            shutil.copy(self.folder / "first.img", image)
            ports.append(self._start(image, lot * 1000 + number, f"{lot}-{number}"))
        return ports

    def _start(self, image: Path, number: int, name: str) -> str:
        link = self.folder / f"port-{name}"
        own = ["--id", f"b0a2d{number:07d}", "--imei", f"86123405{number:07d}"]
        process = subprocess.Popen(
            [*_COMMAND, "board", str(image), "--module", "1", "--link", str(link), *own],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._stack.callback(process.communicate)
        self._stack.callback(process.terminate)
        if process.stdout is None or not process.stdout.readline():
            raise OSError(f"the virtual board {name} does not start")
        return str(link)


def run(line: Path, ports: list[str]) -> tuple[float, float, float]:
    """A station over these boards: seconds that the slowest took, CPU seconds of the process,
    wall seconds of all of it."""
    slots = [word for number, port in enumerate(ports) for word in ("--slot", f"s{number}={port}")]
    began = time.monotonic()
    process = subprocess.Popen(
        [*_COMMAND, "factory", "run", str(line), "--once", "--json", *slots],
        stdout=subprocess.PIPE,
        env={**os.environ, "ONEMO_CA_PASSPHRASE": PASSPHRASE},
        text=True,
    )
    assert process.stdout is not None
    with process.stdout as out:
        said = [json.loads(text) for text in out]
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - began
    rows = [one for one in said if one["event"] == "slot" and one["word"] != "WORK"]
    if process.returncode or len(rows) < len(ports):
        raise RuntimeError(f"the station did not serve all boards: {rows}")
    longest = max((row["seconds"] for row in rows), default=0.0)
    return longest, used.ru_utime + used.ru_stime, wall


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--boards", type=int, default=8)
    parser.add_argument("--algorithm", default="rsa-2048")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="onemo-line-"))
    try:
        line = new_line(folder / "line", "records.db", given.algorithm)
        with Boards(folder, given.boards) as boards:
            idle = run(line, [str(folder / "nothing")])[1]
            rounds = []
            for lot in range(given.rounds):
                one = run(line, boards.fresh(2 * lot + 1, 1))
                many = run(line, boards.fresh(2 * lot + 2, given.boards))
                rounds.append((one, many))
                print(
                    f"round {lot + 1}: one board {one[0]:.2f} s, {given.boards} boards "
                    f"{many[0]:.2f} s; CPU {many[1]:.2f} s",
                    flush=True,
                )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    one_s = sorted(one[0] for one, _ in rounds)[len(rounds) // 2]
    many_s = sorted(many[0] for _, many in rounds)[len(rounds) // 2]
    cpu = sorted(many[1] for _, many in rounds)[len(rounds) // 2] / given.boards
    start = idle / given.boards
    print(f"{given.boards} boards side by side: {many_s / one_s:.2f} × the time of one")
    print(f"CPU of the station: {cpu:.2f} s a board, {start:.2f} s of them for its start")
    sys.exit(0 if many_s / one_s <= _MOST_TIMES and cpu <= _MOST_CPU_S else 1)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT
"""A PostgreSQL server of one's own, for proofs and benchmarks: Debian's programs in a folder.

It keeps nothing of the machine's own clusters, listens on no network, and goes with its `with`.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy.engine import URL

_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
_START_S = 60


def is_installed() -> bool:
    """Whether the server's programs are there."""
    return bool(_BINARIES) or shutil.which("initdb") is not None


class Postgresql:
    """A cluster in a folder of its own, `folder`. fsync: False where only speed counts."""

    def __init__(self, *, fsync: bool = True, settings: tuple[str, ...] = ()) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="onemo-pg-"))
        self._data = self.folder / "data"
        self._settings = [
            f"unix_socket_directories={self.folder}",
            "listen_addresses=",
            "max_connections=300",
            f"fsync={'on' if fsync else 'off'}",
            *settings,
        ]

    def __enter__(self) -> Self:
        if os.geteuid() == 0:  # the server refuses root
            shutil.chown(self.folder, "postgres", "postgres")
        self._run(
            *("initdb", "-D", self._data, "-A", "trust", "-U", "onemo", "--no-sync", "-E", "UTF8")
        )
        options = " ".join(f"-c {text}" for text in self._settings)
        log = self.folder / "server.log"
        self._run("pg_ctl", "-D", self._data, "-w", "-l", log, "-o", options, "start")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._run("pg_ctl", "-D", self._data, "-w", "-m", "immediate", "stop")
        shutil.rmtree(self.folder)

    def url(self, database: str = "postgres") -> URL:
        """Of one of its databases."""
        return URL.create(
            "postgresql+psycopg",
            username="onemo",
            database=database,
            query={"host": str(self.folder)},
        )

    def make(self, database: str) -> URL:
        """A new, empty database."""
        self._run("createdb", "-h", self.folder, "-U", "onemo", database)
        return self.url(database)

    def _run(self, program: str, *words: object) -> None:
        found = _BINARIES[0] / program if _BINARIES else Path(program)
        command = [str(found), *map(str, words)]
        if os.geteuid() == 0:
            user = ("setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups")
            command = [*user, "--", *command]
        done = subprocess.run(
            command,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,
            stderr=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,
            text=True,
            timeout=_START_S,
            check=False,
        )
        if done.returncode:
            raise OSError(f"{program} failed: {(done.stderr or '').strip()[-300:]}")

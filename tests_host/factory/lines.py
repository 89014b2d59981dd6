# SPDX-License-Identifier: MIT
"""A line over quick boards: what the tests of the line have in common."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from onemo_tools.factory import settings, station
from onemo_tools.factory.authority import Authority
from onemo_tools.factory.line import Line, Row
from onemo_tools.factory.settings import Settings
from onemo_tools.factory.station import Station
from onemo_tools.proofs.line_kills import PASSPHRASE, new_line
from onemo_tools.proofs.line_rig import FastBoard, FastSession, LineRig


class Works:
    """A folder with a line's files, and boards."""

    def __init__(self, folder: Path, rig: LineRig, records: str = "records.db") -> None:
        self.folder, self.rig = folder, rig
        self.file = new_line(folder / "line", records, "p-256")
        self._number = 0

    def board(self, board_id: str | None = None, **options: Any) -> FastBoard:
        self._number += 1
        number = self._number
        options.setdefault("imei", f"86123405{number:07d}")
        options.setdefault("iccid", f"8986040000000{number:07d}")
        return self.rig.add(board_id or f"b0a2d{number:05d}", **options)

    def settings(self, boards: list[FastBoard], **changes: Any) -> Settings:
        slots = {f"s{number}": board.port for number, board in enumerate(boards)}
        return replace(settings.load(self.file), slots=slots, **changes)

    @contextmanager
    def station(self, boards: list[FastBoard], **changes: Any) -> Iterator[Station]:
        with station.station(
            self.settings(boards, **changes), lambda *_: PASSPHRASE, FastSession
        ) as made:
            yield made

    def serve(self, *boards: FastBoard, **changes: Any) -> tuple[list[Row], int]:
        """One pass over the boards: what the slots show, and bytes written."""
        with self.station(list(boards), **changes) as made:
            line = Line(made.slots, made.records)
            line.run(once=True)
            return line.rows(), sum(outcome.written for outcome in line.outcomes)


def authority_of(line: Path) -> Authority:
    """The CA of a LINE.toml."""
    return station.open_authority(settings.load(line), lambda *_: PASSPHRASE)

# SPDX-License-Identifier: MIT
"""Stations killed by SIGKILL at random moments and at each commit: is any identity lost?

    python -m onemo_tools.proofs.line_kills [--database sqlite|postgresql] [--kills 500] [--seed N]
                                            [--recording-last]

Each station is a process of its own, over boards that live on. After the kills one clean pass has
to serve every board, and a second one has to write nothing. Then: no two units with one identity,
no certificate that was ever signed or written without its record, no line of a key in any file.

--recording-last records what was made only after it was written and proven, as line tools do that
write a CSV last: the same sweep then has to find certificates that are in no record, and does.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from onemo_tools.factory import database, starting
from onemo_tools.factory import settings as settings_
from onemo_tools.factory import station as station_
from onemo_tools.factory.audit import audit
from onemo_tools.factory.authority import Authority, make_authority
from onemo_tools.factory.keys import DeviceKey, fingerprint
from onemo_tools.factory.line import PASS, Line
from onemo_tools.factory.records import Records, serial_text
from onemo_tools.factory.tables import ACTIVE, Credential, Unit
from onemo_tools.proofs.line_rig import FastBoard, FastSession, LineRig

PASSPHRASE = "correct horse battery"
_PASS_S = 60.0
_NAMES = ("ca.pem", "client.pem", "client.key")


# -- in the station's process --------------------------------------------------------------------
class LateRecords(Records):
    """Recording moved behind writing: what is made is kept in RAM until it was proven."""

    def begin_credential(self, unit_id: int, **said: Any) -> Credential:
        made = Credential(unit_id=unit_id, state="pending", serial=said["serial"])
        made.key_digests = " ".join(said["key_digests"])
        self._kept: dict[int, Any] = getattr(self, "_kept", {})
        made.id = -len(self._kept) - 1
        self._kept[made.id] = (made, unit_id, said, {})
        return made

    def add_certificate(self, credential_id: int, pem: str, **said: Any) -> Credential:
        made, unit_id, begun, _ = self._kept[credential_id]
        made.certificate = pem
        made.certificate_digests = " ".join(said["digests"])
        self._kept[credential_id] = (made, unit_id, begun, {"pem": pem, **said})
        return made

    def activate(self, credential_id: int, **said: Any) -> Credential:
        if credential_id in getattr(self, "_kept", {}):
            _, unit_id, begun, signed = self._kept.pop(credential_id)
            credential_id = super().begin_credential(unit_id, **begun).id
            super().add_certificate(credential_id, **signed)
        return super().activate(credential_id, **said)


@dataclass(frozen=True)
class Order:
    """What a station's process is to do."""

    line: Path
    slots: dict[str, str]
    signed: Path  # a line for each serial number that the CA signed
    report: Path | None = None  # what came of it
    kill_at_commit: tuple[str, int] | None = None  # "before" or "after" the n-th
    recording_last: bool = False
    station: str | None = None


def run_station(order: Order) -> None:
    """One pass of a station over all its slots; the process's target."""
    logging.disable(logging.CRITICAL)
    if order.recording_last:
        station_.Records = LateRecords  # type: ignore[misc]
    _note_signed(order.signed)
    if order.kill_at_commit is not None:
        _kill_at(*order.kill_at_commit)
    settings = replace(settings_.load(order.line), slots=order.slots)
    if order.station is not None:
        settings = replace(settings, station=order.station)
    with station_.station(settings, lambda *_: PASSPHRASE, FastSession) as made:
        line = Line(made.slots, made.records)
        line.run(once=True)
        rows = line.rows()
        made.records.end_run(sum(row.passed for row in rows), sum(row.failed for row in rows))
        if order.report is not None:
            written = sum(outcome.written for outcome in line.outcomes)
            words = [f"{row.word} {row.slot} {row.kind} {row.detail}" for row in rows]
            order.report.write_text("\n".join([str(written), *words]), encoding="utf-8")


def _note_signed(file: Path) -> None:
    """Every serial number goes into a file the moment that its certificate exists."""
    sign = Authority.sign_device

    def noting(self: Authority, *args: Any) -> bytes:
        pem = sign(self, *args)
        number = x509.load_pem_x509_certificate(pem).serial_number
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.write(descriptor, f"{number:x}\n".encode())
        os.close(descriptor)
        return pem

    Authority.sign_device = noting  # type: ignore[method-assign, assignment]


def _kill_at(when: str, number: int) -> None:
    """SIGKILL before or after this process's n-th transaction of the record is committed."""
    count = 0

    def committing(_: Session) -> None:
        nonlocal count
        count += 1
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Session, "before_commit" if when == "before" else "after_commit", committing)


# -- over it -------------------------------------------------------------------------------------
@dataclass
class Count:
    """What a sweep did and found."""

    kills: int = 0
    ended: int = 0  # passes that were over before the kill came
    boundaries: int = 0
    units: int = 0
    signed: int = 0
    void: int = 0
    second_pass_bytes: int = 0
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.kills} kills at random moments ({self.ended} more passes were over before), "
            f"{self.boundaries} at commits; {self.units} units, {self.signed} certificates "
            f"signed, {self.void} void; "
            f"second pass wrote {self.second_pass_bytes} bytes; {len(self.faults)} faults; "
            f"{self.seconds:.0f} s"
        )


class Sweep:
    """Boards, a record and a CA in a folder; stations over them, killed."""

    def __init__(
        self,
        folder: Path,
        rig: LineRig,
        records: str,
        *,
        boards: int = 4,
        seed: int = 1,
        recording_last: bool = False,
        algorithm: str = "p-256",
    ) -> None:
        self.folder = folder
        self.rig = rig
        self.random = random.Random(seed)
        self.boards = boards
        self.recording_last = recording_last
        self.count = Count()
        self.line = new_line(folder / "line", records, algorithm)
        self.signed = folder / "signed"
        self.signed.touch()
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__])
        self._boards: list[FastBoard] = []
        self._finished: list[FastBoard] = []
        self.new_boards()

    def new_boards(self, count: int | None = None) -> None:
        """Another lot: those that all have their identity are not written to any more."""
        self._finished += self._boards
        first = len(self._finished)
        self._boards = [
            self.rig.add(
                f"b0a2d{number:05d}",
                stops=number % 2 == 0,
                imei=f"86123405{number:07d}",
                iccid=f"8986040000000{number:07d}",
            )
            for number in range(first, first + (count or self.boards))
        ]

    def one_pass(
        self,
        kill_after: float | None = None,
        kill_at_commit: tuple[str, int] | None = None,
        report: Path | None = None,
    ) -> bool:
        """A station over the boards at hand; True if it was killed."""
        slots = {f"s{number}": board.port for number, board in enumerate(self._boards)}
        order = Order(self.line, slots, self.signed, report, kill_at_commit, self.recording_last)
        process = self._context.Process(target=run_station, args=(order,))
        process.start()
        if kill_after is not None:
            process.join(kill_after)
            process.kill()
        process.join(_PASS_S)
        if process.is_alive():
            process.kill()
            process.join()
            raise TimeoutError("a station did not end")
        killed = process.exitcode == -signal.SIGKILL
        if not killed and process.exitcode != 0:
            raise RuntimeError(f"a station ended with status {process.exitcode}")
        return killed

    def clean_pass(self) -> tuple[int, list[str]]:
        """A pass that nobody kills: bytes written into modules, and what did not pass."""
        report = self.folder / "report"
        self.one_pass(report=report)
        written, *words = report.read_text(encoding="utf-8").splitlines()
        return int(written), [word for word in words if not word.startswith(PASS)]

    def random_kills(self, kills: int, until: float, per_lot: int = 8) -> None:
        """Kills at moments that are spread over what a pass takes; none begins after `until`."""
        self.clean_pass()  # loads what is loaded when used
        self.new_boards()
        began = time.monotonic()
        self.clean_pass()
        typical = time.monotonic() - began
        self.new_boards()
        in_lot = 0
        while self.count.kills < kills and time.monotonic() < until:
            moment = self.random.uniform(0, typical)
            if self.one_pass(kill_after=moment):
                self.count.kills += 1
                in_lot += 1
                if self.count.kills % 50 == 0:
                    print(f"{self.count.kills} kills", file=sys.stderr, flush=True)
            else:
                self.count.ended += 1
                in_lot = per_lot
            if in_lot >= per_lot:
                self.finish_lot()
                in_lot = 0
        self.finish_lot()

    def commit_kills(self) -> None:
        """One kill before and one after each commit of a pass over a new board."""
        number, killed = 0, True
        self.new_boards(1)
        while killed:
            number, killed = number + 1, False
            for when in ("before", "after"):
                if self.one_pass(kill_at_commit=(when, number)):
                    self.count.boundaries += 1
                    killed = True
                self.finish_lot(1)

    def finish_lot(self, next_lot: int | None = None) -> None:
        """One clean pass serves all, a second one writes nothing."""
        _, refused = self.clean_pass()
        self.count.faults += [f"after one clean pass: {text}" for text in refused]
        writes = sum(board.store.writes for board in self._boards)
        written, _ = self.clean_pass()
        again = sum(board.store.writes for board in self._boards) - writes
        self.count.second_pass_bytes += written
        if written or again:
            self.count.faults.append(f"a second pass wrote {written} bytes, {again} objects")
        self.new_boards(next_lot)

    def check(self, database_files: Path | None = None) -> Count:
        """What must be so in the end. database_files: of a database that is elsewhere."""
        every = [*self._finished, *self._boards]
        settings = settings_.load(self.line)
        url = database.url_of(settings.records, settings.folder)
        with Records.open(url, "check") as records:
            with records.reading() as session:
                rows = session.execute(
                    select(Credential, Unit).join(Unit, Unit.id == Credential.unit_id)
                ).all()
            report = audit(records)
        self.count.faults += [f"audit: {one.code} {one.where}" for one in report.findings]
        recorded = {found.serial: (found, unit) for found, unit in rows}
        states = Counter(found.state for found, _ in rows)
        signed = self.signed.read_text().split()
        self.count.units = len(every)
        self.count.signed, self.count.void = len(signed), states["void"]
        lost = [serial for serial in signed if serial not in recorded]
        self.count.faults += [f"signed, and in no record: {serial}" for serial in lost]
        for board in every:
            self._check_board(board, recorded)
        holders = Counter(
            board.store.keys["client.key"] for board in every if "client.key" in board.store.keys
        )
        self.count.faults += ["two modules hold one key" for n in holders.values() if n > 1]
        self.count.faults += self._keys_in_files(every, database_files or self.folder)
        return self.count

    def _check_board(self, board: FastBoard, recorded: dict[str, tuple[Credential, Unit]]) -> None:
        for pem in board.store.history:
            if b"CERTIFICATE" in pem and not _is_ca(pem):
                serial = serial_text(x509.load_pem_x509_certificate(pem).serial_number)
                if serial not in recorded:
                    self.count.faults.append(f"written, and in no record: {serial}")
                elif recorded[serial][1].board_id != board.board_id:
                    self.count.faults.append(f"another unit's: {serial} in {board.board_id}")
        if "client.pem" not in board.store.certs:
            return
        certificate = x509.load_pem_x509_certificate(board.store.certs["client.pem"])
        found, unit = recorded.get(serial_text(certificate.serial_number), (None, None))
        served = board in self._finished
        if found is None or unit is None or (served and found.state != ACTIVE):
            self.count.faults.append(f"{board.board_id} holds what is not active")
            return
        if not served:
            return
        private: Any = load_pem_private_key(board.store.keys["client.key"], None)
        if fingerprint(private.public_key()) != found.key_fingerprint:
            self.count.faults.append(f"{board.board_id}: key and certificate differ")
        names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        if names[0].value != unit.device_name or unit.board_id != board.board_id:
            self.count.faults.append(f"{board.board_id} has another unit's name")

    def _keys_in_files(self, every: list[FastBoard], database_files: Path) -> list[str]:
        keys = [pem for board in every for pem in board.store.history if b"PRIVATE KEY" in pem]
        windows = key_windows(keys)
        faults = [
            f"a line of a key in {path.name}"
            for folder in {self.folder, database_files}
            for path in files_with(folder, windows)
        ]
        for board in every:
            if any(any(piece) for piece in board.ram if board in self._finished):
                faults.append(f"a key was left in the RAM of {board.board_id}")
        return faults


def key_windows(keys: list[bytes]) -> set[bytes]:
    """What may be nowhere of these keys: every line's first 32 characters."""
    return {
        line[:32]
        for pem in keys
        for line in pem.splitlines()
        if not line.startswith(b"-----") and len(line) >= 32
    }


def files_with(folder: Path, windows: set[bytes]) -> list[Path]:
    """The files under `folder` that hold one of these windows, at any place."""
    if not windows:
        return []
    heads = {window[:8] for window in windows}
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        data = path.read_bytes()
        if any(_holds(data, head, windows) for head in heads):
            found.append(path)
    return found


def _holds(data: bytes, head: bytes, windows: set[bytes]) -> bool:
    at = data.find(head)
    while at >= 0:
        if data[at : at + 32] in windows:
            return True
        at = data.find(head, at + 1)
    return False


def new_line(folder: Path, records: str, algorithm: str) -> Path:
    """A line's files, with a CA that opens quickly and a server that is there already; its
    LINE.toml. The same CA for all of a process's: making one takes longer than a pass."""
    folder.mkdir(parents=True)
    for name, content in _authority_files().items():
        (folder / name).write_bytes(content)
    line = folder / "LINE.toml"
    text = starting.LINE.replace("rsa-2048", algorithm).replace("8884", "0")
    text = text.replace('"records.db"', f'"{records}"').replace("units = 100", "units = 10000")
    text = text.replace("[prove]", '[prove]\ncertificate = "server.pem"\nkey = "server.key"')
    line.write_text(text.replace('page = "line.html"', "#"))
    return line


@cache
def _authority_files() -> dict[str, bytes]:
    """Name -> content of a CA, whose key opens in no time, and of the line's own server."""
    now = datetime.now(UTC)
    pem, private = make_authority("CA of a proof", now)
    signer = Authority([x509.load_pem_x509_certificate(pem)], private)
    with DeviceKey.make("rsa-2048") as key:
        names: list[x509.GeneralName] = [x509.IPAddress(ip_address("127.0.0.1"))]
        server = signer.sign_server(names, key.public, 1, signer.validity(now, 30))
        server_key = bytes(key.pem)
    encrypted = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,  # without rounds that take time
        serialization.BestAvailableEncryption(PASSPHRASE.encode()),
    )
    return {"ca.pem": pem, "ca.key": encrypted, "server.pem": server, "server.key": server_key}


def _is_ca(pem: bytes) -> bool:
    certificate = x509.load_pem_x509_certificate(pem)
    return certificate.issuer == certificate.subject


def sweep(
    folder: Path,
    kind: str,
    kills: int,
    seed: int,
    recording_last: bool = False,
    commits: bool = True,
    seconds: float = 86400.0,
) -> Count:
    """A whole sweep in a new folder. seconds: no more kills after that."""
    began = time.monotonic()
    with ExitStack() as stack:
        records, database_files = "records.db", folder
        if kind == "postgresql":
            from onemo_tools.servers.postgresql import Postgresql

            server = stack.enter_context(Postgresql())
            records = server.make("line").render_as_string()
            database_files = server.folder
        rig = stack.enter_context(LineRig(folder))
        made = Sweep(folder, rig, records, seed=seed, recording_last=recording_last)
        if commits:
            made.commit_kills()
        made.random_kills(kills, began + seconds)
        count = made.check(database_files)
    count.seconds = time.monotonic() - began
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--recording-last", action="store_true")
    parser.add_argument("--no-commits", action="store_true", help="random moments only")
    parser.add_argument("--seconds", type=float, default=86400.0, help="no more kills after that")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="onemo-line-"))
    try:
        count = sweep(
            folder,
            given.database,
            given.kills,
            given.seed,
            given.recording_last,
            not given.no_commits,
            given.seconds,
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{given.database}: {count}")
    for text, times in Counter(fault.partition(":")[0] for fault in count.faults).items():
        print(f"  {times} × {text}")
    sys.exit(1 if count.faults else 0)


if __name__ == "__main__":
    main()

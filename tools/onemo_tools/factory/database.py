# SPDX-License-Identifier: MIT
"""Opening a record: SQLite for one station, PostgreSQL for more.

SQLite runs in WAL mode with synchronous FULL, and every transaction that writes is IMMEDIATE: it
has the database, or waits. Its files have to be on a local disk, for WAL needs shared memory and
locks that network shares do not have.
"""

import os
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_S = 30.0  # that a writer waits for another
_NETWORK = frozenset(
    (
        *(
            "9p",
            "afs",
            "beegfs",
            "ceph",
            "cifs",
            "fuse.glusterfs",
            "fuse.sshfs",
            "gfs2",
            "glusterfs",
        ),
        *(
            "gpfs",
            "lustre",
            "ncpfs",
            "nfs",
            "nfs4",
            "ocfs2",
            "smb3",
            "smbfs",
            "vboxsf",
            "virtiofs",
        ),
    )
)


class RecordsError(OSError):
    """The record cannot be used; the message says why and what to do."""

    kind = "records"


def url_of(said: str, folder: Path) -> URL:
    """The URL of what LINE.toml says: a file's path, from `folder`, or a URL of PostgreSQL's."""
    if "://" not in said:
        return URL.create("sqlite", database=str((folder / said).absolute()))
    try:
        url = make_url(said)
    except ArgumentError as error:
        raise RecordsError(f"records: {said.partition('://')[0]}://… is no URL: {error}") from None
    name = url.get_backend_name()
    if name == "sqlite":
        return url
    if name in ("postgres", "postgresql"):
        return url.set(drivername="postgresql+psycopg")
    raise RecordsError(f"records: {name}:// is not supported; a file's path, or postgresql://…")


def open_engine(url: URL, *, pool: int = 16) -> Engine:
    """An engine with the manners that the record needs. Nothing is connected yet, but for
    SQLite's file the disk is looked at. RecordsError."""
    if url.get_backend_name() == "sqlite":
        check_local(Path(url.database or ""))
        engine = create_engine(
            url, connect_args={"timeout": _BUSY_S}, hide_parameters=True, pool_size=pool
        )
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        return create_engine(url, pool_size=pool, hide_parameters=True, pool_pre_ping=True)
    except ModuleNotFoundError:
        raise RecordsError(
            'records in PostgreSQL need an extra of this package: install "onemo-tools[factory]"'
        ) from None


def _set_up_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver
    cursor = connection.cursor()
    try:
        [[mode]] = cursor.execute("PRAGMA journal_mode = WAL").fetchall()
        if mode != "wal":
            raise RecordsError(f"records: SQLite stays in journal mode {mode}, WAL is needed")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
    finally:
        cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    reads = connection.get_execution_options().get("reads_only", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def check_local(file: Path, mounts: str | None = None) -> None:
    """RecordsError where a file is on a network share. `mounts`: else /proc/self/mounts."""
    if mounts is None:
        try:
            mounts = Path("/proc/self/mounts").read_text("utf-8", "surrogateescape")
        except OSError:
            return  # no Linux: SQLite itself finds out, in WAL mode
    place = Path(os.path.realpath(file.parent))
    best, kind = Path("/"), ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = Path(_unescaped(fields[1]))
        if (point == place or point in place.parents) and len(point.parts) >= len(best.parts):
            best, kind = point, fields[2]
    if kind in _NETWORK:
        raise RecordsError(
            f"records: {file} is on a network share ({kind} at {best}), where SQLite loses data: "
            "give a file on a local disk, or PostgreSQL for more than one station"
        )


def _unescaped(field: str) -> str:
    r"""A field of /proc/mounts: blanks are \040 there."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(code, character)
    return field


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def make_tables(engine: Engine) -> None:
    """Makes the tables, or brings older ones up to date; data stay. RecordsError."""
    config = _config()
    try:
        # a lock of its own: two stations may start at once
        with engine.connect() as connection, connection.begin():
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(5066549580782950)")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except DBAPIError as error:
        raise RecordsError(f"records: {_short(error)}") from None


def check_tables(engine: Engine) -> None:
    """RecordsError unless the tables are there, as this version knows them."""
    wanted = ScriptDirectory.from_config(_config()).get_current_head()
    try:
        with engine.connect().execution_options(reads_only=True) as connection:
            found = MigrationContext.configure(connection).get_current_revision()
    except DBAPIError as error:
        raise RecordsError(f"records: {_short(error)}") from None
    if found is None:
        raise RecordsError("records: the database is empty: `onemo factory run` makes the tables")
    if found != wanted:
        raise RecordsError(
            f"records: tables of version {found}, this program knows {wanted}: "
            "`onemo factory run` of the newest version brings them up to date"
        )


def _short(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return " ".join(str(cause).split())

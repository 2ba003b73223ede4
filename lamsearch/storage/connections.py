"""Connections: how a storage of either kind is reached, for working on it or for reading alone.

Enters: a URL, and whether its tables are to be written. Leaves: options of an engine, and an engine
that begins its transactions as they are meant. Refuses to know what is in the tables.

An SQLite file that is only read stays as it is, and nothing appears beside it. In write-ahead mode
that takes care, for to take part in its locks SQLite makes two files beside it, and a reader who
may not write the database leaves them behind. So what nobody has open, which is known by the file
`-wal` that is not there or is empty, is read as it lies, without locks, and is found unchanged when
the transaction ends. What somebody has open is read with locks, in the files that are there.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import OperationalError

from lamsearch.errors import StorageError
from lamsearch.storage.header import Header
from lamsearch.storage.transactions import ALONE, SHARED
from lamsearch.storage.urls import SQLITE_OPTIONS, sqlite_file, sqlite_uri
from lamsearch.storage.waits import beginning

BUSY_SECONDS = 60
_CONNECT_SECONDS = 4
_LONGEST = 63  # of an application's name, in bytes
_SETTLE_SECONDS = 1.0  # for files beside an SQLite file that come and go with its writers
# A network that swallows packets is noticed in about a quarter of a minute, not in two hours.
_KEEPALIVE = {
    "keepalives_idle": 5, "keepalives_interval": 3, "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}  # fmt: skip
# What libpq would take from the environment if it were not given.
_FROM_ENVIRONMENT = {
    "connect_timeout": "PGCONNECT_TIMEOUT", "application_name": "PGAPPNAME",
}  # fmt: skip

_State = tuple[int, int, int, int]  # of a file: device, inode, size, time of the last change


def engine_options(
    url: URL,
    *,
    write: bool,
    create: bool = False,
    application: str = "lamsearch",
    busy_seconds: int = BUSY_SECONDS,
) -> tuple[str, dict[str, Any]]:
    """Return the URL and the options of an engine.

    Args:
        url: of the storage.
        write: whether its tables are written; else the database itself refuses that.
        create: whether an SQLite file that is not there is made.
        application: what PostgreSQL calls the connections.
        busy_seconds: how long SQLite waits for others' locks.
    """
    file = sqlite_file(url)
    if file is None:
        text = url.render_as_string(hide_password=False)
        return text, {
            "pool_pre_ping": True,
            "connect_args": _postgres_arguments(url, application),
            "isolation_level": "READ COMMITTED",  # until `prepare`, whatever the server's default
        }
    given = {"timeout": str(busy_seconds), **_single(url)}
    creator = _writer(file, given, create=create) if write else _reader(file, given)
    # where nothing is kept open, each transaction sees how the file is read now
    pool = {"poolclass": sa.QueuePool if write else sa.NullPool}
    plain = URL.create("sqlite", database=str(file.absolute()))
    return plain.render_as_string(), {"creator": creator, **pool}


def prepare(engine: Engine, *, write: bool) -> Header | None:
    """Give an engine transactions that begin as they are meant; return what watches its file."""
    header = None
    if engine.dialect.name == "postgresql":
        _prepare_postgres(engine, write=write)
    else:
        header = Header(Path(str(engine.url.database)), write=write)
        _prepare_sqlite(engine, header, write=write)
    engine.dispose()
    return header


def _prepare_postgres(engine: Engine, *, write: bool) -> None:
    """Begin each transaction with its settings, in one message."""

    @sa.event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.autocommit = True  # the driver begins nothing by itself

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if ALONE in options:
            return
        asked = options.get(SHARED)
        version = connection.dialect.server_version_info
        words = beginning(
            engine.url,
            version,
            writes=write and asked is not False,
            snapshot=asked is False,  # as SQLite gives by itself
        )
        connection.exec_driver_sql(words)


def _prepare_sqlite(engine: Engine, header: Header, *, write: bool) -> None:
    """Begin each transaction with the lock that it needs; see that what is read stays as it is."""

    @sa.event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the begin event below says how to begin
        # Readers such as the dashboard then neither wait for writers nor hold them up.
        asked = ("journal_mode = WAL", "synchronous = FULL") if write else ("query_only = ON",)
        try:
            for words in asked:
                connection.execute(f"PRAGMA {words}")
        except sqlite3.Error:
            connection.close()  # nobody else has it yet
            raise

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = _writes(connection, write=write)
        header.begin(connection, "BEGIN IMMEDIATE" if writes else "BEGIN", writes=writes)

    @sa.event.listens_for(engine, "commit")
    def _commit(connection: Connection) -> None:
        raw = connection.connection.dbapi_connection
        if isinstance(raw, _Connection):
            raw.find_unchanged()
        if _writes(connection, write=write):
            header.end(connection)


def _writes(connection: Connection, *, write: bool) -> bool:
    """Whether a transaction is to write; ``write`` is whether its engine may."""
    options = connection.get_execution_options()
    return write and ALONE not in options and bool(options.get(SHARED, True))


def _postgres_arguments(url: URL, application: str) -> dict[str, Any]:
    """What is given to libpq and psycopg beside the URL, whose options and environment are kept."""
    who = f"{application} {socket.gethostname()}:{os.getpid()}"  # for whoever waits for its locks
    ours = {**_KEEPALIVE, "connect_timeout": _CONNECT_SECONDS, "application_name": who[:_LONGEST]}
    arguments = {
        key: value
        for key, value in ours.items()
        if key not in url.query and _FROM_ENVIRONMENT.get(key, "") not in os.environ
    }
    # A server of another encoding would otherwise answer in bytes, or in an encoding without λ.
    # Statements prepared in a session are not there in the next one that a pooler leads to.
    return {**arguments, "client_encoding": "utf8", "prepare_threshold": None}


class _Connection(sqlite3.Connection):
    """A connection to an SQLite file.

    One that is read as it lies must not change meanwhile; one that was overwritten is left alone.
    """

    file: Path
    state: _State | None = None
    abandoned = False

    def close(self) -> None:
        """Close it, unless that would write into what took its place."""
        if not self.abandoned:
            super().close()

    def find_unchanged(self) -> None:
        """Refuse what was read while somebody began to write, as if the database was locked."""
        if self.state is not None and self.state != _state(self.file):
            cause = sqlite3.OperationalError(f"{self.file} changed while it was read")
            cause.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise OperationalError("COMMIT", None, cause)


def _writer(file: Path, given: dict[str, str], *, create: bool) -> Callable[[], sqlite3.Connection]:
    """What opens an SQLite file for writing; one that is gone is not made again."""
    mode = given.get("mode", "rwc")
    return lambda: _connect(file, given, mode="rw" if mode == "rwc" and not create else mode)


def _reader(file: Path, given: dict[str, str]) -> Callable[[], sqlite3.Connection]:
    """What opens an SQLite file for reading, each time in the way that fits its state."""

    def open_one() -> sqlite3.Connection:
        deadline = time.monotonic() + _SETTLE_SECONDS
        while True:
            state = _state(file)
            how = _how_to_read(file)
            connection = _connect(file, given, **{"mode": "ro", **how})
            connection.file = file
            connection.state = state if "immutable" in how else None
            try:
                connection.execute("PRAGMA schema_version").fetchone()  # the first look at it
                return connection
            except sqlite3.Error as error:
                connection.close()
                settles = getattr(error, "sqlite_errorcode", 0) & 0xFF in (
                    sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY,
                )  # fmt: skip
                if not settles or not file.exists() or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    return open_one


def _how_to_read(file: Path) -> dict[str, str]:
    """The options that let SQLite read a file in its state and leave nothing beside it."""
    wal, shm = _size(file, "-wal"), _size(file, "-shm")
    if _size(file, "-journal"):
        return {}  # it is being written without a write-ahead log, or was when somebody died
    if wal is None or (wal == 0 and shm is None):
        return {"immutable": "1"}
    if shm is None and not _may_lock(file):
        raise StorageError(
            f"storage: {file} cannot be read: its {file.name}-wal holds what was written last, and "
            "to read that takes writing beside it; copy both files to a directory of your own"
        )
    # who does not own the database must not make a file that its owner could not write
    return {} if _owns(file) else {"readonly_shm": "1"}


def _may_lock(file: Path) -> bool:
    """Whether we may make the file of locks beside a database: as its owner, where one may."""
    return _owns(file) and os.access(file.absolute().parent, os.W_OK)


def _owns(file: Path) -> bool:
    """Whether files that we make beside it are its owner's; SQLite gives him those of root."""
    # Windows, where a directory's rights are those of its files
    if sys.platform == "win32" or not hasattr(os, "geteuid"):
        return True
    user = os.geteuid()
    return user == 0 or user == file.stat().st_uid


def _size(file: Path, suffix: str) -> int | None:
    """The size of a file beside the database; None where there is none."""
    try:
        return file.with_name(file.name + suffix).stat().st_size
    except OSError:
        return None


def _state(file: Path) -> _State | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _connect(file: Path, given: dict[str, str], **asked: str) -> _Connection:
    """Open an SQLite file as the URL says, and as is asked here."""
    wanted = {key: given[key] for key in SQLITE_OPTIONS if key in given} | asked
    query = "&".join(f"{key}={quote(value, safe='')}" for key, value in wanted.items())
    return sqlite3.connect(
        f"{sqlite_uri(file)}?{query}",
        uri=True,
        timeout=float(given["timeout"]),
        detect_types=int(given.get("detect_types", "0")),
        cached_statements=int(given.get("cached_statements", "128")),
        check_same_thread=False,
        factory=_Connection,
    )


def _single(url: URL) -> dict[str, str]:
    """The options of a URL, of which SQLite takes each once."""
    return {key: value for key, value in url.query.items() if isinstance(value, str)}

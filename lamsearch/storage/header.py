"""Whether an SQLite file still holds what was written to it, and not what somebody copied over it.

Enters: the transactions of one engine, as they begin and end. Leaves: nothing, or a refusal that
says what became of the file. Refuses to know tables.

A copy keeps the file's name and inode, and SQLite goes on: with pages of its log for one database,
and pages of the file for another. So the header of the file itself is read at each transaction's
beginning and end. It has two numbers that are an application's own: one is drawn for each database,
the other grows with each transaction that changes something. Both reach the file when the log is
written back; what stands there must be this database's, and neither older than what stood there
before nor newer than what SQLite knows.
"""

from __future__ import annotations

import ctypes
import math
import secrets
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Connection

from lamsearch.errors import StorageGoneError
from lamsearch.storage.urls import sqlite_uri

_LARGEST = 2**31 - 1  # SQLite's numbers are signed


class Header:
    """What the header of an SQLite file has said so far, for one engine, which may ``write``."""

    def __init__(self, file: Path, *, write: bool) -> None:
        self._file, self._write = file, write
        self._identity = self._count = self._size = 0  # as they stand in the file
        self._known = 0  # the count that SQLite knows
        self._seen = False

    def find(self) -> str | None:
        """Say what the file holds instead of what it held; None where it is all right."""
        return self._read()[2]

    def begin(self, connection: Connection, words: str, *, writes: bool) -> None:
        """Begin a transaction on a file that is all right.

        Raises:
            StorageGoneError: It was overwritten.
        """
        raw: Any = connection.connection.dbapi_connection
        before = self._read()
        if before[2] is not None:
            raise self._refusal(raw, before[2])
        connection.exec_driver_sql(words)
        self._compare(connection, before[0], before[1])
        if writes:
            connection.info["changes"] = raw.total_changes

    def end(self, connection: Connection) -> None:
        """Count a transaction that changes something, before it is committed.

        Raises:
            StorageGoneError: The file was overwritten meanwhile.
        """
        raw: Any = connection.connection.dbapi_connection
        if (found := self.find()) is not None:
            raise self._refusal(raw, found)
        if raw.total_changes == connection.info.get("changes"):
            return
        identity, count = _numbers(raw)
        if not identity:
            raw.execute(f"PRAGMA application_id = {1 + secrets.randbelow(_LARGEST)}")
        raw.execute(f"PRAGMA user_version = {count + 1}")

    def _read(self) -> tuple[int, int, str | None]:
        """The numbers in the file, and what is wrong with it, if anything."""
        try:
            size = self._file.stat().st_size
            identity, count = _numbers_in(self._file)
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_NOTADB and self._seen:
                return 0, 0, "it is no SQLite database now"
            return self._identity, self._count, None  # SQLite itself will say what is wrong
        except OSError:
            return self._identity, self._count, None
        if self._seen and not size:
            return 0, 0, "it is empty now"
        if self._identity not in (0, identity):
            return identity, count, "it holds another database now"
        if self._identity and count < self._count:
            return identity, count, "it holds an earlier state now"
        return identity, count, None

    def _compare(self, connection: Connection, identity: int, count: int) -> None:
        """Compare what stood in the file as the transaction began with what SQLite knows."""
        raw: Any = connection.connection.dbapi_connection
        known_identity, known = _numbers(connection)
        size = self._file.stat().st_size if self._file.exists() else self._size
        if identity not in (0, known_identity):
            raise self._refusal(raw, "it holds another database now")
        if identity and (count > known or known < self._known):
            raise self._refusal(raw, "it holds another state now")
        if self._seen and size < self._size and size < _size_of(raw):
            raise self._refusal(raw, f"it has {size} bytes now")
        self._identity, self._count, self._size = identity, count, size
        self._known, self._seen = known, True

    def _refusal(self, raw: Any, what: str) -> StorageGoneError:
        if self._write:
            leave_alone(raw)
        log = self._file.with_name(f"{self._file.name}-wal")
        rest = ""
        if log.exists():
            rest = f"; before it is used, remove {log}, which belongs to what was there before"
        return StorageGoneError(
            f"storage: {self._file} was overwritten while it was in use: {what}, and nothing was "
            f"written to it{rest}"
        )


def leave_alone(raw: Any) -> None:
    """Let a connection end without writing its log into the file, as the last one does."""
    if hasattr(raw, "setconfig"):  # Python 3.12
        raw.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, True)  # type: ignore[attr-defined]
    elif not raw.abandoned:
        raw.abandoned = True  # it is never closed, not even as the interpreter ends
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(raw))


def _numbers_in(file: Path) -> tuple[int, int]:
    """The two numbers in the file itself, past its log; no lock is taken, and none let go."""
    connection = sqlite3.connect(f"{sqlite_uri(file)}?mode=ro&immutable=1", uri=True)
    try:
        return _numbers(connection)
    finally:
        connection.close()


def _numbers(connection: Any) -> tuple[int, int]:
    """The two numbers as a connection, SQLAlchemy's or the driver's, sees them."""
    ask = getattr(connection, "exec_driver_sql", None) or connection.execute
    (identity,) = ask("PRAGMA application_id").fetchone()
    (count,) = ask("PRAGMA user_version").fetchone()
    return identity, count


def _size_of(raw: Any) -> float:
    """How many bytes the database has, by what SQLite knows."""
    try:
        (pages,) = raw.execute("PRAGMA page_count").fetchone()
        (size,) = raw.execute("PRAGMA page_size").fetchone()
    except sqlite3.DatabaseError:  # it misses pages already
        return math.inf
    return float(pages * size)

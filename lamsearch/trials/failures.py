"""What a database's errors mean: whether one passes by itself, lasts, or was another's doing.

Enters: an error of SQLAlchemy, a driver or Optuna. Leaves: a judgement. Refuses to read the error's
text, which holds names of hosts, files and databases: codes alone decide, SQLSTATE of PostgreSQL
and the result code of SQLite. https://www.postgresql.org/docs/current/errcodes-appendix.html and
https://www.sqlite.org/rescode.html
"""

from __future__ import annotations

import sqlite3
from enum import Enum

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    OperationalError,
    PendingRollbackError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

# What a database can raise; `is_outage` tells which of them pass by themselves.
DATABASE_ERRORS = (SQLAlchemyError, StorageInternalError)


class _Kind(Enum):
    PASSES = "trying again helps"
    LASTS = "waiting does not mend it"
    OTHER = "a mistake of the statement or its values"


# By the whole code, else by its first two characters (the class).
_SQLSTATES: dict[str, _Kind] = {
    "08": _Kind.PASSES,  # the connection failed
    "25P03": _Kind.PASSES,  # the session was ended because it was idle in a transaction
    "25P04": _Kind.PASSES,  # … because its transaction took too long
    "25006": _Kind.LASTS,  # read-only transaction: a standby, or a role that may not write
    "28": _Kind.LASTS,  # the role or its password is refused
    "3D": _Kind.LASTS,  # no such database
    "3F": _Kind.LASTS,  # no such schema
    "40": _Kind.PASSES,  # rolled back: serialization failure, deadlock
    "40002": _Kind.OTHER,  # … by a constraint
    "42501": _Kind.LASTS,  # the role lacks a privilege
    "42P01": _Kind.LASTS,  # no such table
    "42703": _Kind.LASTS,  # no such column
    "53": _Kind.PASSES,  # out of memory, too many connections
    "53100": _Kind.LASTS,  # the disk is full
    "55P03": _Kind.PASSES,  # a lock was not to be had
    "57": _Kind.PASSES,  # shut down, crashed, starting, or the statement was cancelled
    "57P04": _Kind.LASTS,  # the database was dropped
    "58": _Kind.PASSES,  # the operating system failed
}
# By the extended result code, else by the primary one, which is its lowest byte.
_SQLITE: dict[int, _Kind] = {
    sqlite3.SQLITE_BUSY: _Kind.PASSES,
    sqlite3.SQLITE_LOCKED: _Kind.PASSES,
    sqlite3.SQLITE_PROTOCOL: _Kind.PASSES,  # a race of locks
    sqlite3.SQLITE_INTERRUPT: _Kind.PASSES,
    sqlite3.SQLITE_NOMEM: _Kind.PASSES,
    sqlite3.SQLITE_IOERR: _Kind.PASSES,  # a network's file system that is away
    sqlite3.SQLITE_CANTOPEN: _Kind.PASSES,  # the same; that a file is gone is noticed elsewhere
    sqlite3.SQLITE_SCHEMA: _Kind.PASSES,  # the tables changed meanwhile
    sqlite3.SQLITE_FULL: _Kind.LASTS,
    sqlite3.SQLITE_READONLY: _Kind.LASTS,
    # a reader that may not make the shared memory finds it unfinished; its writer is at it
    sqlite3.SQLITE_READONLY_CANTINIT: _Kind.PASSES,
    sqlite3.SQLITE_READONLY_CANTLOCK: _Kind.PASSES,
    sqlite3.SQLITE_PERM: _Kind.LASTS,
    sqlite3.SQLITE_AUTH: _Kind.LASTS,
    sqlite3.SQLITE_CORRUPT: _Kind.LASTS,
    sqlite3.SQLITE_NOTADB: _Kind.LASTS,
    sqlite3.SQLITE_NOLFS: _Kind.LASTS,  # the file cannot grow further
    sqlite3.SQLITE_TOOBIG: _Kind.OTHER,
    sqlite3.SQLITE_ERROR: _Kind.LASTS,  # our statements are right, so a table or column is missing
}
# What making the same tables at the same moment comes to.
_RACE_SQLSTATES = frozenset({"23505", "40001", "40P01", "42P06", "42P07", "42710", "55P03"})
_RACE_SQLITE = frozenset(
    {
        sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_SCHEMA,
        sqlite3.SQLITE_ERROR,  # the only code that SQLite has for a table that exists already
    }
)  # fmt: skip


def is_outage(error: BaseException) -> bool:
    """Whether an error says that the database is away for now, so that trying again may help.

    A full disk or a database that may not be written is no outage: waiting does not mend it.
    """
    cause = _cause(error)
    # the second is what Optuna meets when the server went away between two of its statements
    if isinstance(cause, (PoolTimeoutError, PendingRollbackError)):
        return True
    if not isinstance(cause, DBAPIError):
        return False
    kind = _kind(cause)
    if kind is None:  # no code: whoever could have said one was not reached
        return cause.connection_invalidated or isinstance(cause, (OperationalError, InterfaceError))
    return kind is _Kind.PASSES or (cause.connection_invalidated and kind is not _Kind.LASTS)


def lasts(error: BaseException) -> bool:
    """Whether an error says that the database cannot be used, however long one waits."""
    cause = _cause(error)
    return isinstance(cause, DBAPIError) and _kind(cause) is _Kind.LASTS


def waits_for_a_lock(error: BaseException) -> bool:
    """Whether PostgreSQL refused to wait longer for a lock of another transaction's."""
    cause = _cause(error)
    return isinstance(cause, DBAPIError) and _codes(cause)[0] == "55P03"


def is_race(error: BaseException) -> bool:
    """Whether an error is what creating the same tables at the same time looks like."""
    cause = _cause(error)
    if not isinstance(cause, DBAPIError):
        return False
    sqlstate, sqlite = _codes(cause)
    return sqlstate in _RACE_SQLSTATES or (sqlite is not None and sqlite & 0xFF in _RACE_SQLITE)


def _cause(error: BaseException) -> BaseException | None:
    """What Optuna wrapped, else the error itself."""
    return error.__cause__ if isinstance(error, StorageInternalError) else error


def _codes(error: DBAPIError) -> tuple[str | None, int | None]:
    """The SQLSTATE of PostgreSQL's, the result code of SQLite's; None where there is none."""
    return getattr(error.orig, "sqlstate", None), getattr(error.orig, "sqlite_errorcode", None)


def _kind(error: DBAPIError) -> _Kind | None:
    sqlstate, sqlite = _codes(error)
    if sqlstate is not None:
        return _SQLSTATES.get(sqlstate) or _SQLSTATES.get(sqlstate[:2]) or _Kind.OTHER
    if sqlite is not None:
        return _SQLITE.get(sqlite) or _SQLITE.get(sqlite & 0xFF) or _Kind.OTHER
    # SQLite is never out of reach: what it says without a code is the driver's own refusal
    return _Kind.OTHER if isinstance(error.orig, sqlite3.Error) else None

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

from lamsearch.errors import StorageAwayError, StorageReadOnlyError

# What a database can raise; `is_outage` tells which of them pass by themselves.
DATABASE_ERRORS = (SQLAlchemyError, StorageInternalError)


class _Kind(Enum):
    PASSES = "trying again helps"
    CONFLICT = "rolled back in favour of another transaction; the database is there"
    READ_ONLY = "nothing may be written: for the moment of a failover, or for good"
    LASTS = "waiting does not mend it"
    OTHER = "a issue of the statement or its values"


# By the whole code, else by its first two characters (the class).
_SQLSTATES: dict[str, _Kind] = {
    "08": _Kind.PASSES,  # the connection failed
    "25P03": _Kind.PASSES,  # the session was ended because it was idle in a transaction
    "25P04": _Kind.PASSES,  # … because its transaction took too long
    "25006": _Kind.READ_ONLY,  # a standby, or a role or database whose transactions may not write
    "28": _Kind.LASTS,  # the role or its password is refused
    "3D": _Kind.LASTS,  # no such database
    "3F": _Kind.LASTS,  # no such schema
    "40": _Kind.CONFLICT,  # rolled back: serialization failure, deadlock
    "40003": _Kind.PASSES,  # … whether it was completed is not known
    "40002": _Kind.OTHER,  # … by a constraint
    "42501": _Kind.LASTS,  # the role lacks a privilege
    "42P01": _Kind.LASTS,  # no such table
    "42703": _Kind.LASTS,  # no such column
    "53": _Kind.PASSES,  # out of memory, too many connections
    "53100": _Kind.LASTS,  # the disk is full
    "55P03": _Kind.PASSES,  # a lock was not to be had
    "57": _Kind.PASSES,  # terminated, shut down, crashed, starting; or the statement was cancelled
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
_PASSING = (_Kind.PASSES, _Kind.CONFLICT, _Kind.READ_ONLY)
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
    """Whether an error passes by itself, so that the same again from its start may help.

    A full disk or a missing table is no outage: waiting does not mend it. One that may not be
    written may be so for the moment of a failover.
    """
    cause = _cause(error)
    # the second is a transaction that somebody in it rolled back, as Optuna does, and went on
    if isinstance(cause, (PoolTimeoutError, PendingRollbackError)):
        return True
    if not isinstance(cause, DBAPIError):
        return False
    kind = _kind(cause)
    if kind is None:  # no code: whoever could have said one was not reached
        return cause.connection_invalidated or isinstance(cause, (OperationalError, InterfaceError))
    return kind in _PASSING or (cause.connection_invalidated and kind is not _Kind.LASTS)


def passes(error: BaseException) -> bool:
    """Whether an error passes by itself, be it the database's or ours that says so."""
    return isinstance(error, StorageAwayError) or is_outage(error)


def is_conflict(error: BaseException) -> bool:
    """Whether a transaction was rolled back in favour of another, on a database that is there."""
    return _kind_of(error) is _Kind.CONFLICT


def is_read_only(error: BaseException) -> bool:
    """Whether a server refuses to write: while it fails over, or for good."""
    return isinstance(error, StorageReadOnlyError) or _kind_of(error) is _Kind.READ_ONLY


def is_answer(error: BaseException) -> bool:
    """Whether a server was there: it said what is wrong, or a connection to it broke."""
    cause = _cause(error)
    if not isinstance(cause, DBAPIError):
        return isinstance(cause, (PendingRollbackError, StorageReadOnlyError))
    return _codes(cause)[0] is not None or cause.connection_invalidated


def lasts(error: BaseException) -> bool:
    """Whether an error says that the database cannot be used, however long one waits."""
    return _kind_of(error) is _Kind.LASTS


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


def _kind_of(error: BaseException) -> _Kind | None:
    cause = _cause(error)
    return _kind(cause) if isinstance(cause, DBAPIError) else None


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

"""The database: one URL → transactions in which our tables and Optuna's change together.

Enters: a storage URL. Leaves: units of work. Optuna's storage writes into the same transaction
(its sessions join ours), so a claim, a completion, a whole stage's plan either happens or does not,
and a fencing token read in the transaction holds until its end.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import optuna
import sqlalchemy as sa
from optuna.storages import RDBStorage
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import sessionmaker
from sqlalchemy.orm.session import JoinTransactionMode

from lamsearch.errors import StorageBusyError, StorageFailedError, StorageGoneError
from lamsearch.storage import optuna_bridge, schema
from lamsearch.storage.address import Address
from lamsearch.storage.connections import engine_options, prepare
from lamsearch.storage.contents import Mode
from lamsearch.storage.failures import DATABASE_ERRORS, lasts, waits_for_a_lock
from lamsearch.storage.header import leave_alone
from lamsearch.storage.opening import Opening
from lamsearch.storage.presence import OpenedFile, is_gone
from lamsearch.storage.transactions import ALONE, SHARED, end_at_once, transaction

_LOG_MILLISECONDS = 2000  # for readers to let go of a log that is written back

_NOW = {
    "sqlite": "(julianday('now') - 2440587.5) * 86400.0",
    "postgresql": "extract(epoch FROM clock_timestamp())::float8",
}
_STARTED = "SELECT extract(epoch FROM pg_postmaster_start_time())::float8, pg_backend_pid()"

# Optuna announces every study it creates; what a user needs to know of one, the CLI says.
optuna.logging.set_verbosity(optuna.logging.WARNING)


def clock_of(dialect: str) -> sa.ColumnElement[float]:
    """Return a database's clock as a column of a query: seconds since 1970 UTC."""
    return sa.literal_column(_NOW[dialect], sa.Double)


class Transaction:
    """A transaction of work: one transaction, its connection, and Optuna's storage inside it."""

    def __init__(self, connection: Connection, storage: RDBStorage) -> None:
        self.connection = connection
        self._storage = storage
        self._bound: dict[JoinTransactionMode, RDBStorage] = {}

    @property
    def optuna(self) -> RDBStorage:
        """Optuna's storage in this transaction; whatever it refuses ends the transaction."""
        return self._joined("rollback_only")

    @property
    def optuna_may_refuse(self) -> RDBStorage:
        """The same where a refusal is an answer: each call is undone alone, by a savepoint."""
        return self._joined("create_savepoint")

    def execute(self, statement: sa.Executable) -> sa.CursorResult[Any]:
        """Execute a statement on our tables."""
        return self.connection.execute(statement)

    @property
    def clock(self) -> sa.ColumnElement[float]:
        """The database's clock as a column of a query: seconds since 1970 UTC."""
        return clock_of(self.connection.dialect.name)

    def now(self) -> float:
        """Seconds since 1970 UTC by the database's clock."""
        return float(self.connection.scalar(sa.select(self.clock)) or 0.0)

    def server_started(self) -> float:
        """When the database server started; 0 where there is none."""
        if self.connection.dialect.name != "postgresql":
            return 0.0
        known = self.connection.info  # lives as long as the connection, which no restart survives
        if "started" in known:
            return float(known["started"])
        started, process = self.connection.execute(sa.text(_STARTED)).one()
        raw: Any = self.connection.connection.dbapi_connection
        if process == raw.info.backend_pid:  # a connection to a pooler survives the server's end
            known["started"] = started
        return float(started)

    def close(self) -> None:
        """Let go of Optuna's sessions."""
        for bound in self._bound.values():
            bound.remove_session()

    def _joined(self, mode: JoinTransactionMode) -> RDBStorage:
        if mode not in self._bound:
            maker = sessionmaker(bind=self.connection, join_transaction_mode=mode)
            self._bound[mode] = optuna_bridge.in_session(self._storage, maker)
        return self._bound[mode]


class Database:
    """A storage that has been reached once, with its tables in place.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql://…`` as people write it.
        mode: what it is opened for. Only for planning is what is not there made; tables of an
            earlier version are upgraded, which ``upgraded`` says, but for reading.
        connections: how many threads may use it at the same time; further ones wait.

    Raises:
        StorageError: The URL is none, or what it names cannot be used or is another program's.
        StorageAwayError: What it names cannot be reached within ten seconds.
    """

    def __init__(self, url: str, mode: Mode = Mode.CREATE, *, connections: int = 1) -> None:
        self._address, self.mode = Address(url), mode
        self.url, self.redacted = self._address.url, self._address.redacted
        self.file = self._address.file
        opening = Opening(self._address, mode)
        self._storage, self.upgraded = opening.storage(), opening.upgraded
        text, options = engine_options(self.url, write=mode is not Mode.READ)
        if options.get("poolclass") is not sa.NullPool:
            # a worker's is one: its threads take turns, and 90 workers fit a default PostgreSQL
            options |= {"pool_size": connections, "max_overflow": 0}
        self.engine: Engine = sa.create_engine(text, **options)
        self._header = prepare(self.engine, write=mode is not Mode.READ)
        end_at_once(self.engine)
        # who only reads opens the file anew each time, whichever has its name by then
        watched = self.file is not None and mode is not Mode.READ
        self._opened = OpenedFile(self.file) if watched and self.file is not None else None

    @property
    def versions(self) -> str:
        """What the tables are, which are as they should be: no other storage is opened."""
        return (
            f"schema version {schema.VERSION}, which is current; Optuna's tables are "
            f"{optuna_bridge.head_revision()}, as Optuna {optuna.__version__} needs them"
        )

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """Open a transaction that may write; on SQLite it takes the write lock at once."""
        with self._begin(write=True) as transaction:
            yield transaction

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Open a transaction that only reads, and keeps nobody waiting."""
        with self._begin(write=False) as transaction:
            yield transaction

    @contextmanager
    def looking(self) -> Iterator[Connection]:
        """Keep a connection whose statements are each a transaction of their own, begun by none.

        For who looks again and again; what it raises goes through `erring`. It is the one
        connection of this process: meanwhile nothing else may be asked of the database.
        """
        with self.engine.connect() as plain:
            yield plain.execution_options(**{ALONE: True})

    @contextmanager
    def erring(self) -> Iterator[None]:
        """Turn a database's errors into those of lamsearch, where they do not pass by themselves.

        Raises:
            StorageBusyError: Another transaction holds a lock for long.
            StorageFailedError: The database cannot be used any more.
        """
        try:
            self._find_in_place()
            yield
            self._find_in_place()
        except DATABASE_ERRORS as error:
            if waits_for_a_lock(error):
                raise StorageBusyError(self._address.say_lock()) from error
            if not lasts(error):
                raise
            raise StorageFailedError(
                f"{self.say(error)}; what is committed is safe: mend it and start again"
            ) from error

    def changes(self) -> int | None:
        """A number that is another one when another connection has written, in microseconds.

        None where that cannot be told: on PostgreSQL, and while the database is away.
        """
        if self.file is None:
            return None
        try:
            pooled = self.engine.raw_connection()
            try:
                raw: Any = pooled.dbapi_connection
                (found,) = raw.execute("PRAGMA data_version").fetchone()
            finally:
                pooled.close()
        except (*DATABASE_ERRORS, sqlite3.Error):
            return None
        return int(found)

    @property
    def clock(self) -> sa.ColumnElement[float]:
        """The database's clock as a column of a query: seconds since 1970 UTC."""
        return clock_of(self.engine.dialect.name)

    def checkpoint(self) -> None:
        """Bring what SQLite holds in its log into the file, as far as nobody is reading there.

        A copy of the file alone then holds all that was completed.
        """
        if self.file is not None and self.mode is not Mode.READ:
            self._write_log_back("PASSIVE")

    def say(self, error: BaseException) -> str:
        """Return a database error as one sentence, without statement or password."""
        return self._address.say(error)

    def close(self) -> None:
        """Give back the pooled connection."""
        pool: Any = self.engine.pool
        # the last to leave would write its log into what is there now
        if self._overwritten() and pool.checkedin():
            with self.engine.connect() as connection:
                leave_alone(connection.connection.dbapi_connection)
        self.engine.dispose()

    def _overwritten(self) -> bool:
        """Whether somebody has written over an SQLite file that is worked on."""
        if self._header is None or self._opened is None or not self._opened.in_place:
            return False
        return self._header.find() is not None

    @contextmanager
    def _begin(self, *, write: bool) -> Iterator[Transaction]:
        with self.erring(), self._transaction(write=write) as transaction:
            yield transaction

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[Transaction]:
        with self.engine.connect() as plain:
            connection = plain.execution_options(**{SHARED: write})
            with transaction(connection):
                one = Transaction(connection, self._storage)
                try:
                    yield one
                finally:
                    one.close()

    def _find_in_place(self) -> None:
        """Refuse to go on with an SQLite file that its name does not lead to any more."""
        if self._opened is None and self.file is not None and is_gone(self.file):
            raise StorageGoneError(
                f"storage: {self.file} is no longer there: it was moved or deleted while it was in "
                "use"
            )
        if self._opened is None or self._opened.in_place:
            return
        # what has a name somewhere is made whole; what has none is better left with its log
        whole = self._opened.present_path is not None and self._write_log_back("TRUNCATE")
        raise StorageGoneError(f"storage: {self._opened.fate(whole=whole)}")

    def _write_log_back(self, how: str) -> bool:
        """Checkpoint SQLite's write-ahead log; whether all of it is in the file now."""
        if self._overwritten():
            return False
        try:
            with self.engine.connect() as connection:
                raw: Any = connection.connection.dbapi_connection
                (before,) = raw.execute("PRAGMA busy_timeout").fetchone()
                raw.execute(f"PRAGMA busy_timeout = {_LOG_MILLISECONDS}")
                busy, _, _ = raw.execute(f"PRAGMA wal_checkpoint({how})").fetchone()
                raw.execute(f"PRAGMA busy_timeout = {before}")
        except (*DATABASE_ERRORS, sqlite3.Error):
            return False  # then the log stays, and SQLite finds it at the next opening
        return not busy

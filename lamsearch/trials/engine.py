"""The database: one URL → transactions in which our tables and Optuna's change together.

Enters: a storage URL. Leaves: units of work. Optuna's storage writes into the same transaction
(its sessions join ours), so a claim, a tell, a whole stage's plan either happens or does not, and
a fencing token read in the transaction holds until its end.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy as sa
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    OperationalError,
    PendingRollbackError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import scoped_session, sessionmaker
from sqlalchemy.orm.session import JoinTransactionMode

from lamsearch.errors import StorageAwayError, StorageError, StorageFailedError
from lamsearch.redaction import scrub, shown
from lamsearch.trials import tables

# What a database can raise; `is_outage` tells which of them pass by themselves.
DATABASE_ERRORS = (SQLAlchemyError, StorageInternalError)
_WRITE = "lamsearch_write"
_BUSY_SECONDS = 60
_CONNECT_SECONDS = 4
_START_SECONDS = 8.0  # a database that cannot be reached is said within 10 s

_NOW = {
    "sqlite": "(julianday('now') - 2440587.5) * 86400.0",
    "postgresql": "extract(epoch FROM clock_timestamp())::float8",
}
_STARTED = "SELECT extract(epoch FROM pg_postmaster_start_time())::float8"
# A network that swallows packets is noticed in about a quarter of a minute, not in two hours.
_KEEPALIVE = {
    "keepalives_idle": 5, "keepalives_interval": 3, "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}  # fmt: skip
# What an operating system or SQLite says where waiting mends nothing.
_LASTING = ("readonly", "read-only", "full", "no such table", "no such column", "no space",
            "file too large")  # fmt: skip

# Optuna announces every study it creates; what a user needs to know of one, the CLI says.
optuna.logging.set_verbosity(optuna.logging.WARNING)


class Unit:
    """A unit of work: one transaction, its connection, and Optuna's storage inside it."""

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
        return sa.literal_column(_NOW[self.connection.dialect.name], sa.Double)

    def now(self) -> float:
        """Seconds since 1970 UTC by the database's clock."""
        return float(self.connection.scalar(sa.select(self.clock)) or 0.0)

    def server_started(self) -> float:
        """When the database server started; 0 where there is none."""
        if self.connection.dialect.name != "postgresql":
            return 0.0
        known = self.connection.info  # lives as long as the connection, which no restart survives
        if "started" not in known:
            known["started"] = float(self.connection.scalar(sa.text(_STARTED)) or 0.0)
        return float(known["started"])

    def close(self) -> None:
        """Let go of Optuna's sessions."""
        for bound in self._bound.values():
            bound.scoped_session.remove()

    def _joined(self, mode: JoinTransactionMode) -> RDBStorage:
        if mode not in self._bound:
            maker = sessionmaker(bind=self.connection, join_transaction_mode=mode)
            # A second view of the same storage: its constructor would open another engine.
            bound = object.__new__(RDBStorage)
            bound.__dict__.update(self._storage.__dict__)
            bound.scoped_session = scoped_session(maker)
            self._bound[mode] = bound
        return self._bound[mode]


class Database:
    """A storage that has been reached once, with its tables in place.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql://…`` as people write it.
        must_exist: refuse an SQLite file that is not there instead of making it.

    Raises:
        StorageError: The URL is none, or what it names cannot be used.
        StorageAwayError: What it names cannot be reached within ten seconds.
    """

    def __init__(self, url: str, *, must_exist: bool = False) -> None:
        self.url = parse_url(url)
        self.redacted = shown(self.url.render_as_string(hide_password=False))
        if self.url.get_backend_name() == "sqlite":
            self._check_file(must_exist)
        self._storage = self._open()
        # one connection: the worker's threads take turns, and 90 workers fit a default PostgreSQL
        self.engine: Engine = sa.create_engine(
            self._storage.url, pool_size=1, max_overflow=0, **self._options()
        )
        _prepare(self.engine)

    @contextmanager
    def write(self) -> Iterator[Unit]:
        """Open a transaction that may write; on SQLite it takes the write lock at once."""
        with self._begin(write=True) as unit:
            yield unit

    @contextmanager
    def read(self) -> Iterator[Unit]:
        """Open a transaction that only reads, and keeps nobody waiting."""
        with self._begin(write=False) as unit:
            yield unit

    def say(self, error: BaseException) -> str:
        """Return a database error as one sentence, without statement or password."""
        cause = error.__cause__ if isinstance(error, StorageInternalError) else error
        return f"storage: {self._say(cause or error)}"

    def close(self) -> None:
        """Give back the pooled connection."""
        self.engine.dispose()

    @contextmanager
    def _begin(self, *, write: bool) -> Iterator[Unit]:
        try:
            with self._transaction(write=write) as unit:
                yield unit
        except DATABASE_ERRORS as error:
            if not lasts(error):
                raise
            raise StorageFailedError(
                f"{self.say(error)}; what is committed is safe: mend it and start again"
            ) from error

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[Unit]:
        with self.engine.connect() as plain:
            connection = plain.execution_options(**{_WRITE: write})
            if not write and connection.dialect.name == "postgresql":
                # one snapshot for all queries, as SQLite gives by itself
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                unit = Unit(connection, self._storage)
                try:
                    yield unit
                finally:
                    unit.close()

    def _check_file(self, must_exist: bool) -> None:
        name = self.url.database or ":memory:"
        if ":memory:" in name or self.url.query.get("mode") == "memory":
            raise StorageError("storage: SQLite must be a file, got a database in memory")
        path = Path(name)
        if must_exist and not path.exists():
            raise StorageError(f"storage: no such file: {path}")
        if not path.parent.is_dir():
            raise StorageError(f"storage: no such folder: {path.parent}")

    def _open(self) -> RDBStorage:
        """Reach the database and make its tables; others may be making them at the same time."""
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                storage = RDBStorage(
                    self.url.render_as_string(hide_password=False), engine_kwargs=self._options()
                )
                _prepare(storage.engine)
                tables.metadata.create_all(storage.engine)
                # what opening it needed, sessions on a second connection among it, is given back
                storage.remove_session()
                storage.engine.dispose()
                return storage
            except (SQLAlchemyError, StorageInternalError) as error:
                if time.monotonic() > deadline or not _made_by_another(error.__cause__ or error):
                    kind = StorageAwayError if is_outage(error) else StorageError
                    raise kind(self.say(error)) from None
                time.sleep(0.1)
            except (RuntimeError, ImportError) as error:
                raise StorageError(f"storage: {self._scrub(str(error))}") from None

    def _options(self) -> dict[str, Any]:
        if self.url.get_backend_name() == "sqlite":
            return {"connect_args": {"timeout": _BUSY_SECONDS}}
        return {
            "pool_pre_ping": True,
            "connect_args": {
                **_KEEPALIVE,
                "connect_timeout": _CONNECT_SECONDS,
                "options": "-c timezone=utc",
                "application_name": "lamsearch",
            },
        }

    def _say(self, error: BaseException) -> str:
        """The driver's own first line, without the statement or the password."""
        origin = getattr(error, "orig", None) or error
        lines = [line.strip() for line in str(origin).splitlines() if line.strip()]
        return f"{self.redacted} cannot be used: {self._scrub(' '.join(lines[:2]))}"

    def _scrub(self, text: str) -> str:
        return scrub(text, self.url.render_as_string(hide_password=False))


def parse_url(text: str) -> URL:
    """Return the URL with its driver; what is none is never echoed, it may hold a password."""
    try:
        url = make_url(text)
        if "@" in (url.host or ""):  # the end of a password that is not percent-encoded
            raise ValueError
    except (ArgumentError, ValueError):
        raise StorageError(
            "storage: must be a URL such as sqlite:///lamsearch.db or "
            "postgresql://user@host/database; what was given is not shown, it may hold a password"
        ) from None
    backend = url.drivername.partition("+")[0]
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if backend == "sqlite":
        return url
    raise StorageError(f"storage: must be sqlite or postgresql, got {backend!r}")


def is_outage(error: BaseException) -> bool:
    """Whether an error says that the database is away for now, so that trying again may help.

    A full disk or a database that may not be written is no outage: waiting does not mend it.
    """
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    # the second is what Optuna meets when the server went away between two of its statements
    if isinstance(cause, (PoolTimeoutError, PendingRollbackError)):
        return True
    if not isinstance(cause, (OperationalError, InterfaceError)):
        return isinstance(cause, DBAPIError) and cause.connection_invalidated
    return not lasts(error)


def lasts(error: BaseException) -> bool:
    """Whether an error says that the database cannot be written, however long one waits."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    if not isinstance(cause, DBAPIError):
        return False
    text = str(cause.orig).lower()
    return any(word in text for word in _LASTING)


def _prepare(engine: Engine) -> None:
    """Give SQLite explicit transactions, write-ahead logging and a busy timeout that is obeyed."""
    if engine.dialect.name != "sqlite":
        return

    @sa.event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the begin event below says how to begin
        # Readers such as the dashboard then neither wait for writers nor hold them up.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        write = connection.get_execution_options().get(_WRITE, True)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    engine.dispose()


def _made_by_another(error: BaseException) -> bool:
    """Whether an error is what creating the same tables at the same time looks like."""
    text = str(getattr(error, "orig", None) or error)
    return any(word in text for word in ("already exists", "locked", "UNIQUE", "duplicate key"))

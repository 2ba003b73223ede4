"""What a database's error means is told by its code, whatever names stand in its text."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import OperationalError, PendingRollbackError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from storage_stub import planned

from lamsearch.errors import StorageAwayError, StorageFailedError
from lamsearch.storage import Database, Mode, is_outage, names
from lamsearch.storage.failures import is_conflict, is_race, is_read_only, lasts
from lamsearch.study import Study

Fails = Callable[..., SQLAlchemyError]


@pytest.fixture
def fails() -> Iterator[Fails]:
    """Run statements on a URL, the last of which must fail; return what SQLAlchemy raises."""
    engines: list[sa.Engine] = []

    def run(url: str, *statements: str) -> SQLAlchemyError:
        engines.append(sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT"))
        with pytest.raises(SQLAlchemyError) as caught, engines[-1].connect() as connection:  # noqa: PT012
            for statement in statements:
                connection.exec_driver_sql(statement)
        return caught.value

    yield run
    for one in engines:
        one.dispose()


def answer(sqlstate: str, text: str = "") -> SQLAlchemyError:
    """Return what SQLAlchemy makes of an answer of PostgreSQL with this code."""
    made = psycopg.errors.lookup(sqlstate)(text)
    return sa.exc.DBAPIError.instance("SELECT 1", {}, made, psycopg.Error)  # type: ignore[return-value]


def test_a_host_or_file_named_like_a_cause_that_lasts_is_an_outage_all_the_same(
    fails: Fails, tmp_path: Path
) -> None:
    """A refused connection is an outage, whatever words the name of its host, socket or database
    holds."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        directory = tmp_path / "no space, read-only and full"
        for place in (
            f"u@127.0.0.1:{port}/no such table",
            f"u@db-full.example:{port}/readonly?hostaddr=127.0.0.1",
            f"u@/x?host={directory}",
        ):
            error = fails(f"postgresql+psycopg://{place}", "SELECT 1")
            assert is_outage(error)
            assert not lasts(error)
            with pytest.raises(StorageAwayError):
                Database(f"postgresql://{place}")


def test_a_table_named_like_a_race_does_not_make_lamsearch_wait(
    fails: Fails, postgres_url: str
) -> None:
    """A missing table called "already exists" is no race of two that make the same tables."""
    url = postgres_url.replace("postgresql", "postgresql+psycopg", 1)
    error = fails(url, 'SELECT 1 FROM "locked already exists UNIQUE duplicate key"')
    assert not is_race(error)
    assert is_race(fails(url, "CREATE TABLE t (a int)", "CREATE TABLE t (a int)"))


@pytest.mark.parametrize(
    "sqlstate",
    ["08000", "08003", "08006", "08P01", "57P01", "57P02", "57P03", "57P05", "57014", "53200",
     "53300", "40001", "40003", "40P01", "55P03", "58030", "25006", "25P03"],
)  # fmt: skip
def test_answers_of_postgresql_that_pass(sqlstate: str) -> None:
    """A server that is starting, stopping, crowded or read-only while it fails over, and a
    transaction that was rolled back, pass."""
    assert is_outage(answer(sqlstate, "no space: read-only and full"))
    assert not lasts(answer(sqlstate, "no space: read-only and full"))


@pytest.mark.parametrize("sqlstate", ["53100", "42501", "42P01", "42703", "3F000", "57P04"])
def test_answers_of_postgresql_that_last(sqlstate: str) -> None:
    """A full disk, a missing privilege, a missing table and a dropped database last."""
    assert lasts(answer(sqlstate, "connection refused"))
    assert not is_outage(answer(sqlstate, "connection refused"))


def test_a_conflict_is_no_absence() -> None:
    """A deadlock and a serialization failure are conflicts on a database that is there; one whose
    end is not known, and a server that stops, are none."""
    assert all(is_conflict(answer(code)) for code in ("40001", "40P01"))
    assert not any(is_conflict(answer(code)) for code in ("40003", "57P01", "25006", "23505"))
    assert is_read_only(answer("25006"))
    assert not is_read_only(answer("57P01"))


@pytest.mark.parametrize("sqlstate", ["23505", "22P02", "42601"])
def test_answers_of_postgresql_to_a_wrong_statement(sqlstate: str) -> None:
    """A broken constraint or a wrong statement neither passes nor lasts: it is a issue."""
    assert not is_outage(answer(sqlstate))
    assert not lasts(answer(sqlstate))


def test_what_sqlite_says_is_known_by_its_code(fails: Fails, tmp_path: Path) -> None:
    """A lock passes; a full, read-only or foreign file and a missing table last; a broken
    constraint is neither."""
    url = f"sqlite:///{tmp_path / 'database is locked.db'}"
    with closing(sqlite3.connect(tmp_path / "database is locked.db")) as connection, connection:
        connection.execute("CREATE TABLE t (a PRIMARY KEY)")
    connection.close()
    (tmp_path / "other.db").write_bytes(b"connection refused" * 100)
    write = "INSERT INTO t VALUES (1)"
    full = fails(url, "PRAGMA max_page_count = 1", "CREATE TABLE s (a)")
    readonly = fails(f"sqlite:///file:{tmp_path}/database is locked.db?mode=ro&uri=true", write)
    missing = fails(url, 'SELECT * FROM "database is locked"')
    foreign = fails(f"sqlite:///{tmp_path / 'other.db'}", "SELECT * FROM t")
    for error in (full, readonly, missing, foreign):
        assert lasts(error), error
        assert not is_outage(error), error
    broken = fails(url, write, write)
    assert not is_outage(broken)
    assert not lasts(broken)
    holder = sqlite3.connect(tmp_path / "database is locked.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    locked = fails(f"{url}?timeout=0", "INSERT INTO t VALUES (2)")
    holder.close()
    assert is_outage(locked)
    assert not lasts(locked)


def test_what_has_no_code_is_an_outage_where_nobody_was_reached() -> None:
    """A pool that is empty and a transaction broken off are outages, and so is what Optuna made of
    one; Optuna's own refusal is none, nor a refusal of SQLite's driver."""
    refused = OperationalError("SELECT 1", {}, psycopg.OperationalError("database is full"))
    wrapped = StorageInternalError()
    wrapped.__cause__ = refused
    for error in (refused, wrapped, PoolTimeoutError("pool"), PendingRollbackError("before")):
        assert is_outage(error)
        assert not lasts(error)
    undecodable = OperationalError("SELECT 1", {}, sqlite3.OperationalError("Could not decode"))
    for other in (StorageInternalError(), undecodable, ValueError()):
        assert not is_outage(other)


def test_a_missing_privilege_is_one_sentence(
    postgres_url: str, small_study: Callable[..., Study]
) -> None:
    """A role that may only read is enough to look; planning with it is refused in one sentence."""
    Database(postgres_url).close()
    url = sa.make_url(postgres_url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    name = f"looker{url.database}"
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN")
        connection.exec_driver_sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}")
    looker = url.set(username=name).render_as_string(hide_password=False)
    try:
        reading, planning = Database(looker, Mode.READ), Database(looker, Mode.CREATE)
        assert names(reading) == []
        with pytest.raises(StorageFailedError, match="permission denied") as caught:
            planned(planning, small_study())
        assert "INSERT" not in str(caught.value)
        assert names(reading) == []
        reading.close()
        planning.close()
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP OWNED BY {name}; DROP ROLE {name}")

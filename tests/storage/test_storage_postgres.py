"""PostgreSQL as it is found: options of URL and environment, schemas, encodings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from storage_stub import planned, work

from lamsearch.errors import StorageError
from lamsearch.storage import Database, Leases, Mode, View, names, read_status, read_study
from lamsearch.study import Study


@pytest.fixture
def execute(postgres_url: str) -> Iterator[Callable[[str], list[tuple[object, ...]]]]:
    """Run statements on the empty database past lamsearch."""
    url = sa.make_url(postgres_url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)

    def run(statement: str) -> list[tuple[object, ...]]:
        with engine.connect() as connection:
            result = connection.exec_driver_sql(statement)
            return [tuple(row) for row in result] if result.returns_rows else []

    yield run
    engine.dispose()


@contextmanager
def database_of(postgres: str, options: str) -> Iterator[str]:
    """Make a database with options of its creation; yield its URL, remove it at the end."""
    url = sa.make_url(postgres).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    name = "encoded_" + options.lower().replace("'", "").split()[1]
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE template0 {options}")
    try:
        found = url.set(drivername="postgresql", database=name)
        yield found.render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


def with_options(url: str, **options: str) -> str:
    """Return a URL with more options."""
    return sa.make_url(url).update_query_dict(options).render_as_string(hide_password=False)


def test_the_schema_of_a_url_holds_all_tables(
    postgres_url: str,
    execute: Callable[[str], list[tuple[object, ...]]],
    small_study: Callable[..., Study],
) -> None:
    """A search path in the URL's options holds for every connection: all of Optuna's tables and of
    ours are in that schema, none elsewhere, and two schemas are two storages."""
    execute("CREATE SCHEMA lams")
    execute("CREATE SCHEMA other")
    for schema, name in (("lams", "small"), ("other", "another")):
        database = Database(with_options(postgres_url, options=f"-csearch_path={schema}"))
        planned(database, small_study(name=name))
        work(Leases(database, name, owner="worker", seconds=60.0))
        assert names(database) == [name]
        view = View(database, writable=True)
        for storage in filter(None, (view.reader, view.writer)):
            with storage.engine.connect() as connection:
                shown = connection.exec_driver_sql("SHOW search_path").scalar()
            assert shown == schema
        assert {stage.study for stage in view.planned().values()} == {name}
        view.close()
        database.close()
    count = "SELECT schemaname, count(*) FROM pg_tables WHERE schemaname !~ '^(pg_|inf)' GROUP BY 1"
    found = dict(execute(count))
    assert set(found) == {"lams", "other"}
    assert found["lams"] == found["other"]


def test_a_schema_that_is_not_there_is_said(postgres_url: str) -> None:
    """A search path without any schema that exists is one sentence for each mode."""
    url = with_options(postgres_url, options="-csearch_path=nosuch")
    with pytest.raises(StorageError, match="no schema has been selected"):
        Database(url)
    with pytest.raises(StorageError, match="holds no lamsearch studies"):
        Database(url, Mode.READ)


def test_what_a_url_and_the_environment_say_of_a_connection_is_kept(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An application's name, options and timeouts given in the URL, or to libpq in the
    environment, take the place of ours; the time zone and the encoding stay ours."""

    def shown(url: str, *settings: str) -> list[str]:
        database = Database(url)
        with database.read() as transaction:
            found = [
                transaction.connection.exec_driver_sql(f"SHOW {one}").scalar() for one in settings
            ]
        database.close()
        return [str(one) for one in found]

    url = with_options(
        postgres_url, application_name="me", options="-c timezone=Asia/Tokyo -c work_mem=9MB",
        client_encoding="latin1", connect_timeout="9", keepalives_idle="77", tcp_user_timeout="0",
    )  # fmt: skip
    assert shown(url, "application_name", "work_mem", "timezone", "client_encoding") == [
        "me", "9MB", "UTC", "UTF8",
    ]  # fmt: skip
    monkeypatch.setenv("PGOPTIONS", "-c work_mem=8MB")
    monkeypatch.setenv("PGAPPNAME", "mine")
    monkeypatch.setenv("PGCLIENTENCODING", "latin1")
    assert shown(postgres_url, "application_name", "work_mem", "timezone", "client_encoding") == [
        "mine", "8MB", "UTC", "UTF8",
    ]  # fmt: skip


def test_a_server_without_an_encoding_works_in_full(
    postgres: str, small_study: Callable[..., Study]
) -> None:
    """A study on a database of SQL_ASCII, with words that are not ASCII, is planned, done, looked
    at and read back as on any other."""
    with database_of(postgres, "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'") as url:
        database = Database(url)
        planned(database, small_study(), classes=("Größe", "λ"), origin="/daten/müller/λ")
        work(Leases(database, "small", owner="rechner-ü:λ", seconds=60.0))
        record = read_study(database, "small")
        assert record.classes == ("Größe", "λ")
        assert read_status(database, "small").state == "done"
        workers = "SELECT DISTINCT value_json FROM trial_user_attributes WHERE key = 'worker'"
        with database.read() as transaction:
            found = transaction.connection.exec_driver_sql(workers).scalars().all()
        assert [json.loads(one) for one in found] == ["rechner-ü:λ"]
        database.close()
        reading = Database(url, Mode.READ)
        view = View(reading, writable=False)
        row = view.study_row("small")
        assert row is not None
        assert row["origin"] == "/daten/müller/λ"
        view.close()
        reading.close()


def test_a_server_that_has_no_lambda_is_refused(postgres: str) -> None:
    """A database of LATIN1 is refused in one sentence before a table is made."""
    with database_of(postgres, "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'") as url:
        for _ in range(2):  # the first has made nothing
            with pytest.raises(
                StorageError, match="must be a database encoded in UTF8, got LATIN1"
            ):
                Database(url)
        with pytest.raises(StorageError, match="holds no lamsearch studies"):
            Database(url, Mode.READ)


def test_a_server_s_default_isolation_changes_nothing(
    postgres_url: str, execute: Callable[[str], list[tuple[object, ...]]]
) -> None:
    """Writing is READ COMMITTED and reading one snapshot, whatever a database has as its default,
    which would have transactions fail that wait for each other's locks."""
    name = sa.make_url(postgres_url).database
    execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")
    database = Database(postgres_url)
    show = "SHOW transaction_isolation"
    with database.write() as transaction:
        assert transaction.connection.exec_driver_sql(show).scalar() == "read committed"
    with database.read() as transaction:
        assert transaction.connection.exec_driver_sql(show).scalar() == "repeatable read"
    with database.write() as transaction:
        assert transaction.connection.exec_driver_sql(show).scalar() == "read committed"
    database.close()

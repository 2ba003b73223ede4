"""PostgreSQL that may not be written: for the moment of a failover, or for good."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from storage_stub import Window, claimed, planned

from lamsearch.errors import InputError, StorageFailedError, StorageReadOnlyError
from lamsearch.storage import (
    Claim,
    Database,
    Leases,
    Mode,
    engine,
    is_read_only,
    parse_url,
    passes,
    read_status,
)
from lamsearch.study import Study
from lamsearch.worker.renewer import Retry


class Standby:
    """A database that is a standby at times: its transactions may only read."""

    def __init__(self, url: str) -> None:
        self.url, self._name = url, sa.make_url(url).database
        self._engine = sa.create_engine(
            parse_url(url), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool,
            connect_args={"options": "-c default_transaction_read_only=off"},
        )  # fmt: skip

    def turn(self, *, read_only: bool) -> None:
        """Let it be one from now on, or be one no more; as in a failover, who is there is cut."""
        value = "on" if read_only else "off"
        with self._engine.connect() as connection:
            connection.exec_driver_sql(
                f"ALTER DATABASE {self._name} SET default_transaction_read_only = {value}"
            )
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@pytest.fixture
def standby(postgres_url: str) -> Standby:
    """A new, empty database, which may be written as yet."""
    return Standby(postgres_url)


@pytest.fixture
def leases(
    standby: Standby, small_study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Leases]:
    """A worker of a study on that database, whose server has been up for long."""
    monkeypatch.setattr(engine.Transaction, "server_started", lambda _: 0.0)
    database = Database(standby.url)
    planned(database, small_study())
    yield Leases(database, "small", owner="a", seconds=60.0)
    database.close()


def test_a_failover_is_waited_for(standby: Standby, leases: Leases) -> None:
    """A claim during a failover gets through after it, with one line for what is waited for and
    one at its end."""
    standby.turn(read_only=True)
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if "read-only" in line:
            standby.turn(read_only=False)

    assert isinstance(Retry(threading.Event(), say)(leases.claim), Claim)
    assert sum("database read-only" in line for line in said) == 1
    assert said[-1] == "database back"


def test_a_database_that_stays_read_only_is_a_sentence(
    standby: Standby, leases: Leases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has waited for longer than a failover takes is told that the database is read-only
    and what to look at."""
    monkeypatch.setattr("lamsearch.worker.renewer._READ_ONLY_SECONDS", 0.2)
    standby.turn(read_only=True)
    with pytest.raises(StorageFailedError, match=r"has been read-only for .* default_transaction"):
        Retry(threading.Event(), lambda _: None)(leases.claim)


def test_reading_is_no_sign_that_a_database_may_be_written(
    standby: Standby, leases: Leases
) -> None:
    """A worker that waits, and finds something to take on a database that may only be read, goes on
    trying to write: that it can read does not tell it that the failover is over."""
    for _ in range(2):
        claimed(leases)
    database = Database(standby.url)
    waiting = Leases(database, "small", owner="b", seconds=60.0)
    assert not isinstance(waiting.claim(), Claim)
    Window(standby.url).expire()
    standby.turn(read_only=True)
    kinds = []
    while len(kinds) < 3:
        with pytest.raises(sa.exc.DBAPIError) as caught:
            waiting.claim()
        assert passes(caught.value)
        kinds.append(is_read_only(caught.value))
    assert kinds[-2:] == [True, True]
    database.close()


@pytest.mark.parametrize("planned_before", [False, True])
def test_a_start_on_a_read_only_server_is_bad_input(standby: Standby, planned_before: bool) -> None:
    """Opened for work, a read-only server is refused in one sentence within ten seconds, with or
    without tables; opened for reading, it is read."""
    if planned_before:
        Database(standby.url).close()
    standby.turn(read_only=True)
    begun = time.monotonic()
    with pytest.raises(StorageReadOnlyError, match="must be writable, got a read-only server"):
        Database(standby.url, Mode.CREATE)
    assert time.monotonic() - begun < 10.0
    assert issubclass(StorageReadOnlyError, InputError)


def test_a_standby_is_read(standby: Standby, leases: Leases) -> None:
    """What was planned before is read on a server that is read-only."""
    claimed(leases)
    standby.turn(read_only=True)
    reading = Database(standby.url, Mode.READ)
    assert read_status(reading, "small").state == "running"
    reading.close()


def test_a_conflict_is_done_again_in_silence(standby: Standby, leases: Leases) -> None:
    """A transaction rolled back for a deadlock is done again without a line, and is no absence of
    the database: what has run out is taken at once."""
    for _ in range(2):
        claimed(leases)
    window, said = Window(standby.url), list[str]()
    window.expire()
    window.execute("CREATE SEQUENCE hits")
    window.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF nextval('hits') "
        "< 3 THEN RAISE 'deadlock' USING ERRCODE = '40P01'; END IF; RETURN NEW; END$$"
    )
    window.execute(
        "CREATE TRIGGER refuse BEFORE UPDATE ON lamsearch_cohort FOR EACH ROW "
        "EXECUTE FUNCTION refuse()"
    )
    database = Database(standby.url)
    other = Leases(database, "small", owner="b", seconds=60.0)
    claim = Retry(threading.Event(), said.append)(other.claim)
    assert isinstance(claim, Claim)
    assert claim.reclaimed
    assert said == []
    assert window.column("token") == [2, 1]
    database.close()

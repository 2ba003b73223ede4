"""A connection that is terminated at any statement: the call is done again, from its start."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, PendingRollbackError
from storage_stub import Window, finish, flat, planned

from lamsearch.errors import StorageFailedError
from lamsearch.storage import Claim, Database, Leases, delete, names, passes, read_study
from lamsearch.study import Study

T = TypeVar("T")

_TERMINATE = sa.text(
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


class Storm:
    """Terminates a database's connections before the statement of a number, once."""

    def __init__(self, database: Database) -> None:
        self._at, self._count = 0, 0
        self._killer = sa.create_engine(
            database.url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
        )
        sa.event.listen(database.engine, "before_cursor_execute", self._strike)

    def through(self, action: Callable[[], T], *, step: int = 1) -> T:
        """Do something until it gets through; each time its connection ends so much later."""
        for self._at in itertools.count(1, step):
            self._count = 0
            result, error = _try(action)
            if error is None:
                return result[0]
            # what the driver said, not what somebody in between made of it
            assert getattr(error.orig, "sqlstate", None) == "57P01", error
            assert passes(error)
        raise AssertionError

    def _strike(self, *_: object) -> None:
        self._count += 1
        if self._count == self._at:
            with self._killer.connect() as connection:
                connection.execute(_TERMINATE)


def _try(action: Callable[[], T]) -> tuple[list[T], DBAPIError | None]:
    try:
        return [action()], None
    except DBAPIError as error:
        return [], error


@pytest.fixture
def database(ready_postgres_url: str) -> Iterator[Database]:
    """A storage on a real PostgreSQL, with its tables."""
    found = Database(ready_postgres_url)
    yield found
    found.close()


def test_a_connection_that_ends_at_any_statement_of_any_call(
    database: Database, small_study: Callable[..., Study]
) -> None:
    """Planning, claiming, reporting, completing and the transitions say what the driver said,
    whichever of their statements their connection ends at; done again, each is done once."""
    storm = Storm(database)
    study = small_study(coarse={"trials": 2}, fine=None, finalists=None, final={"replicates": 1})
    window = Window(database.url.render_as_string(hide_password=False))
    storm.through(lambda: planned(database, study), step=9)
    leases = Leases(database, "small", owner="a", seconds=60.0)
    done = []
    while (claim := storm.through(leases.claim)) is not None:
        assert isinstance(claim, Claim), claim
        if not claim.tests:
            values = [0.5] * len(claim.trials)
            storm.through(partial(leases.report, claim, 1, values))
        storm.through(partial(finish, leases, claim))
        done.append(claim)
    assert flat(done) == [("coarse", 0), ("coarse", 1), ("final", 0), ("test", 0)]
    assert window.states() == {"small/coarse": {"COMPLETE": 2}, "small/final": {"COMPLETE": 1}}
    assert window.column("takeovers") == [0, 0, 0, 0]
    assert len(read_study(database, "small").openings) == 1
    storm.through(lambda: delete(database, "small"), step=9)
    assert names(database) == []


@pytest.mark.parametrize("sqlstate", ["53100", "40P01", "57P01"])
def test_what_optuna_would_repeat_in_a_transaction_that_is_over_leaves_at_once(
    sqlstate: str,
    database: Database,
    small_study: Callable[..., Study],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An error in a call that Optuna repeats by itself leaves with its own code, and is no error
    of a transaction that is closed; where it lasts, its sentence says it."""
    window = Window(database.url.render_as_string(hide_password=False))
    window.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$BEGIN RAISE 'refused' USING ERRCODE = '{sqlstate}'; END$$"
    )
    window.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON trials FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    monkeypatch.setattr("lamsearch.storage.retries._SHORT_SECONDS", 0.0)
    with pytest.raises((DBAPIError, StorageFailedError)) as caught:
        planned(database, small_study())
    error = caught.value if isinstance(caught.value, DBAPIError) else caught.value.__cause__
    assert isinstance(error, DBAPIError)
    assert getattr(error.orig, "sqlstate", None) == sqlstate
    assert isinstance(caught.value, StorageFailedError) == (sqlstate == "53100")
    assert names(database) == []


def test_a_transaction_that_optuna_rolled_back_in_silence_is_no_success(
    database: Database, small_study: Callable[..., Study]
) -> None:
    """Where Optuna takes a broken constraint for another's doing and says nothing, the transaction
    that it has rolled back is told to be over, whether or not something follows."""
    planned(database, small_study())

    def set_twice(*, more: bool) -> None:
        with database.write() as transaction:
            transaction.execute(sa.text("UPDATE lamsearch_study SET failure = 'half done'"))
            transaction.optuna.set_study_user_attr(1, "key", "value")
            if more:
                transaction.now()

    window = Window(database.url.render_as_string(hide_password=False))
    window.execute("ALTER TABLE study_user_attributes ADD CHECK (key <> 'key')")
    for more in (False, True):
        with pytest.raises(PendingRollbackError) as caught:
            set_twice(more=more)
        assert passes(caught.value)
    assert window.column("failure", "lamsearch_study") == [None]


def test_an_opening_whose_connection_ends_is_begun_again(postgres_url: str) -> None:
    """A database opens, and makes its tables, though a connection of the opening's is terminated
    before any of its statements."""
    url = sa.make_url(postgres_url).set(drivername="postgresql+psycopg")
    killer = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    at, count, struck = [0], [0], [False]

    def strike(connection: sa.Connection, *_: object) -> None:
        count[0] += connection.engine is not killer
        if count[0] == at[0] and not struck[0]:
            struck[0] = True
            with killer.connect() as other:
                other.execute(_TERMINATE)

    sa.event.listen(sa.Engine, "before_cursor_execute", strike)
    try:
        for at[0] in itertools.count(1, 4):
            count[0], struck[0] = 0, False
            database = Database(postgres_url)
            assert names(database) == []
            database.close()
            if not struck[0]:
                break
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", strike)
    assert at[0] > 12

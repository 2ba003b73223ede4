"""What transactions see of each other, what they wait for, and a clock that is set back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from storage_stub import BEAT, Window, claimed, outcomes, planned

from lamsearch.errors import LeaseLostError
from lamsearch.storage import Database, Leases, Mode, engine, read_status, waits
from lamsearch.storage.tables import cohorts
from lamsearch.study import Study

Build = Callable[..., Study]


def test_a_reading_transaction_sees_one_moment(
    url: str, database: Database, window: Window, small_study: Build
) -> None:
    """What another transaction commits between two queries of one that reads is not seen by the
    second: a report never holds one half of a stage transition."""
    planned(database, small_study())
    reading = Database(url, Mode.READ)
    for one in (database, reading):
        with one.read() as transaction:
            query = sa.select(sa.func.sum(cohorts.c.updates))
            before = transaction.connection.scalar(query)
            window.execute("UPDATE lamsearch_cohort SET updates = updates + 1")
            assert transaction.connection.scalar(query) == before
        with one.read() as transaction:
            assert transaction.connection.scalar(query) == before + 2  # of two cohorts
    reading.close()


def test_a_claim_does_not_wait_for_another_claim(
    ready_postgres_url: str, open_database: Callable[[str], Database], small_study: Build,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """While one worker's transaction holds the first cohort, another takes the next one at once."""
    monkeypatch.setitem(waits.SETTINGS, "lock_timeout", "500ms")
    one, two = open_database(ready_postgres_url), open_database(ready_postgres_url)
    planned(one, small_study())
    with one.write() as transaction:
        transaction.execute(
            sa.select(cohorts.c.number).where(cohorts.c.number == 0).with_for_update()
        )
        assert claimed(Leases(two, "small", owner="b", seconds=60.0)).number == 1


@pytest.mark.usefixtures("long_up")
def test_work_goes_on_at_once_where_the_database_s_clock_is_set_back(
    database: Database, small_study: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lease that was renewed a day ahead of the clock that the database has now is nobody's: it
    is reclaimed at once, its holder finds it lost, and what is claimed from then on holds."""
    planned(database, small_study())
    first, second = (Leases(database, "small", owner=one, seconds=20.0) for one in "ab")
    kind = database.engine.dialect.name
    with monkeypatch.context() as ahead:
        ahead.setitem(engine._NOW, kind, f"({engine._NOW[kind]} + 86400.0)")
        claims = [claimed(first), claimed(second)]
        first.renew(claims[0], BEAT)
        assert read_status(database, "small").state == "running"
    assert read_status(database, "small").state == "queued"
    assert [one.expired for one in read_status(database, "small").workers] == [True, True]
    again = claimed(Leases(database, "small", owner="c", seconds=20.0))
    assert (again.reclaimed, again.number) == (True, 0)
    with pytest.raises(LeaseLostError):
        first.complete(claims[0], outcomes(claims[0]), BEAT, 1.0)
    second.renew(claims[1], BEAT)  # who renews by the present clock keeps what it holds
    found = {one.owner: one.expired for one in read_status(database, "small").workers}
    assert found == {"b": False, "c": False}

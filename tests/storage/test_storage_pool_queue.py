"""Which study a worker of the pool takes a cohort of next, and what a look costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from storage_stub import claimed, counted, finish, planned, work

from lamsearch import storage as store
from lamsearch.storage import Database, Leases, StudyQueue, next_study
from lamsearch.storage.tables import cohorts, studies
from lamsearch.study import Study

Build = Callable[..., Study]


@pytest.fixture
def plan(database: Database, small_study: Build) -> Callable[..., None]:
    """Plan small studies of two cohorts by name."""

    def one(name: str, **changes: Any) -> None:
        planned(database, small_study(name=name), **changes)

    return one


def leases_of(database: Database, name: str, owner: str = "a", seconds: float = 60.0) -> Leases:
    """A worker's leases on a study."""
    return Leases(database, name, owner=owner, seconds=seconds)


def order(database: Database) -> list[str]:
    """The studies as a worker would take them if each had nothing left once it is taken."""
    found: list[str] = []
    while (name := next_study(database, excluded=found)) is not None:
        found.append(name)
    return found


def test_higher_priority_is_first_then_older(database: Database, plan: Callable[..., None]) -> None:
    """Studies come by priority, of one priority by their submission; a move in the queue counts."""
    for name, priority in (("old", 0), ("new", 0), ("low", -1), ("high", 5)):
        plan(name, priority=priority)
    assert order(database) == ["high", "old", "new", "low"]
    store.prioritize(database, "new", 7)
    assert order(database) == ["new", "high", "old", "low"]
    assert next_study(database, names=("old", "low")) == "old"


def test_a_study_without_anything_to_lease_gives_way(
    database: Database, plan: Callable[..., None]
) -> None:
    """A study whose cohorts are all leased is passed over, until a lease runs out."""
    plan("first", priority=1)
    plan("second")
    leases = leases_of(database, "first")
    claimed(leases)
    assert next_study(database) == "first"
    claimed(leases_of(database, "first", "b"))
    assert next_study(database) == "second"
    with database.write() as transaction:
        transaction.execute(sa.update(cohorts).values(expires=transaction.now() - 1.0))
    assert next_study(database) == "first"


def test_a_transition_that_is_due_is_something_to_take(
    database: Database, plan: Callable[..., None]
) -> None:
    """A study whose present stage is done is taken, for somebody has to begin the next."""
    plan("one")
    leases = leases_of(database, "one")
    finish(leases, claimed(leases))
    last = claimed(leases)
    assert next_study(database) is None
    finish(leases, last)
    assert next_study(database) == "one"
    work(leases)
    assert next_study(database) is None


def test_what_people_halted_and_what_is_over_is_passed_over(
    database: Database, plan: Callable[..., None]
) -> None:
    """Paused, cancelled, failed and finished studies are never next; a resumed one is again."""
    for name in ("paused", "cancelled", "failed", "left"):
        plan(name)
    store.pause(database, "paused")
    store.cancel(database, "cancelled")
    with database.write() as transaction:
        failing = sa.update(studies).where(studies.c.name == "failed")
        transaction.execute(failing.values(failure="it was bad"))
    assert order(database) == ["left"]
    store.resume(database, "paused")
    assert order(database) == ["paused", "left"]


def test_a_worker_knows_whether_anything_is_left(
    database: Database, plan: Callable[..., None]
) -> None:
    """Paused studies are neither over nor active; those left out do not count as active."""
    plan("one")
    plan("other")
    queue = StudyQueue(database, ("one",))
    store.pause(database, "one")
    assert not queue.has_active()
    assert not queue.all_over()
    queue.release()
    store.cancel(database, "one")
    assert queue.all_over()
    queue.release()
    both = StudyQueue(database)
    assert both.has_active()
    assert not both.has_active(excluded=["other"])
    both.release()
    other = store.load(database, "other").id
    assert not both.has_active(excluded_ids=[other])
    both.release()


def test_a_look_is_one_statement(database: Database, plan: Callable[..., None]) -> None:
    """A worker that waits sends one statement a look on PostgreSQL, which begins no transaction;
    and its other calls find the connection free once there is something to claim."""
    plan("one")
    store.pause(database, "one")
    queue = StudyQueue(database)
    assert queue.next() is None
    with counted() as sent:
        for _ in range(3):
            assert queue.next() is None
    assert len([one for one in sent if one.startswith("SELECT")]) == 3
    if database.engine.dialect.name == "postgresql":
        assert len(sent) == 3
        assert database.engine.pool.checkedout() == 1  # type: ignore[attr-defined]
    queue.release()
    store.resume(database, "one")
    found = queue.next()
    assert found is not None
    assert (found.name, found.id) == ("one", store.load(database, "one").id)
    claimed(leases_of(database, "one"))

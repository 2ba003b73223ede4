"""The queue as people see it: every study of a storage in a line, in the order of service."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from storage_stub import BEAT, Window, claimed, counted, finish, planned, work

from lamsearch import storage as store
from lamsearch.results import QueuedStudy, StudyState
from lamsearch.storage import Database, Leases, read_queue
from lamsearch.study import Study

Build = Callable[..., Study]


def worker(database: Database, name: str, owner: str = "a") -> Leases:
    """A worker's leases."""
    return Leases(database, name, owner=owner, seconds=60.0)


def shown(database: Database) -> list[tuple[str, StudyState]]:
    """Names and states, in the order of the queue."""
    return [(one.name, one.state) for one in read_queue(database)]


def only(database: Database) -> QueuedStudy:
    """The one study of the queue."""
    (found,) = read_queue(database)
    return found


def test_studies_stand_in_the_order_in_which_they_are_served(
    database: Database, small_study: Build
) -> None:
    """Running ones first, then queued, then paused, each by priority and then by age; what is over
    comes last, the latest first."""
    for name, priority in (("old", 0), ("new", 0), ("urgent", 5), ("late", -1), ("works", -2),
                           ("rests", 9), ("gone", 7), ("away", 7)):  # fmt: skip
        planned(database, small_study(name=name), priority=priority)
    claimed(worker(database, "works"))
    store.pause(database, "rests")
    store.cancel(database, "gone")
    store.cancel(database, "away")
    state = StudyState
    assert shown(database) == [
        ("works", state.RUNNING), ("urgent", state.QUEUED), ("old", state.QUEUED),
        ("new", state.QUEUED), ("late", state.QUEUED), ("rests", state.PAUSED),
        ("away", state.CANCELLED), ("gone", state.CANCELLED),
    ]  # fmt: skip
    store.prioritize(database, "late", 6)
    assert shown(database)[1] == ("late", state.QUEUED)


def test_a_study_says_how_far_it_is(database: Database, small_study: Build) -> None:
    """Trials, leases and the share of all updates that its stages are expected to take, from none
    to all; what a cohort has done so far counts."""
    study = small_study(cohort=2)
    planned(database, study)
    fresh = only(database)
    assert (fresh.finished_trials, fresh.planned_trials, fresh.progress) == (0, 5, 0.0)
    assert (fresh.started, fresh.workers, fresh.selected) == (None, 0, None)
    leases = worker(database, "small")
    claim = claimed(leases)
    leases.renew(claim, BEAT)  # all of its 30 updates
    # coarse 3 · 30, fine 2 · 30, finalists 2 · 60, final 2 · 60
    assert only(database).progress == pytest.approx(30 / 390)
    finish(leases, claim)
    begun = only(database)
    assert (begun.finished_trials, begun.progress) == (2, pytest.approx(30 / 390))
    assert begun.started is not None
    assert begun.started >= begun.created
    last = claimed(leases)
    assert only(database).workers == 1
    leases.give_back(last)
    work(leases, until="test")
    assert only(database).progress == 0.999
    work(leases)
    done = only(database)
    assert (done.state, done.progress, done.workers) == (StudyState.DONE, 1.0, 0)
    assert done.finished_trials == done.planned_trials
    assert done.selected is not None
    assert done.selected.point == pytest.approx((-3.0,), abs=1.0)


def test_a_study_of_an_earlier_version_says_how_far_its_planned_trials_are(
    database: Database, window: Window, small_study: Build
) -> None:
    """Where what to expect was not written down, progress is the share of what is planned."""
    planned(database, small_study(cohort=2))
    window.execute("UPDATE lamsearch_study SET expected_updates = NULL")
    leases = worker(database, "small")
    finish(leases, claimed(leases))
    assert only(database).progress == pytest.approx(1 / 3)


def test_why_nobody_serves_a_study_is_said(database: Database, small_study: Build) -> None:
    """The latest reason of each host is shown while no worker has a lease, until the host can."""
    stored = planned(database, small_study())
    store.write_unable(database, stored.id, "one", "trainer: 'mine' is not installed")
    store.write_unable(database, stored.id, "two", "data: none there")
    store.write_unable(database, stored.id, "one", "data: none here")
    assert set(only(database).unable) == {
        "one cannot serve it: data: none here", "two cannot serve it: data: none there"
    }  # fmt: skip
    assert set(store.read_status(database, "small").unable) == set(only(database).unable)
    claimed(worker(database, "small"))
    assert only(database).unable == ()
    store.clear_unable(database, stored.id, "one")
    store.clear_unable(database, stored.id, "two")
    assert store.read_status(database, "small").unable == ()


def test_a_deleted_study_leaves_no_reasons(
    database: Database, window: Window, small_study: Build
) -> None:
    """Who cannot serve a study is forgotten with it."""
    stored = planned(database, small_study())
    store.write_unable(database, stored.id, "one", "data: none here")
    store.delete(database, "small")
    store.write_unable(database, stored.id, "two", "too late")
    assert window.rows("SELECT * FROM lamsearch_unable") == []


def test_a_thousand_studies_take_no_more_statements_than_one(
    database: Database, small_study: Build
) -> None:
    """What is sent to the database does not grow with the number of studies."""
    planned(database, small_study(name="first"))
    with counted() as few:
        read_queue(database)
    for number in range(20):
        planned(database, small_study(name=f"study-{number}"))
    with counted() as many:
        assert len(read_queue(database)) == 21
    assert len(many) == len(few) <= 8


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("lamsearch_study", "document", "'{'"),
        ("lamsearch_study", "document", "'[1]'"),
        ("lamsearch_study", "selected", "'{'"),
        ("lamsearch_study", "selected", "'{\"rule\": 3}'"),
        ("lamsearch_study", "priority", "'high'"),
        ("lamsearch_study", "created", "'then'"),
        ("lamsearch_study", "expected_updates", "'many'"),
        ("lamsearch_cohort", "trials", "'{'"),
        ("lamsearch_cohort", "trials", "'7'"),
    ],
)
def test_a_damaged_study_leaves_the_queue_to_the_others(
    sqlite_url: str, open_database: Callable[[str], Database], small_study: Build,
    table: str, column: str, value: str,
) -> None:  # fmt: skip
    """Whatever stands in the row of a study, the others are listed, and it is there by name."""
    database = open_database(sqlite_url)
    planned(database, small_study())
    planned(database, small_study(name="other"))
    key = "name" if table == "lamsearch_study" else "study"
    Window(sqlite_url).execute(
        f"UPDATE {table} SET {column} = {value} WHERE {key} = 'small'"  # noqa: S608 - constants
    )
    found = {one.name: one for one in read_queue(database)}
    assert set(found) == {"small", "other"}
    assert (found["other"].state, found["other"].planned_trials) == (StudyState.QUEUED, 5)

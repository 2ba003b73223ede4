"""What a monitor and a page ask of a whole storage: counts, and a few studies at a glance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from storage_stub import Window, claimed, finish, planned, work

from lamsearch import storage as store
from lamsearch.storage import Database, Leases, read_counts, read_glances
from lamsearch.study import Study

Build = Callable[..., Study]
Prepared = Callable[[str, Callable[[str], None]], str]


def worker(database: Database, name: str, owner: str = "a") -> Leases:
    """A worker's leases."""
    return Leases(database, name, owner=owner, seconds=60.0)


def test_an_empty_storage_counts_nothing(database: Database) -> None:
    """Every state is there, with nothing in it."""
    found = read_counts(database)
    assert set(found.studies) == {"queued", "running", "paused", "cancelled", "done", "failed"}
    assert sum(found.studies.values()) == sum(found.trials.values()) == 0
    assert (found.workers, found.reclaimed, found.queue_age) == (0, 0, 0.0)


@pytest.mark.usefixtures("long_up")
def test_studies_trials_and_leases_are_counted(
    database: Database, window: Window, small_study: Build
) -> None:
    """By the states that people see; the queue is as old as its oldest study that waits."""
    for name in ("runs", "waits", "rests", "gone", "done"):
        planned(database, small_study(name=name, cohort=2))
    work(worker(database, "done"))
    store.pause(database, "rests")
    store.cancel(database, "gone")
    finish(one := worker(database, "runs"), claimed(one))
    claimed(one)
    window.execute("UPDATE lamsearch_study SET created = created - 500 WHERE name = 'waits'")
    found = read_counts(database)
    assert found.studies == {
        "queued": 1, "running": 1, "paused": 1, "cancelled": 1, "done": 1, "failed": 0
    }  # fmt: skip
    planned_trials = sum(counts.total() for counts in window.states().values())
    assert sum(found.trials.values()) == planned_trials
    assert found.trials["RUNNING"] == 2
    assert found.workers == 1
    assert 500 <= found.queue_age < 560
    window.execute("UPDATE lamsearch_cohort SET expires = expires - 1000")
    other = worker(database, "runs", "b")
    assert claimed(other).reclaimed
    assert read_counts(database).reclaimed == 1


def test_trials_of_other_programs_are_not_counted(
    database: Database, window: Window, small_study: Build
) -> None:
    """A study of Optuna's that lamsearch did not plan is none of its numbers."""
    import optuna

    planned(database, small_study())
    before = read_counts(database).trials
    foreign = optuna.create_study(study_name="theirs", storage=window.storage())
    foreign.optimize(lambda trial: trial.suggest_float("x", 0.0, 1.0), n_trials=2)
    assert read_counts(database).trials == before


def test_a_few_studies_are_seen_at_a_glance(
    database: Database, window: Window, small_study: Build
) -> None:
    """Scores over log10 λ by stage, and Optuna's number of each stage; none of what is not asked
    for, and nothing of a study that is not there."""
    for name in ("one", "two", "new"):
        planned(database, small_study(name=name))
    for name in ("one", "two"):
        work(worker(database, name))
    found = read_glances(database, ["two", "new", "nobody"])
    assert set(found) == {"two", "new", "nobody"}
    assert found["nobody"].points == found["new"].points == ()
    assert found["nobody"].numbers == {}
    assert set(found["new"].numbers) == {"coarse"}
    two = found["two"]
    assert set(two.numbers) == {"coarse", "fine", "finalists", "final"}
    numbers: list[tuple[Any, ...]] = window.rows(
        "SELECT name, optuna_study FROM lamsearch_stage WHERE study = 'two'"
    )
    assert dict(two.numbers) == dict(numbers)
    coarse = [one for one in two.points if one.stage == "coarse"]
    assert [one.at for one in coarse] == sorted(one.at for one in coarse)
    assert coarse
    for one in coarse:
        assert one.score == pytest.approx(0.9 - 0.02 * (one.at + 3.0) ** 2, abs=1e-3)


@pytest.mark.usefixtures("long_up")
def test_a_glance_shows_planned_trials_alone(
    database: Database, window: Window, small_study: Build
) -> None:
    """A trial that another program adds to a stage, with the best score, is no mark of it."""
    import optuna

    planned(database, small_study(name="one"))
    work(worker(database, "one"))
    before = read_glances(database, ["one"])["one"].points
    theirs = optuna.load_study(study_name="one/coarse", storage=window.storage())
    parameter = {"log10_lambda": optuna.distributions.FloatDistribution(-5.0, -1.0)}
    theirs.add_trial(
        optuna.trial.create_trial(
            params={"log10_lambda": -1.5}, distributions=parameter, value=0.999
        )
    )
    assert read_glances(database, ["one"])["one"].points == before
    assert before


@pytest.mark.usefixtures("long_up")
@pytest.mark.parametrize("plan", ["7", '"abc"', '[7, "x", {"0": 1}]', '[["x", 0, null]]', "{}"])
def test_a_damaged_plan_takes_no_other_study_from_the_page(
    prepared: Prepared, open_database: Callable[[str], Database], small_study: Build, plan: str
) -> None:
    """A row of trials that is no list of entries has no marks; those of other studies stay."""

    def make(url: str) -> None:
        for name in ("hurt", "well"):
            planned(made := open_database(url), small_study(name=name))
            work(worker(made, name))
            made.close()

    url = prepared("two that are done", make)
    database, window = open_database(url), Window(url)
    before = read_glances(database, ["well"])["well"]
    window.execute(f"UPDATE lamsearch_cohort SET trials = '{plan}' WHERE study = 'hurt'")  # noqa: S608 - a test's own
    found = read_glances(database, ["hurt", "well"])
    assert found["well"] == before
    assert found["hurt"].points == ()
    assert before.points

"""What a lease leaves behind: whose work it was, what a trial says, who is lenient when."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from storage_stub import BEAT, Window, claimed, finish, planned, trained, work

from lamsearch.errors import StorageBusyError, StudyStateError, UnknownStudyError
from lamsearch.results import TrialState
from lamsearch.storage import Database, Leases, Wait, delete, read_study
from lamsearch.study import Study

Build = Callable[..., Study]


@pytest.fixture
def leases(database: Database, small_study: Build) -> Leases:
    """A worker's lease on the small study, planned; its environment is number 3."""
    planned(database, small_study())
    return Leases(database, "small", owner="a", seconds=60.0, environment=3)


def other(database: Database, owner: str) -> Leases:
    """Another worker of the same study."""
    return Leases(database, "small", owner=owner, seconds=60.0)


@pytest.mark.usefixtures("long_up")
def test_whose_work_is_gone_on_with_is_recorded(
    database: Database, leases: Leases, window: Window
) -> None:
    """A cohort that was reclaimed names who had it; one that was given back names nobody."""
    claimed(leases)
    window.expire()
    second = claimed(other(database, "b"))
    assert window.column("taken_from") == ["a", None]
    other(database, "b").give_back(second)
    claimed(other(database, "c"))
    assert window.column("taken_from") == [None, None]


@pytest.mark.usefixtures("long_up")
def test_a_worker_reclaims_its_own_expired_lease_as_anybody_s(
    leases: Leases, window: Window
) -> None:
    """Who let a lease run out and asks again is counted as a reclaim, from itself."""
    claimed(leases)
    window.expire()
    again = claimed(leases)
    assert (again.number, again.token, again.reclaimed) == (0, 2, True)
    assert window.column("taken_from") == ["a", None]
    assert window.column("takeovers") == [1, 0]


def test_a_completed_trial_carries_these_attributes(leases: Leases, window: Window) -> None:
    """What is known of a trial's training stands in its attributes by these names."""
    claim = claimed(leases)
    score = trained(claim.trials[0])
    pruned = trained(
        claim.trials[1], state=TrialState.PRUNED, updates=15, reason="halving: place 2"
    )
    leases.complete(claim, [score, pruned, trained(claim.trials[2])], BEAT, 3 * 1.23456)
    first, second, *_ = window.trials()["small/coarse"]
    ours = {key: value for key, value in first.user_attrs.items() if key != "lambda"}
    assert ours == {
        "candidate": 0, "replicate": 0, "cohort": 0, "environment": 3, "worker": "a",
        "seconds": 1.235, "validation_accuracy": score.score,
        "validation_loss": score.validation_loss, "train_accuracy": score.train_score,
    }  # fmt: skip
    assert (second.user_attrs["updates"], second.user_attrs["reason"]) == (15, "halving: place 2")


def test_a_trial_that_failed_fails_whatever_it_scored(leases: Leases, window: Window) -> None:
    """A result that says that it failed ends as failed, though it has a score."""
    claim = claimed(leases)
    outcomes = [trained(leased) for leased in claim.trials]
    outcomes[1] = trained(claim.trials[1], state=TrialState.FAIL, reason="cost is nan at update 7")
    leases.complete(claim, outcomes, BEAT, 1.0)
    states = [trial.state.name for trial in window.trials()["small/coarse"]]
    assert states[:3] == ["COMPLETE", "FAIL", "COMPLETE"]


def test_a_loss_that_is_no_number_fails_with_what_was_learnt_until_then(
    leases: Leases, window: Window
) -> None:
    """Such a trial fails with its reason, after how many updates, and keeps its curve."""
    claim = claimed(leases)
    outcomes = [trained(leased) for leased in claim.trials]
    outcomes[0] = trained(claim.trials[0], validation_loss=math.nan, updates=30, scores=None)
    leases.complete(claim, outcomes, BEAT, 1.0)
    found = window.trials()["small/coarse"][0]
    assert found.state.name == "FAIL"
    assert found.user_attrs["reason"] == "validation loss is nan"
    assert found.user_attrs["updates"] == 30
    assert sorted(window.column("candidate", "lamsearch_curve")) == [0, 1, 2]


def answer(sqlstate: str) -> Exception:
    """Return what SQLAlchemy makes of PostgreSQL's answer with this code."""
    made = psycopg.errors.lookup(sqlstate)("no")
    return sa.exc.DBAPIError.instance("SELECT 1", {}, made, psycopg.Error)


@pytest.mark.usefixtures("long_up")
@pytest.mark.parametrize(
    "error",
    [StorageBusyError("storage: a lock is held"), answer("40001"), answer("23505")],
    ids=["a lock", "a conflict", "a issue"],
)
def test_a_database_that_is_there_makes_nobody_lenient(
    error: Exception, database: Database, leases: Leases, window: Window,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """After a refusal by a database that is there, expired leases are reclaimed at once: only an
    outage may have kept their holders from renewing."""
    leased = claimed(other(database, "z"))
    finish(leases, claimed(leases))

    @contextmanager
    def refusing() -> Any:
        raise error
        yield

    with monkeypatch.context() as patch:
        patch.setattr(database, "write", refusing)
        with pytest.raises(type(error)):
            leases.claim()
    window.expire()
    again = claimed(leases)
    assert (again.number, again.reclaimed) == (leased.number, True)


def test_a_deleted_study_is_named(database: Database, leases: Leases) -> None:
    """Who asks for work of a study that is gone reads which one it was."""
    delete(database, "small")
    with pytest.raises(StudyStateError, match="no study 'small': it was deleted"):
        leases.claim()


def test_a_neighbour_s_damage_stops_nobody(
    database: Database, leases: Leases, small_study: Build, window: Window
) -> None:
    """A cohort of another study in a state that there is not ends no work but its own."""
    planned(database, small_study(name="other"))
    window.execute("UPDATE lamsearch_cohort SET state = 7 WHERE study = 'other'")
    assert work(leases)[-1].tests


def test_scores_by_another_metric_go_by_its_name(
    database: Database, small_study: Build, window: Window
) -> None:
    """Attributes, the error of a score, and the words for one that is no number."""
    planned(database, small_study(metric="log_loss"))
    leases = Leases(database, "small", owner="a", seconds=60.0, metric="log_loss")
    claim = claimed(leases)
    good = trained(claim.trials[0], score=-0.5, score_error=0.02)
    bad = trained(claim.trials[1], score=math.nan)
    leases.complete(claim, [good, bad, trained(claim.trials[2])], BEAT, 1.0)
    first, second, *_ = window.trials()["small/coarse"]
    assert first.user_attrs["validation_log_loss"] == -0.5
    assert first.user_attrs["score_error"] == 0.02
    assert first.user_attrs["train_log_loss"] == good.train_score
    assert second.user_attrs["reason"] == "validation log loss is nan"


@pytest.mark.usefixtures("long_up")
def test_the_choice_is_read_back(database: Database, leases: Leases) -> None:
    """A worker of the final trains at what was chosen, as the record has it."""
    work(leases, until="final")
    record = read_study(database, "small")
    assert record.selected is not None
    assert leases.chosen() == record.selected.point


def test_a_worker_of_a_study_made_again_waits_for_nothing(
    database: Database, leases: Leases, small_study: Build, window: Window
) -> None:
    """Neither while it looks whether there is work: the study of that id is gone."""
    mine = Leases(
        database, "small", owner="b", seconds=60.0,
        study_id=window.column("id", "lamsearch_study")[0],
    )  # fmt: skip
    for _ in range(2):
        claimed(leases)
    assert isinstance(mine.claim(), Wait)
    window.expire()
    delete(database, "small")
    planned(database, small_study())
    with pytest.raises(UnknownStudyError):
        mine.claim()

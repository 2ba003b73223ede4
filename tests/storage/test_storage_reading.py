from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import sqlalchemy as sa
from storage_stub import (
    BEAT,
    FINAL,
    Window,
    accuracy,
    claimed,
    failed,
    finish,
    planned,
    trained,
    work,
)

from lamsearch.results import STAGES, Curve, Score, ScoreKind, Trained, TrialState
from lamsearch.statistics import model
from lamsearch.storage import (
    Database,
    Leases,
    Recovery,
    StageStatus,
    delete,
    read_status,
    read_study,
    tables,
)
from lamsearch.storage.documents import choice_document
from lamsearch.study import Study

Build = Callable[..., Study]


@pytest.fixture
def leases(database: Database, small_study: Build) -> Leases:
    """A worker's door to the small study, planned."""
    planned(database, small_study())
    return Leases(database, "small", owner="a", seconds=60.0)


def same_curve(one: Curve | None, other: Curve | None) -> bool:
    """Whether two curves are the same arrays, to the bit."""
    if one is None or other is None:
        return one is other
    first, second = (
        {"updates": c.updates, "learning_rate": c.learning_rate, **c.values} for c in (one, other)
    )
    return list(first) == list(second) and all(
        (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
        for a, b in zip(first.values(), second.values(), strict=True)
    )


def test_a_study_reads_back_what_was_completed(database: Database, leases: Leases) -> None:
    """Scores, reasons, curves and correctness come back bit for bit, trial by trial."""
    completed: dict[int, Trained] = {}
    for _ in range(2):
        claim = claimed(leases)
        outcomes = [trained(leased) for leased in claim.trials]
        outcomes[0] = failed(f"reason {claim.number}")
        odd = outcomes[1].curve
        assert odd is not None
        odd = replace(odd, values={**odd.values, "training_loss": np.array([np.nan, np.inf, -0.0])})
        outcomes[1] = replace(outcomes[1], curve=odd)
        completed |= {
            leased.candidate: one for leased, one in zip(claim.trials, outcomes, strict=True)
        }
        finish(leases, claim, outcomes)
    record = read_study(database, "small").stages["coarse"]
    assert [trial.candidate for trial in record.trials] == [0, 1, 2, 3, 4]
    assert [trial.cohort for trial in record.trials] == [0, 0, 0, 1, 1]
    assert record.bounds[0] == (-5.0, -1.0)
    for trial in record.trials:
        one = completed[trial.candidate]
        assert trial.state is one.state
        assert trial.reason == one.reason
        assert trial.score == one.score
        assert trial.validation_loss == one.validation_loss
        assert trial.train_score == one.train_score
        assert same_curve(trial.curve, one.curve)
        if one.scores is None:
            assert trial.scores is None
        else:
            assert trial.scores is not None
            assert trial.scores.dtype == np.bool_
            assert trial.scores.tolist() == one.scores.tolist()


def test_trials_stand_in_the_order_of_candidates_and_replicates(
    database: Database, leases: Leases
) -> None:
    """Whatever the order of their cohorts, trials are read by candidate, then replicate."""
    work(leases)
    for stage in read_study(database, "small").stages.values():
        pairs = [(trial.candidate, trial.replicate) for trial in stage.trials]
        assert pairs == sorted(pairs)
        assert stage.count(TrialState.COMPLETE) == stage.planned == len(pairs)


def test_a_study_at_its_end_holds_all_that_was_decided(
    database: Database, leases: Leases, small_study: Build
) -> None:
    """The record of a finished study has its settings, winner, opening, test score and duration."""
    work(leases)
    record = read_study(database, "small")
    assert record.settings == small_study().canonical()
    assert (record.name, record.seed) == ("small", 7)
    assert record.study_fingerprint == small_study().fingerprint
    assert record.data_fingerprint == "d" * 64
    assert record.classes == ("zero", "one")
    assert record.final == FINAL
    assert record.selected is not None
    assert record.selected.score is not None
    assert record.selected.score.n == 2
    assert len(record.openings) == 1
    assert record.seconds is not None
    assert record.seconds >= 0
    assert record.done
    assert record.finished


def test_a_planned_study_reads_as_waiting(database: Database, leases: Leases) -> None:
    """Before any worker a study's trials wait without scores, and its status says so."""
    assert leases.owner == "a"
    record, status = read_study(database, "small"), read_status(database, "small")
    assert [trial.state for trial in record.stages["coarse"].trials] == [TrialState.WAITING] * 5
    assert {trial.score for trial in record.stages["coarse"].trials} == {None}
    assert not record.done
    assert (record.selected, record.final, record.seconds) == (None, None, None)
    assert status.state == "queued"
    assert status.workers == ()
    assert status.stages == (
        StageStatus(name="coarse", planned=5, finished=0, updates=0, total=60),
    )
    assert status.best is None
    assert not status.over


def test_status_follows_the_workers(database: Database, leases: Leases, window: Window) -> None:
    """Status tells who holds which cohort, how far it is, what is best, and who went silent."""
    first = claimed(leases)
    other = Leases(database, "small", owner="b", seconds=60.0)
    second = claimed(other)
    leases.renew(first, BEAT)
    other.renew(second, replace(BEAT, updates=10, best=0.7, best_at=(-4.0,)))
    status = read_status(database, "small")
    assert status.state == "running"
    assert status.stages == (
        StageStatus(name="coarse", planned=5, finished=0, updates=40, total=60),
    )
    assert status.best == (-3.0, 0.8)
    assert [(w.owner, w.stage, w.cohort, w.updates, w.total) for w in status.workers] == [
        ("a", "coarse", 0, 30, 30), ("b", "coarse", 1, 10, 30),
    ]  # fmt: skip
    assert all(0.0 <= w.renewed_ago < 60.0 and not w.expired for w in status.workers)
    finish(leases, first)
    window.expire()
    status = read_status(database, "small")
    assert status.state == "queued"
    assert status.stages[0].finished == 3
    assert [(w.owner, w.expired) for w in status.workers] == [("b", True)]


@pytest.mark.usefixtures("long_up")
def test_status_shows_what_was_recovered(
    database: Database, leases: Leases, window: Window
) -> None:
    """A cohort that was resumed is shown with whose it was and the updates that were not lost; one
    that was given back in between was nobody's."""

    def recovered() -> Recovery:
        (found,) = read_status(database, "small").recovered
        return found

    claimed(leases)
    assert read_status(database, "small").recovered == ()
    window.expire()
    other = Leases(database, "small", owner="b", seconds=60.0)
    second = claimed(other)
    assert second.reclaimed
    other.renew(second, replace(BEAT, updates=20, recovered=20))
    expected = Recovery(stage="coarse", cohort=0, taken_from="a", owner="b", updates=20, total=30)
    assert recovered() == expected
    other.give_back(second)
    third = claimed(leases)
    assert not third.reclaimed
    assert read_status(database, "small").recovered == ()  # nothing yet by this one
    leases.renew(third, replace(BEAT, updates=25, recovered=25))
    assert recovered() == replace(expected, taken_from=None, owner="a", updates=25)


@pytest.mark.usefixtures("long_up")
def test_status_counts_reclaims_and_ends_done(
    database: Database, leases: Leases, window: Window
) -> None:
    """Every takeover is counted, and a study at its end is done with nobody at work."""
    claimed(leases)
    window.expire()
    work(leases)
    status = read_status(database, "small")
    assert status.takeovers == 1
    assert status.state == "done"
    assert status.over
    assert status.workers == ()
    assert [stage.name for stage in status.stages] == [
        "coarse", "fine", "finalists", "final", "test",
    ]  # fmt: skip
    assert all(stage.planned == stage.finished for stage in status.stages)
    assert status.selected == read_study(database, "small").selected


def test_status_has_the_means_of_the_candidates(database: Database, leases: Leases) -> None:
    """A candidate is a point once a trial of it is complete: its mean over replicates by stage."""
    claim = claimed(leases)
    assert read_status(database, "small").points == ()
    completed = [trained(leased) for leased in claim.trials]
    finish(leases, claim, [failed(), *completed[1:]])
    first = read_status(database, "small").points
    expected = {round(leased.point[0], 6): accuracy(leased.point[0]) for leased in claim.trials[1:]}
    assert {round(p.at, 6): p.score for p in first} == pytest.approx(expected)
    work(leases)
    points = read_status(database, "small").points
    stages = [point.stage for point in points]
    assert [stages.count(name) for name in ("coarse", "fine", "finalists", "final")] == [4, 4, 2, 1]
    assert stages == sorted(stages, key=STAGES.index)
    for point in points:
        mean = accuracy(point.at) + (0.0005 if "final" in point.stage else 0.0)
        assert point.score == pytest.approx(mean)


def test_points_that_lie_near_are_one(database: Database, small_study: Build) -> None:
    """However many candidates there are, those that no terminal can tell apart are one point."""
    narrow = {"log10_lambda": [-3.005, -2.995], "trials": 50}
    planned(database, small_study(coarse=narrow, cohort=50))
    leases = Leases(database, "small", owner="a", seconds=60.0)
    finish(leases, claimed(leases))
    (point,) = read_status(database, "small").points
    assert point.at == pytest.approx(-3.0, abs=0.005)
    assert point.score == pytest.approx(0.9, abs=1e-5)


def test_points_are_read_again_only_when_a_trial_finished(
    database: Database, leases: Leases, small_study: Build
) -> None:
    """Looking again without news asks nothing of Optuna's tables; a study made anew does."""
    asked: list[str] = []
    sa.event.listen(
        database.engine, "before_cursor_execute",
        lambda _, __, statement, *___: asked.append(statement),
    )  # fmt: skip

    def looks() -> int:
        asked.clear()
        read_status(database, "small")
        return sum("trial_values" in statement for statement in asked)

    finish(leases, claimed(leases))
    assert [looks(), looks(), looks()] == [1, 0, 0]
    finish(leases, claimed(leases))
    assert [looks(), looks()] == [1, 0]
    delete(database, "small")
    planned(database, small_study())
    assert read_status(database, "small").points == ()


def test_reading_changes_nothing(database: Database, leases: Leases, window: Window) -> None:
    """Reading a study or its status writes no row."""
    finish(leases, claimed(leases))
    before = window.tables()
    read_study(database, "small")
    read_status(database, "small")
    assert window.tables() == before


def test_curves_of_a_deleted_study_are_gone(
    database: Database, leases: Leases, small_study: Build
) -> None:
    """A study made again under an old name has none of the old one's curves."""
    finish(leases, claimed(leases))
    delete(database, "small")
    planned(database, small_study())
    assert {trial.curve for trial in read_study(database, "small").stages["coarse"].trials} == {
        None
    }


def test_an_older_prediction_reads_as_one(
    database: Database, small_study: Build, window: Window
) -> None:
    """A model's choice that an older version stored as a measurement over two replicates reads as
    a prediction, with the error that a new one has; any other older choice as measured."""
    study = small_study(finalists={"keep": 3, "rounds": 2, "rule": "model"}, fine={"trials": 8})
    planned(database, study)
    work(Leases(database, "small", owner="a", seconds=60.0))
    new = read_study(database, "small").selected
    assert new is not None
    assert new.score is not None
    assert (new.score.kind, new.score.n) == (ScoreKind.PREDICTED, 0)
    finalists = read_study(database, "small").stages["finalists"]
    shared = model.shared_variance(finalists)
    old = {"mean": new.score.mean, "n": 2,
           "se": (new.score.se**2 - shared) ** 0.5}  # fmt: skip
    rewrite(database, {**choice_document(new, study.space), "validation_accuracy": old})
    again = read_study(database, "small").selected
    assert again is not None
    assert again.score is not None
    assert again.score.kind is ScoreKind.PREDICTED
    assert again.score.n == 0
    assert again.score.se == pytest.approx(new.score.se)
    completed = read_status(database, "small").selected
    assert completed is not None
    assert completed.score is not None
    assert completed.score.kind is ScoreKind.PREDICTED
    best = {
        **choice_document(new, study.space),
        "rule": "best mean validation accuracy",
        "validation_accuracy": old,
    }
    rewrite(database, best)
    measured = read_study(database, "small").selected
    assert measured is not None
    assert measured.score == Score(**old, kind=ScoreKind.MEASURED)


def rewrite(database: Database, selected: dict[str, object]) -> None:
    """Store a choice as another version might have."""
    with database.write() as transaction:
        transaction.execute(sa.update(tables.studies).values(selected=selected))


def test_no_time_is_negative_where_the_clock_was_set_back(
    database: Database, leases: Leases, window: Window
) -> None:
    """Elapsed times begin at zero again where the database's clock has been set back."""
    claimed(leases)
    window.execute("UPDATE lamsearch_study SET created = created + 9000")
    window.execute("UPDATE lamsearch_cohort SET renewed = renewed + 9000")
    status = read_status(database, "small")
    assert (status.elapsed, status.workers[0].renewed_ago) == (0.0, 0.0)
    window.execute("UPDATE lamsearch_cohort SET state = 0, owner = NULL WHERE state = 1")
    work(leases)
    assert read_study(database, "small").seconds == 0.0

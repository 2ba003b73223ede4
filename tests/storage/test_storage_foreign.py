"""People open studies with plain Optuna: what they add is left out, what they take planned anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from storage_stub import BEAT, Window, claimed, finish, outcomes, planned, work

from lamsearch import report
from lamsearch.errors import StudyStateError
from lamsearch.results import TrialState
from lamsearch.storage import Claim, Database, Leases, delete, read_status, read_study
from lamsearch.study import Study

Build = Callable[..., Study]
Plain = Callable[..., optuna.Study]
FAIL = optuna.trial.TrialState.FAIL


@pytest.fixture
def plain(window: Window) -> Plain:
    """Open a stage as people's own scripts do."""

    def load(stage: str = "coarse") -> optuna.Study:
        sampler = optuna.samplers.RandomSampler(seed=1)
        return optuna.load_study(
            study_name=f"small/{stage}", storage=window.storage(), sampler=sampler
        )

    return load


@pytest.fixture
def leases(database: Database, small_study: Build) -> Leases:
    """A worker's door to the small study, planned."""
    planned(database, small_study())
    return Leases(database, "small", owner="a", seconds=60.0)


def answer(database: Database) -> dict[str, Any]:
    """Return the results table."""
    document = report.document(read_study(database, "small"))
    return {key: document[key] for key in ("stages", "selected", "final")}


@pytest.fixture
def right(tmp_path: Path, small_study: Build) -> dict[str, Any]:
    """The answer of the same study that nobody else has opened."""
    database = Database(f"sqlite:///{tmp_path / 'right.db'}")
    planned(database, small_study())
    work(Leases(database, "small", owner="a", seconds=60.0))
    found = answer(database)
    database.close()
    return found


def meddle(study: optuna.Study) -> None:
    """Add trials that nobody planned, better than any of ours, some as if they were planned."""
    study.enqueue_trial({"log10_lambda": -2.0}, user_attrs={"candidate": 1, "replicate": 0})
    study.optimize(lambda trial: 0.99 + 0 * trial.suggest_float("log10_lambda", -5, -1), n_trials=2)
    attributes: list[dict[str, Any]] = [
        {}, {"candidate": 0, "replicate": 0, "cohort": 0, "validation_accuracy": 0.99},
        {"candidate": "zero", "replicate": [1], "cohort": None},
    ]  # fmt: skip
    for one in attributes:
        study.add_trial(
            optuna.trial.create_trial(
                value=0.99, params={"log10_lambda": -1.5}, user_attrs=one,
                distributions={"log10_lambda": optuna.distributions.FloatDistribution(-5, -1)},
            )
        )  # fmt: skip
    study.add_trial(optuna.trial.create_trial(state=FAIL))
    study.ask()
    study.enqueue_trial({"log10_lambda": -2.5})


def test_trials_that_nobody_planned_are_left_out(
    database: Database, leases: Leases, plain: Plain, right: dict[str, Any]
) -> None:
    """Trials added to a stage while its last cohort is trained change neither what is chosen nor
    the report nor what status shows, and the study passes through all its stages."""
    for stage in ("coarse", "fine", "finalists", "final"):
        record = read_study(database, "small")
        while (claim := claimed(leases)).stage != stage or _left(database, stage):
            finish(leases, claim)
            record = read_study(database, "small")
        assert record.stages
        meddle(plain(stage))
        finish(leases, claim)
    work(leases)
    assert answer(database) == right
    status = read_status(database, "small")
    assert [(one.planned, one.finished) for one in status.stages] == [
        (5, 5), (4, 4), (4, 4), (2, 2), (0, 0),
    ]  # fmt: skip
    assert max(point.score for point in status.points) < 0.95


def _left(database: Database, stage: str) -> bool:
    """Whether trials of a stage still wait for their cohort to be claimed."""
    found = {str(name): one for name, one in read_study(database, "small").stages.items()}
    return found[stage].count(TrialState.WAITING) > 0


def test_a_finished_study_is_reported_whatever_is_added(
    database: Database, leases: Leases, plain: Plain, right: dict[str, Any]
) -> None:
    """Trials added to every stage of a finished study change no word of its results."""
    work(leases)
    points = read_status(database, "small").points
    for stage in ("coarse", "fine", "finalists", "final"):
        meddle(plain(stage))
    assert answer(database) == right
    assert read_status(database, "small").points == points
    assert Leases(database, "small", owner="b", seconds=60.0).claim() is None


def test_planned_trials_that_another_program_has_had_are_planned_anew(
    database: Database, leases: Leases, plain: Plain, right: dict[str, Any], window: Window
) -> None:
    """A planned trial that plain Optuna has taken, completed or failed before its cohort was
    claimed is left to it and planned anew, which is said once; the answer is that of the plan."""
    foreign = plain()
    foreign.tell(foreign.ask(), 0.99)
    foreign.tell(foreign.ask(), state=FAIL)
    running = foreign.ask()
    claim = claimed(leases)
    assert claim.replanned == tuple(
        f"trial {number} of small/coarse (candidate {number}, replicate 0) {what} by another "
        f"program: it is left out, and planned anew as trial {number + 5}"
        for number, what in enumerate(["was ended (COMPLETE)", "was ended (FAIL)", "was taken"])
    )
    assert leases.complete(claim, outcomes(claim), BEAT, 1.5) == ()
    assert read_study(database, "small").stages["coarse"].count(TrialState.COMPLETE) == 3
    foreign.tell(running, 0.99)  # its own process ends it without an error
    assert not any(one.replanned for one in work(leases))
    assert answer(database) == right
    assert window.states()["small/coarse"] == {"COMPLETE": 7, "FAIL": 1}
    assert "planned anew as trial 7" in window.trials()["small/coarse"][2].user_attrs["lamsearch"]


def test_a_trial_that_is_ended_while_it_is_trained_is_planned_anew(
    database: Database, leases: Leases, plain: Plain, right: dict[str, Any]
) -> None:
    """A trial that plain Optuna completes or fails while a worker trains it costs no training: a
    fresh one takes the results, at the next report or with the completion."""
    claim = claimed(leases)
    plain().tell(0, 0.99)
    (line,) = leases.report(claim, 1, [0.5, 0.6, 0.7])
    assert line.startswith(
        "trial 0 of small/coarse (candidate 0, replicate 0) was ended (COMPLETE)"
    )
    plain().tell(2, state=FAIL)
    (line,) = leases.complete(claim, outcomes(claim), BEAT, 1.5)
    assert line.endswith("by another program: it is left out, and planned anew as trial 6")
    assert leases.complete(claim, outcomes(claim), BEAT, 1.5) == ()
    work(leases)
    assert answer(database) == right


@pytest.mark.usefixtures("long_up")
def test_a_trial_that_is_ended_after_its_worker_died_is_planned_anew(
    database: Database, leases: Leases, plain: Plain, right: dict[str, Any], window: Window
) -> None:
    """Whoever reclaims a cohort adopts its running trials, and plans those anew that somebody has
    ended meanwhile, as people do with trials that seem stuck."""
    first = claimed(leases)
    plain().tell(1, state=FAIL)
    window.expire()
    again = claimed(leases)
    assert [one.trial for one in again.trials][::2] == [one.trial for one in first.trials][::2]
    assert again.trials[1].trial != first.trials[1].trial
    assert len(again.replanned) == 1
    finish(leases, again)
    work(leases)
    assert answer(database) == right


def test_before_its_cohort_is_done_a_trial_has_no_result(
    database: Database, leases: Leases, plain: Plain
) -> None:
    """What plain Optuna wrote into a planned trial is shown neither while it waits nor while it is
    trained."""
    foreign = plain()
    foreign.tell(foreign.ask(), 0.99)
    assert read_study(database, "small").stages["coarse"].count(TrialState.WAITING) == 5
    claimed(leases)
    foreign.tell(1, 0.99)
    record = read_study(database, "small").stages["coarse"]
    assert (record.count(TrialState.RUNNING), record.count(TrialState.WAITING)) == (3, 2)
    assert {trial.score for trial in record.trials} == {None}
    assert read_status(database, "small").points == ()


def test_a_planned_trial_that_was_removed_is_planned_anew(
    database: Database, leases: Leases, right: dict[str, Any], window: Window
) -> None:
    """A planned trial that is gone before its result is in is planned anew; one that is gone after
    that is one sentence."""
    gone = "DELETE FROM {} WHERE trial_id IN (SELECT trial_id FROM trials WHERE number = {})"
    tables = ("trial_user_attributes", "trial_system_attributes", "trial_params", "trial_values",
              "trial_intermediate_values", "trials")  # fmt: skip
    for table in tables:
        window.execute(gone.format(table, 1))
    claim = claimed(leases)
    (line,) = claim.replanned
    assert line == (
        "a trial of small/coarse (candidate 1, replicate 0) was removed: it is left out, and "
        "planned anew as trial 4"
    )
    finish(leases, claim)
    work(leases)
    assert answer(database) == right
    for table in tables:
        window.execute(gone.format(table, 0))
    with pytest.raises(StudyStateError, match=r"the trials of small/\w+ were removed past"):
        read_study(database, "small")


def test_odd_attributes_hurt_nobody(
    database: Database, leases: Leases, plain: Plain, right: dict[str, Any]
) -> None:
    """Attributes of odd types on trials that are being trained change neither plan nor results."""
    claim = claimed(leases)
    storage = plain()._storage
    for leased, key in zip(claim.trials, ("candidate", "reason", "updates"), strict=True):
        storage.set_trial_user_attr(leased.trial, key, {"odd": [None]})
        storage.set_trial_user_attr(leased.trial, "validation_loss", "low")
    finish(leases, claim)
    work(leases)
    assert answer(database) == right


def test_a_sampler_learns_nothing_from_trials_that_nobody_planned(
    database: Database, small_study: Build, plain: Plain, url: str
) -> None:
    """TPE chooses the same λs whether or not somebody adds trials to its stage."""
    wanted = small_study(coarse={"sampler": "tpe", "trials": 14}, fine=None, finalists=None)

    def chosen(*, meddled: bool) -> list[float]:
        planned(database, wanted)
        leases, found = Leases(database, "small", owner="a", seconds=60.0), list[float]()
        while (claim := claimed(leases)).stage == "coarse":
            found += [leased.point[0] for leased in claim.trials]
            finish(leases, claim)
            if meddled:
                study = plain()
                for _ in range(3):  # past those that wait, which asking would take
                    study.add_trial(
                        optuna.trial.create_trial(
                            value=0.99,
                            params={"log10_lambda": -1.1},
                            user_attrs={"candidate": 0},
                            distributions={
                                "log10_lambda": optuna.distributions.FloatDistribution(-5, -1)
                            },
                        )
                    )
        leases.give_back(claim)
        delete(database, "small")
        return found

    assert len(plainly := chosen(meddled=False)) == 14
    assert chosen(meddled=True) == plainly


def test_a_stage_whose_number_another_study_has_now_is_said_and_left_alone(
    database: Database, leases: Leases, window: Window
) -> None:
    """Where plain Optuna removed a stage and made another study, of the same number on SQLite,
    working, reading and deleting leave that one alone."""
    storage = window.storage()
    optuna.delete_study(study_name="small/coarse", storage=storage)
    other = optuna.create_study(study_name="other", storage=storage)
    other.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=6)
    before = window.trials()["other"]
    for ask in (leases.claim, lambda: read_study(database, "small")):
        with pytest.raises(StudyStateError, match="lamsearch delete small"):
            ask()
    assert read_status(database, "small").points == ()
    delete(database, "small")
    assert window.trials()["other"] == before


def test_ids_that_are_given_out_again_mix_no_curves(
    database: Database, leases: Leases, small_study: Build, window: Window
) -> None:
    """After a finished stage was deleted through Optuna, another study, whose trials SQLite gives
    the same ids, ends with its own curves."""
    work(leases)
    storage = window.storage()
    for stage in ("final", "finalists", "fine", "coarse"):
        optuna.delete_study(study_name=f"small/{stage}", storage=storage)
    planned(database, small_study(name="next", seed=8))
    work(Leases(database, "next", owner="a", seconds=60.0))
    record = read_study(database, "next")
    assert record.finished
    assert all(trial.curve is not None for one in record.stages.values() for trial in one.trials)
    delete(database, "small")
    assert read_study(database, "next").stages["coarse"].trials[0].curve is not None


def test_a_claim_of_trials_in_peace_says_nothing(leases: Leases) -> None:
    """Where nobody meddles nothing is planned anew."""
    done: list[Claim] = work(leases)
    assert not any(claim.replanned for claim in done)

"""What the worker relies on, for every registered trainer: lamsearch's, and others' packages'."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import BaseModel
from trainers_textbook import digits

from benchmarks import stub_worker
from lamsearch.study import Network, Training
from lamsearch.trainers import (
    Exporting,
    Prunable,
    Resumable,
    Snapshotting,
    TrainerKind,
    kind_named,
    names,
)
from lamsearch.trainers.conformance import RULES, Case, Rule
from lamsearch.trainers.conformance.case import bits, finish, stored

WILD = 12.0  # log10 λ at which a gradient step makes weights grow without bound
TRAINERS = ("network", "stub", "sklearn", "softmax", "centroids")
MADE_UP = ("a_score_is_the_mean_of_its_scores", "the_study_s_metric_is_used")  # of the stub
TRAINING = Training(batch_size=10, step_size=10, cycles=2, eta_min=1e-3, eta_max=0.1)


@pytest.fixture(params=TRAINERS)
def kind(request: pytest.FixtureRequest) -> TrainerKind:
    """Every registered trainer."""
    return kind_named(request.param)


@pytest.fixture
def case(kind: TrainerKind) -> Case:
    """The trainer on the digits in float32."""
    return Case(
        kind=kind, splits=digits(), classes=10, training=TRAINING,
        options=options_of(kind),
        points=((-4.0,), (-1.0,), (-2.5,), (-3.0,)),
        seeded=kind.name not in ("stub", "centroids", "sklearn"),
    )  # fmt: skip


def options_of(kind: TrainerKind) -> BaseModel | None:
    """Options of a kind: its own defaults, where it has them."""
    if kind.table == "network":
        return Network(hidden=8)
    if kind.name == "sklearn":
        return kind.options.model_validate({"estimator": "LogisticRegression", "max_iter": 300})
    return None


def test_all_trainers_are_registered() -> None:
    """The names are lamsearch's own, those of installed packages, and those of this process."""
    assert set(TRAINERS) <= set(names())
    assert kind_named("stub") is stub_worker.STUB


@pytest.mark.parametrize("rule", RULES, ids=lambda one: one.__name__)
def test_each_trainer_keeps_each_rule(kind: TrainerKind, case: Case, rule: Rule) -> None:
    """Every registered trainer keeps to what `lamsearch.trainers.conformance` asks of others'."""
    if kind.name == "stub" and rule.__name__ in MADE_UP:
        pytest.skip("its scores are made up")
    rule(case)


def test_what_a_kind_declares_its_trainer_has(kind: TrainerKind, case: Case) -> None:
    """A trainer can be resumed, lets trials go and keeps models just where its kind says so."""
    trainer = kind.make(case.task())
    assert isinstance(trainer, Resumable) == kind.resumable
    assert isinstance(trainer, Prunable) == kind.prunes
    assert isinstance(trainer, Exporting) == kind.exports
    assert isinstance(trainer, Snapshotting) == kind.snapshots
    assert trainer.updates == 0


def test_the_accuracy_is_the_mean_of_what_is_correct(kind: TrainerKind, case: Case) -> None:
    """A trial's accuracy is that of its predictions for the validation examples."""
    if kind.name == "stub":
        pytest.skip("its scores are made up")
    trainer = case.make()
    finish(trainer)
    for outcome in trainer.outcomes():
        assert outcome.scores is not None
        assert outcome.scores.shape == case.splits.validation_y.shape
        assert outcome.score == pytest.approx(outcome.scores.mean())
        assert outcome.score > 0.5


@pytest.mark.parametrize("stop", [1, 20, 23, 40])
def test_a_restored_training_ends_with_the_same_bits(
    kind: TrainerKind, case: Case, stop: int
) -> None:
    """Stopped after any update and restored elsewhere, a training goes on and ends as if
    undisturbed."""
    if not kind.resumable:
        pytest.skip("it begins again")
    whole, first, second = case.make(), case.make(), case.make()
    expected = finish(whole)
    stop = min(stop, len(expected))
    run = first.run()
    for _ in range(stop):
        next(run)
    second.restore(stored(first))
    assert second.updates == first.updates
    assert bits(second.run()) == bits(expected[stop:])
    assert bits(second.outcomes()) == bits(whole.outcomes())


def test_what_is_no_state_is_a_value_error(kind: TrainerKind, case: Case) -> None:
    """Arrays that no such trainer has saved are refused, and the training is as it was."""
    if not kind.resumable:
        pytest.skip("it has no state")
    whole, one = case.make(), case.make()
    finish(whole)
    with pytest.raises(ValueError, match="must"):
        one.restore({"foreign": np.zeros(3)})
    finish(one)
    assert bits(one.outcomes()) == bits(whole.outcomes())


def test_dropped_trials_leave_and_the_others_go_on(kind: TrainerKind, case: Case) -> None:
    """A trial dropped at a cycle end is PRUNED, the others are COMPLETE as beside it."""
    if not kind.prunes:
        pytest.skip("all of its trials stay")
    whole, trainer = case.make(), case.make()
    finish(whole)
    for progress in trainer.run():
        if progress.cycles == 1 and progress.cycle_end:
            trainer.drop({1: "the worst"})
    outcomes = trainer.outcomes()
    assert [one.state.name for one in outcomes] == ["COMPLETE", "PRUNED", "COMPLETE", "COMPLETE"]
    for stayed, undisturbed in zip(outcomes, whole.outcomes(), strict=True):
        if stayed.state.name == "COMPLETE":
            assert stayed.validation_loss == pytest.approx(undisturbed.validation_loss, rel=1e-4)


def test_a_trial_that_fails_fails_alone(kind: TrainerKind, case: Case) -> None:
    """A λ at which the weights are no longer finite is FAIL with its reason; the others end."""
    if kind.name in ("stub", "sklearn", "centroids"):
        pytest.skip("nothing in it diverges")
    trainer = case.make(((-4.0,), (WILD,), (-2.0,)))
    progress = finish(trainer)
    outcomes = trainer.outcomes()
    assert [one.state.name for one in outcomes] == ["COMPLETE", "FAIL", "COMPLETE"]
    assert "no longer finite at update" in (outcomes[1].reason or "")
    assert progress[-1].scores is not None
    assert np.isnan(progress[-1].scores).tolist() == [False, True, False]

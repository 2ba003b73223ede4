"""What the worker relies on, for every registered trainer: lamsearch's, and others' packages'."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from trainers_textbook import Images, digits

from benchmarks import stub_worker
from lamsearch.results import Curve, TrialState
from lamsearch.space import Point
from lamsearch.study import Network, Training
from lamsearch.trainers import (
    Exporting,
    Guarded,
    Progress,
    Prunable,
    Resumable,
    Snapshotting,
    Task,
    TrainerKind,
    kind_named,
    names,
)

POINTS: tuple[Point, ...] = ((-4.0,), (-1.0,), (-2.5,), (-3.0,))
WILD = 12.0  # log10 λ at which a gradient step makes weights grow without bound
TRAINERS = ("network", "stub", "softmax", "centroids")
TRAINING = Training(batch_size=10, step_size=10, cycles=2, eta_min=1e-3, eta_max=0.1)
Make = Callable[..., Guarded]


@pytest.fixture(scope="module")
def images() -> Images:
    """The digits in float32."""
    return digits()


@pytest.fixture(params=TRAINERS)
def kind(request: pytest.FixtureRequest) -> TrainerKind:
    """Every registered trainer."""
    return kind_named(request.param)


@pytest.fixture
def make(kind: TrainerKind, images: Images) -> Make:
    """Make a trainer of a cohort."""

    def make(points: tuple[Point, ...] = POINTS, seed: tuple[int, ...] = (7, 1, 2)) -> Guarded:
        options = Network(hidden=8) if kind.table == "network" else kind.options()
        return Guarded(kind, Task(points=points, splits=images, training=TRAINING,
                                  options=options, classes=10, seed=seed))  # fmt: skip

    return make


def finish(trainer: Guarded) -> list[Progress]:
    """Run to the end."""
    return list(trainer.run())


def bits(records: tuple[Any, ...]) -> list[object]:
    """Everything that records say, arrays as bytes."""

    def plain(value: object) -> object:
        if isinstance(value, np.ndarray):
            return (value.dtype.str, value.shape, value.tobytes())
        if isinstance(value, Curve):
            return [plain(getattr(value, one.name)) for one in fields(value)]
        if isinstance(value, Mapping):
            return [(name, plain(one)) for name, one in value.items()]
        return value

    return [[plain(getattr(one, field.name)) for field in fields(one)] for one in records]


def copied(trainer: Guarded) -> dict[str, Any]:
    """The state as it comes back from a file without pickle."""
    file = io.BytesIO()
    np.savez(file, **trainer.state())
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored:
        return dict(stored)


def test_all_trainers_are_registered() -> None:
    """The names are lamsearch's own, those of installed packages, and those of this process."""
    assert set(TRAINERS) <= set(names())
    assert kind_named("stub") is stub_worker.STUB


def test_what_a_kind_declares_its_trainer_has(kind: TrainerKind, images: Images) -> None:
    """A trainer can be resumed, lets trials go and keeps models just where its kind says so."""
    options = Network(hidden=8) if kind.table == "network" else kind.options()
    trainer = kind.make(Task(points=POINTS, splits=images, training=TRAINING,
                             options=options, classes=10, seed=(7, 1, 2)))  # fmt: skip
    assert isinstance(trainer, Resumable) == kind.resumable
    assert isinstance(trainer, Prunable) == kind.prunes
    assert isinstance(trainer, Exporting) == kind.exports
    assert isinstance(trainer, Snapshotting) == kind.snapshots
    assert trainer.updates == 0


def test_progress_grows_to_its_total(make: Make) -> None:
    """Updates grow to one total, the last of them ends a cycle, and scores are one per trial."""
    progress = finish(make())
    assert len({one.total for one in progress}) == 1
    counts = [one.updates for one in progress]
    assert counts == sorted(set(counts))
    assert counts[-1] == progress[-1].total
    assert progress[-1].cycle_end
    assert progress[-1].scores is not None
    assert len(progress[-1].scores) == len(POINTS)


def test_outcomes_are_in_the_order_of_the_points(make: Make, images: Images) -> None:
    """Each outcome is its own point's, whatever the order, with one correctness per example."""
    forward, backward = make(), make(POINTS[::-1])
    finish(forward)
    finish(backward)
    pairs = list(zip(forward.outcomes(), backward.outcomes()[::-1], strict=True))
    assert len(pairs) == len(POINTS)
    for one, same in pairs:
        assert one.state is TrialState.COMPLETE
        assert one.score == pytest.approx(same.score, abs=0.01)
        assert one.validation_loss == pytest.approx(same.validation_loss, rel=1e-4)
        assert one.scores is not None
        assert one.scores.shape == images.validation_y.shape
    losses = [one.validation_loss for one, _ in pairs]
    assert len(set(losses)) == len(POINTS)


def test_the_accuracy_is_the_mean_of_what_is_correct(kind: TrainerKind, make: Make) -> None:
    """A trial's accuracy is that of its predictions for the validation examples."""
    if kind.name == "stub":
        pytest.skip("its scores are made up")
    trainer = make()
    finish(trainer)
    for outcome in trainer.outcomes():
        assert outcome.scores is not None
        assert outcome.score == pytest.approx(outcome.scores.mean())
        assert outcome.score > 0.5


def test_the_same_seed_gives_the_same_bits(kind: TrainerKind, make: Make) -> None:
    """Where a trainer declares it, the same task gives the same outcomes to the bit."""
    if not kind.reproducible:
        pytest.skip("it promises no such thing")
    one, same = make(), make()
    finish(one)
    finish(same)
    assert bits(one.outcomes()) == bits(same.outcomes())


@pytest.mark.parametrize("stop", [1, 20, 23, 40])
def test_a_restored_training_ends_with_the_same_bits(
    kind: TrainerKind, make: Make, stop: int
) -> None:
    """Stopped after any update and restored elsewhere, a training goes on and ends as if
    undisturbed."""
    if not kind.resumable:
        pytest.skip("it begins again")
    whole, first, second = make(), make(), make()
    expected = finish(whole)
    stop = min(stop, len(expected))
    run = first.run()
    for _ in range(stop):
        next(run)
    second.restore(copied(first))
    assert second.updates == first.updates
    assert [bits((one,)) for one in second.run()] == [bits((one,)) for one in expected[stop:]]
    assert bits(second.outcomes()) == bits(whole.outcomes())


def test_what_is_no_state_is_a_value_error(kind: TrainerKind, make: Make) -> None:
    """Arrays that no such trainer has saved are refused, and the training is as it was."""
    if not kind.resumable:
        pytest.skip("it has no state")
    whole, one = make(), make()
    finish(whole)
    with pytest.raises(ValueError, match="must"):
        one.restore({"foreign": np.zeros(3)})
    finish(one)
    assert bits(one.outcomes()) == bits(whole.outcomes())


def test_dropped_trials_leave_and_the_others_go_on(kind: TrainerKind, make: Make) -> None:
    """A trial dropped at a cycle end is PRUNED with its reason and the scores it left with; a
    restored training knows it too."""
    if not kind.prunes:
        pytest.skip("all of its trials stay")
    whole, trainer, again = make(), make(), make()
    finish(whole)
    for progress in trainer.run():
        if progress.cycles == 1 and progress.cycle_end:
            left_at, scores = progress.updates, progress.scores
            trainer.drop({1: "the worst"})
            again.restore(copied(trainer))
    finish(again)
    outcomes = trainer.outcomes()
    states = [one.state.name for one in outcomes]
    assert states == ["COMPLETE", "PRUNED", "COMPLETE", "COMPLETE"]
    assert (outcomes[1].reason, outcomes[1].updates) == ("the worst", left_at)
    assert scores is not None
    assert outcomes[1].score == scores[1]
    assert bits(again.outcomes()) == bits(outcomes)
    for stayed, undisturbed in zip(outcomes, whole.outcomes(), strict=True):
        if stayed.state is TrialState.COMPLETE:
            expected = undisturbed.validation_loss
            assert stayed.validation_loss == pytest.approx(expected, rel=1e-4)


def test_a_trial_that_fails_fails_alone(kind: TrainerKind, make: Make) -> None:
    """A λ at which the weights are no longer finite is FAIL with its reason; the others end."""
    if kind.name in ("stub", "centroids"):
        pytest.skip("nothing in it diverges")
    trainer = make(((-4.0,), (WILD,), (-2.0,)))
    progress = finish(trainer)
    outcomes = trainer.outcomes()
    assert [one.state.name for one in outcomes] == ["COMPLETE", "FAIL", "COMPLETE"]
    assert "no longer finite at update" in (outcomes[1].reason or "")
    assert progress[-1].scores is not None
    assert np.isnan(progress[-1].scores).tolist() == [False, True, False]

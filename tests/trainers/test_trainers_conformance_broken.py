"""Each rule of the conformance check notices a trainer that breaks it, and says how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from softmax_cohort import Array, Good, kind_of

from lamsearch.metrics import ACCURACY
from lamsearch.trainers import Model, Progress, Task, Trained, TrainerFailedError
from lamsearch.trainers.conformance import RULES, Case, NonconformantError, check_trainer


class StopsEarly(Good):
    """Ends before its total."""

    def run(self) -> Iterator[Progress]:
        """Train half."""
        for progress in super().run():
            yield progress
            if progress.updates == progress.total // 2:
                return


class Sorts(Good):
    """Trains its points in an order of its own."""

    @property
    def lam(self) -> Array:
        """Sorted."""
        return np.sort(super().lam)


class Boasts(Good):
    """Has scores above what its numbers say."""

    def outcomes(self) -> tuple[Trained, ...]:
        """Add a little."""
        return tuple(replace(one, score=(one.score or 0) + 0.01) for one in super().outcomes())


class ForgetsLambda(Good):
    """Trains all points alike."""

    @property
    def lam(self) -> Array:
        """The same for all."""
        return np.full(len(self.alive), 1e-3)


class KnowsOnlyAccuracy(Good):
    """Scores by the accuracy whatever the study asks for."""

    def __init__(self, task: Task) -> None:
        super().__init__(replace(task, metric=ACCURACY))


class DrawsFromTheProcess(Good):
    """Draws its weights from NumPy's own generator."""

    def begin(self) -> dict[str, Array]:
        """Draw them."""
        shape = self.task.splits.train_x.shape[1], self.task.classes
        return {"W": np.stack([np.random.normal(size=shape)] * len(self.alive))}


class SeedsTheProcess(Good):
    """Changes what others draw."""

    def begin(self) -> dict[str, Array]:
        """Seed it."""
        np.random.seed(0)
        return super().begin()


class ForgetsTheSeed(Good):
    """Begins alike in every replicate."""

    def draw(self) -> np.random.Generator:
        """Draw the same again."""
        return np.random.default_rng(0)


class FailsTogether(Good):
    """Lets one model that diverges spoil all."""

    def step(self, update: int) -> Array:
        """Sum the losses up."""
        losses = super().step(update)
        return losses + 0 * losses.sum()


class ForgetsItsVelocity(Good):
    """Keeps something that the rest follows from outside of its state."""

    def step(self, update: int) -> Array:
        """Step, and a little further each time."""
        self._drift = getattr(self, "_drift", 0.0) + 1e-3
        self.arrays["W"] *= 1 - 1e-3 * self._drift
        return super().step(update)


class TakesAnyState(Good):
    """Goes on from whatever it is given."""

    def restore(self, state: Mapping[str, Array]) -> None:
        """Restore what is there."""
        if "updates" in state:
            super().restore(state)


class KeepsWhoIsDropped(Good):
    """Does not let trials go."""

    def drop(self, reasons: Mapping[int, str]) -> None:
        """Do nothing."""


class ExportsForNormalisedFeatures(Good):
    """Leaves the mean out of its models."""

    def model(self, index: int) -> Model:
        """Forget it."""
        model = super().model(index)
        return replace(model, mean=0 * model.mean)


class ExportsForComponents(Good):
    """Leaves the projection out of its models."""

    def model(self, index: int) -> Model:
        """Forget it."""
        W, splits = self.arrays["W"][index].copy(), self.task.splits
        return Model(layers=((W, np.zeros(W.shape[1])),), mean=splits.mean, std=splits.std)


class LendsItsArrays(Good):
    """Hands out models that train on."""

    def model(self, index: int) -> Model:
        """Do not copy."""
        W, splits = self.arrays["W"][index], self.task.splits
        return Model(layers=((W, np.zeros(W.shape[1])),), mean=splits.mean, std=splits.std)


class TrainsOnWhenAsked(Good):
    """Is another training where a snapshot was taken."""

    def snapshot(self) -> tuple[Model | None, ...]:
        """Disturb it."""
        self.arrays["W"] *= 1.001
        return super().snapshot()


BROKEN: list[tuple[type[Good], str, str]] = [
    (StopsEarly, "progress_grows_to_its_total", "updates must reach the total 80, got 40"),
    (Sorts, "outcomes_are_in_the_order_of_the_points", "must be the same in a cohort in reverse"),
    (Boasts, "a_score_is_the_mean_of_its_scores", "the score of trial 0 must be the mean"),
    (ForgetsLambda, "lambda_and_the_examples_matter", "must have different validation losses"),
    (KnowsOnlyAccuracy, "the_study_s_metric_is_used", "scores must be 60 numbers"),
    (DrawsFromTheProcess, "the_same_task_gives_the_same_bits", "must give the same bits"),
    (SeedsTheProcess, "the_same_task_gives_the_same_bits", "must be left as they are"),
    (ForgetsTheSeed, "another_seed_gives_another_training", "must give another outcome"),
    (FailsTogether, "a_trial_that_fails_fails_alone", "trial 0 must be COMPLETE, got loss no"),
    (ForgetsItsVelocity, "a_restored_training_ends_with_the_same_bits", "after 1 updates must go"),
    (TakesAnyState, "a_restored_training_ends_with_the_same_bits", "must be a ValueError"),
    (KeepsWhoIsDropped, "dropped_trials_leave_and_the_others_go_on", "must be PRUNED, got COMPL"),
    (ExportsForNormalisedFeatures, "exported_models_predict_the_same", "its validation loss"),
    (ExportsForComponents, "exported_models_predict_the_same", "must lead from its 6 inputs"),
    (LendsItsArrays, "a_snapshot_changes_nothing", "must stay as they were"),
    (TrainsOnWhenAsked, "a_snapshot_changes_nothing", "must end with the same bits"),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda one: one.__name__)
def test_a_good_trainer_keeps_each_rule(rule: Any) -> None:
    """The trainer that the others break is whole."""
    rule(Case(kind=kind_of(Good)))


@pytest.mark.parametrize(("made", "name", "words"), BROKEN, ids=[one[0].__name__ for one in BROKEN])
def test_a_broken_trainer_is_told_what_it_breaks(made: type[Good], name: str, words: str) -> None:
    """What breaks a rule is an error of that rule, which states it and what it got."""
    (rule,) = (one for one in RULES if one.__name__ == name)
    with pytest.raises((NonconformantError, TrainerFailedError)) as caught:
        rule(Case(kind=kind_of(made)))
    assert words in str(caught.value)


def test_every_rule_has_a_trainer_that_breaks_it() -> None:
    """No rule is one that nothing can break."""
    assert {name for _, name, _ in BROKEN} == {one.__name__ for one in RULES}


def test_the_whole_check_raises_what_a_rule_raises() -> None:
    """One call tries all rules; an error is a failed assertion for whoever tests with it."""
    with pytest.raises(AssertionError, match="must be the mean"):
        check_trainer(kind_of(Boasts))

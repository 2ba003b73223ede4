"""Paired intervals and exclusion on linearised numbers: of balanced accuracy and macro F1."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from lamsearch.metrics import metric_of, score_error
from lamsearch.results import StageRecord, TrialRecord, TrialState
from lamsearch.statistics import differences, dropped, model
from lamsearch.statistics.exclusion import SeedNoise

SHARES = np.array([0.75, 0.17, 0.08])
RECALLS = {-1.0: np.array([0.92, 0.6, 0.5]), -2.0: np.array([0.86, 0.72, 0.6])}


def drawn(
    name: str, rng: np.random.Generator, replicates: int, recalls: dict[float, np.ndarray],
    examples: int = 300,
) -> StageRecord:  # fmt: skip
    """Return a stage whose candidates have these recalls of three classes of unlike size.

    Seven tenths of what makes an example hard are the example's own, alike for all models.
    """
    metric, labels = metric_of(name), rng.choice(3, examples, p=SHARES)
    own, trials = rng.normal(size=examples), []
    for number, (point, recall) in enumerate(recalls.items()):
        for replicate in range(replicates):
            hard = math.sqrt(0.7) * own + math.sqrt(0.3) * rng.normal(size=examples)
            right = hard < norm.ppf(recall)[labels]
            said = np.where(right, labels, (labels + rng.integers(1, 3, examples)) % 3)
            numbers = metric.per_example(np.eye(3)[said], labels)
            trials.append(
                TrialRecord(
                    candidate=number, replicate=replicate, cohort=0, point=(point,),
                    state=TrialState.COMPLETE, score=float(numbers.mean()), validation_loss=1.0,
                    score_error=score_error(metric, numbers), scores=numbers.astype(np.float32),
                )
            )  # fmt: skip
    return StageRecord(name="finalists", bounds=None, trials=tuple(trials))


def truth(name: str) -> float:
    """Return how much better the first candidate is, by a draw of 300,000 examples."""
    first, second = drawn(name, np.random.default_rng(0), 1, RECALLS, 300_000).trials
    return float(first.score or 0.0) - float(second.score or 0.0)


@pytest.mark.usefixtures("drawn_once")
@pytest.mark.parametrize("name", ["balanced_accuracy", "macro_f1"])
def test_paired_intervals_hold_the_true_difference(name: str) -> None:
    """In at least 90 % of 150 stages, and they are as wide as three replicates make them: a half
    width is at most twice 1.96 standard deviations of the difference."""
    rng, true = np.random.default_rng(17), truth(name)
    found = [differences(drawn(name, rng, 3, RECALLS), (-1.0,))[0] for _ in range(150)]
    held = [one.interval95[0] <= true <= one.interval95[1] for one in found]
    assert np.mean(held) >= 0.9
    half = np.median([one.interval95[1] - one.mean for one in found])
    assert half <= 2 * 1.96 * np.std([one.mean for one in found])


@pytest.mark.parametrize("name", ["balanced_accuracy", "macro_f1"])
def test_the_best_is_seldom_excluded(name: str) -> None:
    """Of six candidates alike, in single runs, one is excluded in 5 % of 300 stages at most, to two
    standard errors of that share."""
    rng = np.random.default_rng(19)
    alike = {-1.0 - index: RECALLS[-1.0] for index in range(6)}
    noise = SeedNoise(variance=0.0, freedom=10, single=0.0)
    excluded = 0
    for _ in range(300):
        stage = drawn(name, rng, 1, alike)
        (first,) = [one for one in dropped(stage, [], noise) if one.point == (-1.0,)]
        excluded += first.excluded
    assert excluded <= 15 + 2 * math.sqrt(300 * 0.05 * 0.95)


def test_the_model_takes_the_errors_of_single_runs() -> None:
    """Where there is one replicate, a mean's variance is the square of its stated error."""
    stage = drawn("balanced_accuracy", np.random.default_rng(23), 1, RECALLS)
    known = [one.score_error or 0.0 for one in stage.trials]
    found = model.scores(stage, 300).variances
    assert found == pytest.approx([np.mean(known) ** 2] * 2)

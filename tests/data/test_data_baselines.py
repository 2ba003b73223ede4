"""What a constant answer gets on each stage's validation examples, of classes and quantities."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lamsearch.data.baselines import baselines_of
from lamsearch.metrics import METRICS as REGISTRY
from lamsearch.metrics import Metric, constant_scores, metric_of
from lamsearch.results import unpacked

RNG = np.random.default_rng(9)
LABELS = RNG.choice(3, 200, p=[0.2, 0.5, 0.3])
TARGETS = RNG.lognormal(size=200)
TRAIN, VALIDATION = np.arange(120), np.arange(120, 200)
OTHER = (["final"], np.arange(150), np.arange(150, 200))
SPLITS: list[Any] = [(["coarse", "finalists"], TRAIN, VALIDATION), OTHER]


def study(metric: str, *stages: str) -> Any:
    """Return what a study says of its metric and stages."""
    return SimpleNamespace(metric=metric, stages=stages or ("coarse", "finalists", "final"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("accuracy", (LABELS[VALIDATION] == 1).mean()),
        ("balanced_accuracy", 1 / 3),
        ("log_loss", np.log(np.bincount(LABELS[TRAIN]) / 120)[LABELS[VALIDATION]].mean()),
        ("r2", 1 - ((TARGETS[VALIDATION] - TARGETS[TRAIN].mean()) ** 2).mean()
         / TARGETS[VALIDATION].var()),
        ("mse", -((TARGETS[VALIDATION] - TARGETS[TRAIN].mean()) ** 2).mean()),
        ("mae", -np.abs(TARGETS[VALIDATION] - np.median(TARGETS[TRAIN])).mean()),
    ],
)  # fmt: skip
def test_a_stage_s_baseline_is_its_own_split_s(name: str, expected: float) -> None:
    """The answer comes from training targets, its score from validation targets, by hand."""
    y, classes = (LABELS, 3) if metric_of(name).task == "classification" else (TARGETS, 0)
    found = baselines_of(study(name), y, classes, SPLITS)
    assert found.scores["coarse"] == found.scores["finalists"] == pytest.approx(expected)
    assert found.scores["final"] != found.scores["coarse"] or name == "balanced_accuracy"
    assert len(found.constants["final"]) == max(classes, 1)


@pytest.mark.parametrize("name", ["accuracy", "log_loss", "mae"])
def test_numbers_per_example_are_kept_of_the_stage_that_decides(name: str) -> None:
    """Of finalists, in the order of the validation split, and of no other stage."""
    y, classes = (LABELS, 3) if metric_of(name).task == "classification" else (TARGETS, 0)
    found = baselines_of(study(name), y, classes, SPLITS)
    assert set(found.per_example) == {"finalists"}
    (text,) = found.per_example["finalists"]
    numbers = constant_scores(metric_of(name), found.constants["finalists"], y[VALIDATION])
    assert unpacked(text) == pytest.approx(numbers.astype(np.float32))
    alone = baselines_of(study(name, "final"), y, classes, [OTHER])
    assert alone.per_example == {}


def test_replicates_with_splits_of_their_own_have_a_text_each() -> None:
    """And the mean of their answers and scores."""
    splits: list[Any] = [(["finalists"], TRAIN, VALIDATION), (["finalists"], VALIDATION, TRAIN)]
    found = baselines_of(study("mse", "finalists"), TARGETS, 0, splits)
    assert len(found.per_example["finalists"]) == 2
    means = [TARGETS[TRAIN].mean(), TARGETS[VALIDATION].mean()]
    assert found.constants["finalists"] == pytest.approx((np.mean(means),))
    both = [-((TARGETS[VALIDATION] - means[0]) ** 2).mean(),
            -((TARGETS[TRAIN] - means[1]) ** 2).mean()]  # fmt: skip
    assert found.scores["finalists"] == pytest.approx(np.mean(both))


def test_so_many_numbers_that_a_row_would_grow_are_left_out() -> None:
    """Of 100,000 quantities the score is kept, and no number per example."""
    many = RNG.normal(size=100_100)
    splits: list[Any] = [(["coarse"], np.arange(100), np.arange(100, 100_100))]
    found = baselines_of(study("mse", "coarse"), many, 0, splits)
    assert found.per_example == {}
    assert found.scores["coarse"] < 0


def test_a_metric_that_has_no_number_for_a_constant_has_no_baseline() -> None:
    """As of a correlation with what does not vary; nothing is warned of on the way."""

    def correlation(predictions: Any, targets: Any) -> Any:
        return (predictions - predictions.mean()) * targets / predictions.std()

    own = Metric(name="correlation", title="correlation", per_example=correlation,
                 task="regression")  # fmt: skip
    REGISTRY.register("correlation", own)
    found = baselines_of(study("correlation"), TARGETS, 0, SPLITS)
    assert found.scores == found.constants == found.per_example == {}

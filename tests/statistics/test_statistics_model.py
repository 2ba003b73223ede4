"""The model over candidates: its noise, and the error of what it predicts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import t

from lamsearch.results import ScoreKind, Selected, StageRecord, TrialRecord, TrialState
from lamsearch.search import winner
from lamsearch.statistics import model

# the finalists of a run of studies/cifar10.toml: five replicates on 5,000 validation examples
CIFAR10 = {
    -3.1472534732363266: [0.527, 0.5296, 0.5306, 0.5356, 0.5296],
    -2.8869575388274162: [0.5256, 0.5332, 0.5286, 0.532, 0.5352],
    -2.471701031131934: [0.5304, 0.5348, 0.5368, 0.5406, 0.5376],
    -2.24236823083567: [0.5382, 0.5306, 0.5404, 0.5344, 0.5364],
    -2.0130354305394063: [0.522, 0.5284, 0.5256, 0.529, 0.529],
}
TRIED = [-4.0, -3.5, -3.0, -2.2, -1.8, -1.4]


def parabola(value: float) -> float:
    """Return an accuracy with its top at log10 λ = −2.6."""
    return 0.53 - 0.01 * (value + 2.6) ** 2


def scored(table: dict[float, list[float]]) -> StageRecord:
    """Return finalists with these accuracies per replicate."""
    return StageRecord(name="finalists", bounds=None, trials=tuple(
        TrialRecord(
            candidate=candidate, replicate=replicate, cohort=0, point=(value,),
            state=TrialState.COMPLETE, score=accuracy, validation_loss=1.0,
        )
        for candidate, (value, row) in enumerate(table.items())
        for replicate, accuracy in enumerate(row)))  # fmt: skip


def chosen(table: dict[float, list[float]], examples: int) -> Selected:
    """Return the model's choice."""
    return winner(scored(table), [], examples=examples, rule="model")


def test_a_well_known_noise_stays_to_the_bit() -> None:
    """With 16 degrees of freedom the variance is the pooled one over the replicates, and the
    choice on CIFAR-10 is that of always."""
    found = model.scores(scored(CIFAR10), 5000)
    table = np.array([CIFAR10[value] for value in sorted(CIFAR10)])
    rest = table - table.mean(axis=0) - (table.mean(axis=1) - table.mean())[:, None]
    assert set(found.variances) == {float((rest**2).sum() / 16) / 5}
    assert chosen(CIFAR10, 5000).point[0] == -2.3743792317525845
    assert round(chosen(CIFAR10, 5000).point[0], 4) == -2.3744


def test_one_replicate_has_the_binomial_noise() -> None:
    """With one run per λ nothing can be pooled: each mean has the variance p(1 − p)/examples, and
    what the model predicts is no surer than one run."""
    table = {value: [parabola(value) + 0.2] for value in TRIED}
    found = model.scores(scored(table), 700)
    expected = [p * (1 - p) / 700 for p in found.means]
    assert found.variances == pytest.approx(expected)
    score = chosen(table, 700).score
    assert score is not None
    assert score.se >= math.sqrt(score.mean * (1 - score.mean) / 700)
    perfect = model.scores(scored({value: [1.0] for value in TRIED}), 200)
    assert perfect.variances == pytest.approx(np.full(6, (0.5 / 201) * (1 - 0.5 / 201) / 200))


def test_replicates_that_agree_are_not_free_of_noise() -> None:
    """Three λs that differ by nothing but what their two replicates share have, on 200 examples,
    the noise of what was not seen in 2 · 200 comparisons, and not 0."""
    stage = scored({value: [0.70, 0.75] for value in (-4.0, -3.0, -2.0)})
    rate = 0.5 / 401
    expected = np.full(3, rate * (1 - rate) / 200 / 2)
    assert model.scores(stage, 200).variances == pytest.approx(expected)


def test_what_replicates_share_is_in_the_error_of_a_level() -> None:
    """Candidates that differ by nothing are predicted as surely as their mean over replicates."""
    row = [0.65, 0.70, 0.78]
    score = chosen({-3.0003: row, -3.0007: row, -3.0001: row, -3.0009: row}, 200)
    measured = float(np.std(row, ddof=1)) / math.sqrt(3)
    assert score.score is not None
    assert score.score.se == pytest.approx(measured, rel=0.01)


@pytest.mark.parametrize(("shared", "own", "replicates"), [(0.01, 0.003, 5), (0.02, 0.002, 4)])
def test_a_predicted_level_is_as_sure_as_it_says(
    shared: float, own: float, replicates: int
) -> None:
    """Over 120 made-up stages with known variances the mean squared error of the predicted level
    is the mean of the squared errors that were stated, and Student's 95 % intervals hold."""
    rng, wrong, stated = np.random.default_rng(8), [], []
    for _ in range(120):
        common = rng.normal(0, shared, replicates)
        table = {v: list(parabola(v) + common + rng.normal(0, own, replicates)) for v in TRIED}
        found = chosen(table, 50_000)
        score = found.score
        assert score is not None
        if score.kind is ScoreKind.PREDICTED:
            wrong.append(score.mean - parabola(found.point[0]))
            stated.append(score.se)
    assert len(wrong) > 100
    ratio = np.mean(np.square(stated)) / np.mean(np.square(wrong))
    assert 0.7 < ratio < 1.4
    within = np.abs(wrong) <= t.ppf(0.975, replicates - 1) * np.array(stated)
    assert 0.9 <= within.mean() <= 1.0


def test_a_choice_between_those_trained_is_a_prediction() -> None:
    """A λ that was not trained has a predicted score of no replicate; one at the end of those
    tried, which was, has its own measured mean and error."""
    between = chosen(CIFAR10, 5000).score
    assert between is not None
    assert (between.kind, between.n) == (ScoreKind.PREDICTED, 0)
    rising = {value: [0.5 + value / 100, 0.501 + value / 100] for value in (-4.0, -3.0, -2.0)}
    end = chosen(rising, 5000)
    assert end.point[0] == -2.0
    assert end.score is not None
    assert (end.score.kind, end.score.n) == (ScoreKind.MEASURED, 2)
    assert end.score.mean == pytest.approx(0.4805)
    assert "over 2 replicates among 3 candidates" in end.rule

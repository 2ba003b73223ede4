"""A plain function as a trainer of a quantity: standardised values, scores of its own unit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from trainers_textbook import Quantities, diabetes

from lamsearch.metrics.mae import MAE
from lamsearch.results import TrialState
from lamsearch.space import Point
from lamsearch.study import Training
from lamsearch.trainers import Guarded, NoOptions, Task, function_trainer

POINTS: tuple[Point, ...] = ((-3.0,), (-2.0,), (-1.0,))


@pytest.fixture(scope="module")
def data() -> Quantities:
    """The diabetes data in float32."""
    return diabetes()


def trained(train: Callable[..., Any], data: Quantities) -> Any:
    """Outcomes of a cohort."""
    task = Task(points=POINTS, splits=data, training=Training(step_size=5), classes=0,
                options=NoOptions(), seed=(1, 0, 0), metric=MAE)  # fmt: skip
    trainer = Guarded(function_trainer("own", train), task)
    list(trainer.run())
    return trainer.outcomes()


def test_predictions_become_scores_of_the_own_unit(data: Quantities) -> None:
    """Predictions half a standard deviation off have that many of the target's units as error."""
    first, *_ = trained(lambda point, splits, *_: splits.validation_y + np.float32(0.5), data)
    assert first.state is TrialState.COMPLETE
    np.testing.assert_allclose(first.scores, -0.5 * data.target_std, rtol=1e-5)
    assert first.score == pytest.approx(-0.5 * data.target_std, rel=1e-6)
    assert first.validation_loss == pytest.approx(0.25, rel=1e-5)
    assert first.score_error == pytest.approx(0, abs=1e-4)


def test_ridge_as_a_function_is_a_trainer(data: Quantities) -> None:
    """Ridge regression at α = nλ on standardised targets is searched as any trainer."""

    def ridge(point: Point, splits: Any, seed: Any, options: Any) -> Any:
        x, y = splits.train_x.astype(np.float64), splits.train_y
        penalty = len(y) * 10 ** point[0] * np.eye(x.shape[1])
        return splits.validation_x @ np.linalg.solve(x.T @ x + penalty, x.T @ y)

    outcomes = trained(ridge, data)
    assert all(-60 < one.score < -30 for one in outcomes)
    assert len({one.score for one in outcomes}) == len(POINTS)


BAD: dict[str, tuple[Any, str]] = {
    "probabilities": (np.zeros((100, 2)), "predictions must be (100,), got (100, 2)"),
    "a column": (np.zeros((100, 1)), "predictions must be (100,), got (100, 1)"),
    "a NaN": (np.full(100, np.nan), "predictions must be finite"),
    "too large": (np.full(100, 1e38), "must have room in float32"),
    "nothing": (None, "predictions must be (100,), got ()"),
}


@pytest.mark.parametrize(("answer", "words"), BAD.values(), ids=BAD)
def test_what_is_no_prediction_fails_its_own_trial(
    data: Quantities, answer: Any, words: str
) -> None:
    """An answer of another shape, or without room, is FAIL with its reason; others end well."""

    def train(point: Point, splits: Any, seed: Any, options: object) -> Any:
        return answer if point == POINTS[1] else splits.validation_y

    outcomes = trained(train, data)
    assert [one.state.name for one in outcomes] == ["COMPLETE", "FAIL", "COMPLETE"]
    assert words in outcomes[1].reason

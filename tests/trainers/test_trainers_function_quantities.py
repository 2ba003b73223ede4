"""A plain function as a trainer of a quantity: standardised values, scores of its own unit."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trainers_textbook import Quantities, diabetes

from lamsearch.metrics.mae import MAE
from lamsearch.results import TrialState
from lamsearch.space import Point
from lamsearch.study import Training
from lamsearch.trainers import Guarded, NoOptions, Task, function_trainer

ROOT = Path(__file__).parents[2]
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


def test_the_example_of_the_docs_is_ridge_regression(data: Quantities) -> None:
    """The function in docs/trainers.md is ridge regression at α = nλ, by its closed form."""
    text = (ROOT / "docs" / "trainers.md").read_text(encoding="utf-8")
    (example,) = (
        one for one in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "Ridge" in one
    )
    space: dict[str, Any] = {}
    exec(example, space)  # noqa: S102  # our own text
    x, y = data.train_x.astype(np.float64), data.train_y.astype(np.float64)
    own = data.validation_y.astype(np.float64) * data.target_std + data.target_mean
    for point, outcome in zip(POINTS, trained(space["train"], data), strict=True):
        penalty = len(y) * 10 ** point[0] * np.eye(x.shape[1])
        W = np.linalg.solve(x.T @ x + penalty, x.T @ y)  # both are centred
        expected = np.abs((data.validation_x @ W) * data.target_std + data.target_mean - own)
        np.testing.assert_allclose(outcome.scores, -expected, rtol=1e-3, atol=1e-3)


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

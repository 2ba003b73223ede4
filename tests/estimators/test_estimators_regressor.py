"""The built-in network as a regressor, λ searched inside `fit`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.datasets import load_diabetes, make_regression
from sklearn.model_selection import train_test_split

from lamsearch import LambdaSearchRegressor

SMALL: dict[str, Any] = {
    "trials": 4, "keep": 2, "replicates": 2, "updates": 60, "cycles": 1, "random_state": 0,
}  # fmt: skip


def some() -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return examples whose target has a large mean and a unit of its own."""
    X, y = make_regression(200, 5, noise=5.0, random_state=0)
    return X, 1e4 + 30 * y


def test_a_quantity_is_predicted_in_its_own_unit() -> None:
    """On held-out examples of a linear target R² is near 1, wherever the target lies."""
    X, y = some()
    a, b, c, d = train_test_split(X, y, random_state=0)
    model = LambdaSearchRegressor(random_state=0).fit(a, c)
    assert model.score(b, d) > 0.9
    assert abs(model.predict(b).mean() - d.mean()) < 0.2 * d.std()
    assert model.ensemble_.classes == ()
    assert model.results_["score"].max() <= 1


def test_diabetes_is_learned_about_as_far_as_it_can_be() -> None:
    """Held-out R² of diabetes is that of linear models, about 0.4."""
    X, y = load_diabetes(return_X_y=True)
    a, b, c, d = train_test_split(X, y, random_state=0)
    assert LambdaSearchRegressor(random_state=0).fit(a, c).score(b, d) > 0.3


def test_another_unit_is_the_same_fit() -> None:
    """Shifting and scaling the target by powers of two scales the predictions, and λ stays."""
    X, y = some()
    y = np.round(y)  # exact in float64 whatever is done to it
    one = LambdaSearchRegressor(**SMALL).fit(X, y)
    other = LambdaSearchRegressor(**SMALL).fit(X, 4 * y)
    assert other.best_lambda_ == one.best_lambda_
    np.testing.assert_allclose(other.predict(X), 4 * one.predict(X), rtol=1e-5)


def test_in_a_storage_a_fit_has_the_same_bits(tmp_path: Path) -> None:
    """The service's search is the one in memory, for quantities too."""
    X, y = some()
    here = LambdaSearchRegressor(**SMALL).fit(X, y)
    stored = LambdaSearchRegressor(**SMALL, storage=f"sqlite:///{tmp_path}/fits.db").fit(X, y)
    assert stored.result_.document["stages"] == here.result_.document["stages"]
    assert (stored.predict(X) == here.predict(X)).all()


def test_other_metrics_select_and_the_score_stays_r2() -> None:
    """Candidates are compared by mae or mse where asked; a metric of classes is refused."""
    X, y = some()
    for metric in ("mae", "mse"):
        model = LambdaSearchRegressor(**SMALL, metric=metric).fit(X, y)
        assert (model.results_["score"] < 0).all()
    with pytest.raises(ValueError, match="must be a metric of regression"):
        LambdaSearchRegressor(**SMALL, metric="accuracy").fit(X, y)

"""A function is searched without being registered by its author."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import lamsearch
from lamsearch.errors import DataError, InputError, StudyFileError, WorkFailedError

RNG = np.random.default_rng(1)
X = RNG.normal(size=(200, 30))
Y = (X[:, 0] + 1.5 * RNG.normal(size=200) > 0).astype(int)


def logistic(params: Mapping[str, Any], splits: Any, seed: int) -> npt.NDArray[Any]:
    """Return probabilities by ridge regression on ±1, squashed."""
    x, y = splits.train_x, 2.0 * splits.train_y - 1
    w = np.linalg.solve(x.T @ x + len(x) * params["lambda"] * np.eye(x.shape[1]), x.T @ y)
    p = 1 / (1 + np.exp(-3 * splits.validation_x @ w))
    return np.stack([1 - p, p], axis=1)


def test_a_function_s_lambda_is_searched_through_all_stages() -> None:
    """The best of finalists is chosen within the bounds, twice the same."""
    found = [
        lamsearch.search(logistic, data=(X, Y), space={"lambda": (1e-4, 100.0)}, trials=6, fine=4)
        for _ in range(2)
    ]
    result = found[0]
    assert result.name == "logistic"
    assert 1e-4 <= result.best_lambda <= 100
    assert result.score is not None
    assert result.score.n == 5
    assert [one["stage"] for one in result.trials].count("coarse") == 6
    assert result.test is None
    assert found[1].document["stages"] == result.document["stages"]
    assert "Chosen" in result._repr_html_()


def test_what_else_is_searched_comes_by_name() -> None:
    """Each kind of axis gives its values under its name, and the seed is a replicate's own."""
    seen: list[tuple[dict[str, Any], int]] = []

    def noting(params: Mapping[str, Any], splits: Any, seed: int) -> npt.NDArray[Any]:
        seen.append((dict(params), seed))
        return logistic(params, splits, seed)

    space = {
        "rate": (1e-3, 1e-1), "share": {"uniform": (0, 1)}, "width": {"integer": (2, 4)},
        "kind": {"choice": ["a", "b"]},
    }  # fmt: skip
    result = lamsearch.search(
        noting, data=(X, Y), space=space, trials=5, fine=3, keep=2, replicates=2
    )
    assert result.best_params.keys() == {"lambda", *space}
    assert len(seen) == 5 + 3 + 4
    for params, seed in seen:
        assert 1e-6 <= params["lambda"] <= 1
        assert 1e-3 <= params["rate"] <= 1e-1
        assert 0 <= params["share"] <= 1
        assert params["width"] in (2, 3, 4)
        assert params["kind"] in ("a", "b")
        assert 0 <= seed < 2**32
    assert len({seed for _, seed in seen}) == 1 + 1 + 2  # coarse, fine, and two replicates


def test_two_functions_of_one_name_are_two() -> None:
    """An edited function that is searched again is not the one before."""

    def make(sign: int) -> Any:
        def fn(params: Mapping[str, Any], splits: Any, seed: int) -> npt.NDArray[Any]:
            return logistic(params, splits, seed)[:, ::sign]

        return fn

    good, bad = (
        lamsearch.search(make(sign), data=(X, Y), trials=2, fine=2, keep=1) for sign in (1, -1)
    )
    assert good.score is not None
    assert bad.score is not None
    assert good.score.mean == pytest.approx(1 - bad.score.mean)


def test_a_function_that_raises_fails_with_its_reason() -> None:
    """Trials in which it raises fail, and where all do that is an error."""

    def partly(params: Mapping[str, Any], splits: Any, seed: int) -> npt.NDArray[Any]:
        if params["lambda"] > 1e-3:
            raise ValueError("too much")
        return logistic(params, splits, seed)

    result = lamsearch.search(partly, data=(X, Y), trials=6, fine=3, keep=2)
    reasons = {one["reason"] for one in result.trials if one["state"] == "FAIL"}
    assert any("too much" in reason for reason in reasons)
    assert result.best_lambda <= 1e-3
    with pytest.raises(WorkFailedError):
        lamsearch.search(lambda *_: 1 / 0, data=(X, Y), trials=2, fine=2)


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"space": {"lambda": (-1.0, 1.0)}}, "above 0"),
        ({"space": {"rate": 3}}, r"rate: must be \(low, high\)"),
        ({"space": {"rate": {"normal": (0, 1)}}}, r"rate: must be \(low, high\)"),
        ({"space": {"rate": {"uniform": ("a", "b")}}}, "must be numbers"),
        ({"space": {"rate": {"uniform": (2, 1)}}}, "rate"),
        ({"validation_fraction": 1.5}, "between 0 and 1"),
        ({"metric": "f7"}, "metric"),
        ({"rule": "luck"}, "finalists.rule"),
        ({"data": (X, Y[:-1])}, "one label for each"),
        ({"data": (X, Y, X, Y)}, "X and y alone"),
        ({"trials": 0}, "coarse.trials"),
    ],
)
def test_bad_arguments_get_one_sentence(arguments: dict[str, Any], rule: str) -> None:
    """Every argument that breaks a rule is refused before the function is called."""
    with pytest.raises((InputError, DataError, StudyFileError), match=rule):
        lamsearch.search(lambda *_: 1 / 0, **{"data": (X, Y), **arguments})

"""The gradient check: what it passes, and that it fails each classic issue where it sits."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import softmax

from lamsearch.diagnostics.comparisons import CENTRAL_TOLERANCE, ORACLE_TOLERANCE, Report
from lamsearch.diagnostics.gradcheck import check
from lamsearch.errors import LamsearchError
from lamsearch.trainers.network import Gradients, Weights, gradients

Array = npt.NDArray[Any]
ARRAYS = ("W1", "b1", "W2", "b2")
SMALL: dict[str, Any] = {
    "features": 12, "hidden": 6, "classes": 4, "batch_sizes": (1, 9), "seeds": (0, 1),
    "lambdas": (0.0, 1e-2, 1.0),
}  # fmt: skip


@dataclass(frozen=True)
class Textbook:
    """Gradients as a textbook writes them, net by net, with one issue to choose."""

    factor: float = 2.0
    masked: bool = True

    def __call__(self, nets: Weights, x: Array, labels: Array, lam: Array) -> Gradients:
        """Return the gradients of all nets of the stack."""
        found = [self._net(nets, net, x, labels, float(lam[net])) for net in range(nets.count)]
        return {
            name: np.stack(arrays)
            for name, arrays in zip(ARRAYS, zip(*found, strict=True), strict=True)
        }

    def _net(
        self, nets: Weights, net: int, x: Array, labels: Array, lam: float
    ) -> tuple[Array, ...]:
        W1, b1, W2, b2 = (nets.of_model(net)[name] for name in ARRAYS)
        z = x @ W1 + b1
        a = np.maximum(z, 0)
        error = softmax(a @ W2 + b2, axis=1) - np.eye(W2.shape[1])[labels]
        back = error @ W2.T * (z > 0 if self.masked else 1)
        penalty = self.factor * lam
        return (
            x.T @ back / len(x) + penalty * W1,
            back.mean(axis=0),
            a.T @ error / len(x) + penalty * W2,
            error.mean(axis=0),
        )


def changed(**scales: float) -> Any:
    """Return the true gradient function with some arrays multiplied."""

    def gradient(nets: Weights, x: Array, labels: Array, lam: Array) -> Gradients:
        found = gradients(nets, x, labels, lam)
        return found | {name: found[name] * by for name, by in scales.items()}

    return gradient


def failing(report: Report) -> set[str]:
    """Return the arrays of which some comparison failed."""
    return {one.array for one in report.comparisons if not one.passed}


def test_the_gradients_of_training_pass() -> None:
    """At its default sizes the check passes, and each oracle is met well below its tolerance."""
    report = check()
    assert report.passed
    assert max(one.central_error for one in report.comparisons) < CENTRAL_TOLERANCE / 10
    assert max(one.oracle_error for one in report.comparisons) < ORACLE_TOLERANCE / 1000


def test_tolerances_are_the_promised_ones() -> None:
    """Central differences are met to 1e-7 and the second oracle to 1e-10."""
    assert (CENTRAL_TOLERANCE, ORACLE_TOLERANCE) == (1e-7, 1e-10)


def test_an_independent_right_gradient_passes() -> None:
    """A textbook gradient that shares no code with the network passes too."""
    assert check(Textbook(), **SMALL).passed


def test_a_missing_factor_2_fails_in_the_weights() -> None:
    """λW instead of 2λW fails in W1 and W2, for every λ but 0, and in no bias."""
    report = check(Textbook(factor=1.0), **SMALL)
    failures = {(one.array, one.lam) for one in report.comparisons if not one.passed}
    assert failures == {(name, lam) for name in ("W1", "W2") for lam in (1e-2, 1.0)}
    assert not report.passed


@pytest.mark.parametrize("name", ["b1", "b2"])
def test_a_forgotten_bias_fails_in_that_bias(name: str) -> None:
    """A bias gradient left at 0 fails everywhere in that bias and nowhere else."""
    report = check(changed(**{name: 0.0}), **SMALL)
    assert failing(report) == {name}
    assert not any(one.passed for one in report.comparisons if one.array == name)


@pytest.mark.parametrize("name", ARRAYS)
def test_a_wrong_sign_fails_in_its_array(name: str) -> None:
    """A gradient of the wrong sign fails with an error of 2, in its array alone."""
    report = check(changed(**{name: -1.0}), **SMALL)
    assert failing(report) == {name}
    errors = [one.oracle_error for one in report.comparisons if one.array == name]
    assert errors == pytest.approx([2.0] * len(errors))


def test_an_unmasked_relu_fails_in_the_first_layer() -> None:
    """A backward pass through inactive units fails in W1 and b1, and not in the second layer."""
    assert failing(check(Textbook(masked=False), **SMALL)) == {"W1", "b1"}


def test_models_mixed_up_in_a_stack_fail_there_alone() -> None:
    """Penalties given to the wrong nets of a stack fail in the stack and pass alone."""

    def gradient(nets: Weights, x: Array, labels: Array, lam: Array) -> Gradients:
        return gradients(nets, x, labels, lam[::-1])

    report = check(gradient, **SMALL)
    assert {one.models for one in report.comparisons if not one.passed} == {3}
    assert failing(report) == {"W1", "W2"}


def test_a_slightly_wrong_gradient_fails() -> None:
    """An error of one millionth is caught by both oracles, one of 1e-9 by the second alone."""
    for size, central in ((1e-6, False), (1e-9, True)):
        comparisons = check(changed(W2=1 + size), **SMALL).comparisons
        mine = [one for one in comparisons if one.array == "W2"]
        assert all((one.central_error < CENTRAL_TOLERANCE) is central for one in mine)
        assert not any(one.oracle_error < ORACLE_TOLERANCE for one in mine)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite_fails(value: float) -> None:
    """NaN and infinity are an infinite error, not a comparison that is never false."""
    report = check(changed(b2=value), **SMALL)
    assert failing(report) == {"b2"}
    assert all(np.isinf(one.oracle_error) for one in report.comparisons if one.array == "b2")


def test_a_wrong_shape_is_refused() -> None:
    """A gradient that would only broadcast is refused with the shape that it must have."""

    def gradient(nets: Weights, x: Array, labels: Array, lam: Array) -> Gradients:
        found = gradients(nets, x, labels, lam)
        return found | {"b1": found["b1"][:, :1]}

    with pytest.raises(LamsearchError, match=r"gradient of b1 .* \(1, 6\), got \(1, 1\)"):
        check(gradient, **SMALL)


def test_entries_across_a_kink_are_counted_and_left_out() -> None:
    """Where a step crosses a ReLU kink the entry is counted, not compared, and the rest passes."""
    # seed 34 draws a pre-activation of 2e-6, less than the step of 1e-5
    report = check(features=10, hidden=10, batch_sizes=(400,), lambdas=(0.0,), seeds=(34,))
    kinks = {one.array: one.kinks for one in report.comparisons}
    assert 0 < kinks["W1"] <= 10
    assert kinks["b1"] == 1
    assert kinks["W2"] == kinks["b2"] == 0
    assert {one.entries + one.kinks for one in report.comparisons if one.array == "W1"} == {100}
    assert report.passed


def test_rows_hold_the_worst_of_seeds_and_stacks() -> None:
    """There is one row per array, λ and batch size, with the largest errors and all entries."""
    report = check(**SMALL)
    rows = report.rows()
    assert [row.array for row in rows] == [name for name in ARRAYS for _ in range(6)]
    assert len({(row.array, row.lam, row.batch_size) for row in rows}) == len(rows) == 24
    for row in rows:
        key = (row.array, row.lam, row.batch_size)
        mine = [o for o in report.comparisons if (o.array, o.lam, o.batch_size) == key]
        assert {(o.seed, o.models) for o in mine} == {(s, k) for s in (0, 1) for k in (1, 3)}
        assert row.central_error == max(o.central_error for o in mine)
        assert row.oracle_error == max(o.oracle_error for o in mine)
        assert (row.entries, row.kinks) == (sum(o.entries for o in mine), 0)


def test_a_row_fails_with_any_of_its_comparisons() -> None:
    """A row passes only where all that it stands for passed."""
    report = check(changed(W1=-1.0), **SMALL)
    assert {row.array for row in report.rows() if not row.passed} == {"W1"}


def test_nothing_compared_is_not_passed() -> None:
    """A report of no comparisons has not passed, nor has one whose entries were all left out."""
    assert not Report(comparisons=()).passed
    one = check(**SMALL).comparisons[0]
    assert not replace(one, entries=0).passed


def test_the_same_check_has_the_same_numbers() -> None:
    """The random problems follow from the seeds alone."""
    first, second = check(**SMALL), check(**SMALL)
    assert [fields(one) for one in first.rows()] == [fields(one) for one in second.rows()]
    assert first.rows() == second.rows()

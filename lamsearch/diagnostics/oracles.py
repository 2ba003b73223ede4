"""Two numerical gradients of one network's cost, which share no code with its training.

Enters: one model's arrays in float64, examples, labels, λ. Leaves: gradients. Refuses to know what
they are compared with.

Both differentiate loss + λΣ‖W‖² entry by entry. The central difference
n = (C(w + h) − C(w − h)) / 2h is good to about 1e-9; where a pre-activation changes sign between
its two evaluations the cost has a kink. The complex step n = Im C(w + ih) / h subtracts nothing and
is good to rounding; its ReLU is masked by the sign of the real part, so it never crosses a kink.

Source: Squire & Trapp (1998), Using Complex Variables to Estimate Derivatives of Real Functions,
SIAM Review 40(1).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

from lamsearch.results import FloatArray, IntArray

Arrays = dict[str, npt.NDArray[Any]]

# Balances rounding, ε·C / h, against truncation, h²·C''' / 6.
_CENTRAL_STEP = 1e-5
# Nothing is subtracted, so the step may be so small that its square vanishes.
_COMPLEX_STEP = 1e-30


def central_differences(
    weights: Arrays, x: FloatArray, labels: IntArray, lam: float
) -> tuple[Arrays, Arrays]:
    """Return the numerical gradients, and per entry whether its step crosses a ReLU kink."""
    slopes: Arrays = {name: np.empty(array.shape) for name, array in weights.items()}
    across: Arrays = {name: np.zeros(array.shape, np.bool_) for name, array in weights.items()}
    for name, array in weights.items():
        for entry in np.ndindex(array.shape):
            value = array[entry]
            array[entry] = high = value + _CENTRAL_STEP
            above, positive_above = _cost(weights, x, labels, lam)
            array[entry] = low = value - _CENTRAL_STEP
            below, positive_below = _cost(weights, x, labels, lam)
            array[entry] = value
            slopes[name][entry] = (above - below) / (high - low)
            across[name][entry] = not np.array_equal(positive_above, positive_below)
    return slopes, across


def complex_step(weights: Arrays, x: FloatArray, labels: IntArray, lam: float) -> Arrays:
    """Return Im C(w + ih) / h of every entry; exact to rounding."""
    turned: Arrays = {name: array.astype(np.complex128) for name, array in weights.items()}
    slopes: Arrays = {name: np.empty(array.shape) for name, array in weights.items()}
    for name, array in turned.items():
        for entry in np.ndindex(array.shape):
            value = array[entry]
            array[entry] = value + 1j * _COMPLEX_STEP
            cost = _complex_cost(turned, x, labels, lam)
            slopes[name][entry] = cost.imag / _COMPLEX_STEP
            array[entry] = value
    return slopes


def _cost(
    weights: Arrays, x: FloatArray, labels: IntArray, lam: float
) -> tuple[float, npt.NDArray[np.bool_]]:
    """Return the cost as its definition says, and which pre-activations (B, H) are positive."""
    z = x @ weights["W1"] + weights["b1"]
    scores = np.maximum(z, 0) @ weights["W2"] + weights["b2"]
    loss = -log_softmax(scores, axis=1)[np.arange(len(labels)), labels].mean()
    return float(loss + lam * sum(np.sum(weights[name] ** 2) for name in ("W1", "W2"))), z > 0


def _complex_cost(weights: Arrays, x: FloatArray, labels: IntArray, lam: float) -> complex:
    """Return the cost continued to complex weights: analytic, so without |·| and conjugates."""
    W1, W2 = weights["W1"], weights["W2"]
    z = x @ W1 + weights["b1"]
    scores = (z * (z.real > 0)) @ W2 + weights["b2"]
    top = scores.real.max(axis=1)
    total = np.exp(scores - top[:, None]).sum(axis=1)
    losses = np.log(total) + top - scores[np.arange(len(labels)), labels]
    return complex(losses.sum() / len(labels) + lam * ((W1 * W1).sum() + (W2 * W2).sum()))

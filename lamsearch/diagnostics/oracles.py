"""Two numerical gradients of one network's cost, which share no code with its training.

Enters: one model's arrays in float64, examples, targets, λ. Leaves: gradients. Refuses to know what
they are compared with.

Both differentiate loss + λΣ‖W‖² entry by entry. The central difference
n = (C(w + h) − C(w − h)) / 2h is good to about 1e-9; where a pre-activation changes sign between
its two evaluations the cost has a kink. The complex step n = Im C(w + ih) / h subtracts nothing and
is good to rounding; its ReLU is masked by the sign of the real part, so it never crosses a kink.

Source: Squire & Trapp (1998), Using Complex Variables to Estimate Derivatives of Real Functions,
SIAM Review 40(1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

from lamsearch.results import FloatArray, TargetArray

Arrays = dict[str, npt.NDArray[Any]]  # W1, b1, …, WL, bL, of batch norm gamma1, …

# Balances rounding, ε·C / h, against truncation, h²·C''' / 6.
_CENTRAL_STEP = 1e-5
# Nothing is subtracted, so the step may be so small that its square vanishes.
_COMPLEX_STEP = 1e-30
_LEAK = 0.01


class Network:
    """The cost of one network as its definition says, for real and for complex arrays.

    Its loss is the cross-entropy; with ``squared`` the mean squared error of its one output.
    Every step of it is analytic where it has no kink: without |·|, conjugates and maxima.
    """

    def __init__(
        self,
        activation: str = "relu",
        factors: Mapping[int, FloatArray] | None = None,
        weights: FloatArray | float = 1.0,
        *,
        squared: bool = False,
    ) -> None:
        """``factors`` (B, H) are those of dropout, by layer, 0 for the inputs; ``weights`` (B,)
        those of the examples."""
        self._activation, self._factors, self._squared = activation, factors or {}, squared
        self._weights = weights

    def scores(self, arrays: Arrays, x: FloatArray) -> tuple[npt.NDArray[Any], Arrays]:
        """Return the outputs (B, C), and which pre-activations are positive, by layer."""
        values: npt.NDArray[Any] = x * self._factors.get(0, 1.0)
        positive: Arrays = {}
        depth = sum(name[0] == "W" for name in arrays)
        for layer in range(1, depth):
            z = values @ arrays[f"W{layer}"]
            if f"gamma{layer}" in arrays:
                z = arrays[f"gamma{layer}"] * _normalised(z)
            z = z + arrays[f"b{layer}"]
            if self._activation == "tanh":
                values = np.tanh(z)
            else:
                positive[f"z{layer}"] = z.real > 0
                leak = 0.0 if self._activation == "relu" else _LEAK
                values = z * np.where(z.real > 0, 1.0, leak)
            values = values * self._factors.get(layer, 1.0)
        return values @ arrays[f"W{depth}"] + arrays[f"b{depth}"], positive

    def cost(
        self, arrays: Arrays, x: FloatArray, targets: TargetArray, lam: float
    ) -> tuple[float, Arrays]:
        """Return the cost, and which pre-activations are positive."""
        scores, positive = self.scores(arrays, x)
        if self._squared:
            losses = (scores[:, 0] - targets) ** 2
        else:
            losses = -log_softmax(scores, axis=1)[np.arange(len(targets)), targets]
        loss = (self._weights * losses).mean()
        return float(loss + lam * sum(np.sum(W**2) for W in _weights(arrays))), positive

    def complex_cost(
        self, arrays: Arrays, x: FloatArray, targets: TargetArray, lam: float
    ) -> complex:
        """Return the cost continued to complex arrays."""
        scores, _ = self.scores(arrays, x)
        if self._squared:
            residuals = scores[:, 0] - targets
            losses = residuals * residuals
        else:
            top = scores.real.max(axis=1)
            total = np.exp(scores - top[:, None]).sum(axis=1)
            losses = np.log(total) + top - scores[np.arange(len(targets)), targets]
        penalty = sum((W * W).sum() for W in _weights(arrays))
        return complex((self._weights * losses).sum() / len(targets) + lam * penalty)


def central_differences(
    network: Network, arrays: Arrays, x: FloatArray, targets: TargetArray, lam: float
) -> tuple[Arrays, Arrays]:
    """Return the numerical gradients, and per entry whether its step crosses a kink."""
    slopes: Arrays = {name: np.empty(array.shape) for name, array in arrays.items()}
    across: Arrays = {name: np.zeros(array.shape, np.bool_) for name, array in arrays.items()}
    for name, array in arrays.items():
        for entry in np.ndindex(array.shape):
            value = array[entry]
            array[entry] = high = value + _CENTRAL_STEP
            above, positive_above = network.cost(arrays, x, targets, lam)
            array[entry] = low = value - _CENTRAL_STEP
            below, positive_below = network.cost(arrays, x, targets, lam)
            array[entry] = value
            slopes[name][entry] = (above - below) / (high - low)
            across[name][entry] = any(
                not np.array_equal(positive_above[z], positive_below[z]) for z in positive_above
            )
    return slopes, across


def complex_step(
    network: Network, arrays: Arrays, x: FloatArray, targets: TargetArray, lam: float
) -> Arrays:
    """Return Im C(w + ih) / h of every entry; exact to rounding."""
    turned: Arrays = {name: array.astype(np.complex128) for name, array in arrays.items()}
    slopes: Arrays = {name: np.empty(array.shape) for name, array in arrays.items()}
    for name, array in turned.items():
        for entry in np.ndindex(array.shape):
            value = array[entry]
            array[entry] = value + 1j * _COMPLEX_STEP
            cost = network.complex_cost(turned, x, targets, lam)
            slopes[name][entry] = cost.imag / _COMPLEX_STEP
            array[entry] = value
    return slopes


def _normalised(z: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Each unit's values over the mini-batch, less their mean, by √(variance + 1e-5)."""
    centred = z - z.mean(axis=0)
    return np.asarray(centred / np.sqrt((centred * centred).mean(axis=0) + 1e-5))


def _weights(arrays: Arrays) -> Iterator[npt.NDArray[Any]]:
    return (array for name, array in arrays.items() if name[0] == "W")

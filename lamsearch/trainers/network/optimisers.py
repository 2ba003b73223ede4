"""Steps: gradients → changed weights.

Enters: what products' gradients are made of, or gradients; rates and penalties. Leaves: weights
changed in place. Refuses to know how layers are computed.

The SGD step on loss + λΣ‖W‖², W ← (1 − 2ηλ) W − η G, is scale ← (1 − 2ηλ) · scale and
V ← V − Xᵀ (η / scale · ∂loss/∂Z), where W1 = V · scale: a single BLAS call that accumulates into V.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import blas

from lamsearch.results import FloatArray
from lamsearch.trainers.network.weights import Weights

_AT_ONCE = 2**17  # entries of a layer whose models' gradients are computed together: they stay
# in a processor's second cache


class Sgd:
    """W ← (1 − 2ηλ) W − η G, and without the factor for what is not penalised."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._gemm: Any = blas.sgemm if weights.dtype == np.float32 else blas.dgemm
        self._vectors = dict(weights.parameters())
        self._gradients = [
            np.empty((len(range(weights.count)[_first(W)]), *W.shape[1:]), W.dtype)
            for W in weights.W[1:]
        ]

    def begin(self, eta: npt.NDArray[np.float64], lam: npt.NDArray[np.float64]) -> None:
        """Take the rates and the penalties (K,) of the update that follows."""
        self._eta, self._factor = eta, 1.0 - 2.0 * eta * lam

    def stacked(self, layer: int, inputs: FloatArray, deltas: FloatArray) -> None:
        """Step a layer but the first: inputs (K, B, H_l−1), ∂loss/∂products (K, B, H_l)."""
        W, dtype = self._weights.W[layer], self._weights.dtype
        eta, factor = self._eta.astype(dtype), self._factor.astype(dtype)
        for models in _groups(W):
            gradient = self._gradients[layer - 1]
            np.matmul(inputs[models].transpose(0, 2, 1), deltas[models], out=gradient)
            gradient *= eta[models, None, None]
            W[models] *= factor[models, None, None]
            W[models] -= gradient

    def vectors(self, gradients: Mapping[str, FloatArray]) -> None:
        """Step what is not penalised, by the gradients (K, H) by name."""
        eta = self._eta.astype(self._weights.dtype)[:, None]
        for name, gradient in gradients.items():
            array = self._vectors[name]
            array -= eta * gradient

    def wide(self, x: FloatArray, deltas: FloatArray) -> None:
        """Step the first layer: inputs (B, F), ∂loss/∂products (B, K·H), which are changed."""
        weights = self._weights
        weights.decay(self._factor)
        width = weights.b[0].shape[1]
        deltas *= np.repeat((self._eta / weights.scale).astype(weights.dtype), width)
        self._gemm(-1.0, deltas.T, x.T, trans_b=1, beta=1.0, c=weights.V.T, overwrite_c=1)


def _first(W: FloatArray) -> slice:
    return next(_groups(W), slice(0, 0))


def _groups(W: FloatArray) -> Iterator[slice]:
    """All models at once where their layers are small, else one after another."""
    if W.size <= _AT_ONCE:
        yield slice(0, len(W))
    else:
        yield from (slice(model, model + 1) for model in range(len(W)))

"""Batch norm of one hidden layer of K models, before the activation.

Enters: products of inputs and weights (B, K·H). Leaves: normalised ones; backward, gradients; for
models in use, the factor and the shift that batch norm comes down to. Refuses to know activations.

In training y = γ (z − μ) / √(σ² + ε) + b with the mean and the variance of the mini-batch; each
update also moves the running statistics by a tenth: mean ← 0.9 mean + 0.1 μ, and so the variance,
from 0 and 1, by the unbiased variance B/(B − 1) σ². Models in use have those instead of μ and σ².

Source: Ioffe & Szegedy (2015), Batch Normalization, arXiv:1502.03167.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lamsearch.results import FloatArray
from lamsearch.trainers.network.weights import Weights

EPSILON, SHARE = 1e-5, 0.1


class BatchNorm:
    """Batch norm over a mini-batch of fixed size, in buffers made once.

    ``z`` (B, K·H) takes the products and keeps them, centred, for the way back.
    """

    def __init__(self, weights: Weights, layer: int, z: FloatArray) -> None:
        self._weights, self._layer, self.z = weights, layer, z
        self._means = np.full((1, len(z)), 1 / len(z), z.dtype)
        self._inverse = np.empty(0, z.dtype)  # 1/√(σ² + ε) of each unit, times the model's scale

    def forward(self, out: FloatArray) -> None:
        """Write what is normalised, scaled and shifted to ``out``; move the running statistics."""
        weights, layer, z = self._weights, self._layer, self.z
        scale = _scales(weights, layer, z.dtype)
        mean = np.matmul(self._means, z)[0]
        z -= mean
        variance = np.einsum("ij,ij->j", z, z) / z.dtype.type(len(z))
        if scale is not None:
            mean, variance = mean * scale, variance * scale * scale
        _move(weights.mean[layer], mean)
        _move(weights.variance[layer], variance * z.dtype.type(len(z) / (len(z) - 1)))
        self._slope = 1 / np.sqrt(variance + z.dtype.type(EPSILON))
        self._inverse = self._slope if scale is None else self._slope * scale
        np.multiply(z, self._inverse * weights.gamma[layer].reshape(-1), out=out)
        out += weights.b[layer].reshape(-1)

    def backward(self, deltas: FloatArray) -> dict[str, FloatArray]:
        """Turn ∂loss/∂y into ∂loss/∂z in place, once; return by name the gradients (K, H) of γ
        and b.

        With x̂ = (z − μ)/√(σ² + ε): ∂z = γ/√(σ² + ε) · (∂y − mean(∂y) − x̂ mean(∂y x̂)).
        """
        weights, layer, z = self._weights, self._layer, self.z
        share = z.dtype.type(1 / len(z))
        shift = deltas.sum(axis=0)
        factor = np.einsum("ij,ij->j", deltas, z) * self._inverse
        z *= self._inverse * factor * share
        deltas -= z
        deltas -= shift * share
        deltas *= weights.gamma[layer].reshape(-1) * self._slope
        shape, name = weights.b[layer].shape, layer + 1
        return {f"gamma{name}": factor.reshape(shape), f"b{name}": shift.reshape(shape)}


def folded(weights: Weights, layer: int) -> tuple[FloatArray, FloatArray]:
    """Return factor and shift (K, H), by which batch norm of running statistics is z · a + c."""
    variance = weights.variance[layer] + weights.dtype.type(EPSILON)
    factor = weights.gamma[layer] / np.sqrt(variance)
    return factor, weights.b[layer] - weights.mean[layer] * factor


def _scales(weights: Weights, layer: int, dtype: npt.DTypeLike) -> FloatArray | None:
    """The running scale of each unit's weights; None where all are 1."""
    scale = weights.scale.astype(dtype)
    if layer > 0 or (scale == 1).all():
        return None
    return np.repeat(scale, weights.b[layer].shape[1])


def _move(running: FloatArray, found: FloatArray) -> None:
    share = running.dtype.type(SHARE)
    running += share * (found.reshape(running.shape) - running)

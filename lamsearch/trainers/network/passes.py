"""Passes over a mini-batch: forward, loss, backward, one SGD step with its weight decay.

Enters: weights of K stacked models, a mini-batch, the penalties λ. Leaves: class scores, losses,
correctness, gradients, changed weights. Knows nothing of schedules, data sets, clocks or files.

The SGD step on loss + λΣ‖W‖², W ← (1 − 2ηλ) W − η G, is scale ← (1 − 2ηλ) · scale and
V ← V − Xᵀ (η / scale · ∂loss/∂Z), where W1 = V · scale: a single BLAS call that accumulates into V.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import blas

from lamsearch.results import FloatArray, IntArray
from lamsearch.trainers.network.weights import Weights


class Pass:
    """One forward and backward pass over a mini-batch of fixed size, in buffers made once.

    Scores lie as (K, C, B): reductions over classes then run along the examples, several at a time.
    """

    def __init__(self, weights: Weights, batch: int) -> None:
        dtype, (count, hidden, classes) = weights.V.dtype, weights.W2.shape
        self._weights = weights
        self._gemm: Any = blas.sgemm if dtype == np.float32 else blas.dgemm
        self._rows = np.arange(batch)
        self._activations = np.empty((batch, count * hidden), dtype)
        self._deltas = np.empty((batch, count * hidden), dtype)
        self._zeros = np.zeros((batch, count * hidden), dtype)  # NumPy is slower with a scalar
        self._active = np.empty((batch, count * hidden), np.bool_)
        self._scores = np.empty((count, classes, batch), dtype)
        self._W2_gradient = np.empty((count, hidden, classes), dtype)
        # the same memory seen model by model: (K, B, H)
        self._stacked_activations = _by_model(self._activations, weights)
        self._stacked_deltas = _by_model(self._deltas, weights)

    def forward(self, x: FloatArray) -> FloatArray:
        """Return the class scores (K, C, B) of examples x (B, F); the array is used again."""
        weights, Z = self._weights, self._activations
        np.matmul(x, weights.V, out=Z)
        scale = weights.scale.astype(Z.dtype)
        if (scale != 1).any():
            Z *= np.repeat(scale, weights.hidden)
        Z += weights.b1
        np.maximum(Z, self._zeros, out=Z)
        np.matmul(
            weights.W2.transpose(0, 2, 1),
            self._stacked_activations.transpose(0, 2, 1),
            out=self._scores,
        )
        self._scores += weights.b2[:, :, None]
        return self._scores

    def losses(self, labels: IntArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """Return the cross-entropy (K, B) of each example and whether it is correct (K, B).

        After `forward`. The scores become softmax probabilities in place. Ties go to the lowest
        class.
        """
        scores = self._scores
        correct = scores.argmax(axis=1) == labels
        scores -= scores.max(axis=1, keepdims=True)
        chosen = scores[:, labels, self._rows]
        np.exp(scores, out=scores)
        total = scores.sum(axis=1)
        scores /= total[:, None, :]
        return np.log(total) - chosen, correct

    def loss(self, labels: IntArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """Return each model's mean cross-entropy (K,), and as `losses` what is correct (K, B)."""
        losses, correct = self.losses(labels)
        return losses.mean(axis=1, dtype=np.float64), correct

    def backward(self, labels: IntArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return the gradients of the mean loss after `loss`, the penalty's part left out.

        Leaves: ∂/∂Z of the first layer (B, K·H), ∂/∂b1 (K·H), ∂/∂W2 (K, H, C), ∂/∂b2 (K, C).
        The gradient of W1 is xᵀ @ the first of them. The arrays are used again.
        """
        scores, W2 = self._scores, self._weights.W2
        scores[:, labels, self._rows] -= 1
        scores /= scores.dtype.type(len(self._rows))
        by_example = scores.transpose(0, 2, 1)
        np.matmul(self._stacked_activations.transpose(0, 2, 1), by_example, out=self._W2_gradient)
        np.matmul(by_example, W2.transpose(0, 2, 1), out=self._stacked_deltas)
        np.greater(self._activations, self._zeros, out=self._active)
        self._deltas *= self._active
        return self._deltas, self._deltas.sum(axis=0), self._W2_gradient, scores.sum(axis=2)

    def step(
        self, x: FloatArray, labels: IntArray, *, eta: float, lam: npt.NDArray[np.float64]
    ) -> None:
        """Do one SGD step after `loss`, at rate ``eta`` with penalties ``lam`` (K,), in place."""
        weights, dtype = self._weights, self._weights.V.dtype
        deltas, b1_gradient, W2_gradient, b2_gradient = self.backward(labels)
        weights.b1 -= eta * b1_gradient
        weights.b2 -= eta * b2_gradient
        W2_gradient *= dtype.type(eta)
        weights.W2 *= (1.0 - 2.0 * eta * lam).astype(dtype)[:, None, None]
        weights.W2 -= W2_gradient
        weights.decay(1.0 - 2.0 * eta * lam)
        deltas *= np.repeat((eta / weights.scale).astype(dtype), weights.hidden)
        self._gemm(-1.0, deltas.T, x.T, trans_b=1, beta=1.0, c=weights.V.T, overwrite_c=1)


def _by_model(wide: FloatArray, weights: Weights) -> FloatArray:
    """View (B, K·H) as (K, B, H); K may be 0, once every model was taken out."""
    return wide.reshape(len(wide), weights.count, weights.hidden).transpose(1, 0, 2)

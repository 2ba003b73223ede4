"""K two-layer ReLU networks side by side: forward, loss, gradients, one SGD step.

Enters: weights of K stacked nets, a mini-batch, the penalties λ. Leaves: losses, accuracies,
gradients, changed weights. Knows nothing of schedules, data sets, clocks or files.

The first layers stand side by side in one matrix, so that a cohort costs one wide matrix product
forward and one back. Their weight decay is kept apart as a running scale per net: W1 = V · scale.
The SGD step on loss + λΣ‖W‖², W ← (1 − 2ηλ) W − η G, then is scale ← (1 − 2ηλ) · scale and
V ← V − Xᵀ (η / scale · ∂loss/∂Z): a single BLAS call that accumulates into V.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import blas

from lamsearch.results import FloatArray, IntArray

# Beyond these the scale is multiplied into V: far from float32's range, and rarely reached.
_SCALE_LOW, _SCALE_HIGH = 2.0**-20, 2.0**20


@dataclass(slots=True, kw_only=True)
class Nets:
    """The weights of K nets with F features, H hidden units and C classes.

    ``V`` (F, K·H) holds the first layers unscaled, net k in columns k·H to (k+1)·H;
    ``scale`` (K) float64; ``b1`` (K·H); ``W2`` (K, H, C); ``b2`` (K, C).
    """

    V: FloatArray
    scale: npt.NDArray[np.float64]
    b1: FloatArray
    W2: FloatArray
    b2: FloatArray

    @property
    def count(self) -> int:
        """K, the number of nets."""
        return int(self.W2.shape[0])

    @property
    def hidden(self) -> int:
        """H, the hidden units of each net."""
        return int(self.W2.shape[1])

    def first_layer(self, net: int) -> FloatArray:
        """Return W1 of one net as a new array (F, H)."""
        columns = slice(net * self.hidden, (net + 1) * self.hidden)
        return self.V[:, columns] * self.V.dtype.type(self.scale[net])

    def keep(self, nets: IntArray) -> Nets:
        """Return a copy with only the nets of the given positions."""
        columns = (nets[:, None] * self.hidden + np.arange(self.hidden)).ravel()
        return Nets(
            V=np.ascontiguousarray(self.V[:, columns]),
            scale=self.scale[nets],
            b1=self.b1[columns],
            W2=self.W2[nets],
            b2=self.b2[nets],
        )


def initialise(
    count: int,
    *,
    features: int,
    hidden: int,
    classes: int,
    rng: np.random.Generator,
    dtype: npt.DTypeLike = np.float32,
    projection: FloatArray | None = None,
) -> Nets:
    """Return ``count`` nets with the same weights, drawn from N(0, 1/√fan-in); biases are 0.

    The draws are float64 and then rounded, so that every dtype starts from the same point.
    With a ``projection`` (features, F) of orthonormal columns, the nets see F components of the
    features: their first layer is the projected one, so it keeps the features' fan-in, and is as
    near to that of the same draw on all features as the components are to the images.
    """
    W1 = rng.standard_normal((features, hidden)) / np.sqrt(features)
    if projection is not None:
        W1 = projection.T.astype(np.float64) @ W1
    W2 = rng.standard_normal((hidden, classes)) / np.sqrt(hidden)
    return Nets(
        V=np.ascontiguousarray(np.tile(W1.astype(dtype), (1, count))),
        scale=np.ones(count),
        b1=np.zeros(count * hidden, dtype),
        W2=np.tile(W2.astype(dtype), (count, 1, 1)),
        b2=np.zeros((count, classes), dtype),
    )


def penalty(nets: Nets) -> npt.NDArray[np.float64]:
    """Return Σ‖W‖² of each net, both layers, biases not: shape (K,)."""
    columns = np.einsum("ij,ij->j", nets.V, nets.V, dtype=np.float64)
    first = columns.reshape(nets.count, nets.hidden).sum(axis=1) * nets.scale**2
    with np.errstate(over="ignore", invalid="ignore"):
        second = np.square(nets.W2, dtype=np.float64).sum(axis=(1, 2))
    return np.asarray(first + second, dtype=np.float64)


class Pass:
    """One forward and backward pass over a mini-batch of fixed size, in buffers made once.

    Scores lie as (K, C, B): reductions over classes then run along the images, several at a time.
    """

    def __init__(self, nets: Nets, batch: int) -> None:
        dtype, (count, hidden, classes) = nets.V.dtype, nets.W2.shape
        self._nets = nets
        self._gemm: Any = blas.sgemm if dtype == np.float32 else blas.dgemm
        self._rows = np.arange(batch)
        self._activations = np.empty((batch, count * hidden), dtype)
        self._deltas = np.empty((batch, count * hidden), dtype)
        self._zeros = np.zeros((batch, count * hidden), dtype)  # NumPy is slower with a scalar
        self._active = np.empty((batch, count * hidden), np.bool_)
        self._scores = np.empty((count, classes, batch), dtype)
        self._W2_gradient = np.empty((count, hidden, classes), dtype)
        # the same memory seen net by net: (K, B, H)
        self._stacked_activations = _by_net(self._activations, nets)
        self._stacked_deltas = _by_net(self._deltas, nets)

    def forward(self, x: FloatArray) -> FloatArray:
        """Return the class scores (K, C, B) of images x (B, F); the array is used again."""
        nets, Z = self._nets, self._activations
        np.matmul(x, nets.V, out=Z)
        scale = nets.scale.astype(Z.dtype)
        if (scale != 1).any():
            Z *= np.repeat(scale, nets.hidden)
        Z += nets.b1
        np.maximum(Z, self._zeros, out=Z)
        np.matmul(
            nets.W2.transpose(0, 2, 1),
            self._stacked_activations.transpose(0, 2, 1),
            out=self._scores,
        )
        self._scores += nets.b2[:, :, None]
        return self._scores

    def loss(self, labels: IntArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """Return each net's mean cross-entropy (K,) and its hits (K, B) after `forward`.

        The scores become softmax probabilities in place. Ties go to the lowest class.
        """
        scores = self._scores
        hits = scores.argmax(axis=1) == labels
        scores -= scores.max(axis=1, keepdims=True)
        chosen = scores[:, labels, self._rows]
        np.exp(scores, out=scores)
        total = scores.sum(axis=1)
        scores /= total[:, None, :]
        return (np.log(total) - chosen).mean(axis=1, dtype=np.float64), hits

    def backward(self, labels: IntArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return the gradients of the mean loss after `loss`, the penalty's part left out.

        Leaves: ∂/∂Z of the first layer (B, K·H), ∂/∂b1 (K·H), ∂/∂W2 (K, H, C), ∂/∂b2 (K, C).
        The gradient of W1 is xᵀ @ the first of them. The arrays are used again.
        """
        scores, W2 = self._scores, self._nets.W2
        scores[:, labels, self._rows] -= 1
        scores /= scores.dtype.type(len(self._rows))
        by_image = scores.transpose(0, 2, 1)
        np.matmul(self._stacked_activations.transpose(0, 2, 1), by_image, out=self._W2_gradient)
        np.matmul(by_image, W2.transpose(0, 2, 1), out=self._stacked_deltas)
        np.greater(self._activations, self._zeros, out=self._active)
        self._deltas *= self._active
        return self._deltas, self._deltas.sum(axis=0), self._W2_gradient, scores.sum(axis=2)

    def step(
        self, x: FloatArray, labels: IntArray, *, eta: float, lam: npt.NDArray[np.float64]
    ) -> None:
        """Do one SGD step after `loss`, at rate ``eta`` with penalties ``lam`` (K,), in place."""
        nets, dtype = self._nets, self._nets.V.dtype
        deltas, b1_gradient, W2_gradient, b2_gradient = self.backward(labels)
        nets.b1 -= eta * b1_gradient
        nets.b2 -= eta * b2_gradient
        W2_gradient *= dtype.type(eta)
        nets.W2 *= (1.0 - 2.0 * eta * lam).astype(dtype)[:, None, None]
        nets.W2 -= W2_gradient
        self._decay(1.0 - 2.0 * eta * lam)
        deltas *= np.repeat((eta / nets.scale).astype(dtype), nets.hidden)
        self._gemm(-1.0, deltas.T, x.T, trans_b=1, beta=1.0, c=nets.V.T, overwrite_c=1)

    def _decay(self, factor: npt.NDArray[np.float64]) -> None:
        nets = self._nets
        nets.scale *= factor
        size = np.abs(nets.scale)
        for net in np.flatnonzero((size < _SCALE_LOW) | (size > _SCALE_HIGH)):
            columns = slice(net * nets.hidden, (net + 1) * nets.hidden)
            nets.V[:, columns] *= nets.V.dtype.type(nets.scale[net])
            nets.scale[net] = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gradients:
    """Gradients of the cost of K nets: W1 (K, F, H), b1 (K, H), W2 (K, H, C), b2 (K, C)."""

    W1: FloatArray
    b1: FloatArray
    W2: FloatArray
    b2: FloatArray


def gradients(
    nets: Nets, x: FloatArray, labels: IntArray, lam: npt.NDArray[np.float64]
) -> Gradients:
    """Return the gradients of cost = loss + λΣ‖W‖² at x (B, F), labels (B,), lam (K,).

    They are read off one SGD step at rate 1, W − (W − G), so that what `lamsearch gradcheck`
    compares with numerical oracles is the very step that training takes.
    """
    after = nets.keep(np.arange(nets.count))
    work = Pass(after, len(x))
    work.forward(x)
    work.loss(labels)
    work.step(x, labels, eta=1.0, lam=lam)
    first = [nets.first_layer(net) - after.first_layer(net) for net in range(nets.count)]
    return Gradients(
        W1=np.stack(first),
        b1=(nets.b1 - after.b1).reshape(nets.count, nets.hidden),
        W2=nets.W2 - after.W2,
        b2=nets.b2 - after.b2,
    )


def _by_net(wide: FloatArray, nets: Nets) -> FloatArray:
    """View (B, K·H) as (K, B, H); K may be 0, once every net was taken out."""
    return wide.reshape(len(wide), nets.count, nets.hidden).transpose(1, 0, 2)

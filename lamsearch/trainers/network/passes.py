"""Passes over a mini-batch: forward, loss, backward with one step of the optimiser.

Enters: weights of K stacked models, a mini-batch, rates and penalties λ. Leaves: class scores,
losses, correctness, changed weights. Knows nothing of schedules, data sets, clocks or files.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lamsearch.results import FloatArray, IntArray
from lamsearch.trainers.network import losses
from lamsearch.trainers.network.layers import Hidden, by_model, output_scores
from lamsearch.trainers.network.optimisers import Sgd
from lamsearch.trainers.network.weights import Weights


class Pass:
    """One forward and backward pass over a mini-batch of fixed size, in buffers made once."""

    def __init__(self, weights: Weights, batch: int) -> None:
        self._weights, self._rows = weights, np.arange(batch)
        self._hidden = [Hidden(weights, layer, batch) for layer in range(weights.depth - 1)]
        count, classes = weights.b[-1].shape
        self._scores = np.empty((count, classes, batch), weights.dtype)
        self._optimiser = Sgd(weights)
        self._x: FloatArray = np.empty((0, 0))
        if not self._hidden:  # the products of linear models, and their gradients
            self._linear = np.empty((batch, count * classes), weights.dtype)

    def forward(self, x: FloatArray) -> FloatArray:
        """Return the class scores (K, C, B) of examples x (B, F); the array is used again."""
        weights, self._x = self._weights, x
        inputs = self._hidden[0].z if self._hidden else self._linear
        np.matmul(x, weights.V, out=inputs)
        for layer, hidden in enumerate(self._hidden):
            if layer > 0:
                before = by_model(inputs, weights, layer - 1)
                np.matmul(before, weights.W[layer], out=by_model(hidden.z, weights, layer))
            hidden.forward()
            inputs = hidden.activations
        return output_scores(inputs, weights, self._scores)

    def loss(self, labels: IntArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """Return each model's mean cross-entropy (K,), and what is correct (K, B), after `forward`.

        The scores become softmax probabilities in place.
        """
        found, correct = losses.losses(self._scores, labels, self._rows)
        return found.mean(axis=1, dtype=np.float64), correct

    def step(
        self,
        labels: IntArray,
        *,
        eta: float | npt.NDArray[np.float64],
        lam: npt.NDArray[np.float64],
    ) -> None:
        """Do one step after `loss`, at rate ``eta``, one or (K,), with penalties ``lam`` (K,)."""
        weights, optimiser = self._weights, self._optimiser
        optimiser.begin(np.broadcast_to(np.asarray(eta, np.float64), lam.shape), lam)
        losses.score_gradients(self._scores, labels, self._rows)
        vectors = {f"b{weights.depth}": self._scores.sum(axis=2)}
        deltas = self._scores.transpose(0, 2, 1)
        for layer in range(weights.depth - 1, 0, -1):
            below = self._hidden[layer - 1]
            inputs = by_model(below.activations, weights, layer - 1)
            through = by_model(below.deltas, weights, layer - 1)
            np.matmul(deltas, weights.W[layer].transpose(0, 2, 1), out=through)
            optimiser.stacked(layer, inputs, deltas)
            vectors |= below.backward()
            deltas = through
        optimiser.vectors(vectors)
        optimiser.wide(self._x, self._first_deltas())

    def _first_deltas(self) -> FloatArray:
        """∂loss/∂product of the first layer (B, K·H)."""
        if self._hidden:
            return self._hidden[0].deltas
        wide = self._linear.reshape(len(self._rows), *self._scores.shape[:2])
        np.copyto(wide, self._scores.transpose(2, 0, 1))
        return self._linear

"""Passes over a mini-batch: forward, loss, backward with one step of the optimiser.

Enters: weights of K stacked models, a mini-batch, rates and penalties λ. Leaves: outputs,
losses, correctness, changed weights. Knows nothing of schedules, data sets, clocks or files.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lamsearch.results import FloatArray, TargetArray
from lamsearch.trainers.network.dropout import Dropout, Masks, masks_of
from lamsearch.trainers.network.layers import Hidden, linear_scores, output_scores
from lamsearch.trainers.network.losses import CROSS_ENTROPY, Loss
from lamsearch.trainers.network.optimisers import Optimiser
from lamsearch.trainers.network.products import FirstProducts
from lamsearch.trainers.network.rules import SGD, Moments, Rule
from lamsearch.trainers.network.weights import Weights


class Pass:
    """One forward and backward pass over a mini-batch of fixed size, in buffers made once."""

    def __init__(
        self,
        weights: Weights,
        batch: int,
        *,
        rule: Rule = SGD,
        moments: Moments | None = None,
        dropout: Dropout | None = None,
        loss: Loss = CROSS_ENTROPY,
    ) -> None:
        self._weights, self._rows, self._loss = weights, np.arange(batch), loss
        products = FirstProducts(weights.V, batch)
        self._inputs = _Inputs(weights, products)
        hidden, masks = weights.depth - 1, list[Masks | None]()
        if dropout is not None and dropout.drops:
            sizes = (weights.features, *weights.sizes[:-1])
            self._inputs.masks, *masks = masks_of(dropout, batch, sizes, weights.dtype)
        self._masks = [one for one in (self._inputs.masks, *masks) if one is not None]
        masks = masks or [None] * hidden
        self._hidden = [Hidden(weights, layer, batch, masks[layer]) for layer in range(hidden)]
        count, classes = weights.b[-1].shape
        self._scores = np.empty((count, classes, batch), weights.dtype)
        self._optimiser = Optimiser(weights, rule, moments or {}, products)
        self._update = 0
        if not self._hidden:  # the products of linear models, and their gradients
            self._linear = np.empty((batch, count * classes), weights.dtype)

    def forward(self, x: FloatArray, update: int = 0) -> FloatArray:
        """Return the outputs (K, C, B) of examples x (B, F); the array is used again.

        ``update``, counted from 0, says what is dropped.
        """
        weights, self._update = self._weights, update
        for masks in self._masks:
            masks.draw(update)
        inputs = self._hidden[0].z if self._hidden else self._linear
        self._inputs.multiply(x, out=inputs)
        if not self._hidden:
            return linear_scores(inputs, weights, self._scores)
        stacked = self._hidden[0].stacked
        for layer, hidden in enumerate(self._hidden):
            if layer > 0:
                np.matmul(stacked, weights.W[layer], out=hidden.stacked_z)
            hidden.forward()
            stacked = hidden.stacked
        return output_scores(stacked, weights, self._scores)

    def loss(
        self, targets: TargetArray, weights: FloatArray | None = None
    ) -> tuple[FloatArray, npt.NDArray[np.bool_] | None]:
        """Return each model's mean loss (K,), and what is correct (K, B), after `forward`.

        The outputs become what the gradient needs in place. ``weights`` (B,) multiply the losses of
        the examples.
        """
        found, correct = self._loss.losses(self._scores, targets, self._rows)
        if weights is not None:
            found *= weights.astype(found.dtype)
        # as mean(dtype=np.float64) has it, without what that costs around it
        return np.add.reduce(found, axis=1, dtype=np.float64) / found.shape[1], correct

    def step(
        self,
        targets: TargetArray,
        *,
        eta: float | npt.NDArray[np.float64],
        lam: npt.NDArray[np.float64],
        weights: FloatArray | None = None,
    ) -> None:
        """Do one step after `loss`, at rate ``eta``, one or (K,), with penalties ``lam`` (K,).

        ``weights`` (B,) are those of `loss`.
        """
        stack, optimiser = self._weights, self._optimiser
        rates = eta if isinstance(eta, np.ndarray) else np.full(lam.shape, eta)
        optimiser.begin(self._update, rates, lam)
        self._loss.gradients(self._scores, targets, self._rows)
        if weights is not None:
            self._scores *= weights.astype(self._scores.dtype)
        vectors = {f"b{stack.depth}": np.add.reduce(self._scores, axis=2)}
        deltas = self._scores.transpose(0, 2, 1)
        for layer in range(stack.depth - 1, 0, -1):
            below = self._hidden[layer - 1]
            np.matmul(deltas, stack.W[layer].transpose(0, 2, 1), out=below.stacked_deltas)
            optimiser.stacked(layer, below.stacked.transpose(0, 2, 1), deltas)
            vectors |= below.backward()
            deltas = below.stacked_deltas
        optimiser.vectors(vectors)
        optimiser.wide(self._inputs.seen, self._first_deltas())

    def _first_deltas(self) -> FloatArray:
        """∂loss/∂product of the first layer (B, K·H)."""
        if self._hidden:
            return self._hidden[0].deltas
        wide = self._linear.reshape(len(self._rows), *self._scores.shape[:2])
        np.copyto(wide, self._scores.transpose(2, 0, 1))
        return self._linear


class _Inputs:
    """What the first layers see of a mini-batch, and its product with them.

    ``seen`` is (B, F), or (K, B, F) where each model drops inputs at a rate of its own.
    """

    def __init__(self, weights: Weights, products: FirstProducts) -> None:
        self._weights, self._products = weights, products
        self.masks: Masks | None = None
        self.seen: FloatArray = np.empty((0, 0), weights.dtype)

    def multiply(self, x: FloatArray, out: FloatArray) -> None:
        """Write the products of what is seen of x (B, F) and the first layers to ``out``."""
        weights = self._weights
        if self.masks is None:
            self.seen = x
        else:
            self._drop(x, self.masks.factors)
        if self.seen.ndim == x.ndim:
            self._products.forward(self.seen, out)
            return
        for model, own in enumerate(self.seen):
            columns = weights.columns(model)
            np.matmul(own, weights.V[:, columns], out=out[:, columns])

    def _drop(self, x: FloatArray, factors: FloatArray) -> None:
        """Multiply x by the factors (B, 1, F), or (B, K, F) of each model's own."""
        models = factors.shape[1]
        shape = x.shape if models == 1 else (models, *x.shape)
        if self.seen.shape != shape:
            self.seen = np.empty(shape, x.dtype)
        seen = self.seen.reshape(models, *x.shape)
        np.multiply(x, factors.transpose(1, 0, 2), out=seen)

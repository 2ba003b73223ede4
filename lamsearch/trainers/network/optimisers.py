"""Steps: gradients → changed weights.

Enters: what products' gradients are made of, or gradients; rates and penalties. Leaves: weights and
the optimiser's moments changed in place. Refuses to know how layers are computed.

The SGD step on loss + λΣ‖W‖², W ← (1 − 2ηλ) W − η G, is scale ← (1 − 2ηλ) · scale and
V ← V − Xᵀ (η / scale · ∂loss/∂Z), where W1 = V · scale: BLAS accumulates into V, which needs no
further pass. The others need the gradient itself: it is made a block at a time, and each block is
stepped while it is still in a processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod

import numpy as np
import numpy.typing as npt

from lamsearch.results import FloatArray
from lamsearch.trainers.network.products import FirstProducts
from lamsearch.trainers.network.rules import Moments, Rates, Rule, Sgd
from lamsearch.trainers.network.weights import Weights

_BLOCK = 2**18  # entries of a gradient that are made at once


class Optimiser:
    """Steps the weights of K models by a rule, in buffers made once."""

    def __init__(
        self, weights: Weights, rule: Rule, moments: Moments, products: FirstProducts
    ) -> None:
        self._weights, self._rule, self._products = weights, rule, products
        self._parameters = dict(weights.parameters())
        self._moments = {
            name: [moments[f"{kind}_{name}"] for kind in rule.moments] for name in self._parameters
        }
        sizes = [*map(_block_size, weights.W[1:]), *(b.size for b in weights.b)]
        self._rows = max(1, min(weights.features, _BLOCK // max(1, weights.V.shape[1])))
        self._buffer = np.empty(max(*sizes, self._rows * weights.V.shape[1]), weights.dtype)
        self._scratch = np.empty_like(self._buffer)
        self._seen = dict[tuple[int, ...], tuple[FloatArray, FloatArray]]()

    def begin(
        self, update: int, eta: npt.NDArray[np.float64], lam: npt.NDArray[np.float64]
    ) -> None:
        """Take the number of the update that follows, from 0, its rates and penalties (K,)."""
        self._eta, self._factor = eta, 1.0 - 2.0 * eta * lam
        self._rates = self._rule.rates(update, eta, lam, self._weights.dtype)

    def stacked(self, layer: int, inputs: FloatArray, deltas: FloatArray) -> None:
        """Step a layer but the first: inputs (K, B, H_l−1), ∂loss/∂products (K, B, H_l)."""
        W, name = self._weights.W[layer], f"W{layer + 1}"
        for models in _groups(W):
            gradient, _ = self._views(W[models].shape)
            np.matmul(inputs[models].transpose(0, 2, 1), deltas[models], out=gradient)
            rates = self._rates.of(models, axes=2)
            self._step(name, models, gradient, rates, penalised=True)

    def vectors(self, gradients: Mapping[str, FloatArray]) -> None:
        """Step what is not penalised, by the gradients (K, H) by name, which are changed."""
        rates = self._rates.of(slice(None), axes=1)
        for name, gradient in gradients.items():
            self._step(name, slice(None), gradient, rates, penalised=False)

    def wide(self, x: FloatArray, deltas: FloatArray) -> None:
        """Step the first layer: inputs (B, F), or (K, B, F) of each model's own, and
        ∂loss/∂products (B, K·H), which are changed."""
        weights, width, own = self._weights, self._weights.b[0].shape[1], x.ndim > deltas.ndim
        if isinstance(self._rule, Sgd):
            weights.decay(self._factor)
            deltas *= np.repeat((self._eta / weights.scale).astype(weights.dtype), width)
            if not own:
                self._products.subtract(x, deltas)
                return
        rates = self._rates.wide(width)
        for rows, gradient in self._blocks(x, deltas):
            if isinstance(self._rule, Sgd):
                weights.V[rows] -= gradient
            else:
                self._step("V", rows, gradient, rates, penalised=True)

    def _step(
        self, name: str, part: slice, gradient: FloatArray, rates: Rates, *, penalised: bool
    ) -> None:
        """Step a part of a parameter, along its first axis."""
        array, (_, scratch) = self._parameters[name][part], self._views(gradient.shape)
        moments = [moment[part] for moment in self._moments[name]]
        self._rule.step(array, gradient, moments, rates, scratch, penalised=penalised)

    def _blocks(self, x: FloatArray, deltas: FloatArray) -> Iterator[tuple[slice, FloatArray]]:
        """Yield the first layers' gradient, some features at a time."""
        for start in range(0, self._weights.features, self._rows):
            rows = slice(start, min(start + self._rows, self._weights.features))
            block, _ = self._views((rows.stop - start, deltas.shape[1]))
            if x.ndim == deltas.ndim:
                np.matmul(x[:, rows].T, deltas, out=block)
            else:
                for model, seen in enumerate(x):
                    columns = self._weights.columns(model)
                    np.matmul(seen[:, rows].T, deltas[:, columns], out=block[:, columns])
            yield rows, block

    def _views(self, shape: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
        """The buffer and the scratch array, seen in a shape."""
        if shape not in self._seen:
            size = prod(shape)
            buffer, scratch = (one[:size] for one in (self._buffer, self._scratch))
            self._seen[shape] = buffer.reshape(shape), scratch.reshape(shape)
        return self._seen[shape]


def _block_size(W: FloatArray) -> int:
    return max((W[models].size for models in _groups(W)), default=0)


def _groups(W: FloatArray) -> Iterator[slice]:
    """All models at once where their layers are small, else one after another."""
    if W.size <= _BLOCK:
        yield slice(0, len(W))
    else:
        yield from (slice(model, model + 1) for model in range(len(W)))

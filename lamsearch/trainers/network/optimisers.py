"""Steps: gradients → changed weights.

Enters: what products' gradients are made of, or gradients; rates and penalties. Leaves: weights and
the optimiser's moments changed in place. Refuses to know how layers are computed.

The SGD step on loss + λΣ‖W‖², W ← (1 − 2ηλ) W − η G, is scale ← (1 − 2ηλ) · scale and
V ← V − Xᵀ (η / scale · ∂loss/∂Z), where W1 = V · scale: BLAS accumulates into V, which needs no
further pass. The others need the gradient itself: it is made a block at a time, and each block is
stepped while it is still in a processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lamsearch.results import FloatArray
from lamsearch.trainers.network.products import FirstProducts
from lamsearch.trainers.network.rules import Moments, Rates, Rule, Sgd
from lamsearch.trainers.network.weights import Weights

_BLOCK = 2**18  # entries of a gradient that are made at once


class _Part(NamedTuple):
    """A part of a parameter along its first axis, and what a step of it takes."""

    array: FloatArray
    moments: Sequence[FloatArray]
    gradient: FloatArray
    scratch: FloatArray
    rates: Rates


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
        count, dtype = weights.count, weights.dtype
        eta, decay, double = np.empty((3, count), dtype)
        self._rates = Rates(eta, decay, double, np.empty((), dtype))
        self._vectors = {
            name: self._part(name, slice(0, count))
            for name in self._parameters
            if name.startswith(("b", "gamma"))
        }
        self._layers = [
            [(models, self._part(f"W{layer}", models)) for models in _groups(W)]
            for layer, W in enumerate(weights.W[1:], 2)
        ]

    def begin(
        self, update: int, eta: npt.NDArray[np.float64], lam: npt.NDArray[np.float64]
    ) -> None:
        """Take the number of the update that follows, from 0, its rates and penalties (K,)."""
        self._eta, self._factor = eta, 1.0 - 2.0 * eta * lam
        rates = self._rates
        rates.decay[:] = self._factor
        rates.eta[:], rates.epsilon[()] = self._rule.corrected(update, eta)
        rates.double[:] = 2.0 * lam

    def stacked(self, layer: int, inputs: FloatArray, deltas: FloatArray) -> None:
        """Step a layer but the first: inputs (K, H_l−1, B), ∂loss/∂products (K, B, H_l)."""
        for models, part in self._layers[layer - 1]:
            np.matmul(inputs[models], deltas[models], out=part.gradient)
            self._step(part, part.gradient, penalised=True)

    def vectors(self, gradients: Mapping[str, FloatArray]) -> None:
        """Step what is not penalised, by the gradients (K, H) by name, which are changed."""
        for name, gradient in gradients.items():
            self._step(self._vectors[name], gradient, penalised=False)

    def wide(self, x: FloatArray, deltas: FloatArray) -> None:
        """Step the first layer: inputs (B, F), or (K, B, F) of each model's own, and
        ∂loss/∂products (B, K·H), which are changed."""
        weights, width, own = self._weights, self._weights.b[0].shape[1], x.ndim > deltas.ndim
        if isinstance(self._rule, Sgd):
            weights.decay(self._factor)
            deltas *= (self._eta / weights.scale).astype(weights.dtype).repeat(width)
            if not own:
                self._products.subtract(x, deltas)
                return
        rates = self._rates.wide(width)
        for rows, gradient in self._blocks(x, deltas):
            if isinstance(self._rule, Sgd):
                weights.V[rows] -= gradient
            else:
                self._step(self._part("V", rows, rates), gradient, penalised=True)

    def _step(self, part: _Part, gradient: FloatArray, *, penalised: bool) -> None:
        self._rule.step(
            part.array, gradient, part.moments, part.rates, part.scratch, penalised=penalised
        )

    def _part(self, name: str, part: slice, rates: Rates | None = None) -> _Part:
        """A part of a parameter; ``rates`` are those of its models unless others are given."""
        array = self._parameters[name][part]
        gradient, scratch = self._views(array.shape)
        moments = [moment[part] for moment in self._moments[name]]
        rates = rates or self._rates.of(part, axes=array.ndim - 1)
        return _Part(array, moments, gradient, scratch, rates)

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
        size = prod(shape)
        buffer, scratch = (one[:size].reshape(shape) for one in (self._buffer, self._scratch))
        return buffer, scratch


def _block_size(W: FloatArray) -> int:
    return max((W[models].size for models in _groups(W)), default=0)


def _groups(W: FloatArray) -> Iterator[slice]:
    """All models at once where their layers are small, else one after another."""
    if W.size <= _BLOCK:
        yield slice(0, len(W))
    else:
        yield from (slice(model, model + 1) for model in range(len(W)))

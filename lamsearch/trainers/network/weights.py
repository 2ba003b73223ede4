"""The weights of K networks of any depth side by side.

Enters: sizes, a random generator. Leaves: weights, their penalty, single layers. Refuses to know
mini-batches and schedules.

The first layers stand side by side in one matrix, so that a cohort costs one wide matrix product
forward and one back. Their weight decay is kept apart as a running scale per model: W1 = V · scale.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.results import Activation, FloatArray, IntArray
from lamsearch.study import Network

# Beyond these the scale is multiplied into V: far from float32's range, and rarely reached.
_SCALE_LOW, _SCALE_HIGH = 2.0**-20, 2.0**20
_ORTHONORMAL = 1e-3  # how far from 1 the lengths of a rotation's columns are at most
Array = npt.NDArray[np.generic]


@dataclass(slots=True, kw_only=True)
class Weights:
    """The weights of K models of L layers with F features, H_l units in layer l, C = H_L classes.

    ``W``: first V (F, K·H_1), the first layers unscaled, model k in columns k·H_1 to (k+1)·H_1,
    then (K, H_l−1, H_l) of each further layer; ``b``: (K, H_l); ``scale`` (K) float64. With batch
    norm the hidden layers have ``gamma``, ``mean`` and ``variance`` (K, H_l): the factor, and the
    running statistics of what it is applied to; b is then the shift.
    """

    scale: npt.NDArray[np.float64]
    W: Sequence[FloatArray]
    b: Sequence[FloatArray]
    gamma: Sequence[FloatArray] = ()
    mean: Sequence[FloatArray] = ()
    variance: Sequence[FloatArray] = ()
    activation: Activation = "relu"

    @property
    def V(self) -> FloatArray:  # noqa: N802 - the symbol that the formulas have
        """The first layers (F, K·H_1), unscaled."""
        return self.W[0]

    @property
    def count(self) -> int:
        """K, the number of models."""
        return int(self.scale.shape[0])

    @property
    def features(self) -> int:
        """F, the features that each model sees."""
        return int(self.V.shape[0])

    @property
    def depth(self) -> int:
        """L, the number of layers."""
        return len(self.W)

    @property
    def sizes(self) -> tuple[int, ...]:
        """H_1 … H_L: the units of each layer of one model, classes last."""
        return tuple(b.shape[1] for b in self.b)

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """What training computes in."""
        return self.V.dtype

    @property
    def normed(self) -> bool:
        """Whether hidden layers have batch norm."""
        return bool(self.gamma)

    def first_layer(self, model: int) -> FloatArray:
        """Return W1 of one model as a new array (F, H_1)."""
        return self.V[:, self.columns(model)] * self.dtype.type(self.scale[model])

    def columns(self, model: int) -> slice:
        """Return the columns of V that are one model's."""
        width = self.b[0].shape[1]
        return slice(model * width, (model + 1) * width)

    def of_model(self, model: int) -> dict[str, FloatArray]:
        """Return copies of one model's arrays: W1, b1, … and of batch norm gamma1, mean1, ….

        They have no axis for models, and W1 no scale.
        """
        found = {name: array[model].copy() for name, array in self.named() if name != "V"}
        return {"W1": self.first_layer(model), **found}

    def parameters(self) -> Iterator[tuple[str, FloatArray]]:
        """Yield what is trained, by name: V, W2, …, b1, …, gamma1, …."""
        yield from zip(("V", *_names("W", self.W)[1:]), self.W, strict=True)
        yield from zip(_names("b", self.b), self.b, strict=True)
        yield from zip(_names("gamma", self.gamma), self.gamma, strict=True)

    def named(self) -> Iterator[tuple[str, FloatArray]]:
        """Yield the parameters and the running statistics by name."""
        yield from self.parameters()
        yield from zip(_names("mean", self.mean), self.mean, strict=True)
        yield from zip(_names("variance", self.variance), self.variance, strict=True)

    def keep(self, models: IntArray) -> Weights:
        """Return a copy with only the models of the given indices."""
        columns = columns_of(models, self.b[0].shape[1])
        return Weights(
            scale=self.scale[models],
            W=[np.ascontiguousarray(self.V[:, columns]), *(W[models] for W in self.W[1:])],
            b=[b[models] for b in self.b],
            gamma=[array[models] for array in self.gamma],
            mean=[array[models] for array in self.mean],
            variance=[array[models] for array in self.variance],
            activation=self.activation,
        )

    def decay(self, factor: npt.NDArray[np.float64]) -> None:
        """Multiply the first layers by ``factor`` (K,), in place, without a pass over them."""
        self.scale *= factor
        if all(_SCALE_LOW <= abs(one) <= _SCALE_HIGH for one in self.scale.tolist()):
            return  # as nearly always
        size = np.abs(self.scale)
        for model in np.flatnonzero((size < _SCALE_LOW) | (size > _SCALE_HIGH)):
            self.V[:, self.columns(int(model))] *= self.dtype.type(self.scale[model])
            self.scale[model] = 1.0

    def unscale(self) -> None:
        """Multiply the running scales into V."""
        for model in range(self.count):
            self.V[:, self.columns(model)] *= self.dtype.type(self.scale[model])
        self.scale[:] = 1.0

    def arrays(self) -> dict[str, Array]:
        """Return the arrays themselves by name: what a checkpoint holds of the weights."""
        flat = {"b1": self.b[0].reshape(-1)}
        return {"scale": self.scale, **dict(self.named()), **flat}

    def expected(self, count: int) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Return type and shape, by name, of the arrays of ``count`` models of these sizes."""
        dtype, width = self.dtype.name, self.b[0].shape[1]
        stacked = {name: (dtype, (count, *array.shape[1:])) for name, array in self.named()}
        wide = {
            "V": (dtype, (self.features, count * width)), "b1": (dtype, (count * width,)),
            "scale": ("float64", (count,)),
        }  # fmt: skip
        return stacked | wide

    def restored(self, arrays: Mapping[str, Array]) -> Weights:
        """Return weights of this kind with copies of what `arrays` returned."""
        width = self.b[0].shape[1]
        found: dict[str, Any] = {name: np.array(arrays[name]) for name in self.arrays()}
        found["b1"] = found["b1"].reshape(-1, width)
        return Weights(
            scale=found["scale"],
            W=[found["V"], *(found[name] for name in _names("W", self.W)[1:])],
            activation=self.activation,
            **{
                kind: [found[name] for name in _names(kind, getattr(self, kind))]
                for kind in ("b", "gamma", "mean", "variance")
            },
        )


def _names(kind: str, arrays: Sequence[object]) -> list[str]:
    return [f"{kind}{layer}" for layer, _ in enumerate(arrays, 1)]


def columns_of(models: IntArray, width: int) -> IntArray:
    """Return the columns of a wide matrix that belong to the models, ``width`` each."""
    return (models[:, None] * width + np.arange(width)).ravel()


def initialise(
    count: int,
    *,
    features: int,
    hidden: int | Sequence[int],
    classes: int,
    rng: np.random.Generator,
    dtype: npt.DTypeLike = np.float32,
    projection: FloatArray | None = None,
    network: Network | None = None,
) -> Weights:
    """Return ``count`` models with the same weights, drawn from N(0, 1/√fan-in); biases are 0.

    With the initialisation "he" of ``network`` the deviation is √(2/fan-in). The draws are float64
    and then rounded, so that every dtype starts from the same point.
    With a ``projection`` (features, F) of orthonormal columns, the models see F components of the
    features: their first layer is the projected one, so it keeps the features' fan-in, and is as
    near to that of the same draw on all features as the components are to the examples. Columns of
    other lengths whiten: each component has variance 1, so the fan-in is F.
    """
    network = network or Network()
    units = (hidden,) if isinstance(hidden, int) else tuple(hidden)
    sizes = (features, *units, classes)
    gain = {"scaled": 1.0, "he": np.sqrt(2.0)}[network.initialisation]
    drawn = [
        rng.standard_normal((above, below)) / np.sqrt(above) * gain
        for above, below in pairwise(sizes)
    ]
    if projection is not None:
        drawn[0] = _projected(drawn[0], projection.astype(np.float64))
    first, *rest = (W.astype(dtype) for W in drawn)
    normed = units if network.batch_norm else ()
    return Weights(
        scale=np.ones(count),
        W=[
            np.ascontiguousarray(np.tile(first, (1, count))),
            *(np.tile(W, (count, 1, 1)) for W in rest),
        ],
        b=[np.zeros((count, size), dtype) for size in sizes[1:]],
        gamma=[np.ones((count, size), dtype) for size in normed],
        mean=[np.zeros((count, size), dtype) for size in normed],
        variance=[np.ones((count, size), dtype) for size in normed],
        activation=network.activation,
    )


def _projected(W: npt.NDArray[np.float64], projection: npt.NDArray[np.float64]) -> FloatArray:
    """Return the first layer's draws (features, units) for components (F, units)."""
    lengths = np.sqrt(np.einsum("ij,ij->j", projection, projection))
    if np.abs(lengths - 1).max() < _ORTHONORMAL:
        drawn: FloatArray = projection.T @ W
        return drawn
    features, components = projection.shape
    drawn = (projection / lengths).T @ W
    drawn *= np.sqrt(features / components)
    return drawn


def penalty(weights: Weights) -> npt.NDArray[np.float64]:
    """Return Σ‖W‖² of each model, all layers, neither biases nor batch norm: shape (K,)."""
    V = weights.V
    columns = np.einsum("ij,ij->j", V, V, dtype=np.float64)
    first = columns.reshape(weights.b[0].shape).sum(axis=1)
    total = first * weights.scale**2
    with np.errstate(over="ignore", invalid="ignore"):
        for W in weights.W[1:]:
            total = total + np.square(W, dtype=np.float64).sum(axis=(1, 2))
    return np.asarray(total, dtype=np.float64)

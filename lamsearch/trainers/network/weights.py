"""The weights of K two-layer networks side by side.

Enters: sizes, a random generator. Leaves: weights, their penalty, single layers. Refuses to know
mini-batches and schedules.

The first layers stand side by side in one matrix, so that a cohort costs one wide matrix product
forward and one back. Their weight decay is kept apart as a running scale per model: W1 = V · scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lamsearch.results import FloatArray, IntArray

# Beyond these the scale is multiplied into V: far from float32's range, and rarely reached.
_SCALE_LOW, _SCALE_HIGH = 2.0**-20, 2.0**20


@dataclass(slots=True, kw_only=True)
class Weights:
    """The weights of K models with F features, H hidden units and C classes.

    ``V`` (F, K·H) holds the first layers unscaled, model k in columns k·H to (k+1)·H;
    ``scale`` (K) float64; ``b1`` (K·H); ``W2`` (K, H, C); ``b2`` (K, C).
    """

    V: FloatArray
    scale: npt.NDArray[np.float64]
    b1: FloatArray
    W2: FloatArray
    b2: FloatArray

    @property
    def count(self) -> int:
        """K, the number of models."""
        return int(self.W2.shape[0])

    @property
    def features(self) -> int:
        """F, the features that each model sees."""
        return int(self.V.shape[0])

    @property
    def hidden(self) -> int:
        """H, the hidden units of each model."""
        return int(self.W2.shape[1])

    def first_layer(self, model: int) -> FloatArray:
        """Return W1 of one model as a new array (F, H)."""
        return self.V[:, self._columns(model)] * self.V.dtype.type(self.scale[model])

    def keep(self, models: IntArray) -> Weights:
        """Return a copy with only the models of the given indices."""
        columns = (models[:, None] * self.hidden + np.arange(self.hidden)).ravel()
        return Weights(
            V=np.ascontiguousarray(self.V[:, columns]),
            scale=self.scale[models],
            b1=self.b1[columns],
            W2=self.W2[models],
            b2=self.b2[models],
        )

    def decay(self, factor: npt.NDArray[np.float64]) -> None:
        """Multiply the first layers by ``factor`` (K,), in place, without a pass over them."""
        self.scale *= factor
        size = np.abs(self.scale)
        for model in np.flatnonzero((size < _SCALE_LOW) | (size > _SCALE_HIGH)):
            columns = self._columns(int(model))
            self.V[:, columns] *= self.V.dtype.type(self.scale[model])
            self.scale[model] = 1.0

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the arrays themselves by name: what a checkpoint holds of the weights."""
        return {"V": self.V, "scale": self.scale, "b1": self.b1, "W2": self.W2, "b2": self.b2}

    def expected(self, count: int) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Return type and shape, by name, of the arrays of ``count`` models of these sizes."""
        dtype, (_, hidden, classes) = self.V.dtype.name, self.W2.shape
        return {
            "V": (dtype, (self.features, count * hidden)), "scale": ("float64", (count,)),
            "b1": (dtype, (count * hidden,)), "W2": (dtype, (count, hidden, classes)),
            "b2": (dtype, (count, classes)),
        }  # fmt: skip

    def _columns(self, model: int) -> slice:
        return slice(model * self.hidden, (model + 1) * self.hidden)


def from_arrays(arrays: Mapping[str, npt.NDArray[np.generic]]) -> Weights:
    """Return weights with copies of what `Weights.arrays` returned."""
    names = ("V", "scale", "b1", "W2", "b2")
    return Weights(**{name: np.array(arrays[name]) for name in names})


def initialise(
    count: int,
    *,
    features: int,
    hidden: int,
    classes: int,
    rng: np.random.Generator,
    dtype: npt.DTypeLike = np.float32,
    projection: FloatArray | None = None,
) -> Weights:
    """Return ``count`` models with the same weights, drawn from N(0, 1/√fan-in); biases are 0.

    The draws are float64 and then rounded, so that every dtype starts from the same point.
    With a ``projection`` (features, F) of orthonormal columns, the models see F components of the
    features: their first layer is the projected one, so it keeps the features' fan-in, and is as
    near to that of the same draw on all features as the components are to the examples.
    """
    W1 = rng.standard_normal((features, hidden)) / np.sqrt(features)
    if projection is not None:
        W1 = projection.T.astype(np.float64) @ W1
    W2 = rng.standard_normal((hidden, classes)) / np.sqrt(hidden)
    return Weights(
        V=np.ascontiguousarray(np.tile(W1.astype(dtype), (1, count))),
        scale=np.ones(count),
        b1=np.zeros(count * hidden, dtype),
        W2=np.tile(W2.astype(dtype), (count, 1, 1)),
        b2=np.zeros((count, classes), dtype),
    )


def penalty(weights: Weights) -> npt.NDArray[np.float64]:
    """Return Σ‖W‖² of each model, both layers, biases not: shape (K,)."""
    columns = np.einsum("ij,ij->j", weights.V, weights.V, dtype=np.float64)
    first = columns.reshape(weights.count, weights.hidden).sum(axis=1) * weights.scale**2
    with np.errstate(over="ignore", invalid="ignore"):
        second = np.square(weights.W2, dtype=np.float64).sum(axis=(1, 2))
    return np.asarray(first + second, dtype=np.float64)

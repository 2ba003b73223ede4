"""A trainer: softmax regression by mini-batches, all models of a cohort in one product."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import log_softmax

from lamsearch.trainers import L2_PENALTY, CohortTrainer, Model, Parameter, Scale, TrainerKind

Array = npt.NDArray[Any]


class Options(BaseModel):
    """[trainer] beside its name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    momentum: float = Field(0.0, ge=0, lt=1, description="decay of the mean gradient")


class Softmax(CohortTrainer):
    """cost = mean cross-entropy + λ·Σ‖W‖² of scores x @ W + b, so the gradient has 2λW.

    The K' models in training are W (K', F, C) and b (K', 1, C), float32, and v is what momentum
    has gathered of each.
    """

    def begin(self) -> dict[str, Array]:
        """Draw W once: within a replicate all models begin alike."""
        count, features = len(self.alive), self.task.splits.train_x.shape[1]
        W = 0.01 * self.rng().standard_normal((features, self.task.classes))
        arrays = {
            "W": np.tile(W.astype(np.float32), (count, 1, 1)),
            "b": np.zeros((count, 1, self.task.classes), np.float32),
        }
        return {**arrays, **{f"v{name}": np.zeros_like(one) for name, one in arrays.items()}}

    def step(self, update: int) -> Array:
        """Step along the gradient of a mini-batch; return each model's loss on it (K',)."""
        rows = self.rows(update)
        x, y = self.task.splits.train_x[rows], self.task.splits.train_y[rows]
        logarithms = self._log_probabilities(x)
        error = np.exp(logarithms)
        error[:, np.arange(len(y)), y] -= 1
        error /= len(y)
        slopes = {"W": x.T @ error, "b": error.sum(axis=1, keepdims=True)}
        slopes["W"] += 2 * _column(self.lam) * self.arrays["W"]
        for name, slope in slopes.items():
            velocity = self.arrays[f"v{name}"]
            velocity *= _column(self.each("momentum"))
            velocity += slope
            self.arrays[name] -= np.float32(self.rate(update)) * velocity
        return np.asarray(-logarithms[:, np.arange(len(y)), y].mean(axis=1))

    def predict(self, x: Array) -> Array:
        """Return class probabilities (K', n, C)."""
        return np.exp(self._log_probabilities(x))

    def model(self, index: int) -> Model:
        """Return one as a chain of a single layer, which acts on all raw features."""
        splits = self.task.splits
        W, b = self.arrays["W"][index].copy(), self.arrays["b"][index, 0].copy()
        if splits.projection is not None:
            W = splits.projection @ W
        return Model(layers=((W, b),), mean=splits.mean, std=splits.std)

    def _log_probabilities(self, x: Array) -> Array:
        return np.asarray(log_softmax(x @ self.arrays["W"] + self.arrays["b"], axis=2))


def _column(values: Array) -> Array:
    """A value for each model, to be multiplied by its arrays."""
    return values.astype(np.float32)[:, None, None]


SOFTMAX = TrainerKind(
    name="softmax",
    make=Softmax,
    options=Options,
    parameters=(L2_PENALTY, Parameter(name="momentum", about="decay of the mean gradient",
                                      low=0.0, high=0.99, scales=(Scale.LINEAR, Scale.CHOICE))),
    reads=("batch_size", "schedule", "eta_min", "eta_max", "gamma", "step_size", "cycles"),
    resumable=True, prunes=True, exports=True, snapshots=True,
)  # fmt: skip

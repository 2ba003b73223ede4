"""A trainer that keeps to the protocol, for tests that break it in one respect each."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from lamsearch.trainers import CohortTrainer, Model, TrainerKind

Array = npt.NDArray[Any]


class Good(CohortTrainer):
    """Softmax regression by whole-batch gradient descent."""

    def begin(self) -> dict[str, Array]:
        """Draw the weights once."""
        features = self.task.splits.train_x.shape[1]
        W = 0.01 * self.draw().normal(size=(features, self.task.classes))
        return {"W": np.stack([W] * len(self.alive))}

    def draw(self) -> np.random.Generator:
        """Return the generator of the weights."""
        return self.rng()

    def step(self, update: int) -> Array:
        """Step along the gradient."""
        x, y, W = self.task.splits.train_x, self.task.splits.train_y, self.arrays["W"]
        found = np.asarray(self.predict(x))
        error = found - np.eye(self.task.classes)[y]
        W -= 0.5 * (x.T @ error / len(y) + 2 * self.lam[:, None, None] * W)
        losses: Array = -np.log(found[:, np.arange(len(y)), y]).mean(axis=1)
        return losses

    def predict(self, x: Array) -> Array:
        """Predict."""
        return np.asarray(softmax(x @ self.arrays["W"], axis=2))

    def model(self, index: int) -> Model:
        """Export."""
        splits, W = self.task.splits, self.arrays["W"][index].copy()
        if splits.projection is not None:
            W = splits.projection @ W
        return Model(layers=((W, np.zeros(W.shape[1])),), mean=splits.mean, std=splits.std)


def kind_of(made: type[CohortTrainer], **declared: Any) -> TrainerKind:
    """Return the kind of a class that has everything."""
    everything = {"resumable": True, "prunes": True, "exports": True, "snapshots": True}
    return TrainerKind(**{"name": "own", "make": made, **everything, **declared})

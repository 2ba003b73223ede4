"""One training, written out plainly in float64: no cohort, no running scale, no shared buffers.

It shares no code with lamsearch, only the rules by which seeds become weights and mini-batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax
from sklearn.datasets import load_digits

Array = npt.NDArray[Any]


@dataclass
class Images:
    """Normalised splits as the trainer wants them, and the raw images that they came from."""

    train_x: Array
    train_y: Array
    validation_x: Array
    validation_y: Array
    mean: Array
    std: Array
    raw_validation_x: Array
    test: tuple[Array, Array]
    projection: None = None


def digits(dtype: npt.DTypeLike = np.float32, train: int = 330, held_out: int = 120) -> Images:
    """Return the first of scikit-learn's digits, normalised by the training split."""
    raw, labels = load_digits(return_X_y=True)
    raw = raw.astype(np.float64)
    mean, std = raw[:train].mean(axis=0), raw[:train].std(axis=0)
    std[std == 0] = 1
    x = ((raw - mean) / std).astype(dtype)
    validation, test = slice(train, train + held_out), slice(train + held_out, train + 2 * held_out)
    return Images(
        train_x=np.ascontiguousarray(x[:train]),
        train_y=labels[:train],
        validation_x=np.ascontiguousarray(x[validation]),
        validation_y=labels[validation],
        mean=mean.astype(np.float32),
        std=std.astype(np.float32),
        raw_validation_x=raw[validation],
        test=(np.ascontiguousarray(x[test]), labels[test]),
    )


@dataclass
class Textbook:
    """The weights after a training, and its curves by name."""

    W1: Array
    b1: Array
    W2: Array
    b2: Array
    curves: dict[str, list[float]] = field(default_factory=dict)

    def loss_and_hits(self, x: Array, y: Array) -> tuple[float, Array]:
        """Return the mean cross-entropy and which images are classified rightly."""
        scores = np.maximum(x @ self.W1 + self.b1, 0) @ self.W2 + self.b2
        logarithms = log_softmax(scores, axis=1)
        return -float(logarithms[np.arange(len(y)), y].mean()), scores.argmax(axis=1) == y

    def penalty(self, lam: float) -> float:
        """Return λΣ‖W‖²."""
        return lam * float((self.W1**2).sum() + (self.W2**2).sum())

    def step(self, x: Array, y: Array, eta: float, lam: float) -> None:
        """Do one step of gradient descent on loss + λΣ‖W‖²."""
        z = x @ self.W1 + self.b1
        hidden = np.maximum(z, 0)
        error = np.exp(log_softmax(hidden @ self.W2 + self.b2, axis=1))
        error[np.arange(len(y)), y] -= 1
        error /= len(y)
        back = (error @ self.W2.T) * (z > 0)
        self.W1, self.W2 = (
            self.W1 - eta * (x.T @ back + 2 * lam * self.W1),
            self.W2 - eta * (hidden.T @ error + 2 * lam * self.W2),
        )
        self.b1, self.b2 = self.b1 - eta * back.sum(axis=0), self.b2 - eta * error.sum(axis=0)


def textbook_training(
    images: Images,
    *,
    lam: float,
    hidden: int,
    classes: int,
    seed: Sequence[int],
    batch_size: int,
    step_size: int,
    cycles: int,
    eta_min: float,
    eta_max: float,
    points: Sequence[int],
) -> Textbook:
    """Train one net under the triangular schedule; sample its curves after the updates given."""
    count, features = images.train_x.shape
    rng = np.random.default_rng(np.random.SeedSequence(tuple(seed), spawn_key=(0,)))
    W1 = rng.normal(0, 1, (features, hidden)) / np.sqrt(features)
    W2 = rng.normal(0, 1, (hidden, classes)) / np.sqrt(hidden)
    net = Textbook(W1, np.zeros(hidden), W2, np.zeros(classes))
    knots = np.arange(2 * cycles + 1) * step_size
    heights = np.where(np.arange(2 * cycles + 1) % 2, eta_max, eta_min)
    losses: list[float] = []
    hits: list[float] = []
    order = np.empty(0, int)
    for update in range(2 * step_size * cycles):
        epoch, batch = divmod(update, count // batch_size)
        if batch == 0:
            child = np.random.SeedSequence(tuple(seed), spawn_key=(1, epoch))
            order = np.random.default_rng(child).permutation(count)
        rows = order[batch * batch_size : (batch + 1) * batch_size]
        x, y = images.train_x[rows], images.train_y[rows]
        loss, right = net.loss_and_hits(x, y)
        losses.append(loss)
        hits.append(float(right.mean()))
        net.step(x, y, float(np.interp(update, knots, heights)), lam)
        if update + 1 in points:
            _sample(net, images, losses, hits, lam)
            losses, hits = [], []
    return net


def _sample(
    net: Textbook, images: Images, losses: list[float], hits: list[float], lam: float
) -> None:
    held_out = {"validation": (images.validation_x, images.validation_y), "test": images.test}
    values = {"training": (float(np.mean(losses)), float(np.mean(hits)))}
    for split, (x, y) in held_out.items():
        loss, right = net.loss_and_hits(x, y)
        values[split] = (loss, float(right.mean()))
    for split, (loss, accuracy) in values.items():
        net.curves.setdefault(f"{split}_loss", []).append(loss)
        net.curves.setdefault(f"{split}_cost", []).append(loss + net.penalty(lam))
        net.curves.setdefault(f"{split}_accuracy", []).append(accuracy)

"""Two-layer networks trained as the source report's code trained them.

Enters: normalised examples, λs, initial weights. Leaves: accuracies at every epoch's end. Refuses
to know files and tables. lamsearch itself cannot be made to do this: mini-batches are contiguous
slices in one order for all epochs, and a λ may start from the weights that the λ before it left.
Written apart from lamsearch's trainer, whose results it can therefore confirm.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lamsearch.schedules import schedule_of
from lamsearch.study import Training

Floats = npt.NDArray[np.floating]
Labels = npt.NDArray[np.int64]
ROWS = 7_000  # that are evaluated at a time


@dataclass(slots=True, kw_only=True)
class Models:
    """K networks side by side: W1 (F, K·H), b1 (K·H), W2 (K, H, C), b2 (K, C)."""

    W1: Floats
    b1: Floats
    W2: Floats
    b2: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Training and validation examples, normalised: x (n, F), y (n,)."""

    train_x: Floats
    train_y: Labels
    validation_x: Floats
    validation_y: Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracies:
    """Training and validation accuracy of K models at epochs' ends, each (len(epochs), K)."""

    epochs: tuple[int, ...]
    train: Floats
    validation: Floats

    def best(self) -> Floats:
        """Return the report's score (K,): the highest training accuracy at any epoch's end."""
        return np.asarray(self.train.max(axis=0))

    def validation_at_best(self) -> Floats:
        """Return the validation accuracy (K,) at the epoch that gave the report's score."""
        chosen = self.train.argmax(axis=0)
        return np.asarray(self.validation[chosen, np.arange(self.train.shape[1])])


def initial(
    seeds: Iterable[int],
    *,
    features: int,
    hidden: int,
    classes: int,
    dtype: npt.DTypeLike = np.float32,
) -> Models:
    """Return one model per seed, weights from N(0, 1/√fan-in), biases 0; a seed may come twice."""
    first, second = [], []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        first.append(rng.standard_normal((features, hidden)) / features**0.5)
        second.append(rng.standard_normal((hidden, classes)) / hidden**0.5)
    return Models(
        W1=np.concatenate(first, axis=1).astype(dtype),
        b1=np.zeros(hidden * len(first), dtype),
        W2=np.stack(second).astype(dtype),
        b2=np.zeros((len(first), classes), dtype),
    )


def train(
    models: Models, examples: Examples, log10_lambdas: Sequence[float], training: Training
) -> Accuracies:
    """Train in place from the weights the models have, the schedule from its start.

    ``log10_lambdas`` (K,) has each model's own. A remainder of the examples that fills no
    mini-batch is left out. Accuracies are measured at ends of epochs at which the learning rate is
    at most a quarter of its top: where it is higher, they are far from their highest.
    """
    lam = 10.0 ** np.asarray(log10_lambdas, np.float64)
    rate, batch = schedule_of(training), training.batch_size
    per_epoch = len(examples.train_y) // batch
    rows: tuple[list[Floats], list[Floats]] = ([], [])
    epochs = []
    for update in range(training.updates):
        part = slice(update % per_epoch * batch, (update % per_epoch + 1) * batch)
        step(models, examples.train_x[part], examples.train_y[part], eta=rate(update), lam=lam)
        if (update + 1) % per_epoch == 0 and rate(update + 1) <= training.eta_max / 4 * (1 + 1e-3):
            epochs.append((update + 1) // per_epoch)
            rows[0].append(accuracy(models, examples.train_x, examples.train_y))
            rows[1].append(accuracy(models, examples.validation_x, examples.validation_y))
    return Accuracies(epochs=tuple(epochs), train=np.array(rows[0]), validation=np.array(rows[1]))


def handed_on(
    models: Models,
    examples: Examples,
    log10_lambdas: Sequence[Sequence[float]],
    training: Training,
) -> list[Accuracies]:
    """Train one λ after another, each from the weights that the one before it left.

    ``log10_lambdas`` (positions, K): each model goes through an order of its own.
    """
    return [train(models, examples, row, training) for row in log10_lambdas]


def step(models: Models, x: Floats, y: Labels, *, eta: float, lam: Floats) -> None:
    """Take one step of gradient descent on loss + λ·Σ‖W‖², in place; biases are not penalised."""
    hidden, scores = _forward(models, x)
    error = _softmax(scores)
    error[:, np.arange(len(y)), y] -= 1
    error /= len(y)
    back = (error @ models.W2.transpose(0, 2, 1)) * (hidden > 0)
    wide = back.transpose(1, 0, 2).reshape(len(y), -1)
    keep = (1 - 2 * eta * lam).astype(models.W1.dtype)
    rate = models.W1.dtype.type(eta)
    models.W2 *= keep[:, None, None]
    models.W2 -= rate * (hidden.transpose(0, 2, 1) @ error)
    models.b2 -= rate * error.sum(axis=1)
    models.W1 *= np.repeat(keep, hidden.shape[2])
    models.W1 -= x.T @ (rate * wide)
    models.b1 -= rate * wide.sum(axis=0)


def accuracy(models: Models, x: Floats, y: Labels) -> Floats:
    """Return the share of right answers of each model (K,)."""
    right = np.zeros(len(models.W2))
    for start in range(0, len(y), ROWS):
        scores = _forward(models, x[start : start + ROWS])[1]
        right += (scores.argmax(axis=2) == y[start : start + ROWS]).sum(axis=1)
    return right / len(y)


def _forward(models: Models, x: Floats) -> tuple[Floats, Floats]:
    """Return what the hidden units give (K, n, H), and the scores (K, n, C)."""
    wide = x @ models.W1
    wide += models.b1
    np.maximum(wide, 0, out=wide)
    hidden = wide.reshape(len(x), len(models.W2), -1).transpose(1, 0, 2)
    return hidden, hidden @ models.W2 + models.b2[:, None]


def _softmax(scores: Floats) -> Floats:
    power = np.exp(scores - scores.max(axis=2, keepdims=True))
    return np.asarray(power / power.sum(axis=2, keepdims=True))

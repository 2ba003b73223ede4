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
from sklearn.datasets import load_diabetes, load_digits

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
    weights: None = None


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
class Quantities(Images):
    """The same of targets that are quantities, with the moments that standardised them."""

    target_mean: float = 0.0
    target_std: float = 1.0


def diabetes(
    dtype: npt.DTypeLike = np.float32, train: int = 240, held_out: int = 100
) -> Quantities:
    """Return the first of scikit-learn's diabetes data, normalised by the training split."""
    raw, y = load_diabetes(return_X_y=True, scaled=False)
    mean, std = raw[:train].mean(axis=0), raw[:train].std(axis=0)
    x = ((raw - mean) / std).astype(dtype)
    centre, spread = float(y[:train].mean()), float(y[:train].std())
    targets = ((y - centre) / spread).astype(dtype)
    validation, test = slice(train, train + held_out), slice(train + held_out, None)
    return Quantities(
        train_x=np.ascontiguousarray(x[:train]),
        train_y=targets[:train],
        validation_x=np.ascontiguousarray(x[validation]),
        validation_y=targets[validation],
        mean=mean.astype(np.float32),
        std=std.astype(np.float32),
        raw_validation_x=raw[validation],
        test=(np.ascontiguousarray(x[test]), targets[test]),
        target_mean=centre,
        target_std=spread,
    )


@dataclass(frozen=True)
class Chain:
    """What a network is, for `Textbook`, by the keys of a study file."""

    hidden: tuple[int, ...] = (8,)
    activation: str = "relu"
    initialisation: str = "scaled"
    batch_norm: bool = False
    dropout: float = 0.0
    input_dropout: float = 0.0


def _activated(name: str, z: Array) -> tuple[Array, Array]:
    """The activations and their slopes."""
    if name == "tanh":
        return np.tanh(z), 1 / np.cosh(z) ** 2
    leak = {"relu": 0.0, "leaky_relu": 0.01}[name]
    return np.where(z > 0, z, leak * z), np.where(z > 0, 1.0, leak)


@dataclass
class Textbook:
    """One network in float64, its arrays by name, and its curves by name."""

    chain: Chain
    arrays: dict[str, Array]
    curves: dict[str, list[float]] = field(default_factory=dict)
    optimiser: str = "sgd"
    moments: dict[str, Array] = field(default_factory=dict)

    @property
    def depth(self) -> int:
        """The number of layers."""
        return len(self.chain.hidden) + 1

    def scores(self, x: Array) -> Array:
        """Return class scores as a trained network has them."""
        for layer in range(1, self.depth):
            z = x @ self.arrays[f"W{layer}"]
            if self.chain.batch_norm:
                deviation = np.sqrt(self.arrays[f"variance{layer}"] + 1e-5)
                z = self.arrays[f"gamma{layer}"] * (z - self.arrays[f"mean{layer}"]) / deviation
            x, _ = _activated(self.chain.activation, z + self.arrays[f"b{layer}"])
        return np.asarray(x @ self.arrays[f"W{self.depth}"] + self.arrays[f"b{self.depth}"])

    def loss_and_hits(self, x: Array, y: Array) -> tuple[float, Array]:
        """Return the mean cross-entropy and which images are classified rightly."""
        return _loss_and_hits(self.scores(x), y)

    def penalty(self, lam: float) -> float:
        """Return λΣ‖W‖²."""
        return lam * sum(float((one**2).sum()) for name, one in self.arrays.items() if "W" in name)

    def loss_and_gradients(
        self, x: Array, y: Array, seed: Sequence[int] = (), update: int = 0
    ) -> tuple[float, Array, dict[str, Array]]:
        """Return loss, hits, and the gradients of the loss of a mini-batch."""
        arrays, found, kept = self.arrays, dict[str, Array](), []
        if self.chain.input_dropout:
            x = x * _mask(self.chain.input_dropout, x.shape, seed, update, 0)
        for layer in range(1, self.depth):
            z, norm = x @ arrays[f"W{layer}"], _Norm()
            if self.chain.batch_norm:
                norm = _Norm.of(z)
                self._run(layer, z)
                z = arrays[f"gamma{layer}"] * norm.normalised
            out, slope = _activated(self.chain.activation, z + arrays[f"b{layer}"])
            if self.chain.dropout:
                mask = _mask(self.chain.dropout, z.shape, seed, update, layer)
                out, slope = out * mask, slope * mask
            kept.append((x, slope, norm))
            x = out
        last = self.depth
        scores = x @ arrays[f"W{last}"] + arrays[f"b{last}"]
        if y.dtype.kind == "f":  # a quantity: the mean of (prediction − target)²
            error = 2 * (scores - y[:, None]) / len(y)
        else:
            error = np.exp(log_softmax(scores, axis=1))
            error[np.arange(len(y)), y] -= 1
            error /= len(y)
        found |= {f"W{last}": x.T @ error, f"b{last}": error.sum(axis=0)}
        for layer in range(last - 1, 0, -1):
            x, slope, norm = kept[layer - 1]
            error = error @ arrays[f"W{layer + 1}"].T * slope
            found[f"b{layer}"] = error.sum(axis=0)
            if self.chain.batch_norm:
                found[f"gamma{layer}"] = (error * norm.normalised).sum(axis=0)
                error = norm.back(error * arrays[f"gamma{layer}"])
            found[f"W{layer}"] = x.T @ error
        return *_loss_and_hits(scores, y), found

    def _run(self, layer: int, z: Array) -> None:
        for name, value in (("mean", z.mean(axis=0)), ("variance", z.var(axis=0, ddof=1))):
            before = self.arrays[f"{name}{layer}"]
            self.arrays[f"{name}{layer}"] = 0.9 * before + 0.1 * value

    def step(self, gradients: dict[str, Array], update: int, eta: float, lam: float) -> None:
        """Do one step on loss + λΣ‖W‖², update counted from 0; μ = 0.9, β₂ = 0.999, ε = 1e-8."""
        for name, gradient in gradients.items():
            W = self.arrays[name]
            pull = 2 * lam * W if "W" in name else 0 * W
            if self.optimiser == "adamw":
                step = self._adam(name, gradient, update + 1) + pull
            elif self.optimiser == "adam":
                step = self._adam(name, gradient + pull, update + 1)
            elif self.optimiser == "sgd":
                step = gradient + pull
            else:
                step = self._momentum(name, gradient + pull)
            self.arrays[name] = W - eta * step

    def _momentum(self, name: str, gradient: Array) -> Array:
        v = self.moments[name] = 0.9 * self.moments.get(name, 0 * gradient) + gradient
        return gradient + 0.9 * v if self.optimiser == "nesterov" else v

    def _adam(self, name: str, gradient: Array, t: int) -> Array:
        none = 0 * gradient
        m = 0.9 * self.moments.get(f"m {name}", none) + 0.1 * gradient
        s = 0.999 * self.moments.get(f"s {name}", none) + 0.001 * gradient**2
        self.moments |= {f"m {name}": m, f"s {name}": s}
        return np.asarray(m / (1 - 0.9**t) / (np.sqrt(s / (1 - 0.999**t)) + 1e-8))


@dataclass
class _Norm:
    """Normalisation over a mini-batch, its Jacobian written out."""

    normalised: Array = field(default_factory=lambda: np.empty(0))
    deviation: Array = field(default_factory=lambda: np.empty(0))

    @staticmethod
    def of(z: Array) -> _Norm:
        """Normalise every column."""
        deviation = np.sqrt(z.var(axis=0) + 1e-5)
        return _Norm((z - z.mean(axis=0)) / deviation, deviation)

    def back(self, error: Array) -> Array:
        """Multiply by ∂x̂/∂z = (I − 1/n − x̂ x̂ᵀ/n) / deviation, column by column."""
        count = len(error)
        columns = []
        for column, x in enumerate(self.normalised.T):
            jacobian = np.eye(count) - 1 / count - np.outer(x, x) / count
            columns.append(jacobian @ error[:, column] / self.deviation[column])
        return np.stack(columns, axis=1)


def _mask(
    rate: float, shape: tuple[int, ...], seed: Sequence[int], update: int, layer: int
) -> Array:
    """Inverted dropout at the nearest of 65,536 steps, drawn from the replicate's third stream."""
    sequence = np.random.SeedSequence(tuple(seed), spawn_key=(3, update, layer))
    numbers = np.random.PCG64(sequence).random_raw(shape[0] * shape[1] // 4 + 1)
    quarters = [[(int(one) >> shift) & 0xFFFF for shift in (0, 16, 32, 48)] for one in numbers]
    draws = np.array(quarters).ravel()[: shape[0] * shape[1]].reshape(shape)
    dropped = round(rate * 65536)
    return np.where(draws < dropped, 0.0, 65536 / (65536 - dropped))


def _loss_and_hits(scores: Array, y: Array) -> tuple[float, Array]:
    if y.dtype.kind == "f":
        return float(((scores[:, 0] - y) ** 2).mean()), np.zeros(len(y), np.bool_)
    logarithms = log_softmax(scores, axis=1)
    return -float(logarithms[np.arange(len(y)), y].mean()), scores.argmax(axis=1) == y


def _start(chain: Chain, features: int, classes: int, seed: Sequence[int]) -> Textbook:
    rng = np.random.default_rng(np.random.SeedSequence(tuple(seed), spawn_key=(0,)))
    sizes, arrays = (features, *chain.hidden, classes), dict[str, Array]()
    gain = 2.0 if chain.initialisation == "he" else 1.0
    for layer in range(1, len(sizes)):
        shape = (sizes[layer - 1], sizes[layer])
        arrays[f"W{layer}"] = rng.normal(0, 1, shape) * np.sqrt(gain / shape[0])
        arrays[f"b{layer}"] = np.zeros(shape[1])
        if chain.batch_norm and layer < len(sizes) - 1:
            for name, value in (("gamma", 1.0), ("mean", 0.0), ("variance", 1.0)):
                arrays[f"{name}{layer}"] = np.full(shape[1], value)
    return Textbook(chain, arrays)


def textbook_training(
    images: Images,
    *,
    lam: float,
    chain: Chain,
    classes: int,
    seed: Sequence[int],
    batch_size: int,
    step_size: int,
    cycles: int,
    eta_min: float,
    eta_max: float,
    points: Sequence[int],
    optimiser: str = "sgd",
) -> Textbook:
    """Train one net under the triangular schedule; sample its curves after the updates given."""
    count, features = images.train_x.shape
    net = _start(chain, features, classes, seed)
    net.optimiser = optimiser
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
        loss, right, gradients = net.loss_and_gradients(x, y, seed, update)
        losses.append(loss)
        hits.append(float(right.mean()))
        net.step(gradients, update, float(np.interp(update, knots, heights)), lam)
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

"""The optimisers' rules: how a part of a parameter is stepped by its gradient.

Enters: a part of a parameter, its gradient of the loss, its moments, rates. Leaves: all of them
changed in place, by passes over arrays that fit a processor's cache. Refuses to know layers.

With G the gradient of the loss, η the learning rate, t the update from 1, and where it is penalised
g = G + 2λW, else g = G:

- sgd: W ← (1 − 2ηλ) W − ηG.
- momentum: v ← μv + g, W ← W − ηv. nesterov: v ← μv + g, W ← W − η(g + μv)
  (Sutskever et al. 2013, as PyTorch writes it).
- adam: m ← μm + (1 − μ)g, s ← β₂s + (1 − β₂)g², W ← W − η m̂ / (√ŝ + ε) with m̂ = m / (1 − μᵗ),
  ŝ = s / (1 − β₂ᵗ) (Kingma & Ba 2015, arXiv:1412.6980). The penalty is in the cost, so λ means
  what it means everywhere; but large gradients lessen its pull.
- adamw: the same with g = G, and W ← (1 − 2ηλ) W before it (Loshchilov & Hutter 2019,
  arXiv:1711.05101). No cost has this λ: it compares with no other optimiser's.

Moments are kept without the factors 1 − μ and 1 − β₂, which the rates have: after the first update
the first moment is g itself, where the gradient check reads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from lamsearch.results import FloatArray, IntArray
from lamsearch.study import Training
from lamsearch.trainers.network.weights import Weights, columns_of

Moments = dict[str, FloatArray]  # by kind and parameter, such as velocity_V
Doubles = npt.NDArray[np.float64]


class Rates(NamedTuple):
    """What a step multiplies by, one number per model or what broadcasts to a parameter.

    ``eta`` η, of Adam with its corrections; ``decay`` 1 − 2ηλ; ``double`` 2λ; ``epsilon`` (), ε of
    Adam with its corrections.
    """

    eta: FloatArray
    decay: FloatArray
    double: FloatArray
    epsilon: FloatArray

    def of(self, models: slice, axes: int) -> Rates:
        """Return those of some models, for arrays with so many axes after that of the models."""
        part = (models, *(np.newaxis,) * axes)
        return Rates(self.eta[part], self.decay[part], self.double[part], self.epsilon)

    def wide(self, width: int) -> Rates:
        """Return those of each column of models side by side."""
        eta, decay, double = (
            self.eta.repeat(width),
            self.decay.repeat(width),
            self.double.repeat(width),
        )
        return Rates(eta, decay, double, self.epsilon)


class Rule(Protocol):
    """How one part of a parameter is stepped."""

    @property
    def moments(self) -> tuple[str, ...]:
        """The kinds of moments that it keeps, the gradient's first."""
        ...

    def corrected(self, update: int, eta: Doubles) -> tuple[Doubles, float]:
        """Return η and ε of an update, counted from 0, with the rule's corrections."""
        ...

    def step(
        self,
        W: FloatArray,
        gradient: FloatArray,
        moments: Sequence[FloatArray],
        rates: Rates,
        scratch: FloatArray,
        *,
        penalised: bool,
    ) -> None:
        """Step ``W`` in place; the gradient and ``scratch``, of its shape, are used up."""
        ...


class Sgd:
    """Plain gradient descent."""

    moments = ()

    def corrected(self, update: int, eta: Doubles) -> tuple[Doubles, float]:
        """Return η as it is."""
        return eta, 0.0

    def step(
        self,
        W: FloatArray,
        gradient: FloatArray,
        moments: Sequence[FloatArray],
        rates: Rates,
        scratch: FloatArray,
        *,
        penalised: bool,
    ) -> None:
        """Step ``W`` in place."""
        gradient *= rates.eta
        if penalised:
            W *= rates.decay
        W -= gradient


SGD: Rule = Sgd()


@dataclass(frozen=True, slots=True)
class Momentum:
    """Gradient descent with momentum, Nesterov's where asked."""

    momentum: float
    nesterov: bool = False
    moments = ("velocity",)

    def corrected(self, update: int, eta: Doubles) -> tuple[Doubles, float]:
        """Return η as it is."""
        return eta, 0.0

    def step(
        self,
        W: FloatArray,
        gradient: FloatArray,
        moments: Sequence[FloatArray],
        rates: Rates,
        scratch: FloatArray,
        *,
        penalised: bool,
    ) -> None:
        """Step ``W`` in place."""
        (velocity,) = moments
        if penalised:
            np.multiply(W, rates.double, out=scratch)
            gradient += scratch
        velocity *= velocity.dtype.type(self.momentum)
        velocity += gradient
        if self.nesterov:
            np.multiply(velocity, velocity.dtype.type(self.momentum), out=scratch)
            scratch += gradient
            scratch *= rates.eta
        else:
            np.multiply(velocity, rates.eta, out=scratch)
        W -= scratch


@dataclass(frozen=True, slots=True)
class Adam:
    """Adam with the penalty in the cost, or with decay apart from it (``decoupled``)."""

    momentum: float
    beta2: float
    epsilon: float
    decoupled: bool = False
    moments = ("first", "second")

    def corrected(self, update: int, eta: Doubles) -> tuple[Doubles, float]:
        """Return η and ε of an update with the corrections of the moments."""
        t = update + 1
        first = (1 - self.momentum) / (1 - self.momentum**t)
        second = np.sqrt((1 - self.beta2) / (1 - self.beta2**t))
        return eta * (first / second), float(self.epsilon / second)

    def step(
        self,
        W: FloatArray,
        gradient: FloatArray,
        moments: Sequence[FloatArray],
        rates: Rates,
        scratch: FloatArray,
        *,
        penalised: bool,
    ) -> None:
        """Step ``W`` in place."""
        (first, second), kind = moments, W.dtype.type
        if penalised and self.decoupled:
            W *= rates.decay
        elif penalised:
            np.multiply(W, rates.double, out=scratch)
            gradient += scratch
        first *= kind(self.momentum)
        first += gradient
        gradient *= gradient
        second *= kind(self.beta2)
        second += gradient
        np.sqrt(second, out=scratch)
        scratch += rates.epsilon
        np.divide(first, scratch, out=scratch)
        scratch *= rates.eta
        W -= scratch


def rule_of(training: Training) -> Rule:
    """Return the rule that a study's training settings name."""
    momentum = training.momentum
    rules: dict[str, Rule] = {
        "sgd": Sgd(),
        "momentum": Momentum(momentum),
        "nesterov": Momentum(momentum, nesterov=True),
        "adam": Adam(momentum, training.beta2, training.epsilon),
        "adamw": Adam(momentum, training.beta2, training.epsilon, decoupled=True),
    }
    return rules[training.optimiser]


def no_moments(rule: Rule, weights: Weights) -> Moments:
    """Return the moments of a training that begins: zeros."""
    return {
        f"{kind}_{name}": np.zeros_like(array)
        for kind in rule.moments
        for name, array in weights.parameters()
    }


def kept_moments(moments: Moments, models: IntArray, weights: Weights) -> Moments:
    """Return copies of the moments of the models of the given indices, of all of ``weights``."""
    columns = columns_of(models, weights.b[0].shape[1])
    return {
        name: np.ascontiguousarray(array[:, columns]) if name.endswith("_V") else array[models]
        for name, array in moments.items()
    }


def expected_moments(
    moments: Moments, weights: Weights, count: int
) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return type and shape, by name, of such moments of ``count`` models."""
    dtype, width = weights.dtype.name, weights.b[0].shape[1]
    wide = (weights.features, count * width)
    return {
        name: (dtype, wide if name.endswith("_V") else (count, *array.shape[1:]))
        for name, array in moments.items()
    }

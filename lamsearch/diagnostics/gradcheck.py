"""The gradient check: analytic gradients against two oracles that share no code with them.

Enters: a gradient function and the sizes of a reduced problem. Leaves: a `Report` of plain
records. Refuses to know how training uses the gradients and how the report is shown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.diagnostics import oracles
from lamsearch.diagnostics.comparisons import KINDS, Comparison, Report, order
from lamsearch.diagnostics.oracles import Arrays, central_differences, complex_step
from lamsearch.errors import LamsearchError
from lamsearch.metrics import Task
from lamsearch.results import FloatArray, TargetArray
from lamsearch.study import Network, Training
from lamsearch.trainers.network import Gradients, Weights, gradients
from lamsearch.trainers.network.dropout import Dropout, masks_of
from lamsearch.trainers.network.losses import SQUARED_ERROR
from lamsearch.trainers.network.rules import SGD, Rule, rule_of

_WIDEST = (10, 8, 6)  # hidden units of a reduced network's layers; further ones have the last

# weights, x (B, F), targets (B,), λ (K,) → gradients; where asked rule, dropout, loss and
# example_weights (B,), by name
Gradient = Callable[..., Gradients]


def check(
    gradient: Gradient = gradients,
    *,
    features: int = 40,
    hidden: int | Sequence[int] = 10,
    classes: int = 10,
    network: Network | None = None,
    rule: Rule = SGD,
    lambdas: Sequence[float] = (0.0, 1e-3, 1e-1, 1.0),
    batch_sizes: Sequence[int] = (1, 8, 32),
    seeds: Sequence[int] = (0, 1, 2),
    weighted: bool = False,
) -> Report:
    """Compare ``gradient`` with both oracles in float64 on random models and examples.

    For each seed and batch size there is a stack of one model per λ, all with weights, biases and
    running scales of their own; each model is checked within the stack and alone.

    Args:
        gradient: weights, x (B, F), targets (B,), λ (K,) → gradients of the K models' costs.
        features: F of the reduced problem.
        hidden: hidden units of each layer of each model.
        classes: classes; 0 where a quantity is predicted.
        network: what stands between the layers; the models' rates of dropout differ up to its own.
        rule: the optimiser's, whose gradients are compared; decay apart from the cost is not in
            them.
        lambdas: the λ of each model of the stack.
        batch_sizes: the examples of each mini-batch.
        seeds: of weights, examples and targets.
        weighted: whether each example's loss has a weight of its own.

    Raises:
        LamsearchError: ``gradient`` returned an array of the wrong shape.
    """
    comparisons: list[Comparison] = []
    network = network or Network()
    units = (hidden,) if isinstance(hidden, int) else tuple(hidden)
    for seed in seeds:
        for batch_size in batch_sizes:
            rng = np.random.default_rng([seed, batch_size])
            sizes = (features, *units, classes or 1)
            weights = _random_weights(len(lambdas), sizes, network, rng)
            x = rng.standard_normal((batch_size, features))
            options: dict[str, Any] = {} if rule is SGD else {"rule": rule}
            if classes:
                targets: TargetArray = rng.integers(classes, size=batch_size)
            else:
                targets, options["loss"] = rng.standard_normal(batch_size), SQUARED_ERROR
            dropout = _dropout(network, len(lambdas), seed)
            if dropout.drops:
                options["dropout"] = dropout
            if weighted:
                options["example_weights"] = rng.uniform(0.2, 3.0, batch_size)
            for problem in _problems(weights, x, targets, lambdas, options):
                comparisons += problem.compare(gradient, seed)
    return Report(comparisons=tuple(comparisons))


def check_network(
    network: Network, training: Training, task: Task = "classification", *, weighted: bool = False
) -> Report:
    """Compare the gradients of a study's network, at its depth, with narrow layers, as its
    optimiser is given them; ``weighted`` says whether its examples have weights."""
    widest = (*_WIDEST, *(_WIDEST[-1:] * len(network.units)))
    units = tuple(map(min, network.units, widest))
    # over very few examples batch norm bends more than central differences can follow
    sizes = (8, 32) if network.batch_norm else (1, 8, 32)
    return check(
        features=24,
        hidden=units,
        classes=10 if task == "classification" else 0,
        network=network,
        batch_sizes=sizes,
        rule=rule_of(training),
        weighted=weighted,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    """One model, and what the oracles say of it: numerical gradients, entries across a kink."""

    weights: Weights
    index: int
    x: FloatArray
    targets: TargetArray
    lambdas: npt.NDArray[np.float64]
    options: Mapping[str, Any]
    central: Arrays
    across: Arrays
    complex_step: Arrays

    def compare(self, gradient: Gradient, seed: int) -> Iterator[Comparison]:
        """Yield the comparisons of the model alone and, if there are others, in its stack."""
        here = np.array([self.index])
        own = {
            name: option.keep(here) if isinstance(option, Dropout) else option
            for name, option in self.options.items()
        }
        alone = gradient(self.weights.keep(here), self.x, self.targets, self.lambdas[here], **own)
        yield from self._against(alone, 1, 0, seed)
        if self.weights.count > 1:
            stacked = gradient(self.weights, self.x, self.targets, self.lambdas, **self.options)
            yield from self._against(stacked, self.weights.count, self.index, seed)

    def _against(self, found: Gradients, count: int, index: int, seed: int) -> Iterator[Comparison]:
        for name in sorted(self.central, key=order):
            shape = (count, *self.central[name].shape)
            array: npt.NDArray[Any] = found[name]
            if array.shape != shape:
                rule = f"the gradient of {name} must have the shape (models, …) = {shape}"
                raise LamsearchError(f"{rule}, got {array.shape}")
            analytic, smooth = array[index], ~self.across[name]
            yield Comparison(
                array=name,
                lam=float(self.lambdas[self.index]),
                batch_size=len(self.targets),
                seed=seed,
                models=count,
                central_error=_error(analytic, self.central[name], smooth),
                oracle_error=_error(analytic, self.complex_step[name], np.ones_like(smooth)),
                entries=int(smooth.sum()),
                kinks=int(smooth.size - smooth.sum()),
            )


def _problems(
    weights: Weights,
    x: FloatArray,
    targets: TargetArray,
    lambdas: Sequence[float],
    options: Mapping[str, Any],
) -> Iterator[_Problem]:
    decoupled = getattr(options.get("rule"), "decoupled", False)
    for index, lam in enumerate(lambdas):
        factors = _factors(options.get("dropout"), weights, len(x), index)
        squared = options.get("loss") is SQUARED_ERROR
        shares = options.get("example_weights", 1.0)
        oracle = oracles.Network(weights.activation, factors, shares, squared=squared)
        plain: Arrays = {
            name: array for name, array in weights.of_model(index).items()
            if name.startswith(KINDS)
        }  # fmt: skip
        central, across = central_differences(oracle, plain, x, targets, 0 if decoupled else lam)
        yield _Problem(
            weights=weights,
            index=index,
            x=x,
            targets=targets,
            lambdas=np.asarray(lambdas, np.float64),
            central=central,
            across=across,
            options=options,
            complex_step=complex_step(oracle, plain, x, targets, 0 if decoupled else lam),
        )


def _random_weights(
    count: int, sizes: tuple[int, ...], network: Network, rng: np.random.Generator
) -> Weights:
    """Return models that differ in everything, with scales other than 1, in float64.

    ``sizes`` are features, hidden units and outputs.
    """
    scale = rng.uniform(0.5, 2.0, count)
    (features, width), *further = pairwise(sizes)
    first = rng.standard_normal((features, count, width)) / np.sqrt(features) / scale[:, None]
    W, b = [first.reshape(features, count * width)], [rng.standard_normal((count, width)) / 10]
    for above, below in further:
        W.append(rng.standard_normal((count, above, below)) / np.sqrt(above))
        b.append(rng.standard_normal((count, below)) / 10)
    normed = sizes[1:-1] if network.batch_norm else ()
    return Weights(
        scale=scale,
        W=W,
        b=b,
        gamma=[rng.uniform(0.5, 1.5, (count, size)) for size in normed],
        mean=[np.zeros((count, size)) for size in normed],
        variance=[np.ones((count, size)) for size in normed],
        activation=network.activation,
    )


def _dropout(network: Network, models: int, seed: int) -> Dropout:
    """Rates from half a network's to its own, from model to model."""
    shares = np.linspace(0.5, 1.0, models)
    hidden = [shares * network.dropout for _ in network.units]
    return Dropout(seed=(seed,), rates=(shares * network.input_dropout, *hidden))


def _factors(
    dropout: Dropout | None, weights: Weights, batch: int, index: int
) -> dict[int, FloatArray]:
    """What dropout multiplies the values of each layer of a model by at the first update."""
    if dropout is None:
        return {}
    sizes, found = (weights.features, *weights.sizes[:-1]), {}
    for layer, masks in enumerate(masks_of(dropout, batch, sizes, weights.dtype)):
        if masks is not None:
            masks.draw(0)
            found[layer] = masks.factors[:, index % masks.factors.shape[1]]
    return found


def _error(analytic: FloatArray, numerical: FloatArray, compared: npt.NDArray[np.bool_]) -> float:
    """Return max|a − n| over the compared entries / max|a|; 0 where both are 0."""
    size = float(np.abs(analytic).max())
    difference = float(np.abs(analytic - numerical)[compared].max(initial=0.0))
    if difference == 0:
        return 0.0
    error = difference / size if size > 0 else math.inf
    return error if math.isfinite(error) else math.inf

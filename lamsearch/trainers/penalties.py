"""What λ is in each of scikit-learn's estimators: which parameter, and its value.

Enters: an estimator's class and parameters, λ, what it is trained on. Leaves: the parameter's name
and value, or why there is none. Imports no scikit-learn: classes are known by their names.

Everywhere cost = mean loss + λ·Σ‖W‖². A library that adds up losses instead of averaging them, that
halves the penalty or the squared error, or that divides by a mini-batch, has a parameter of another
size for the same minimum. tests/trainers/test_trainers_penalties.py proves each row by a fit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Parameters = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What an estimator is trained on: so many ``examples``, whose weights sum to ``weight``.

    The weights are those of examples times those of classes; without any, ``weight`` is the number
    of examples, n.
    """

    examples: int
    weight: float

    @classmethod
    def on(cls, examples: int) -> Trained:
        """Return so many examples, each of weight 1."""
        return cls(examples=examples, weight=float(examples))


def _always(_: Parameters) -> str | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Penalty:
    """How an estimator takes λ.

    Args:
        parameter: its own parameter.
        formula: its value in words; n is the sum of weights.
        loss: which loss it is the mean of.
        value: λ, what is trained on, the estimator's parameters → the parameter's value.
        rule: the estimator's parameters → what they must be for this to hold; None where it does.
    """

    parameter: str
    formula: str
    loss: str
    value: Callable[[float, Trained, Parameters], float]
    rule: Callable[[Parameters], str | None] = _always


def penalty_of(kind: type) -> Penalty | None:
    """Return how a class takes λ, by its own name or a base's; None where it does not.

    Only scikit-learn's own classes and what is derived from them; one that searches its penalty
    itself (``LogisticRegressionCV``) has no parameter for it.
    """
    for base in kind.__mro__:
        if base.__module__.partition(".")[0] == "sklearn" and base.__name__ in PENALTIES:
            found = PENALTIES[base.__name__]
            names: list[str] = getattr(kind, "_get_param_names", list)()
            return found if found.parameter in names else None
    return None


def batch_of(parameters: Parameters, examples: int) -> float:
    """Return the mini-batch that an MLP divides its penalty by.

    ``lbfgs`` takes all examples at once. The last mini-batch of an epoch may be smaller, and its
    penalty weighs more: over an epoch 1/B is the mean of 1/size, which is exactly the batch size
    where that divides the number of examples.
    """
    if parameters.get("solver") == "lbfgs":
        return float(examples)
    if parameters.get("early_stopping"):
        examples -= math.ceil(examples * parameters.get("validation_fraction", 0.1))
    asked = parameters.get("batch_size", "auto")
    size = min(200, examples) if asked == "auto" else min(max(asked, 1), examples)
    whole, rest = divmod(examples, size)
    return (whole + bool(rest)) / (whole / size + (1 / rest if rest else 0.0))


def _inverse(lam: float, trained: Trained, _: Parameters) -> float:
    """Sums of losses and half the penalty: C = 1/(2nλ)."""
    return 1 / (2 * trained.weight * lam)


def _sum(lam: float, trained: Trained, _: Parameters) -> float:
    """Sums of losses and the whole penalty: α = nλ."""
    return trained.weight * lam


def _half(lam: float, _trained: Trained, parameters: Parameters) -> float:
    """Means of losses and half the penalty: α = 2λ; where the square is halved as well, α = λ."""
    return lam if _halved(parameters) else 2 * lam


def _stochastic(lam: float, trained: Trained, parameters: Parameters) -> float:
    """As `_half`; weights multiply an example's loss, and what is averaged over is their number."""
    return _half(lam, trained, parameters) * trained.weight / trained.examples


def _batched(lam: float, trained: Trained, parameters: Parameters) -> float:
    """As `_stochastic`, and half the penalty is divided by the mini-batch."""
    return _stochastic(lam, trained, parameters) * batch_of(parameters, trained.examples)


def _batched_square(lam: float, trained: Trained, parameters: Parameters) -> float:
    """As `_batched`, of a regressor, which in older versions had no other loss."""
    return _batched(lam, trained, {"loss": "squared_error", **parameters})


def _halved(parameters: Parameters) -> bool:
    """Whether the loss is half the squared error."""
    return parameters.get("loss") == "squared_error" or parameters.get("power") == 0


def _l2_alone(parameters: Parameters) -> str | None:
    if parameters.get("penalty", "l2") not in ("l2", "deprecated"):
        return 'penalty="l2"'
    if parameters.get("penalty") == "deprecated" and parameters.get("l1_ratio"):
        return "l1_ratio=0"
    return None


_C = "1 / (2nλ)"
_SGD = "2λ; λ where the loss is squared_error"
PENALTIES: Mapping[str, Penalty] = {
    "LogisticRegression": Penalty(
        parameter="C", formula=_C, loss="log loss", value=_inverse, rule=_l2_alone
    ),
    "LinearSVC": Penalty(
        parameter="C", formula=_C, loss="hinge or squared hinge", value=_inverse, rule=_l2_alone
    ),
    "SVC": Penalty(parameter="C", formula=_C, loss="hinge", value=_inverse),
    "LinearSVR": Penalty(
        parameter="C", formula=_C, loss="ε-insensitive or its square", value=_inverse
    ),
    "SVR": Penalty(parameter="C", formula=_C, loss="ε-insensitive", value=_inverse),
    "Ridge": Penalty(parameter="alpha", formula="nλ", loss="squared error", value=_sum),
    "RidgeClassifier": Penalty(
        parameter="alpha", formula="nλ", loss="squared error of ±1", value=_sum
    ),
    "KernelRidge": Penalty(parameter="alpha", formula="nλ", loss="squared error", value=_sum),
    "HuberRegressor": Penalty(
        parameter="alpha", formula="nλ", loss="Huber's, with its scale", value=_sum
    ),
    "SGDClassifier": Penalty(
        parameter="alpha", formula=_SGD, loss="the one named", value=_stochastic, rule=_l2_alone
    ),
    "SGDRegressor": Penalty(
        parameter="alpha", formula=_SGD, loss="the one named", value=_stochastic, rule=_l2_alone
    ),
    "Perceptron": Penalty(
        parameter="alpha", formula="2λ", loss="the perceptron's", value=_stochastic, rule=_l2_alone
    ),
    "PoissonRegressor": Penalty(
        parameter="alpha", formula="2λ", loss="half the deviance", value=_half
    ),
    "GammaRegressor": Penalty(
        parameter="alpha", formula="2λ", loss="half the deviance", value=_half
    ),
    "TweedieRegressor": Penalty(
        parameter="alpha", formula="2λ; λ where power is 0",
        loss="half the deviance; squared error where power is 0", value=_half,
    ),
    "MLPClassifier": Penalty(
        parameter="alpha", formula="2λ · mini-batch", loss="log loss", value=_batched
    ),
    "MLPRegressor": Penalty(
        parameter="alpha", formula="λ · mini-batch; 2λ · mini-batch where the loss is poisson",
        loss="squared error, or half the deviance", value=_batched_square,
    ),
}  # fmt: skip

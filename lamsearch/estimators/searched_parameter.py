"""Which parameter of an estimator λ goes into, and its value.

Enters: an estimator, perhaps the parameter's name and a converter. Leaves: a name and a function of
λ, or one sentence. Refuses to know examples beyond their number and weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.trainers.penalties import PENALTIES, Penalty, Trained, penalty_of

Converter = Callable[[float, float], float]  # λ, n → the parameter's value


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchedParameter:
    """A parameter by its whole name, and the path of the estimator whose own it is.

    Its value is the table's (``penalty``), a ``converter``'s, or λ itself.
    """

    name: str
    path: str
    penalty: Penalty | None = None
    converter: Converter | None = None

    def value(self, estimator: Any, lam: float, y: Any, weights: Any) -> float:
        """Return its value for λ, where an estimator is trained on labels ``y`` with weights."""
        owner = owner_of(estimator, self.path)
        trained = trained_on(owner, y, weights)
        if self.converter is not None:
            return self.converter(lam, trained.weight)
        if self.penalty is None:
            return lam
        return self.penalty.value(lam, trained, owner.get_params())

    def of_fit(self, key: str) -> str:
        """Return the name under which the owner's ``fit`` gets an argument."""
        return f"{self.path}__{key}" if self.path else key


def searched_parameter(
    estimator: Any, parameter: str | None, converter: Converter | None
) -> SearchedParameter:
    """Find the parameter, by the table unless it is named.

    Raises:
        ValueError: There is none of that name, none in the table, or its penalty is another one.
    """
    if parameter is None:
        path = _last_step(estimator)
        owner = owner_of(estimator, path)
        found = penalty_of(type(owner))
        if found is None:
            known = ", ".join(PENALTIES)
            raise ValueError(
                f"parameter: must be given, for an L2 penalty is known of {known} alone, "
                f"got {type(owner).__name__}"
            )
        name = f"{path}__{found.parameter}" if path else found.parameter
    else:
        name, (path, _, last) = parameter, parameter.rpartition("__")
        if parameter not in estimator.get_params():
            raise ValueError(f"parameter: must be one of the estimator's, got {parameter!r}")
        owner = owner_of(estimator, path)
        found = penalty_of(type(owner))
        if found is not None and found.parameter != last:
            found = None
    if found is not None and converter is None and (rule := found.rule(owner.get_params())):
        raise ValueError(f"estimator: {type(owner).__name__} must have {rule}: its penalty is no λ")
    return SearchedParameter(name=name, path=path, penalty=found, converter=converter)


def owner_of(estimator: Any, path: str) -> Any:
    """Return the estimator at a path such as ``scale__clf``; itself where that is empty."""
    return estimator.get_params()[path] if path else estimator


def trained_on(owner: Any, y: Any, weights: npt.NDArray[np.float64] | None) -> Trained:
    """Return how many examples an estimator is trained on, and the sum of their weights.

    Weights of classes count as well; ``balanced`` ones leave the sum as it is.
    """
    count = len(y)
    own = np.ones(count) if weights is None else weights
    by_class = getattr(owner, "class_weight", None)
    if isinstance(by_class, dict):
        from sklearn.utils.class_weight import compute_sample_weight

        own = own * compute_sample_weight(by_class, y)
    return Trained(examples=count, weight=float(own.sum()))


def _last_step(estimator: Any) -> str:
    """Return the path of a pipeline's last step, of pipelines in it too."""
    names = []
    while steps := getattr(estimator, "steps", None):
        name, estimator = steps[-1]
        names.append(name)
    return "__".join(names)

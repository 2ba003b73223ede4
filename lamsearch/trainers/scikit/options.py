"""[trainer] of the trainer `sklearn`: the estimator's name, and its own parameters.

Enters: the keys of a study file. Leaves: options, or what is wrong with them by scikit-learn's own
rules; and what a study asks of an estimator that cannot give it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

from lamsearch.errors import Issue
from lamsearch.metrics import OF_CLASSES
from lamsearch.study import Study
from lamsearch.trainers.scikit.catalogue import DECIDED, estimator_class, penalty

_LINEAR = (
    "LogisticRegression", "LinearSVC", "RidgeClassifier", "SGDClassifier", "Perceptron",
    "Ridge", "HuberRegressor", "LinearSVR", "SGDRegressor",
)  # fmt: skip
_LAYERED = ("MLPClassifier", "MLPRegressor")


class Options(BaseModel):
    """What a study file says of an estimator; λ and the seed are not its to say."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)
    __pydantic_extra__: dict[str, JsonValue] = Field(init=False)

    estimator: str = Field(description="a class of scikit-learn's that has an L2 penalty")

    @property
    def parameters(self) -> dict[str, Any]:
        """The estimator's own parameters."""
        return dict(self.__pydantic_extra__)

    def made(self) -> Any:
        """Return the estimator, not fitted."""
        return estimator_class(self.estimator)(**self.parameters)

    @field_validator("estimator")
    @classmethod
    def _known(cls, name: str) -> str:
        estimator_class(name)
        return name

    @model_validator(mode="after")
    def _as_scikit_learn_has_it(self) -> Options:
        if found := next(_rules(self.estimator, self.parameters), None):
            raise ValueError(found)
        return self


def _rules(name: str, given: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with an estimator's parameters."""
    from sklearn.utils._param_validation import (
        InvalidParameterError,
        validate_parameter_constraints,
    )

    kind, row = estimator_class(name), penalty(name)
    known = [key for key in kind._get_param_names() if key not in (*DECIDED, row.parameter)]
    for key, value in given.items():
        if key == row.parameter:
            yield f"{key} must not be given: λ becomes it, {key} = {row.formula}"
        elif key in DECIDED:
            yield f"{key} must not be given: it is the study's and its workers'"
        elif key not in known:
            yield f"{key} must be a parameter of {name}: {', '.join(known)}"
        elif isinstance(value, dict):
            yield f"{key} must be no table"
    try:
        validate_parameter_constraints(kind._parameter_constraints, given, caller_name=name)
    except InvalidParameterError as error:
        yield str(error).rstrip(".")
    if rule := row.rule(kind(**given).get_params()):
        yield f"{name} must have {rule}: its penalty is no λ otherwise"


def study_issues(study: Study, options: BaseModel) -> Iterator[Issue]:
    """Yield what a study asks of its estimator that it cannot give."""
    assert isinstance(options, Options)  # noqa: S101  # as the kind declares
    from sklearn.base import is_classifier

    made, name, metric = options.made(), options.estimator, study.metric
    if is_classifier(made) != (study.task == "classification"):
        task = "classification" if is_classifier(made) else "regression"
        rule = f"must be a metric of {task}, as {name} is for it"
        yield Issue(where="metric", rule=rule, value=metric)
    elif is_classifier(made) and metric not in OF_CLASSES and not hasattr(made, "predict_proba"):
        rule = f"must be one of {', '.join(OF_CLASSES)}: {name} has no probabilities"
        yield Issue(where="metric", rule=rule, value=metric)
    if options.parameters.get("loss") == "poisson":
        rule = "must not be poisson: targets are standardised"
        yield Issue(where="trainer.loss", rule=rule, value="poisson")
    if study.final is not None and (reason := _kept(options, metric)):
        yield Issue(where="final", rule=reason)


def _kept(options: Options, metric: str) -> str | None:
    """Why an estimator's models cannot be kept as a chain of layers; None where they can."""
    name, given = options.estimator, options.parameters
    if name in _LAYERED:
        if given.get("activation", "relu") in ("relu", "tanh"):
            return None
        return "needs activation = 'relu' or 'tanh', which models are kept with"
    if name not in _LINEAR:
        return f"needs a trainer whose models can be kept, which those of {name} cannot"
    exact = name == "LogisticRegression" or metric in (*OF_CLASSES, "r2", "mae", "mse")
    if not exact:
        rule = f"needs one of {', '.join(OF_CLASSES)}: the scores that are kept of {name}"
        return f"{rule} are no logarithms of its probabilities"
    return None

"""The estimators that a study may name, and where they are.

Enters: a name of a study file. Leaves: scikit-learn's class, or one sentence. The table of
penalties says what λ is in each; those that need targets above 0 are left out, for trainers see
standardised ones.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from lamsearch.trainers.penalties import PENALTIES, Penalty

MODULES = {
    "LogisticRegression": "sklearn.linear_model",
    "LinearSVC": "sklearn.svm",
    "SVC": "sklearn.svm",
    "LinearSVR": "sklearn.svm",
    "SVR": "sklearn.svm",
    "Ridge": "sklearn.linear_model",
    "RidgeClassifier": "sklearn.linear_model",
    "KernelRidge": "sklearn.kernel_ridge",
    "HuberRegressor": "sklearn.linear_model",
    "SGDClassifier": "sklearn.linear_model",
    "SGDRegressor": "sklearn.linear_model",
    "Perceptron": "sklearn.linear_model",
    "MLPClassifier": "sklearn.neural_network",
    "MLPRegressor": "sklearn.neural_network",
}
# What a study's seed, its workers and its log decide.
DECIDED = ("random_state", "n_jobs", "verbose", "warm_start")


def estimator_class(name: str) -> Any:
    """Return scikit-learn's class of that name.

    Raises:
        ValueError: It is none of the catalogue's.
    """
    if name not in MODULES:
        raise ValueError(f"must be one of {', '.join(MODULES)}, which have an L2 penalty")
    return getattr(import_module(MODULES[name]), name)


def penalty(name: str) -> Penalty:
    """Return how an estimator of the catalogue takes λ."""
    return PENALTIES[name]


def parameter_names() -> list[str]:
    """Return what any of the estimators can be given in a study file, sorted."""
    found = {key for name in MODULES for key in estimator_class(name)._get_param_names()}
    return sorted(found - set(DECIDED))

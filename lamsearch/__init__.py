"""lamsearch finds the L2 penalty λ of a network honestly, fast, and on machines that may die."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from lamsearch.lazily import parts_of

if TYPE_CHECKING:
    from lamsearch.api.ensemble import Ensemble, load_models
    from lamsearch.api.functions import search
    from lamsearch.api.loading import load_results
    from lamsearch.api.result import Result
    from lamsearch.api.running import run
    from lamsearch.client import Client
    from lamsearch.estimators.network import LambdaSearchClassifier, LambdaSearchRegressor
    from lamsearch.estimators.search_cv import LambdaSearchCV
    from lamsearch.objective import Objective

__all__ = [
    "run", "search", "load_results", "load_models", "Result", "Ensemble",
    "LambdaSearchClassifier", "LambdaSearchRegressor", "LambdaSearchCV", "Objective", "Client",
    "__version__",
]  # fmt: skip
__version__ = "0.3.0"

# Optuna and SciPy are loaded when they are wanted, not by `import lamsearch`.
_HOMES = {
    "Client": "client", "Ensemble": "api.ensemble", "LambdaSearchClassifier": "estimators.network",
    "LambdaSearchRegressor": "estimators.network", "LambdaSearchCV": "estimators.search_cv",
    "Objective": "objective",
    "Result": "api.result", "load_models": "api.ensemble", "load_results": "api.loading",
    "run": "api.running",
}  # fmt: skip
__getattr__ = parts_of(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.endswith("__"))})


class _Package(ModuleType):
    """The package, in which `search` is a function though a room has that name too.

    Importing the room binds it to the package as every submodule; `from lamsearch.search import …`
    does not need that.
    """

    @property
    def search(self) -> Any:
        """The function."""
        return import_module("lamsearch.api.functions").search

    @search.setter
    def search(self, room: ModuleType) -> None:
        """Leave the room where it is, in `sys.modules`."""


sys.modules[__name__].__class__ = _Package

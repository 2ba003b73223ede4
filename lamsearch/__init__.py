"""lamsearch finds the L2 penalty λ of a network honestly, fast, and on machines that may die."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lamsearch.client import Client
    from lamsearch.estimators.search_cv import LambdaSearchCV
    from lamsearch.objective import Objective

__all__ = ["Client", "LambdaSearchCV", "Objective", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Optuna and SciPy are loaded when they are wanted, not by `import lamsearch`.
    if name == "Objective":
        from lamsearch.objective import Objective

        return Objective
    if name == "Client":
        from lamsearch.client import Client

        return Client
    if name == "LambdaSearchCV":
        from lamsearch.estimators.search_cv import LambdaSearchCV

        return LambdaSearchCV
    raise AttributeError(f"module 'lamsearch' has no attribute {name!r}")

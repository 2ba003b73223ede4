"""Quantiles of the normal and of Student's distribution. Enters: shares. Leaves: numbers.

SciPy's, which is loaded when one is asked for: most processes never do.
"""

from __future__ import annotations

from functools import cache
from typing import Any


def load() -> None:
    """Load SciPy's functions, which takes a fifth of a second, while there is nothing to do."""
    import scipy.special  # noqa: F401 - loaded alone


@cache
def normal_quantile(share: float) -> float:
    """Return what a standard normal variable stays below in that ``share`` of cases."""
    from scipy.special import ndtri

    return float(ndtri(share))


def student_quantile(freedom: Any, share: float) -> Any:
    """Return the same of Student's t with ``freedom`` degrees, a number or an array of them."""
    from scipy.special import stdtrit

    return stdtrit(freedom, share)

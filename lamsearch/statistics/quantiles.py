"""Quantiles of the normal and of Student's distribution. Enters: shares. Leaves: numbers.

SciPy's, which is loaded when one is asked for: most processes never do.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from lamsearch.scipy_special import special


def load() -> None:
    """Load SciPy's functions."""
    special()


@cache
def normal_quantile(share: float) -> float:
    """Return what a standard normal variable stays below in that ``share`` of cases."""
    return float(special().ndtri(share))


def student_quantile(freedom: Any, share: float) -> Any:
    """Return the same of Student's t with ``freedom`` degrees, a number or an array of them."""
    return special().stdtrit(freedom, share)

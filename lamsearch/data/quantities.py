"""Targets that are quantities: which numbers can be predicted, and their moments.

Enters: an array as it stood in a file, or what a source has read. Leaves: float64 targets in their
own unit, or one sentence. Refuses to know classes and files.

Models are float32 and predict in the target's own unit, and scores per example are kept as float32.
So squares of what varies must have room in it, and what varies must not drown in what is common.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.data.images import Contents
from lamsearch.data.moments import NOISE, Doubles, Order
from lamsearch.errors import DataError, Issue

LARGEST = 1e12  # in size: squares of differences then fit into float32 with room for bad models
SMALLEST = 1e-12  # of standard deviations, likewise
MOST_OFFSET = 1e4  # standard deviations from zero: float32 then keeps each to 0.1 %

Found = list[Issue]


def quantities(array: npt.NDArray[Any] | None, key: str, found: Found) -> Doubles | None:
    """Return an array as targets (n,); None, and why in ``found``, where they cannot be."""
    if array is None:
        return None
    if array.dtype.kind not in "fiu":
        rule = "must be real numbers, for the metric is of a quantity"
        found.append(Issue(where=key, rule=rule, value=str(array.dtype)))
        return None
    if array.ndim != 1 or not len(array):
        rule = "must have one dimension and at least one target"
        found.append(Issue(where=key, rule=rule, value=array.shape))
        return None
    issue = _issue_of_values(array, key)
    if issue is not None:
        found.append(issue)
        return None
    return np.ascontiguousarray(array, np.float64)


def checked(contents: Contents) -> Contents:
    """Return what a source has read, with a note where its targets are one number.

    Raises:
        DataError: They are not what models can predict.
    """
    for key, part in (("targets", contents.pool), ("test targets", contents.test)):
        if part is None:
            continue
        found: Found = []
        quantities(part.y, key, found)
        if not found and part is contents.pool:
            found += _spread_issues(part.y, key)
        if found:
            raise DataError(f"{contents.name}: {found[0]}")
    y = contents.pool.y
    if not _varies(y):
        note = f"all {len(y)} targets are {y[0]:g}: there is nothing to learn"
        return replace(contents, notes=(*contents.notes, note))
    return contents


def target_moments(y: npt.NDArray[Any], order: Order) -> tuple[float, float]:
    """Return mean and standard deviation of the targets in ``order``; 1 where they are one number.

    Differences from the first are summed, so that a constant is exactly one.
    """
    some = y[order]
    if not len(some):
        return 0.0, 1.0
    first = float(some[0])
    apart = some - first
    mean = first + float(apart.mean())
    std = float(apart.std())
    return mean, std if std > NOISE * float(np.abs(some).max()) else 1.0


def standardised(y: npt.NDArray[Any], mean: float, std: float) -> npt.NDArray[np.float32]:
    """Return (y - mean) / std, taken in float64, as float32."""
    return ((y - mean) / std).astype(np.float32)


def _issue_of_values(array: npt.NDArray[Any], key: str) -> Issue | None:
    with np.errstate(invalid="ignore"):
        size = np.abs(array.astype(np.longdouble))
        rules = (("be finite", np.isfinite(size)), (f"lie within ±{LARGEST:g}", size <= LARGEST))
    for rule, good in rules:
        if not good.all():
            row = int(np.argmin(good))
            return Issue(where=f"{key}: row {row}", rule=f"must {rule}", value=float(array[row]))
    return None


def _spread_issues(y: npt.NDArray[Any], key: str) -> Iterator[Issue]:
    if not _varies(y):
        return
    std, size = float(np.std(y)), float(np.abs(y).max())
    if std < SMALLEST:
        rule = f"must have a standard deviation of at least {SMALLEST:g}: take a smaller unit"
        yield Issue(where=key, rule=rule, value=std)
    elif size > MOST_OFFSET * std:
        rule = f"must lie within {MOST_OFFSET:,.0f} standard deviations from 0, for models are "
        rule += f"float32: subtract a constant near {float(np.mean(y)):g}"
        yield Issue(where=key, rule=rule, value=f"{size / std:.3g} standard deviations")


def _varies(y: npt.NDArray[Any]) -> bool:
    low, high = float(np.min(y)), float(np.max(y))
    return high - low > NOISE * max(abs(low), abs(high))

"""A split as plain arrays by name, as a cache keeps them.

Enters: a split, or its arrays. Leaves: the other. Refuses to know files, and how splits are made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from lamsearch.data.cache import Arrays
from lamsearch.data.splits import Splits
from lamsearch.study import ImageShape

TARGET = "target"  # mean and standard deviation of targets that are quantities


def types(name: str, classes: Sequence[str]) -> tuple[type[np.generic], ...]:
    """Return the types that an array of a split can have; quantities have no ``classes``."""
    if name == TARGET:
        return (np.float64,)
    if name.endswith("_y"):
        return (np.int64,) if classes else (np.float32,)
    return (np.float32, np.float64) if name in ("mean", "std") else (np.float32,)


def arrays_of(made: Splits) -> dict[str, Any]:
    """Return a split's arrays."""
    found = {one.name: getattr(made, one.name) for one in fields(Splits)}
    arrays = {name: array for name, array in found.items() if isinstance(array, np.ndarray)}
    if made.train_y.dtype != np.int64:
        arrays[TARGET] = np.array([made.target_mean, made.target_std])
    return arrays


def splits_of(arrays: Arrays, image: ImageShape | None) -> Splits:
    """Return the split of such arrays."""
    plain: dict[str, Any] = dict(arrays)
    mean, std = plain.pop(TARGET, (0.0, 1.0))
    return Splits(**plain, target_mean=float(mean), target_std=float(std), image=image)

"""Points that fill a space, on which a model is looked at. Enters: bounds. Leaves: points."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.space import Bounds, Space

_STEP = 0.01  # in units of a dimension, where there is one
_MANY = 12  # 2^12 points of a Sobol sequence take the grid's place where dimensions are several


def filled(within: Bounds, space: Space, tried: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Points (points, dimensions) that fill the bounds evenly, of the choices that were tried."""
    if len(within) == 1:
        (low, high), (dimension,) = within[0], space.dimensions
        steps = round((high - low) / (_STEP * dimension.unit))
        return np.linspace(low, high, max(2, steps + 1))[:, None]
    from scipy.stats import qmc

    shares = qmc.Sobol(len(within), scramble=False).random_base2(_MANY)
    columns: list[Any] = []
    for index, (dimension, interval) in enumerate(zip(space.dimensions, within, strict=True)):
        if dimension.ordered:
            columns.append([dimension.at_share(interval, float(one)) for one in shares[:, index]])
        else:
            choices = np.unique(tried[:, index])
            columns.append(choices[(shares[:, index] * len(choices)).astype(np.intp)])
    lows, highs = np.array(within).T
    inside = ((lows <= tried) & (tried <= highs)).all(axis=1)
    return np.concatenate([np.stack(columns, axis=1), tried[inside]])

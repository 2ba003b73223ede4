"""A further parameter of a search, as a study file or a database has it.

Enters: a name, and what anybody may have written under it. Leaves: a dimension and its bounds, or
the rule that is broken. Refuses to know which parameters there are.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from lamsearch.dimensions import LAMBDA, Dimension, Interval, Scale

# The scales that a study file gives a further parameter, by the key that does.
AXES = {
    "log": Scale.LOG, "uniform": Scale.LINEAR, "integer": Scale.INTEGER, "choice": Scale.CHOICE,
}  # fmt: skip
PARAMETER_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_SYMBOLS = {"eta_max": "η_max", "eta_min": "η_min", "batch_size": "batch size"}
_QUARTERS = 4  # units in the bounds of a parameter that has no unit of its own
_LARGEST, _WHOLE = 1e15, 2**53
_LEAST_WIDTH = 1e-6  # of bounds, as a share of the larger one; in decades on a logarithmic scale
_MOST_CHOICES, _LONGEST = 50, 100


def axis_of(name: str, entry: Any) -> tuple[Dimension, Interval]:
    """Return a further parameter's dimension, and its bounds, from a study file's entry of it.

    Raises:
        ValueError: The entry breaks a rule, which is the error's text.
    """
    if not PARAMETER_NAME.fullmatch(name):
        raise ValueError("must have a name of lower-case letters, digits and '_', a letter first")
    if name in (LAMBDA.name, LAMBDA.parameter):
        raise ValueError("must not be λ, which is always searched")
    if not isinstance(entry, Mapping) or len(entry) != 1 or not set(entry) <= set(AXES):
        raise ValueError(f"must have one of {', '.join(AXES)}")
    ((key, given),) = entry.items()
    scale, symbol = AXES[key], _SYMBOLS.get(name, name)
    if scale is Scale.CHOICE:
        choices = _choices(given)
        found = Dimension(name=name, symbol=symbol, about=name, scale=scale, choices=choices)
        return found, (0.0, len(choices) - 1.0)
    low, high = _interval(scale, given)
    unit = 1.0 if scale is Scale.LOG else (high - low) / _QUARTERS
    return Dimension(name=name, symbol=symbol, about=name, scale=scale, unit=unit), (low, high)


def _interval(scale: Scale, given: Any) -> Interval:
    """The coordinates of two bounds."""
    whole, kinds = scale is Scale.INTEGER, (int,) if scale is Scale.INTEGER else (int, float)
    if not isinstance(given, (list, tuple)) or len(given) != 2 or not all(
        isinstance(one, kinds) and not isinstance(one, bool) for one in given
    ):  # fmt: skip
        raise ValueError(f"must be two {'whole ' * whole}numbers")
    low, high = given
    most = _WHOLE if whole else _LARGEST
    if not all(-most <= one <= most for one in given):
        raise ValueError(f"must lie within ±{most:g}")
    if scale is Scale.LOG:
        if not low >= 1 / _LARGEST:
            raise ValueError(f"must be at least {1 / _LARGEST:g} on a logarithmic scale")
        low, high = math.log10(low), math.log10(high)
    if not low < high:
        raise ValueError("the lower bound must be below the upper one")
    apart = _LEAST_WIDTH * (1.0 if scale is Scale.LOG else max(abs(low), abs(high)))
    if not whole and high - low < apart:
        raise ValueError(f"the bounds must be at least {apart:g} apart")
    return float(low), float(high)


def _choices(given: Any) -> tuple[Any, ...]:
    if not isinstance(given, (list, tuple)) or not 2 <= len(given) <= _MOST_CHOICES:
        raise ValueError(f"must be 2 to {_MOST_CHOICES} choices")
    for index, one in enumerate(given):
        parts = one if isinstance(one, list) else [one]
        if len(parts) > _MOST_CHOICES or not all(map(_is_plain, parts)):
            rule = "text, a number, true, false, or an array of these"
            raise ValueError(f"each choice must be {rule}")
        if any(one == other or recorded(one) == recorded(other) for other in given[:index]):
            raise ValueError("must have each choice once")
    return tuple(given)


def recorded(choice: Any) -> Any:
    """What Optuna's tables hold of a choice: of an array its JSON text."""
    return json.dumps(choice) if isinstance(choice, (list, tuple)) else choice


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return value.isprintable() and len(value) <= _LONGEST
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and abs(value) <= _WHOLE

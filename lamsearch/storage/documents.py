"""The JSON forms in which our tables keep points, choices and final scores.

Enters: records, or the points and bounds that anybody may have written. Leaves: plain JSON values,
by the names that every version has written, or points and bounds. Refuses to read the rest: see
`reading`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from lamsearch.metrics import DEFAULT_METRIC
from lamsearch.results import FinalScore, Selected
from lamsearch.space import Bounds, Interval, Point, Space

# Keys that were named when accuracy was the only metric.
SCORE = f"validation_{DEFAULT_METRIC.name}"
_FINAL_SCORES = "accuracies"
_BESIDE = DEFAULT_METRIC.name  # of a score by another metric
_COORDINATES = "coordinates"
TRAIN_SCORE = "train_{}"  # of Optuna's attributes of a trial, by the metric's name


def stored_point(point: Point | None) -> list[float] | None:
    """Return a point as a cohort's row keeps it: its coordinates, null where it is open."""
    return None if point is None else list(point)


def point_from(value: Any) -> Point | None:
    """Return the point of a cohort's row.

    Raises:
        ValueError: It is none.
    """
    return None if value is None else tuple(map(_number, _list(value)))


def bounds_from(value: Any) -> Bounds | None:
    """Return the bounds of a stage's row.

    Raises:
        ValueError: They are none.
    """
    return None if value is None else tuple(map(_interval, _list(value)))


def bounds_entry(bounds: Bounds | None) -> dict[str, Any]:
    """Return bounds as an entry of a JSON object; one interval as every version has written it."""
    if bounds is None or len(bounds) == 1:
        return {"interval": None if bounds is None else list(map(float, bounds[0]))}
    return {"bounds": [list(map(float, interval)) for interval in bounds]}


def bounds_of_entry(value: Mapping[str, Any]) -> Bounds | None:
    """Return the bounds of such an object.

    Raises:
        KeyError: It has no such entry.
        ValueError: They are none.
    """
    if "bounds" in value:
        return bounds_from(value["bounds"])
    return None if value["interval"] is None else (_interval(value["interval"]),)


def choice_document(selected: Selected, space: Space) -> dict[str, Any]:
    """Return a choice as a study's row keeps it."""
    return {
        **_choice_entry(selected.point, space),
        "rule": selected.rule,
        SCORE: None if selected.score is None else asdict(selected.score),
        "warnings": selected.warnings,
        "inputs": {stage: asdict(counts) for stage, counts in selected.inputs.items()},
    }


def chosen_point(value: Mapping[str, Any], space: Space) -> Point:
    """Return the point of a choice.

    Raises:
        KeyError: It has none.
        ValueError: It is none of that space.
    """
    named = value if not space.several else value[_COORDINATES]
    point = space.point(named)
    space.check(tuple(map(_number, point)))
    return point


def chosen_entry(value: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """Return what a digest is made of for the point of a choice, whatever stands there."""
    names = [_COORDINATES] if space.several else []
    return {name: value.get(name) for name in (*names, space.dimensions[0].name)}


def final_document(final: FinalScore) -> dict[str, Any]:
    """Return a final score as a study's row keeps it."""
    found = asdict(final)
    found[_FINAL_SCORES] = found.pop("scores")
    for one in filter(None, (found, found["snapshots"])):
        one[_BESIDE] = one.pop("beside")
        for name in (_BESIDE, "baseline"):
            if one.get(name, ...) is None:  # as every version has written it
                del one[name]
    if final.snapshots is None:
        del found["snapshots"]
    return found


def final_fields(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of such a document by their names now.

    Raises:
        KeyError: It has no scores.
    """
    found = {**_renamed(value), "scores": tuple(value[_FINAL_SCORES])}
    del found[_FINAL_SCORES]
    return found | {"snapshots": _renamed(found["snapshots"])} if found.get("snapshots") else found


def _renamed(value: Mapping[str, Any]) -> dict[str, Any]:
    return {"beside" if key == _BESIDE else key: one for key, one in value.items()}


def metric_name(document: Mapping[str, Any]) -> str:
    """Return the name of the metric of a study, by its canonical form."""
    return str(document.get("metric", DEFAULT_METRIC.name))


def _choice_entry(point: Point, space: Space) -> dict[str, Any]:
    """λ as every version has written it; where there are several coordinates, a table of all.

    Another parameter may be called as a key of the document is.
    """
    params = space.params(point)
    first = {space.dimensions[0].name: point[0]}
    return first if len(params) == 1 else {**first, _COORDINATES: params}


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"coordinates must be a list of numbers, got {value!r}")
    return value


def _interval(value: Any) -> Interval:
    low, high = map(_number, _list(value))
    return low, high


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"a coordinate must be a finite number, got {value!r}")
    return float(value)

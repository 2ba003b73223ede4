"""The JSON forms in which our tables keep points, choices and final scores.

Enters: records. Leaves: plain JSON values, by the names that every version has written. Refuses to
read: see `reading`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from lamsearch.metrics import DEFAULT_METRIC
from lamsearch.results import FinalScore, Selected
from lamsearch.space import SPACE, Point

# Keys that were named when accuracy was the only metric.
SCORE = f"validation_{DEFAULT_METRIC.name}"
FINAL_SCORES = "accuracies"
TRAIN_SCORE = "train_{}"  # of Optuna's attributes of a trial, by the metric's name


def stored_point(point: Point | None) -> float | None:
    """Return a point as a cohort's row keeps it: its one coordinate, null where it is open."""
    if point is None:
        return None
    (coordinate,) = point
    return coordinate


def point_from(value: Any) -> Point | None:
    """Return the point of a cohort's row."""
    return None if value is None else (value,)


def choice_document(selected: Selected) -> dict[str, Any]:
    """Return a choice as a study's row keeps it."""
    return {
        **SPACE.params(selected.point),
        "rule": selected.rule,
        SCORE: None if selected.score is None else asdict(selected.score),
        "warnings": selected.warnings,
        "inputs": {stage: asdict(counts) for stage, counts in selected.inputs.items()},
    }


def final_document(final: FinalScore) -> dict[str, Any]:
    """Return a final score as a study's row keeps it."""
    found = asdict(final)
    found[FINAL_SCORES] = found.pop("scores")
    return found


def metric_name(document: Mapping[str, Any]) -> str:
    """Return the name of the metric of a study, by its canonical form."""
    return str(document.get("metric", DEFAULT_METRIC.name))

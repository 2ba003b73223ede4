"""The documents of `status --json`. Enters: a study's status, or a queue. Leaves: JSON values.

Refuses to print a NaN: what is no number is null.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import Any

from lamsearch.metrics import metric_of
from lamsearch.results import QueuedStudy, Selected
from lamsearch.space import Space
from lamsearch.storage import Scored, Status


def status_document(status: Status) -> dict[str, Any]:
    """Return a study at a glance; scores are under the names of their metric as well."""
    default = metric_of(status.metric).is_default
    found, space = {**asdict(status), "best_candidate": None}, status.space
    del found["space"]
    chosen = status.selected
    found["selected"] = None if chosen is None else _selected(chosen, space, default)
    if status.best is not None:
        at, score = status.best
        found["best_candidate"] = {space.dimensions[0].name: at, "score": score}
    found["points"] = [_point(one, space, default) for one in status.points]
    return {key: _finite(value) for key, value in found.items()}


def queue_document(queue: Iterable[QueuedStudy]) -> list[dict[str, Any]]:
    """Return the studies of a queue, in its order."""
    return [queued_document(one) for one in queue]


def queued_document(study: QueuedStudy) -> dict[str, Any]:
    """Return a study as the queue has it."""
    default = metric_of(study.metric).is_default
    names = [field.name for field in fields(study) if field.name != "space"]
    found, chosen = {name: getattr(study, name) for name in names}, study.selected
    found["selected"] = None if chosen is None else _selected(chosen, study.space, default)
    return {key: _finite(value) for key, value in found.items()}


def _selected(selected: Selected, space: Space, default: bool) -> dict[str, Any]:
    score = None if selected.score is None else asdict(selected.score)
    first = space.dimensions[0].name
    named = space.named(selected.point)
    return {
        first: named[first],
        "params": named,
        "rule": selected.rule,
        "score": score,
        "validation_accuracy": score if default else None,
        "warnings": selected.warnings,
        "inputs": {stage: asdict(counts) for stage, counts in selected.inputs.items()},
    }


def _point(one: Scored, space: Space, default: bool) -> dict[str, Any]:
    return {
        "stage": one.stage,
        space.dimensions[0].name: one.at,
        "score": one.score,
        "validation_accuracy": one.score if default else None,
    }


def _finite(value: Any) -> Any:
    """The same with null where a number is none."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

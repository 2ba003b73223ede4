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
from lamsearch.space import SPACE
from lamsearch.storage import Scored, Status


def status_document(status: Status) -> dict[str, Any]:
    """Return a study at a glance; scores are under the names of their metric as well."""
    shares = metric_of(status.metric).proportion
    found = asdict(status)
    found["selected"] = None if status.selected is None else _selected(status.selected, shares)
    found["points"] = [_point(one, shares) for one in status.points]
    return {key: _finite(value) for key, value in found.items()}


def queue_document(queue: Iterable[QueuedStudy]) -> list[dict[str, Any]]:
    """Return the studies of a queue, in its order."""
    return [queued_document(one) for one in queue]


def queued_document(study: QueuedStudy) -> dict[str, Any]:
    """Return a study as the queue has it."""
    shares = metric_of(study.metric).proportion
    found = {field.name: getattr(study, field.name) for field in fields(study)}
    found["selected"] = None if study.selected is None else _selected(study.selected, shares)
    return {key: _finite(value) for key, value in found.items()}


def _selected(selected: Selected, shares: bool) -> dict[str, Any]:
    score = None if selected.score is None else asdict(selected.score)
    return {
        **SPACE.params(selected.point),
        "params": SPACE.params(selected.point),
        "rule": selected.rule,
        "score": score,
        "validation_accuracy": score if shares else None,
        "warnings": selected.warnings,
        "inputs": {stage: asdict(counts) for stage, counts in selected.inputs.items()},
    }


def _point(one: Scored, shares: bool) -> dict[str, Any]:
    return {
        "stage": one.stage,
        SPACE.dimensions[0].name: one.at,
        "score": one.score,
        "validation_accuracy": one.score if shares else None,
    }


def _finite(value: Any) -> Any:
    """The same with null where a number is none."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

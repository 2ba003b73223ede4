"""Decisions as they stand in the database: which batch of candidates, when, and from how much.

Enters: a decision of the search, or JSON that anybody may have written. Leaves: JSON, or decisions.
Refuses to decide, and to believe what is no decision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from lamsearch.results import Counts, Decision, DecisionKind, StageName
from lamsearch.storage.damage import believed
from lamsearch.storage.documents import bounds_entry, bounds_of_entry


def decision_json(decision: Decision) -> dict[str, Any]:
    """Return a decision as plain JSON values."""
    return {
        "kind": decision.kind.value,
        "candidates": list(decision.candidates),
        **bounds_entry(decision.bounds),
        "inputs": {stage: asdict(counts) for stage, counts in decision.inputs.items()},
    }


def decisions_from(value: Sequence[Mapping[str, Any]] | None) -> tuple[Decision, ...]:
    """Return the decisions of a stage's row; those of earlier versions have none.

    Raises:
        ValueError: They are not as they were written, or another error of reading them.
    """
    return tuple(
        believed(
            Decision(
                kind=DecisionKind(one["kind"]),
                candidates=_pair(one["candidates"]),
                bounds=bounds_of_entry(one),
                inputs=inputs_from(one["inputs"]),
            )
        )
        for one in value or ()
    )


def inputs_from(value: Mapping[str, Any] | None) -> dict[StageName, Counts]:
    """Return what a decision was made from; one of an earlier version does not say."""
    found: Mapping[Any, Any] = value or {}
    return {stage: Counts(**counts) for stage, counts in found.items()}


def _pair(value: Sequence[Any]) -> tuple[Any, Any]:
    first, second = value
    return first, second

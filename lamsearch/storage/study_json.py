"""Columns of a study's row that hold JSON, as records: the choice, data facts, the final score.

Enters: what anybody may have written there. Leaves: records whose types fit, or an error that says
where they do not. Knows what earlier versions wrote.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from lamsearch.results import (
    MODEL_RULE,
    DataFacts,
    FinalScore,
    Score,
    ScoreKind,
    Selected,
    StudyRecord,
    columns_document,
)
from lamsearch.search import restated
from lamsearch.space import Space
from lamsearch.statistics import validation_images
from lamsearch.storage.damage import believed
from lamsearch.storage.decisions import inputs_from
from lamsearch.storage.documents import SCORE, chosen_point, final_fields


def selected_from(value: dict[str, Any] | None, space: Space) -> Selected | None:
    """Return the committed choice, a point of that space, from its JSON form."""
    if value is None:
        return None
    score = value[SCORE]
    return believed(
        Selected(
            point=chosen_point(value, space),
            rule=value["rule"],
            score=None if score is None else _score(score, value["rule"]),
            warnings=tuple(value["warnings"]),
            inputs=inputs_from(value.get("inputs")),
        )
    )


def restated_choice(record: StudyRecord, value: dict[str, Any] | None) -> StudyRecord:
    """Return the record, with the whole error of a prediction that an older version stored."""
    score = None if value is None else value[SCORE]
    finalists, examples = record.stages.get("finalists"), validation_images(record, "finalists")
    if score is None or "kind" in score or finalists is None or examples is None:
        return record
    if record.selected is None or not record.selected.rule.startswith(MODEL_RULE):
        return record
    return replace(record, selected=restated(record.selected, finalists, examples, record.metric))


def facts_from(value: dict[str, Any] | None) -> DataFacts | None:
    """Return what was seen of the data, from its JSON form."""
    if value is None:
        return None
    return believed(DataFacts.of(value))


def facts_document(facts: DataFacts | None) -> dict[str, Any] | None:
    """Return what was seen of the data as JSON values; columns only where it is a table."""
    if facts is None:
        return None
    columns = {"columns": columns_document(facts.columns)} if facts.columns else {}
    return {key: one for key, one in asdict(facts).items() if key != "columns"} | columns


def final_from(value: dict[str, Any] | None) -> FinalScore | None:
    """Return the final score from its JSON form."""
    if value is None:
        return None
    low, high = value["interval95"]
    confusion = tuple(tuple(row) for row in value["confusion"])
    rest = final_fields(value) | {"interval95": (low, high), "confusion": confusion}
    return believed(FinalScore(**rest))


def elapsed(then: float, now: float) -> float:
    """Return the seconds between two times of the database's clock, which may be set back."""
    return max(0.0, now - then)


def moment(then: float) -> str | None:
    """Return a time of the database's clock as ISO 8601 in UTC, None where there is no such day."""
    try:
        return datetime.fromtimestamp(then, UTC).isoformat(timespec="seconds")
    except (OverflowError, OSError, ValueError):
        return None


def _score(value: dict[str, Any], rule: str) -> Score:
    """The chosen λ's score; an older version did not say that a model's was predicted."""
    if "kind" in value:
        return Score(**{**value, "kind": ScoreKind(value["kind"])})
    if rule.startswith(MODEL_RULE):
        return Score(mean=value["mean"], se=value["se"], n=0, kind=ScoreKind.PREDICTED)
    return Score(**value)

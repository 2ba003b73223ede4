"""The chosen candidate's validation score in words: measured there, or predicted by a model.

Enters: a study's record. Leaves: a label, a value, and how it was come by.
"""

from __future__ import annotations

from dataclasses import dataclass

from lamsearch import points
from lamsearch.findings.stages import deciding
from lamsearch.results import Score, ScoreKind, StudyRecord, once_per_record
from lamsearch.statistics import CandidateScore, candidate_scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A score as one reads it: its name, its value, and what stands behind the ±."""

    label: str
    value: str
    detail: str


def chosen_score(record: StudyRecord) -> Words | None:
    """Return the chosen candidate's validation score; None where nothing was selected by one."""
    selected = record.selected
    score = None if selected is None else selected.score
    if score is None:
        return None
    value = record.metric.words(score.mean, score.se)
    if score.kind is ScoreKind.MEASURED:
        label, detail = f"Validation {record.metric.title}", _error(record, score.n)
    else:
        label = f"Predicted validation {record.metric.title}"
        detail = _prediction(record, score)
    return Words(label=label, value=value, detail=detail)


@once_per_record
def nearest_trained(record: StudyRecord) -> CandidateScore | None:
    """Return the deciding stage's ranked candidate nearest to the chosen one."""
    stage, selected = deciding(record), record.selected
    if stage is None or selected is None:
        return None
    at, space = selected.point, record.space
    return min(
        (one for one in candidate_scores(record, stage.name) if one.mean is not None),
        key=lambda one: (one.lost, points.distance(space, one.point or at, at)),
        default=None,
    )


def score_words(record: StudyRecord, score: CandidateScore) -> str:
    """Return a candidate's mean validation score, with its standard error if known."""
    return record.metric.words(score.mean, score.se)


def _prediction(record: StudyRecord, score: Score) -> str:
    stage, near = deciding(record), nearest_trained(record)
    what = "± 1 standard deviation of a Gaussian process fitted to the trained candidates"
    if stage is not None and near is not None:
        ranked = [one for one in candidate_scores(record, stage.name) if one.n and not one.lost]
        runs = "single runs" if near.n == 1 else f"means over {near.n} replicates"
        what = (
            f"± 1 standard deviation of a Gaussian process fitted to {len(ranked)} candidates' "
            f"{runs}"
        )
    space = record.space
    what += f"; no model was trained at this {points.noun(space)} in the search"
    if near is None or near.point is None:
        return what
    at = points.in_words(space, near.point)
    return f"{what}; the nearest trained, {at}{far_words(record)}, has {score_words(record, near)}"


def far_words(record: StudyRecord) -> str:
    """Return how far the nearest trained candidate is, where dimensions are several."""
    near, selected = nearest_trained(record), record.selected
    if near is None or near.point is None or selected is None:
        return ""
    if not record.space.several:
        return ""
    return f" (distance {points.distance(record.space, near.point, selected.point):.2g})"


def _error(record: StudyRecord, n: int) -> str:
    kind = f"{'binomial ' * record.metric.proportion}standard error of one run"
    return f"± 1 {kind}" if n == 1 else f"± 1 standard error over {n} replicates"

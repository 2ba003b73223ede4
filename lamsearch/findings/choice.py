"""The chosen λ's validation accuracy in words: measured there, or predicted by a model.

Enters: a study's record. Leaves: a label, a value, and how it was come by.
"""

from __future__ import annotations

from dataclasses import dataclass

from lamsearch.findings.stages import deciding
from lamsearch.results import Score, ScoreKind, StudyRecord
from lamsearch.statistics import CandidateScore, candidate_scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A score as one reads it: its name, its value in %, and what stands behind the ±."""

    label: str
    value: str
    detail: str


def chosen_score(record: StudyRecord) -> Words | None:
    """Return the chosen λ's validation accuracy; None where nothing was selected by one."""
    selected = record.selected
    score = None if selected is None else selected.validation_accuracy
    if score is None:
        return None
    value = f"{100 * score.mean:.2f} ± {100 * score.se:.2f} %"
    if score.kind is ScoreKind.MEASURED:
        return Words(label="Validation accuracy", value=value, detail=_error(score.n))
    return Words(
        label="Predicted validation accuracy", value=value, detail=_prediction(record, score)
    )


def nearest_trained(record: StudyRecord) -> CandidateScore | None:
    """Return the deciding stage's ranked candidate nearest to the chosen λ."""
    stage, selected = deciding(record), record.selected
    if stage is None or selected is None:
        return None
    at = selected.log10_lambda
    return min(
        (one for one in candidate_scores(record, stage.name) if one.mean is not None),
        key=lambda one: (one.lost, abs((one.log10_lambda or 0.0) - at)),
        default=None,
    )


def accuracy_words(score: CandidateScore) -> str:
    """Return a candidate's mean validation accuracy in %, with its standard error if known."""
    if score.mean is None:
        return "–"
    spread = "" if score.se is None else f" ± {100 * score.se:.2f}"
    return f"{100 * score.mean:.2f}{spread} %"


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
    what += "; no network was trained at this λ in the search"
    if near is None or near.log10_lambda is None:
        return what
    at = f"log₁₀ λ = {near.log10_lambda:.4f}"
    return f"{what}; the nearest trained, {at}, has {accuracy_words(near)}"


def _error(n: int) -> str:
    kind = "binomial standard error of one run"
    return f"± 1 {kind}" if n == 1 else f"± 1 standard error over {n} replicates"

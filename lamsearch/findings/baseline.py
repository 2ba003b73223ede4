"""What always answering with the most frequent class gets. Enters: a record. Leaves: shares, words.

Refuses to guess: where nobody counted the classes when the study was planned, nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lamsearch.findings.stages import deciding
from lamsearch.results import StudyRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The most frequent class of the training labels, and what share always answering it gets.

    ``validation`` is the deciding stage's (the final's where nothing was selected), ``test`` is
    known once the final has been scored; fractions, None where not known.
    """

    answer: str
    validation: float | None
    test: float | None


def baseline(record: StudyRecord) -> Baseline | None:
    """Return the study's baseline; None where an earlier version planned it, or it is no share."""
    if record.data is None or not record.metric.proportion:
        return None
    stage = deciding(record)
    validation = record.data.baseline.get("final" if stage is None else stage.name)
    return Baseline(answer=record.data.majority, validation=validation, test=_test(record))


def baseline_sentences(record: StudyRecord) -> Iterator[str]:
    """Say what the baseline gets, as far as it is known."""
    found = baseline(record)
    if found is None:
        return
    known = [
        f"{100 * share:.2f} % on {split}"
        for share, split in ((found.validation, "validation"), (found.test, "test"))
        if share is not None
    ]
    if known:
        answer = " ".join(found.answer.split())
        yield (
            f"Baseline: always answering with the most frequent class ({answer}) gets "
            f"{' and '.join(known)}."
        )


def _test(record: StudyRecord) -> float | None:
    """The share of test examples whose class is the majority: its row of the confusion matrix."""
    if record.final is None or record.data is None or not record.final.confusion:
        return None
    rows = [sum(row) for row in record.final.confusion]
    classes = record.classes
    if len(classes) != len(rows) or record.data.majority not in classes or not sum(rows):
        return None
    return rows[classes.index(record.data.majority)] / sum(rows)

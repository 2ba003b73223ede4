"""Accuracy on the test set: the metric itself, or evaluated beside another one.

Enters: a study's record and a score of its test. Leaves: plain values, and facts of what stands
beside; none where an earlier version did not evaluate it. Refuses to call it what was chosen by.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lamsearch.metrics import ACCURACY
from lamsearch.report.fact import Fact
from lamsearch.report.numbers import finite
from lamsearch.results import AccuracyBeside, FinalScore, SnapshotScore, StudyRecord

Tested = FinalScore | SnapshotScore | AccuracyBeside


def of(record: StudyRecord, found: FinalScore | SnapshotScore) -> Tested | None:
    """Return what has the accuracy of a test's score, None where it was not evaluated."""
    return found if record.metric.is_accuracy else found.accuracy


def document(found: Tested) -> dict[str, Any]:
    """Return a mean over replicates as plain values."""
    return {
        "mean": finite(found.mean),
        "sd": finite(found.sd),
        "n": found.n,
        "interval95": [finite(end) for end in found.interval95],
    }


def facts(
    record: StudyRecord, found: AccuracyBeside | None, *, one: str, together: str
) -> Iterator[Fact]:
    """Yield a line on the accuracy beside another metric, and on the ensemble's where it is one.

    ``one`` and ``together`` end the two labels.
    """
    if found is None:
        return
    beside = f"evaluated beside the {record.metric.title}; nothing was chosen by it"
    interval = ACCURACY.interval_words(found.interval95)
    yield Fact(
        label=f"Test {ACCURACY.title}{one}",
        value=ACCURACY.words(found.mean),
        detail=f"95 % interval {interval}; {beside}",
    )
    if found.n > 1:
        yield Fact(
            label=f"Test {ACCURACY.title} {together}",
            value=ACCURACY.words(found.ensemble),
            detail=beside,
        )

"""What test predictions are scored by beside the study's metric, as well.

Enters: a study's record and a score of its test. Leaves: plain values, and facts of what stands
beside; none where an earlier version did not evaluate it. Refuses to call it what was chosen by.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lamsearch import metrics
from lamsearch.report.fact import Fact
from lamsearch.report.numbers import finite
from lamsearch.results import FinalScore, ScoreBeside, SnapshotScore, StudyRecord

Tested = FinalScore | SnapshotScore | ScoreBeside


def of(record: StudyRecord, found: FinalScore | SnapshotScore) -> Tested | None:
    """Return a test's score by the default metric, None where it was not evaluated."""
    return found if record.metric.is_default else found.beside


def document(found: Tested) -> dict[str, Any]:
    """Return a mean over replicates as plain values."""
    return {
        "mean": finite(found.mean),
        "sd": finite(found.sd),
        "n": found.n,
        "interval95": [finite(end) for end in found.interval95],
    }


def facts(
    record: StudyRecord, found: ScoreBeside | None, *, one: str, together: str
) -> Iterator[Fact]:
    """Yield a line on the score beside that of the metric, and on the ensemble's where it is one.

    ``one`` and ``together`` end the two labels.
    """
    metric = metrics.beside(record.metric)
    if found is None or metric is None:
        return
    why = f"evaluated beside the {record.metric.title}; nothing was chosen by it"
    interval = metric.interval_words(found.interval95)
    yield Fact(
        label=f"Test {metric.title}{one}",
        value=metric.words(found.mean),
        detail=f"95 % interval {interval}; {why}",
    )
    if found.n > 1:
        yield Fact(
            label=f"Test {metric.title} {together}",
            value=metric.words(found.ensemble),
            detail=why,
        )

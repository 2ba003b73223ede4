"""Means over cycle ends, told apart from the mean over replicates: what each costs, what it gains.

Enters: a study's record. Leaves: facts, sentences and tables; none where no snapshots were tested.
Refuses to know markup, and to call the best row the result.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lamsearch.points import listed
from lamsearch.report import beside
from lamsearch.report.fact import Fact
from lamsearch.report.lines import predictions
from lamsearch.report.numbers import finite
from lamsearch.report.tables import Table
from lamsearch.results import FinalScore, SnapshotScore, StudyRecord


def facts(record: StudyRecord, found: SnapshotScore) -> Iterator[Fact]:
    """Yield the answer's lines on snapshots: of one training, and of all of them."""
    metric, count = record.metric, len(found.updates)
    mean = f", mean over {found.n}" if found.n > 1 else ""
    one = f" of one training's snapshots ({count} cycle ends){mean}"
    together = f"of the ensemble of {found.n} × {count}"
    interval = metric.interval_words(found.interval95)
    yield Fact(
        label=f"Test {metric.title}{one}",
        value=metric.words(found.mean),
        detail=f"for 1 training; 95 % interval {interval}; {_gain(record, found)}",
    )
    if found.n > 1:
        yield Fact(
            label=f"Test {metric.title} {together}",
            value=metric.words(found.ensemble),
            detail=f"for {found.n} trainings; mean of all snapshots' {predictions(record)}",
        )
    yield from beside.facts(record, found.beside, one=one, together=together)


def averages_table(record: StudyRecord) -> Table | None:
    """Return a row per way of averaging, with how many trainings each costs."""
    final, metric = record.final, record.metric
    if final is None or final.snapshots is None:
        return None
    found = final.snapshots
    gain = f"gain, {metric.points}".rstrip(", ")
    head = ("what is averaged", f"test {metric.title}", "95 % interval",  gain,
            "trainings", "models")  # fmt: skip
    return Table(
        title=f"Test {metric.title} by what is averaged",
        head=head, rows=tuple(_rows(record, final, found)),
    )  # fmt: skip


def members_table(record: StudyRecord) -> Table | None:
    """Return a row per cycle end: what its models score alone."""
    found = None if record.final is None else record.final.snapshots
    if found is None:
        return None
    score = f"test {record.metric.title}{f', mean of {found.n}' if found.n > 1 else ''}"
    rows = tuple(
        (f"{update:,}", record.metric.words(one))
        for update, one in zip(found.updates, found.members, strict=True)
    )
    return Table(title="The cycle ends alone", head=("cycle end at update", score), rows=rows)


def sentences(record: StudyRecord) -> Iterator[str]:
    """Say how the cycle ends were chosen, and what the numbers are not."""
    final = record.final
    if final is None or final.snapshots is None:
        return
    found = final.snapshots
    ends = listed([f"{update:,}" for update in found.updates])
    yield (
        f"The snapshots are the models at the ends of the last {len(found.updates)} cycles, at "
        f"updates {ends}. The study file fixed them before anything was trained; no score chose "
        "among them, and all were evaluated in the one access to the test set."
    )
    yield (
        "Snapshots of one are those of one training, averaged; trainings are what a row costs. The "
        "gain is the paired difference to the last models of the same trainings."
    )
    if found.n < final.n:
        yield (
            f"The snapshots of {found.n} of {final.n} replicates are there: means over cycle ends "
            "are of those alone."
        )


def document(record: StudyRecord) -> dict[str, Any] | None:
    """Return the scores of means over cycle ends as plain values, None without."""
    found = None if record.final is None else record.final.snapshots
    if found is None:
        return None
    ends, shares = found.gain_interval95, beside.of(record, found)
    return {
        "updates": list(found.updates),
        "replicates": list(found.replicates),
        "test_score": beside.document(found),
        "test_accuracy": None if shares is None else beside.document(shares),
        "ensemble_test_score": finite(found.ensemble),
        "ensemble_test_accuracy": None if shares is None else finite(shares.ensemble),
        "scores": [finite(one) for one in found.scores],
        "members": [finite(one) for one in found.members],
        "gain": {
            "mean": finite(found.gain),
            "interval95": None if ends is None else [finite(end) for end in ends],
        },
    }


def _rows(
    record: StudyRecord, final: FinalScore, found: SnapshotScore
) -> Iterator[tuple[str, ...]]:
    metric, count = record.metric, len(found.updates)
    mean = f", mean of {final.n}" if final.n > 1 else ""
    yield (f"single models{mean}", metric.words(final.mean),
           metric.interval_words(final.interval95), "–", "1", "1")  # fmt: skip
    mean = f", mean of {found.n}" if found.n > 1 else ""
    yield (f"snapshots of one{mean}", metric.words(found.mean),
           metric.interval_words(found.interval95), _gain_words(record, found),
           "1", str(count))  # fmt: skip
    if final.n > 1:
        yield (f"ensemble of {final.n}", metric.words(final.ensemble), "–", "–",
               str(final.n), str(final.n))  # fmt: skip
    if found.n > 1:
        yield (f"ensemble of {found.n} × {count}", metric.words(found.ensemble), "–", "–",
               str(found.n), str(found.n * count))  # fmt: skip


def _gain(record: StudyRecord, found: SnapshotScore) -> str:
    metric = record.metric
    better = "better" if found.gain >= 0 else "worse"
    size = f"{metric.gain(abs(found.gain))[1:]} {metric.points}".rstrip()
    text = f"{size} {better} than its last model alone"
    if found.gain_interval95 is None:
        return f"{text}; 1 replicate shows no noise of seeds"
    low, high = (metric.gain(end) for end in found.gain_interval95)
    return f"{text} (paired; gain {low} to {high})"


def _gain_words(record: StudyRecord, found: SnapshotScore) -> str:
    gain = record.metric.gain
    if found.gain_interval95 is None:
        return gain(found.gain)
    low, high = found.gain_interval95
    return f"{gain(found.gain)} ({gain(low)} to {gain(high)})"

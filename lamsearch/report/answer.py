"""The answer of a study as facts: what was chosen, how good it is, how that was measured.

Enters: a study's record. Leaves: a few labelled values of unescaped text. Refuses to know markup.
"""

from __future__ import annotations

from collections.abc import Iterator

from lamsearch import points
from lamsearch.dimensions import weight_decay
from lamsearch.findings import chosen_score
from lamsearch.report import beside, snapshots
from lamsearch.report.fact import Fact
from lamsearch.report.lines import one_line, predictions
from lamsearch.results import FinalScore, StudyRecord


def facts(record: StudyRecord) -> tuple[Fact, ...]:
    """Return the answer: the chosen point, its validation score, test score, ensemble."""
    return (_point(record), _validation(record), *_test(record))


def _unknown(record: StudyRecord) -> str:
    return "not known yet" if record.failure is None else "none"


def _point(record: StudyRecord) -> Fact:
    selected, space = record.selected, record.space
    if selected is None:
        return Fact(label=f"Chosen {points.noun(space)}", value=_unknown(record))
    label = f"{'Given' if selected.score is None else 'Chosen'} {points.noun(space)}"
    one, rule = not space.several, f"rule: {one_line(selected.rule)}"
    rule = f"{rule}; weight_decay = 2λ = {weight_decay(space.values(selected.point)[0]):.4g}"
    detail = f"{space.words(selected.point)}; {rule}" if one else rule
    value = space.value_words(selected.point)
    return Fact(label=label, value=value, detail=detail, wide=not one)


def _validation(record: StudyRecord) -> Fact:
    label = f"Validation {record.metric.title}"
    if record.selected is None:
        return Fact(label=label, value=_unknown(record))
    score = chosen_score(record)
    if score is None:
        one = not record.space.several
        given = f"{record.space.symbol if one else 'the point'} was given, not selected"
        return Fact(label=label, value="–", detail=given)
    return Fact(label=score.label, value=score.value, detail=score.detail)


def _test(record: StudyRecord) -> Iterator[Fact]:
    final, metric = record.final, record.metric
    if final is None:
        planned = "final" in record.settings or "final" in record.stages
        value = _unknown(record) if planned else "–"
        detail = "" if planned else "this study has no final stage: the test set stays held out"
        yield Fact(label=f"Test {metric.title}", value=value, detail=detail)
        return
    alone = "" if final.snapshots is None else ", mean of single models"
    yield Fact(
        label=f"Test {metric.title}{alone}",
        value=metric.words(final.mean),
        detail=f"95 % interval {metric.interval_words(final.interval95)}, {_covers(record, final)}",
    )
    together = f"of the ensemble of {final.n}"
    if final.n > 1:
        yield Fact(
            label=f"Test {metric.title} {together}",
            value=metric.words(final.ensemble),
            detail=f"mean of the replicates' {predictions(record)}",
        )
    yield from beside.facts(record, final.beside, one=alone, together=together)
    if final.snapshots is not None:
        yield from snapshots.facts(record, final.snapshots)


def _covers(record: StudyRecord, final: FinalScore) -> str:
    """Say what the test score's interval is for."""
    spread = record.metric.words(record.metric.sign * final.sd)
    draw = f"the draw of {_count(final.test_images, 'example')}"
    if final.n == 1:
        return f"for {draw} alone; 1 replicate shows no noise of seeds"
    return (
        f"for the mean over seeds and {draw}; standard deviation {spread} over {final.n} replicates"
    )


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"

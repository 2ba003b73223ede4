"""What `run` prints at its end. Enters: a study's record. Leaves: plain text of 80 columns.

Refuses to colour: results go to stdout, where programs read them too.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from lamsearch.findings import score_words
from lamsearch.report import dimensions, view
from lamsearch.report.answer import facts
from lamsearch.report.lines import one_line
from lamsearch.results import STAGES, StageName, StudyRecord, TrialState
from lamsearch.statistics import best_score

_WIDTH = 80
_ROW = "{:<10}{:>8}{:>10}{:>8}{:>8}{:>15}{:>21}"
_ROW_OF_SEVERAL = "{:<10}{:>8}{:>10}{:>8}{:>8}{:>28}"


def summary(record: StudyRecord) -> str:
    """Return the stages' table and the answer; of an unfinished study also what is missing."""
    lines = [*_wrapped(f"Study {one_line(record.name)} (seed {record.seed})"), ""]
    best = f"best {record.space.dimensions[0].plain_label}"
    head = ("stage", "trials", "complete", "failed", "pruned", best, "validation")
    lines.append(_row(record, *head))
    lines += [_stage(record, name) for name in STAGES if _belongs(record, name)]
    lines.append("")
    if record.space.several:
        lines += [*_several(record), ""]
    for fact in facts(record):
        lines += _wrapped(f"{fact.label}: {fact.value}", fact.detail)
    for note in view.notes(record):
        lines += _wrapped(note)
    if not record.finished or record.failure is not None:
        lines += _wrapped(view.status(record))
    return "\n".join(line.rstrip() for line in lines).replace("log₁₀", "log10") + "\n"


def _belongs(record: StudyRecord, name: StageName) -> bool:
    return name in record.settings or name in record.stages


def _stage(record: StudyRecord, name: StageName) -> str:
    stage = record.stages.get(name)
    if stage is None:
        return f"{name:<10}  not planned yet"
    best = best_score(record, name)
    at = "-" if best is None or best.point is None else record.space.numbers(best.point)
    states = (TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED)
    counts = [stage.count(state) for state in states]
    score = "-" if best is None else score_words(record, best)
    return _row(record, name, stage.planned, *counts, at, score)


def _row(record: StudyRecord, *cells: object) -> str:
    """A row of the stages' table; where dimensions are several the best points stand below it."""
    if record.space.several:
        return _ROW_OF_SEVERAL.format(*cells[:5], cells[6])
    return _ROW.format(*cells)


def _several(record: StudyRecord) -> Iterator[str]:
    """Where each stage's best is, and which dimension matters."""
    for name in STAGES[:3]:
        best = best_score(record, name)
        if best is not None and best.point is not None:
            yield from _wrapped(f"Best of {name}: {record.space.named_values(best.point)}")
    yield from _wrapped(dimensions.importance_line(record))


def _wrapped(text: str, detail: str = "") -> Iterator[str]:
    whole = f"{text} ({detail})" if detail else text
    yield from textwrap.wrap(whole, _WIDTH, subsequent_indent="  ")

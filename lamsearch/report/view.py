"""What every page says, in plain words, before it is Markdown, HTML or a terminal's text.

Enters: a study's record. Leaves: facts, sentences and tables of unescaped text on single lines.
Refuses to know markup: each page escapes by its own rules.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from lamsearch import points
from lamsearch.figures import CandidateScore, candidate_scores, has_curves
from lamsearch.findings import (
    baseline_sentences,
    final_validation,
    score_words,
    uncertainty,
    versions,
    warnings,
)
from lamsearch.report.lines import one_line
from lamsearch.report.tables import Table
from lamsearch.report.updates import stage_updates
from lamsearch.results import (
    SEARCHING,
    STAGES,
    StageName,
    StudyRecord,
    StudyState,
    TrialState,
    once_per_record,
)
from lamsearch.statistics import best_score, resplit

CONFUSION = "Confusion matrix of the ensemble"
_CLASSES_AT_MOST = 20  # a wider table is read by nobody


def percent(value: float | None, digits: int = 2) -> str:
    """Return a fraction as a percentage, a dash where there is none."""
    return "–" if value is None or not math.isfinite(value) else f"{100 * value:.{digits}f} %"


def status(record: StudyRecord) -> str:
    """Say in one sentence how far the study is."""
    if record.failure is not None:
        return f"The study failed: {one_line(record.failure)}"
    if record.finished:
        return "The study is finished."
    if record.state is StudyState.CANCELLED:
        return f"The study was cancelled: {_so_far(record)}."
    if record.state is StudyState.PAUSED:
        return f"The study is paused: {_so_far(record)}."
    return f"The study is not finished: {_so_far(record)}."


def _so_far(record: StudyRecord) -> str:
    parts = [part for name in STAGES if (part := _progress(record, name))]
    return "; ".join(parts) or "nothing is planned"


def notes(record: StudyRecord) -> tuple[str, ...]:
    """Return what a reader must know beside the answer, one sentence each."""
    return (
        *_ended_early(record),
        *(f"Warning: {one_line(text)}" for text in warnings(record)),
        *baseline_sentences(record),
        *uncertainty.sentences(record),
        *_optimism(record),
        *final_validation.sentences(record),
        *_spared(record),
    )


def _ended_early(record: StudyRecord) -> Iterator[str]:
    """Say why the search ended before its stages did, and what was left out."""
    if record.search_ended is None:
        return
    found = [record.stages[name] for name in SEARCHING if name in record.stages]
    left = sum(trial.cut_short for stage in found for trial in stage.trials)
    skipped = [name for name in SEARCHING if name in record.settings and name not in record.stages]
    names = " and ".join(stage.name for stage in found)
    planned = sum(stage.planned for stage in found)
    rest = f"{left} of {planned} trials of {names} were not trained"
    never = f", and {' and '.join(skipped)} was not begun" if skipped else ""
    yield f"The search ended early: {one_line(record.search_ended)}; {rest}{never}."


def overview(record: StudyRecord) -> Table:
    """Return a row per stage of the study: how many trials, how they ended, the best."""
    whose = "best" if record.space.several else "its"
    head = ("stage", "trials", "complete", "failed", "pruned",
            *_where(record, f"{record.space.label} from … to", f"best {record.space.label}"),
            f"{whose} validation {record.metric.title}")  # fmt: skip
    names = [name for name in STAGES if name in record.settings or name in record.stages]
    return Table(title="Stages", head=head, rows=tuple(_stage_row(record, n) for n in names))


@once_per_record
def candidates(record: StudyRecord, name: StageName) -> Table:
    """Return a row per candidate of the stage that has a score, best first."""
    title = record.metric.title
    head = (*points.heads(record.space), *_where(record, record.space.symbol),
            f"validation {title}", "validation loss",
            f"training {title}", "complete replicates")  # fmt: skip
    scores = candidate_scores(record, name)
    rows = tuple(_candidate_row(record, score) for score in scores if score.mean is not None)
    return Table(title=name.capitalize(), head=head, rows=rows, lost=tuple(_lost(record, name)))


def confusion(record: StudyRecord) -> Table | None:
    """Return how often the ensemble predicted a class (column) for one (row), None if unknown."""
    final = record.final
    if final is None or not 0 < len(final.confusion) <= _CLASSES_AT_MOST:
        return None
    names = class_names(record)
    rows = tuple(
        (name, *map(str, counts), percent(counts[i] / sum(counts) if sum(counts) else None, 1))
        for i, (name, counts) in enumerate(zip(names, final.confusion, strict=True))
    )
    return Table(title=CONFUSION, head=("true class", *names, "recall"), rows=rows)


def class_names(record: StudyRecord) -> list[str]:
    """Return the names of the classes of a confusion matrix, their numbers where it has none."""
    return [one_line(name) for name in confusion_classes(record)]


def confusion_classes(record: StudyRecord) -> list[str]:
    """Return the same as they are in the data, of more than a line perhaps."""
    size = 0 if record.final is None else len(record.final.confusion)
    known = len(record.classes) == size
    return list(record.classes) if known else [str(index) for index in range(size)]


def comparison(record: StudyRecord) -> Table | None:
    """Return how much better the choice is than each other of its stage; None if unknown."""
    found = uncertainty.compared(record)
    if not found:
        return None
    unit = record.metric.points
    better = f"better than it by{f', {unit}' if unit else ''}"
    head = (*points.heads(record.space), better, "95 % interval", "verdict")
    return Table(title=uncertainty.title(record), head=head, rows=uncertainty.rows(record, found))


def openings(record: StudyRecord) -> Table:
    """Return the record of every opening of the test set."""
    rows = tuple((one_line(o.at), one_line(o.purpose), one_line(o.owner)) for o in record.openings)
    return Table(title="Access to the test set", head=("when", "what for", "by"), rows=rows)


def repeatability(record: StudyRecord) -> str:
    """Say what a second run of the same study file gives; an adaptive sampler depends on timing."""
    tables = [table for table in record.settings.values() if isinstance(table, dict)]
    if any(table.get("sampler") == "tpe" for table in tables):
        return (
            "The tpe sampler draws by what has ended when it draws: with several workers another "
            f"run of this study file may draw other {points.nouns(record.space)}."
        )
    if record.search_ended is not None or {"time_limit", "target"} & record.settings.keys():
        return (
            "When the search of this study ends depends on the clock and on how many workers there "
            "are, so another run of this study file may give other numbers."
        )
    if versions.is_mixed(record):
        return (
            "Other versions took part than those that are named here, so another run of this study "
            "file may give numbers that differ in their last digits."
        )
    return "On the same machine, this study file and these data give the same numbers bit for bit."


def computing(record: StudyRecord) -> tuple[tuple[str, str], ...]:
    """Return what computed a study, a label and a text each: versions, kernels, the processor."""
    found = versions.computing(record)
    if found is None:
        return (("Versions", "not recorded: an earlier lamsearch planned this study"),)
    installed = ("lamsearch", "numpy", "scipy", "python")
    names = ("lamsearch", "NumPy", "SciPy", "Python")
    texts = [f"{n} {found.text_of(one)}" for n, one in zip(names, installed, strict=True)]
    return (
        ("Versions", one_line(", ".join([*texts, found.c_library]))),
        ("BLAS", one_line(found.text_of("blas"))),
        ("NumPy's SIMD extensions", one_line(found.text_of("simd"))),
        ("Processor", one_line(found.processor)),
    )


def curve_stage(record: StudyRecord) -> StageName | None:
    """Return the stage whose learning curves are shown, None as long as there are none."""
    order: tuple[StageName, ...] = ("finalists", "final", "fine", "coarse")
    return next((name for name in order if has_curves(record, name)), None)


def _progress(record: StudyRecord, name: StageName) -> str:
    stage = record.stages.get(name)
    if stage is None:
        return f"{name} is not planned yet" if name in record.settings else ""
    ended = sum(trial.state.finished for trial in stage.trials)
    return f"{ended} of {stage.planned} trials of {name} have ended"


def scores_name(record: StudyRecord) -> str:
    """Return the name of the files of the figure of all scores."""
    first, *others = record.space.dimensions
    return f"{record.metric.name}_over_{'parameters' if others else first.parameter}"


def _optimism(record: StudyRecord) -> Iterator[str]:
    if record.selected is None or record.selected.score is None:
        return
    if "finalists" in record.stages and resplit(record, "finalists") is not None:
        why = "The finalists' splits are of the same examples as that of the search before them"
    elif "finalists" in record.stages:
        why = "The finalists share their validation examples with the search before them"
    else:
        why = f"The chosen {points.noun(record.space)} scored best of several on the same examples"
    title = record.metric.title
    yield f"{why}: the validation {title} is optimistic in expectation, test {title} is not."


def _spared(record: StudyRecord) -> Iterator[str]:
    """Say what halving saved: updates of single models, against those of a stage without it."""
    for name in STAGES:
        updates = stage_updates(record, name)
        if updates is None or not updates.spared:
            continue
        stage, rest = record.stages[name], updates.planned - updates.spared
        left = sum(one.halved for one in stage.trials)
        so_far = "" if all(trial.state.finished for trial in stage.trials) else " so far"
        yield (
            f"Halving spared {name} {updates.spared:,} of {updates.planned:,} planned updates "
            f"of single models{so_far}, {updates.planned / rest:.2f} times fewer: "
            f"{left} of {stage.planned} trials left at the end of a "
            "cycle, the worse ones of their cohorts, and were not ranked."
        )


def _stage_row(record: StudyRecord, name: StageName) -> tuple[str, ...]:
    stage = record.stages.get(name)
    if stage is None:
        return (name, "not planned yet", *_where(record, "–", "–"), *["–"] * 4)
    best = best_score(record, name)
    states = (TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED)
    return (
        name,
        str(stage.planned),
        *(str(stage.count(state)) for state in states),
        *_where(
            record,
            "–" if stage.bounds is None else points.bounds_words(stage.bounds),
            "–" if best is None or best.point is None else record.space.numbers(best.point),
        ),
        "–" if best is None else score_words(record, best),
    )


def _where(record: StudyRecord, *cells: str) -> tuple[str, ...]:
    """Return cells on the one dimension; where they are several a table of their own has them."""
    return () if record.space.several else cells


def _candidate_row(record: StudyRecord, score: CandidateScore) -> tuple[str, ...]:
    point = score.point
    loss = _mean([trial.validation_loss for trial in score.complete])
    return (
        *points.cells(record.space, point),
        *_where(record, "–" if point is None else record.space.value_words(point)),
        score_words(record, score),
        "–" if loss is None else f"{loss:.4f}",
        record.metric.words(_mean([trial.train_score for trial in score.complete])),
        f"{score.n} of {len(score.trials)}",
    )


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None and math.isfinite(value)]
    return math.fsum(known) / len(known) if known else None


def _lost(record: StudyRecord, name: StageName) -> Iterator[str]:
    words = {TrialState.FAIL: "failed", TrialState.PRUNED: "was pruned"}
    for score in sorted(candidate_scores(record, name), key=lambda s: s.candidate):
        for trial in score.trials:
            if trial.state in words:
                point = trial.point
                at = "" if point is None else f" ({points.in_words(record.space, point)})"
                reason = f": {one_line(trial.reason)}" if trial.reason else ""
                yield (
                    f"Candidate {trial.candidate}, replicate {trial.replicate}{at} "
                    f"{words[trial.state]}{reason}"
                )

"""A stage in words and figures. Enters: a study's record. Leaves: Markdown, attributes, Plotly.

Refuses to decide anything: it says what the record holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import quote

from lamsearch.figures import stage_figure, stages_figure
from lamsearch.findings import baseline_sentences, chosen_score, score_words, warnings
from lamsearch.metrics import beside, score_title_of
from lamsearch.points import interval_words, noun, nouns
from lamsearch.results import STAGES, StageName, StageRecord, StudyRecord, TrialState
from lamsearch.space import Bounds, Dimension, Interval, Point, Space
from lamsearch.statistics import best_score
from lamsearch.storage import PlannedStage

_PURPOSE: dict[StageName, str] = {
    "coarse": "It looks over a wide interval of {noun}, to see where a good one may lie.",
    "fine": "It looks closer, where the best {noun}s of the search so far lie.",
    "finalists": "It scores the best {noun}s at the schedule that the final model is trained with, "
    "each over several replicates with seeds of their own. Means over replicates decide: the best "
    "single trial, which the dashboard calls out, may be another.",
    "final": "It trains the chosen {noun} anew, once per replicate; the test set is scored once, "
    "after all of them.",
}
_FINISHED = (TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED)


class Annotations:
    """What `lamsearch.storage` asks for the dashboard: an annotator of stages."""

    def attributes(self, stage: PlannedStage) -> Mapping[str, object]:
        """Return what a study's page lists beside its figures."""
        first = {}
        if stage.chosen is not None:
            first = {f"chosen {noun(stage.space)}": stage.space.named_values(stage.chosen, ".4g")}
        found: dict[str, object] = {
            **first,
            "study": stage.study,
            "stage": stage.stage,
            "trials": f"{stage.finished} of {stage.planned} finished",
            "report": f"/studies/{quote(stage.study, safe='')}/",
        }
        if stage.bounds is not None:
            for dimension, ends in zip(stage.space.dimensions, stage.bounds, strict=True):
                found[_name(stage.space, dimension)] = _interval(stage.space, dimension, ends)
        if stage.best is not None:
            found[f"best validation {score_title_of(stage.metric)}"] = round(stage.best, 5)
        if stage.over:
            found["state"] = "failed" if stage.failure else "the study is done"
        return found

    def note(self, record: StudyRecord, stage: StageName, numbers: Mapping[StageName, int]) -> str:
        """Return what this stage is, what came of it, and where to go on, in Markdown."""
        order = [name for name in STAGES if name in numbers or record.settings.get(name)]
        place = f"Stage {order.index(stage) + 1} of {len(order)} of the study `{record.name}`."
        lines = [*_first(record), f"## {stage.capitalize()}", ""]
        lines += [f"{place} {_purpose(record, stage)}", ""]
        lines += _facts(record, stage)
        lines += ["", "### What came of it", "", *_outcome(record, stage), ""]
        if found := warnings(record):
            lines += ["Warnings:", "", *(f"- {_plain(one)}" for one in found), ""]
        ways = [_link(name, stage, numbers) for name in order]
        lines.append(" · ".join([*ways, f"[report](/studies/{quote(record.name, safe='')}/)"]))
        return "\n".join(lines)

    def figures(self, record: StudyRecord, stage: StageName) -> Mapping[str, str]:
        """Return the figures by their HTML id: this stage, and all of them where there are more."""
        first, *others = record.space.dimensions
        what = f"{record.metric.name}-over-{'parameters' if others else first.parameter}"
        found = {what: stage_figure(record, stage)}
        if len(record.stages) > 1:
            found["through-the-stages"] = stages_figure(record)
        return found


def _first(record: StudyRecord) -> Iterator[str]:
    """The choice before all else: the dashboard itself calls out the best single trial."""
    chosen, score = record.selected, chosen_score(record)
    if chosen is None:
        return
    word = "Given" if chosen.score is None else "Chosen"
    found = "" if score is None else f", {score.label[:1].lower()}{score.label[1:]} {score.value}"
    yield f"# {word}: {_plain(record.space.named_values(chosen.point))}{found}"
    yield ""
    if score is not None:
        yield (
            "Means over replicates decide. The dashboard's *Best Trial* is the best single run of "
            "this stage, helped by its seed."
        )
        yield ""


def _purpose(record: StudyRecord, stage: StageName) -> str:
    if stage == "coarse" and record.space.several:
        return "It looks over all that is searched, to see where a good point may lie."
    return _PURPOSE[stage].replace("{noun}", noun(record.space))


def _facts(record: StudyRecord, stage: StageName) -> Iterator[str]:
    found = record.stages[stage]
    yield "| | |"
    yield "|---|---|"
    points = {trial.point for trial in found.trials if trial.point is not None}
    for index, dimension in enumerate(record.space.dimensions):
        if found.bounds is not None:
            words = _interval(record.space, dimension, found.bounds[index])
            yield f"| {_plain(_name(record.space, dimension))} | {_plain(words)} |"
        elif values := sorted({point[index] for point in points}):
            shown = [_coordinate(record.space, dimension, x) for x in values[:12]]
            listed = f"{', '.join(shown)}{' …' * (len(values) > 12)}"
            yield f"| {_plain(_name(record.space, dimension))} | {_plain(listed)} |"
    yield f"| trials | {_progress(found)} |"
    best = best_score(record, stage)
    if best is not None and best.point is not None:
        where = _at(record, best.point)
        if len(best.point) == 1:
            where += f" ({record.space.named_values(best.point)})"
        words = f"**{score_words(record, best)}** at {where}"
        yield f"| best validation {record.metric.title} | {words} |"
    yield f"| seed | {record.seed} |"
    yield f"| fingerprints | study `{record.study_fingerprint[:12]}`, " \
          f"data `{record.data_fingerprint[:12]}` |"  # fmt: skip


def _progress(stage: StageRecord) -> str:
    counts = [(state.value.lower(), stage.count(state)) for state in TrialState]
    finished = sum(stage.count(state) for state in _FINISHED)
    words = ", ".join(f"{count} {word}" for word, count in counts if count)
    return f"{finished} of {stage.planned} finished ({words})"


def _outcome(record: StudyRecord, stage: StageName) -> Iterator[str]:
    found = record.stages[stage]
    left = found.planned - sum(found.count(state) for state in _FINISHED)
    later = next((name for name in STAGES[STAGES.index(stage) + 1 :] if name in record.stages), "")
    if record.failure is not None and not later:
        yield f"The study failed: {_plain(record.failure)}"
    elif left:
        trials_are = "1 trial is" if left == 1 else f"{left} trials are"
        yield f"Nothing yet: {trials_are} still to be trained."
    elif stage == "final":
        yield from _tested(record)
        for sentence in baseline_sentences(record):
            yield from ("", _plain(sentence))
    elif later == "fine" and (bounds := record.stages["fine"].bounds) is not None:
        yield f"The fine stage searches {_searched(record.space, bounds)}."
    elif later == "finalists":
        count = len({trial.candidate for trial in record.stages["finalists"].trials})
        yield f"{count} {nouns(record.space)} went on to the finalists."
    elif record.selected is not None:
        yield from _chosen(record)
    else:
        yield "All trials are finished; what comes next is being planned."


def _chosen(record: StudyRecord) -> Iterator[str]:
    chosen = record.selected
    if chosen is None:
        return
    values = _plain(record.space.named_values(chosen.point))
    at = f" ({_at(record, chosen.point)})" if len(chosen.point) == 1 else ""
    yield f"**{values}** was chosen{at}: {_plain(chosen.rule)}."
    score = chosen_score(record)
    if score is not None:
        yield ""
        yield f"{score.label}: {score.value} ({_plain(score.detail)})."
    for sentence in baseline_sentences(record):
        yield from ("", _plain(sentence))


def _at(record: StudyRecord, point: Point) -> str:
    if len(point) > 1:
        return _plain(record.space.named_values(point))
    return f"{record.space.dimensions[0].plain_label} = {_signed(point[0])}"


def _name(space: Space, dimension: Dimension) -> str:
    """What a dimension's numbers are called: its coordinate where it is the only one."""
    return dimension.plain_label if not space.several else dimension.symbol


def _coordinate(space: Space, dimension: Dimension, coordinate: float) -> str:
    one = not space.several
    return _signed(coordinate) if one else dimension.shown_value(coordinate)


def _interval(space: Space, dimension: Dimension, ends: Interval) -> str:
    if not dimension.ordered:
        return interval_words(dimension, *ends)
    return " to ".join(_coordinate(space, dimension, end) for end in ends)


def _searched(space: Space, bounds: Bounds) -> str:
    parts = [
        f"{_name(space, one)} {'from ' * one.ordered}{_interval(space, one, ends)}"
        for one, ends in zip(space.dimensions, bounds, strict=True)
    ]
    text = ", ".join(parts)
    return text if len(parts) == 1 else _plain(text)


def _tested(record: StudyRecord) -> Iterator[str]:
    final, metric = record.final, record.metric
    if final is None:
        yield "All replicates are trained; the test set has been held out so far."
        return
    interval = metric.interval_words(final.interval95)
    many = f"{final.n} replicate{'s' if final.n > 1 else ''}"
    yield f"**Test {metric.title} {metric.words(final.mean)}** over {many}, 95 % interval " \
          f"{interval}, on {final.test_images:,} examples."  # fmt: skip
    if final.n > 1:
        yield ""
        yield f"The ensemble of all replicates: {metric.words(final.ensemble)}."
    other, also = beside(metric), final.beside
    if other is not None and also is not None:
        together = f", the ensemble's {other.words(also.ensemble)}" if also.n > 1 else ""
        yield ""
        yield f"Test {other.title} {other.words(also.mean)}{together}; evaluated beside " \
              f"the {metric.title}, and nothing was chosen by it."  # fmt: skip
    if (found := final.snapshots) is not None:
        count = len(found.updates)
        yield ""
        yield f"Means over {count} cycle ends: {metric.words(found.mean)} of one training's, " \
              f"{metric.words(found.ensemble)} of all replicates'."  # fmt: skip


def _link(name: StageName, here: StageName, numbers: Mapping[StageName, int]) -> str:
    if name == here:
        return f"**{name}**"
    if name not in numbers:
        return f"{name} (not planned yet)"
    return f"[{name}](/dashboard/studies/{numbers[name]})"


def _signed(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    for sign in "\\`*_[]<>|#!":
        text = text.replace(sign, "\\" + sign)
    return " ".join(text.split())

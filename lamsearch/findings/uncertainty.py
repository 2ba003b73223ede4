"""How sure the choice is, in plain words: what it beats, what it cannot be distinguished from.

Enters: a study's record. Leaves: sentences, a table of unescaped text, and the numbers of both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lamsearch import points
from lamsearch.findings.choice import far_words, nearest_trained
from lamsearch.findings.stages import deciding, finished
from lamsearch.results import StageName, StageRecord, StudyRecord, TrialState, once_per_record
from lamsearch.space import Point
from lamsearch.statistics import (
    Bias,
    Difference,
    Dropped,
    bias,
    differences,
    differing,
    dropped,
    resplit,
    seed_noise,
)

_NAMED = 3  # points in one sentence; the table has all
_SEARCHES: tuple[StageName, ...] = ("coarse", "fine")


@dataclass(frozen=True, slots=True, kw_only=True)
class NotCarried:
    """What the stages of the search tried once and did not carry forward.

    ``differing`` names the settings in which they were trained otherwise than the deciding stage;
    ``seeds`` says whether the spread of seeds is known; ``pruned`` candidates are not compared.
    """

    stages: tuple[StageName, ...]
    candidates: tuple[Dropped, ...]
    differing: tuple[str, ...]
    seeds: bool
    pruned: int


@once_per_record
def compared(record: StudyRecord) -> tuple[Difference, ...]:
    """Return the choice's differences to the others of its stage; empty where none are known.

    A point that a model chose between those tried is compared by the trained one that is nearest.
    """
    stage, selected, nearest = deciding(record), record.selected, nearest_trained(record)
    if stage is None or nearest is None or nearest.point is None:
        return ()
    if selected is None or selected.score is None:
        return ()
    return differences(stage, nearest.point, resplit=resplit(record, stage.name))


@once_per_record
def not_carried(record: StudyRecord) -> NotCarried | None:
    """Return what the search did not carry forward; None where that is not known (yet)."""
    final, chosen = deciding(record), record.selected
    if final is None or chosen is None or chosen.score is None:
        return None
    searched = [s for name in _SEARCHES if (s := record.stages.get(name)) and finished(s)]
    carried = {one.point for one in final.trials if one.point is not None}
    if final in searched:
        carried = {chosen.point}
    noise = seed_noise(final)
    found = [one for stage in searched for one in dropped(stage, carried, noise)]
    if not found:
        return None
    pruned = {
        (stage.name, one.candidate)
        for stage in searched
        for one in stage.trials
        if one.state is TrialState.PRUNED
    }
    return NotCarried(
        stages=tuple(dict.fromkeys(one.stage for one in found)),
        candidates=tuple(found),
        differing=tuple(
            dict.fromkeys(
                key for one in searched for key in differing(record, one.name, final.name)
            )
        ),
        seeds=noise is not None,
        pruned=len(pruned),
    )


@once_per_record
def selection_bias(record: StudyRecord) -> tuple[StageName, Bias] | None:
    """Return how much of the score by which the finalists were picked was bias, and in which stage.

    None before the choice, and where no finalist's score was one that picked it.
    """
    finalists, picked = record.stages.get("finalists"), _picking(record)
    if finalists is None or picked is None or record.selected is None:
        return None
    found = bias(picked, finalists)
    return None if found is None else (picked.name, found)


def title(record: StudyRecord) -> str:
    """Name the table of differences: whose they are."""
    nearest = _stand_in(record)
    noun = points.noun(record.space)
    if nearest is None:
        return f"The chosen {noun} against the others"
    at = points.in_words(record.space, nearest, ".3f")
    return f"The nearest {noun} tried, {at}, against the others"


def rows(record: StudyRecord, found: tuple[Difference, ...]) -> tuple[tuple[str, ...], ...]:
    """Return a row per difference: the point's cells, how much better, interval, verdict."""
    gain = record.metric.gain
    return tuple(
        (
            *points.cells(record.space, one.point),
            gain(one.mean),
            f"{gain(one.interval95[0])} to {gain(one.interval95[1])}",
            _verdict(one),
        )
        for one in found
    )


def sentences(record: StudyRecord) -> Iterator[str]:
    """Say what the choice cannot be distinguished from, and the selection bias of the picking."""
    found, whose = compared(record), _subject(record)
    close = [one.point for one in found if not one.distinguishable]
    if found and close:
        stage = deciding(record)
        own = stage is not None and resplit(record, stage.name) is not None
        over = "seeds and splits" if own else "seeds and validation examples"
        yield (
            f"{whose} cannot be distinguished from {_named(record, close, len(found))}: 0 lies in "
            f"the 95 % intervals of their paired differences, over {over}."
        )
    elif found:
        yield f"{whose} is distinguishable from every other one of its stage, at 95 %."
    yield from _not_carried(record)
    yield from _selection_bias(record)


def _named(record: StudyRecord, close: Sequence[Point], count: int) -> str:
    """Name the points that the choice cannot be distinguished from; of many the nearest few."""
    space = record.space
    if not space.several:
        return f"{space.label} = {', '.join(space.numbers(point, '.3f') for point in close)}"
    nearest = nearest_trained(record)
    at = close[0] if nearest is None or nearest.point is None else nearest.point
    shown = sorted(close, key=lambda point: (points.distance(space, at, point), point))[:_NAMED]
    named = " or ".join(f"({points.in_words(space, point)})" for point in shown)
    rest = f", nor from {len(close) - _NAMED} more" if len(close) > _NAMED else ""
    which = "any" if len(close) == count else str(len(close))
    many = f"{which} of the other {count} points" if count > 1 else "the other point"
    return f"{many} of its stage, {named}{rest}"


def _subject(record: StudyRecord) -> str:
    """Name what is compared: the chosen point, or the tried one that stands for it."""
    nearest, noun = _stand_in(record), points.noun(record.space)
    if nearest is None:
        return f"The chosen {noun}"
    at = f"{points.in_words(record.space, nearest, '.3f')}{far_words(record)}"
    return f"The chosen {noun} lies between those tried; the nearest of them, {at},"


def _stand_in(record: StudyRecord) -> Point | None:
    """Return the tried point that stands for the chosen one; None where that was tried itself."""
    chosen, nearest = record.selected, nearest_trained(record)
    if chosen is None or nearest is None or nearest.point == chosen.point:
        return None
    return nearest.point


def _verdict(one: Difference) -> str:
    return "distinguishable" if one.distinguishable else "cannot be distinguished"


def _not_carried(record: StudyRecord) -> Iterator[str]:
    """Say which points of the search were dropped after one run and cannot be excluded."""
    found = not_carried(record)
    if found is None:
        return
    left = [one.point for one in found.candidates if not one.excluded]
    nouns = points.nouns(record.space)
    count, which = len(found.candidates), _which(record, found)
    how = f"paired differences, simultaneous 95 %{_limits(found)}"
    if not left:
        yield f"All {count} {nouns} {which} are excluded ({how})."
        return
    what = points.range_words(record.space, left)
    yield f"{len(left)} of {count} {nouns} {which} cannot be excluded: {what} ({how})."


def _which(record: StudyRecord, found: NotCarried) -> str:
    """Name the candidates: those that finalists left behind, or those beside the chosen one."""
    stages, final = " and ".join(found.stages), deciding(record)
    if final is not None and final.name == "finalists":
        return f"that {stages} dropped after one run"
    return f"that {stages} tried once beside the chosen one"


def _limits(found: NotCarried) -> str:
    limits = "" if found.seeds else ", seed noise left out"
    if found.differing:
        limits += f"; trained with the search's {points.listed(found.differing)}"
    if found.pruned:
        limits += f"; {found.pruned} pruned not compared"
    return limits


def _selection_bias(record: StudyRecord) -> Iterator[str]:
    """Say how those who were picked by a score did on seeds that picked nobody."""
    known = selection_bias(record)
    if known is None:
        return
    name, found = known
    gain = -found.mean
    noun = points.noun(record.space)
    fresh = "seeds" if resplit(record, "finalists") is None else "seeds and splits"
    who = f"the {found.count} {noun}s" if found.count > 1 else f"the one {noun}"
    words = ("more", "less") if record.metric.sign > 0 else ("better", "worse")
    scored = f"{record.metric.gain(abs(gain))[1:]} {record.metric.points}".rstrip()
    what = (
        f"{who} picked from {name} scored {scored} {words[gain <= 0]} "
        f"on fresh {fresh}{', on average' * (found.count > 1)}"
    )
    interval = found.interval95
    if interval is not None:
        low, high = -interval[1], -interval[0]
        what += f" (95 % interval {record.metric.gain(low)} to {record.metric.gain(high)})"
    others = differing(record, name, "finalists")
    if others:
        yield (
            f"Selection bias cannot be seen by itself: {what}, and the two stages differ in "
            f"{points.listed(others)}."
        )
    else:
        yield f"{_verdict_of_bias(found)}: {what}."


def _verdict_of_bias(found: Bias) -> str:
    if found.interval95 is None:
        return "Selection bias of unknown error" if found.mean > 0 else "No selection bias seen"
    if found.interval95[0] > 0:
        return "Selection bias"
    return "No selection bias that can be distinguished from the noise of seeds"


def _picking(record: StudyRecord) -> StageRecord | None:
    return record.stages.get("fine") or record.stages.get("coarse")

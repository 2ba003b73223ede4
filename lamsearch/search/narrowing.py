"""How fine goes on: past an edge at which its best candidate lies, then into a further round.

Enters: fine's finished trials, its settings, its first bounds. Leaves: what it draws next. Pure.
Refuses to know seeds and storages. What was drawn before stands in the stage's decisions; where an
earlier version stored none, it is decided again from the candidates that were there then, which
gives the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lamsearch.errors import WorkFailedError
from lamsearch.results import Decision, DecisionKind, StageRecord
from lamsearch.search.finalists import rank_or_fail
from lamsearch.space import SPACE, Bounds, Dimension, Interval, Scale, Space, span
from lamsearch.statistics import rank
from lamsearch.study import Fine

_WIDER = 0.5  # of the present bounds, by which an extension goes on
_NARROWEST = 1e-3  # of a unit: λs that differ by 0.2 % have nothing to be distinguished by
_FEW = 2  # steps between whole numbers, which widening by one would only find again


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Candidates to be drawn at once: how many, within which bounds, and why.

    ``round`` counts from 1. ``extension`` counts those of the round from 1; 0 is the round's own.
    """

    bounds: Bounds
    count: int
    round: int
    extension: int = 0

    @property
    def part(self) -> tuple[int, ...]:
        """What a seed ends with: round and extension; of a round's own draws the round alone."""
        return (self.round, self.extension) if self.extension else (self.round,)


def narrow(
    coarse: StageRecord,
    *,
    keep: int,
    examples: int,
    drawn: int | None = None,
    space: Space = SPACE,
) -> Bounds:
    """Return the bounds of fine: the span of the best ``keep`` of coarse, widened and clipped.

    In each of d ordered dimensions both ends are widened by half the mean distance of coarse's
    candidates, (hi − lo) / (2·trials^(1/d)) of the coarse bounds, because the optimum may lie
    beside the best draw as well as between two; then clipped to those bounds. Ends of whole numbers
    are rounded outwards. A choice is narrowed to one where all of the best agree in it, else all
    stay; the candidates of each are as many fewer. ``drawn`` is how many candidates were drawn
    within the bounds where that is not all: a further round of fine has those before as well.

    Raises:
        WorkFailedError: No candidate of coarse ended well.
    """
    best = [one.point for one in rank_or_fail(coarse, examples)[:keep]]
    outer = searched(coarse)
    count = drawn or len({trial.candidate for trial in coarse.trials})
    axes = list(zip(space.dimensions, outer, strict=True))
    per_dimension = _per_dimension(count, axes)
    bounds = tuple(
        _narrowed(dimension, interval, xs, per_dimension)
        for (dimension, interval), xs in zip(axes, zip(*best, strict=True), strict=True)
    )
    if any(
        low == high for (one, _), (low, high) in zip(axes, bounds, strict=True) if not one.whole
    ):
        # one given point: there is no width to widen by
        point = best[0][0] if len(outer) == 1 else best[0]
        raise WorkFailedError(
            f"fine: coarse has the one candidate {point!r} and no interval; "
            "give fine.values or more candidates"
        )
    return bounds


def _per_dimension(count: int, axes: Sequence[tuple[Dimension, Interval]]) -> float:
    """How many of the candidates lie beside each other in an ordered dimension, on average."""
    ordered = sum(dimension.ordered for dimension, _ in axes)
    choices = math.prod(high - low + 1 for one, (low, high) in axes if not one.ordered)
    return float(max(1.0, count / choices) ** (1 / ordered))


def _narrowed(
    dimension: Dimension, interval: Interval, best: Sequence[float], per_dimension: float
) -> Interval:
    """The interval of one dimension in which the best coordinates lie, within that of before."""
    (low, high), least, greatest = interval, min(best), max(best)
    if not dimension.ordered:
        return (least, least) if least == greatest else interval
    margin = (high - low) / (2 * per_dimension)
    least, greatest = least - margin, greatest + margin
    if dimension.scale is Scale.INTEGER:
        least, greatest = float(math.floor(least)), float(math.ceil(greatest))
    return max(low, least), min(high, greatest)


def searched(stage: StageRecord) -> Bounds:
    """Return the bounds that a stage searched, or the span of its given candidates."""
    return stage.bounds or span([one.point for one in stage.trials if one.point is not None])


def further(
    stage: StageRecord,
    fine: Fine,
    first: Bounds,
    *,
    within: Bounds,
    examples: int,
    space: Space = SPACE,
) -> Batch | None:
    """Return what fine draws after all that it has drawn, or None where it is over.

    With ``extend``, while the best candidate so far is the outermost of all in an ordered dimension
    and the present bounds end before ``within`` (coarse's) do: draws outside that end, half as wide
    as the present bounds and clipped to ``within``. They are as many as make it as dense as the
    present bounds, at least one: so points outside the edge get the chance that those inside had,
    the margin of a further round stays the same, and the cost is bounded by that of all of
    ``within`` at this density. The present bounds grow by it.

    Then, while there are ``rounds`` left: `narrow` on the best ``keep`` of all candidates, with
    the margin of the present bounds and their draws. No round begins from bounds narrower than
    0.001 units in every dimension; of whole numbers, from two steps, and of choices from one.

    ``first`` are the bounds of the first draws where no decision was stored.

    Raises:
        WorkFailedError: A further round is wanted, and no candidate ended well.
    """
    present = _present(stage)
    if present is not None:
        return _after(stage, present, fine, within, examples, space)
    return _derived(stage, fine, first, within, examples, space)


def _present(stage: StageRecord) -> Batch | None:
    """The round so far, as it was decided; None where not all of it is written down."""
    numbers = [number for one in stage.decisions for number in range(*one.candidates)]
    planned = len({trial.candidate for trial in stage.trials})
    present: Batch | None = None
    for one in stage.decisions:
        if one.bounds is None:
            return None
        present = _with(present, one, one.bounds)
    return present if numbers == list(range(planned)) else None


def _with(present: Batch | None, decision: Decision, bounds: Bounds) -> Batch:
    """The round so far once one more batch was decided."""
    if present is None or decision.kind is DecisionKind.FIRST:
        return Batch(bounds=bounds, count=decision.count, round=1)
    after = replace(present, bounds=bounds, count=decision.count)
    if decision.kind is DecisionKind.EXTENSION:
        return _joined(present, replace(after, extension=present.extension + 1))
    return replace(after, round=present.round + 1, extension=0)


def _derived(
    stage: StageRecord,
    fine: Fine,
    first: Bounds,
    within: Bounds,
    examples: int,
    space: Space,
) -> Batch | None:
    """What comes next where no decision was stored: all before it are made again."""
    planned = len({trial.candidate for trial in stage.trials})
    present, drawn = Batch(bounds=first, count=fine.trials or 0, round=1), fine.trials or 0
    while True:
        so_far = replace(
            stage, trials=tuple(trial for trial in stage.trials if trial.candidate < drawn)
        )
        after = _after(so_far, present, fine, within, examples, space)
        if after is None or drawn >= planned:
            return after
        drawn += after.count
        present = _joined(present, after) if after.extension else after


def _after(
    stage: StageRecord, present: Batch, fine: Fine, within: Bounds, examples: int, space: Space
) -> Batch | None:
    """What comes after the round so far, and all candidates so far."""
    so_far = replace(stage, bounds=present.bounds)
    after = _extension(so_far, present, within, examples, space) if fine.extend else None
    return after or _next_round(so_far, present, fine, examples, space)


def _extension(
    stage: StageRecord, present: Batch, within: Bounds, examples: int, space: Space
) -> Batch | None:
    """The extension on the side where the best is the outermost; above, where it is on both."""
    ranked = rank(stage, examples)
    if not ranked:
        return None
    best = ranked[0].point
    tried = span([trial.point for trial in stage.trials if trial.point is not None])
    for index, dimension in enumerate(space.dimensions):
        present_interval, (least, most) = present.bounds[index], within[index]
        low, high = present_interval
        if not dimension.ordered:
            continue
        if best[index] == tried[index][1] and high < most:
            interval = _beyond(dimension, present_interval, most)
        elif best[index] == tried[index][0] and low > least:
            interval = _beyond(dimension, present_interval, least)
        else:
            continue
        size, whole = interval[1] - interval[0], high - low
        if dimension.whole:
            size, whole = size + 1, whole + 1
        return replace(
            present,
            bounds=(*present.bounds[:index], interval, *present.bounds[index + 1 :]),
            count=max(1, round(present.count * size / whole)),
            extension=present.extension + 1,
        )
    return None


def _beyond(dimension: Dimension, interval: Interval, limit: float) -> Interval:
    """An interval outside the end that lies before a limit.

    Whole numbers go on from the one beside the end, which was drawn itself.
    """
    low, high = interval
    reach = _WIDER * (high - low)
    if dimension.whole:
        reach = max(1.0, float(round(reach)))
        return (
            (high + 1, min(limit, high + reach))
            if limit > high
            else (max(limit, low - reach), low - 1)
        )
    return (high, min(limit, high + reach)) if limit > high else (max(limit, low - reach), low)


def _next_round(
    stage: StageRecord, present: Batch, fine: Fine, examples: int, space: Space
) -> Batch | None:
    narrowed = all(map(_is_narrow, space.dimensions, present.bounds))
    if present.round >= fine.rounds or narrowed:
        return None
    bounds = narrow(stage, keep=fine.kept, examples=examples, drawn=present.count, space=space)
    return Batch(bounds=bounds, count=fine.trials or 0, round=present.round + 1)


def _is_narrow(dimension: Dimension, interval: Interval) -> bool:
    """Whether an interval leaves nothing to be narrowed."""
    low, high = interval
    if not dimension.ordered:
        return True
    return high - low <= _FEW if dimension.whole else high - low < _NARROWEST * dimension.unit


def _joined(present: Batch, extension: Batch) -> Batch:
    """The round so far as one batch: the whole bounds, and all that was drawn within them."""
    bounds = tuple(
        (min(*one, *other), max(*one, *other))
        for one, other in zip(present.bounds, extension.bounds, strict=True)
    )
    return replace(extension, bounds=bounds, count=present.count + extension.count)

"""How fine goes on: past an edge at which its best candidate lies, then into a further round.

Enters: fine's finished trials, its settings, its first bounds. Leaves: what it draws next. Pure.
Refuses to know seeds and storages. What was drawn before stands in the stage's decisions; where an
earlier version stored none, it is decided again from the candidates that were there then, which
gives the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lamsearch.errors import WorkFailedError
from lamsearch.results import Decision, DecisionKind, StageRecord
from lamsearch.search.finalists import rank_or_fail
from lamsearch.space import Bounds, span
from lamsearch.statistics import rank
from lamsearch.study import Fine

_WIDER = 0.5  # of the present bounds, by which an extension goes on
_NARROWEST = 1e-3  # λs that differ by 0.2 % have nothing to be distinguished by


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


def narrow(coarse: StageRecord, *, keep: int, examples: int, drawn: int | None = None) -> Bounds:
    """Return the bounds of fine: the span of the best ``keep`` of coarse, widened and clipped.

    In each of d dimensions both ends are widened by half the mean distance of coarse's candidates,
    (hi − lo) / (2·trials^(1/d)) of the coarse bounds, because the optimum may lie beside the best
    draw as well as between two; then clipped to those bounds. ``drawn`` is how many candidates were
    drawn within them where that is not all: a further round of fine has those before as well.

    Raises:
        WorkFailedError: No candidate of coarse ended well.
    """
    best = [one.point for one in rank_or_fail(coarse, examples)[:keep]]
    outer = searched(coarse)
    count = drawn or len({trial.candidate for trial in coarse.trials})
    per_dimension = count ** (1 / len(outer))
    bounds = []
    for (low, high), (least, greatest) in zip(outer, span(best), strict=True):
        margin = (high - low) / (2 * per_dimension)
        bounds.append((max(low, least - margin), min(high, greatest + margin)))
    if any(low == high for low, high in bounds):  # one given point: there is no width to widen by
        one = best[0][0] if len(outer) == 1 else best[0]
        raise WorkFailedError(
            f"fine: coarse has the one candidate {one!r} and no interval; "
            "give fine.values or more candidates"
        )
    return tuple(bounds)


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
) -> Batch | None:
    """Return what fine draws after all that it has drawn, or None where it is over.

    With ``extend``, while the best candidate so far is the outermost of all in a dimension and the
    present bounds end before ``within`` (coarse's) do: draws outside that end, half as wide as the
    present bounds and clipped to ``within``. They are as many as make it as dense as the present
    bounds, at least one: so points outside the edge get the chance that those inside had, the
    margin of a further round stays the same, and the cost is bounded by that of all of ``within``
    at this density. The present bounds grow by it.

    Then, while there are ``rounds`` left: `narrow` on the best ``keep`` of all candidates, with
    the margin of the present bounds and their draws. No round begins from bounds narrower than
    0.001 in every dimension.

    ``first`` are the bounds of the first draws where no decision was stored.

    Raises:
        WorkFailedError: A further round is wanted, and no candidate ended well.
    """
    present = _present(stage)
    if present is not None:
        return _after(stage, present, fine, within, examples)
    return _derived(stage, fine, first, within, examples)


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
) -> Batch | None:
    """What comes next where no decision was stored: all before it are made again."""
    planned = len({trial.candidate for trial in stage.trials})
    present, drawn = Batch(bounds=first, count=fine.trials or 0, round=1), fine.trials or 0
    while True:
        so_far = replace(
            stage, trials=tuple(trial for trial in stage.trials if trial.candidate < drawn)
        )
        after = _after(so_far, present, fine, within, examples)
        if after is None or drawn >= planned:
            return after
        drawn += after.count
        present = _joined(present, after) if after.extension else after


def _after(
    stage: StageRecord, present: Batch, fine: Fine, within: Bounds, examples: int
) -> Batch | None:
    """What comes after the round so far, and all candidates so far."""
    so_far = replace(stage, bounds=present.bounds)
    after = _extension(so_far, present, within, examples) if fine.extend else None
    return after or _next_round(so_far, present, fine, examples)


def _extension(stage: StageRecord, present: Batch, within: Bounds, examples: int) -> Batch | None:
    """The extension on the side where the best is the outermost; above, where it is on both."""
    ranked = rank(stage, examples)
    if not ranked:
        return None
    best = ranked[0].point
    tried = span([trial.point for trial in stage.trials if trial.point is not None])
    for dimension, ((low, high), (least, most)) in enumerate(
        zip(present.bounds, within, strict=True)
    ):
        width = high - low
        if best[dimension] == tried[dimension][1] and high < most:
            interval = (high, min(most, high + _WIDER * width))
        elif best[dimension] == tried[dimension][0] and low > least:
            interval = (max(least, low - _WIDER * width), low)
        else:
            continue
        count = max(1, round(present.count * (interval[1] - interval[0]) / width))
        bounds = (*present.bounds[:dimension], interval, *present.bounds[dimension + 1 :])
        return replace(present, bounds=bounds, count=count, extension=present.extension + 1)
    return None


def _next_round(stage: StageRecord, present: Batch, fine: Fine, examples: int) -> Batch | None:
    narrowed = all(high - low < _NARROWEST for low, high in present.bounds)
    if present.round >= fine.rounds or narrowed:
        return None
    bounds = narrow(stage, keep=fine.kept, examples=examples, drawn=present.count)
    return Batch(bounds=bounds, count=fine.trials or 0, round=present.round + 1)


def _joined(present: Batch, extension: Batch) -> Batch:
    """The round so far as one batch: the whole bounds, and all that was drawn within them."""
    bounds = tuple(
        (min(*one, *other), max(*one, *other))
        for one, other in zip(present.bounds, extension.bounds, strict=True)
    )
    return replace(extension, bounds=bounds, count=present.count + extension.count)

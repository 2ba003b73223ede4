"""How fine goes on: past an edge at which its best candidate lies, then into a further round.

Enters: fine's finished trials, its settings, its first interval. Leaves: what it draws next. Pure.
Refuses to know seeds and storages. What was drawn before stands in the stage's decisions; where an
earlier version stored none, it is decided again from the candidates that were there then, which
gives the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lamsearch.errors import WorkFailedError
from lamsearch.results import Decision, DecisionKind, StageRecord
from lamsearch.search.finalists import rank_or_fail
from lamsearch.statistics import rank
from lamsearch.study import Fine

_WIDER = 0.5  # of the present interval, by which an extension goes on
_NARROWEST = 1e-3  # λs that differ by 0.2 % have nothing to be told apart by


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Candidates to be drawn at once: how many, in which interval of log10 λ, and why.

    ``round`` counts from 1. ``extension`` counts those of the round from 1; 0 is the round's own.
    """

    interval: tuple[float, float]
    count: int
    round: int
    extension: int = 0

    @property
    def part(self) -> tuple[int, ...]:
        """What a seed ends with: round and extension; of a round's own draws the round alone."""
        return (self.round, self.extension) if self.extension else (self.round,)


def narrow(
    coarse: StageRecord, *, keep: int, examples: int, drawn: int | None = None
) -> tuple[float, float]:
    """Return the fine interval: the span of the best ``keep`` of coarse, widened and clipped.

    Each end is widened by half the mean distance of coarse's candidates, (hi − lo) / (2·trials)
    of the coarse interval, because the optimum may lie beside the best draw as well as between
    two; then clipped to that interval. ``drawn`` is how many candidates were drawn in the interval
    where that is not all of them: a further round of fine has those of the rounds before as well.

    Raises:
        WorkFailedError: No candidate of coarse ended well.
    """
    best = rank_or_fail(coarse, examples)[:keep]
    values = [one.log10_lambda for one in best]
    low, high = searched(coarse)
    margin = (high - low) / (2 * (drawn or len({trial.candidate for trial in coarse.trials})))
    interval = (max(low, min(values) - margin), min(high, max(values) + margin))
    if interval[0] == interval[1]:  # one given value: there is no width to widen by
        raise WorkFailedError(
            f"fine: coarse has the one candidate {values[0]!r} and no interval; "
            "give fine.values or more candidates"
        )
    return interval


def searched(stage: StageRecord) -> tuple[float, float]:
    """Return the interval in log10 λ that a stage searched, or the span of its given values."""
    values = [one.log10_lambda for one in stage.trials if one.log10_lambda is not None]
    return stage.interval or (min(values), max(values))


def further(
    stage: StageRecord,
    fine: Fine,
    first: tuple[float, float],
    *,
    within: tuple[float, float],
    examples: int,
) -> Batch | None:
    """Return what fine draws after all that it has drawn, or None where it is over.

    With ``extend``, while the best candidate so far is the outermost of all and the present
    interval ends before ``within`` (coarse's) does: draws in an interval beyond that end, half as
    wide as the present one and clipped to ``within``. They are as many as make it as dense as the
    present one, at least one: so λs beyond the edge get the chance that those before it had, the
    margin of a further round stays the same, and the cost is bounded by that of all of ``within``
    at this density. The present interval grows by it.

    Then, while there are ``rounds`` left: `narrow` on the best ``keep`` of all candidates, with
    the margin of the present interval and its draws. No round begins from an interval narrower
    than 0.001.

    ``first`` is the interval of the first draws where no decision was stored.

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
        if one.interval is None:
            return None
        present = _with(present, one, one.interval)
    return present if numbers == list(range(planned)) else None


def _with(present: Batch | None, decision: Decision, interval: tuple[float, float]) -> Batch:
    """The round so far once one more batch was decided."""
    if present is None or decision.kind is DecisionKind.FIRST:
        return Batch(interval=interval, count=decision.count, round=1)
    after = replace(present, interval=interval, count=decision.count)
    if decision.kind is DecisionKind.EXTENSION:
        return _joined(present, replace(after, extension=present.extension + 1))
    return replace(after, round=present.round + 1, extension=0)


def _derived(
    stage: StageRecord,
    fine: Fine,
    first: tuple[float, float],
    within: tuple[float, float],
    examples: int,
) -> Batch | None:
    """What comes next where no decision was stored: all before it are made again."""
    planned = len({trial.candidate for trial in stage.trials})
    present, drawn = Batch(interval=first, count=fine.trials or 0, round=1), fine.trials or 0
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
    stage: StageRecord, present: Batch, fine: Fine, within: tuple[float, float], examples: int
) -> Batch | None:
    """What comes after the round so far, and all candidates so far."""
    so_far = replace(stage, interval=present.interval)
    after = _beyond(so_far, present, within, examples) if fine.extend else None
    return after or _next_round(so_far, present, fine, examples)


def _beyond(
    stage: StageRecord, present: Batch, within: tuple[float, float], examples: int
) -> Batch | None:
    """The extension on the side where the best is the outermost; above, where it is on both."""
    ranked = rank(stage, examples)
    if not ranked:
        return None
    best, (low, high) = ranked[0].log10_lambda, present.interval
    tried = [trial.log10_lambda for trial in stage.trials if trial.log10_lambda is not None]
    width = high - low
    if best == max(tried) and high < within[1]:
        interval = (high, min(within[1], high + _WIDER * width))
    elif best == min(tried) and low > within[0]:
        interval = (max(within[0], low - _WIDER * width), low)
    else:
        return None
    count = max(1, round(present.count * (interval[1] - interval[0]) / width))
    return replace(present, interval=interval, count=count, extension=present.extension + 1)


def _next_round(stage: StageRecord, present: Batch, fine: Fine, examples: int) -> Batch | None:
    low, high = present.interval
    if present.round >= fine.rounds or high - low < _NARROWEST:
        return None
    interval = narrow(stage, keep=fine.kept, examples=examples, drawn=present.count)
    return Batch(interval=interval, count=fine.trials or 0, round=present.round + 1)


def _joined(present: Batch, extension: Batch) -> Batch:
    """The round so far as one batch: the whole interval, and all that was drawn in it."""
    ends = (*present.interval, *extension.interval)
    count = present.count + extension.count
    return replace(extension, interval=(min(ends), max(ends)), count=count)

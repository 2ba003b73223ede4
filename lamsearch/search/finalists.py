"""Which points are trained again with more replicates: the best, further ones, proposed ones.

Enters: finished stages as records. Leaves: points. Pure.
Refuses to know the test set, scores on training examples, storages and plans.
"""

from __future__ import annotations

from collections.abc import Sequence

from lamsearch.errors import WorkFailedError
from lamsearch.results import StageRecord
from lamsearch.space import (
    LAMBDA,
    SPACE,
    Bounds,
    Dimension,
    Interval,
    Point,
    Space,
    are_apart,
    span,
)
from lamsearch.statistics import Candidate, model, rank

MODELLED = 3  # candidates that a model needs at least


def spacing(stage: StageRecord, space: Space = SPACE) -> tuple[float, ...]:
    """Return the least distance of finalists: in each dimension a quarter of the bounds' width.

    Of whole numbers at least one; another choice is far enough. 0 where candidates were given.
    """
    if stage.bounds is None:
        given = next((trial.point for trial in stage.trials if trial.point is not None), ())
        return (0.0,) * len(given)
    return tuple(map(_step, space.dimensions, stage.bounds))


def _step(dimension: Dimension, interval: Interval) -> float:
    low, high = interval
    if not dimension.ordered:
        return 1.0  # any two indices
    return max(1.0, float(round((high - low) / 4))) if dimension.whole else (high - low) / 4


def finalists(stage: StageRecord, *, keep: int, examples: int, space: Space = SPACE) -> list[Point]:
    """Return at most ``keep`` best candidates' points that lie apart.

    Greedily from the best, each at least a quarter of the bounds' width in some dimension from
    those before, or of another choice: neighbours would say the same thing twice.

    Raises:
        WorkFailedError: No candidate of the stage ended well.
    """
    chosen: list[Point] = []
    steps = spacing(stage, space)
    for one in rank_or_fail(stage, examples):
        if len(chosen) < keep and all(are_apart(one.point, other, steps) for other in chosen):
            chosen.append(one.point)
    return chosen


def extension(
    stage: StageRecord,
    *,
    step: tuple[float, ...],
    within: Bounds,
    examples: int,
    space: Space = SPACE,
) -> list[Point]:
    """Return the points of further finalists, where the best one so far is the outermost.

    The stages before were trained at another schedule, so the best point at the final's may lie
    outside all that they passed on. Two more are tried in the first ordered dimension in which the
    best is the outermost, one and two steps outside it, as far as they lie ``within`` the searched
    bounds; none where the best has worse ones on both sides in every such dimension.

    Raises:
        WorkFailedError: No candidate of the stage ended well.
    """
    best = rank_or_fail(stage, examples)[0].point
    tried = [trial.point for trial in stage.trials if trial.point is not None]
    for index, (dimension, (low, high)) in enumerate(zip(space.dimensions, within, strict=True)):
        at, width = best[index], step[index] if dimension.ordered else 0.0
        ends = [point[index] for point in tried]
        outside: list[float] = []
        if width > 0 and at == max(ends):
            outside += [at + width, at + 2 * width]
        if width > 0 and at == min(ends):
            outside += [at - width, at - 2 * width]
        if found := [x for x in outside if low <= x <= high]:
            return [(*best[:index], x, *best[index + 1 :]) for x in found]
    return []


def proposals(
    stage: StageRecord,
    *,
    count: int,
    examples: int,
    space: Space = SPACE,
    prior: Sequence[model.Scores] = (),
) -> list[Point]:
    """Return the points of further finalists that a model of the scores expects may be best.

    They lie between those tried; none where fewer than three candidates ended well. ``prior`` is
    what another study saw, as in `model.fit`.

    Raises:
        WorkFailedError: No candidate of the stage ended well.
    """
    points = [one.point for one in rank_or_fail(stage, examples)]
    if len(points) < MODELLED:
        return []
    fitted = model.fit(model.scores(stage, examples), span(points), space, prior)
    return model.propose(fitted, points, count, space)


def rank_or_fail(stage: StageRecord, examples: int) -> list[Candidate]:
    """Return the candidates of a stage, best first, at least one.

    Raises:
        WorkFailedError: No candidate ended well.
    """
    found = rank(stage, examples)
    if not found:
        ordered = sorted(stage.trials, key=lambda trial: (trial.candidate, trial.replicate))
        reason = next((trial.reason for trial in ordered if trial.reason), None)
        first = "" if reason is None else f" (the first failed: {reason})"
        raise WorkFailedError(
            f"{stage.name}: nothing to select from, no candidate of {stage.planned} trials ended "
            f"with a finite cost{first}; lower eta_max or the upper bound of {LAMBDA.name}"
        )
    return found

"""How far candidates can be distinguished: paired differences, and selection bias.

Enters: finished stages as records, with their scores per example. Leaves: differences with
intervals. Pure but for a generator with a fixed seed. Refuses to know the test set.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.results import FloatArray, StageRecord
from lamsearch.space import Point
from lamsearch.statistics.candidates import complete_replicates, mean_score, score_of
from lamsearch.statistics.quantiles import normal_quantile, student_quantile
from lamsearch.statistics.size import score_size, size_of_scores

_RESAMPLES = 2000
_SEED = 20080229


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How much better the chosen candidate scores than another, over paired replicates.

    ``interval95`` holds for all of a stage's candidates at the same time. ``distinguishable`` says
    that it excludes 0.
    """

    point: Point
    mean: float
    interval95: tuple[float, float]
    distinguishable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """How much higher one way of using the same trainings scores than another.

    ``interval95`` is None where one training tells nothing of the spread of seeds.
    """

    mean: float
    interval95: tuple[float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """A candidate's score where it was picked by it, and on fresh seeds that picked nobody."""

    point: Point
    picked: float
    fresh: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bias:
    """How much more the picked candidates scored where they were picked than on fresh seeds.

    ``mean`` is over ``count`` candidates. ``interval95`` is its 95 % interval; None
    where the fresh scores have one replicate, which tells nothing of the spread of seeds.
    """

    count: int
    mean: float
    interval95: tuple[float, float] | None


def differences(
    stage: StageRecord, chosen: Point, *, resplit: float | None = None
) -> tuple[Difference, ...]:
    """Return the differences between ``chosen`` and every other candidate.

    Both the noise of the seeds and that of the draw of examples is in the interval. The
    differences' joint distribution comes from resampling replicates and examples independently
    (the pigeonhole bootstrap, Owen 2007). By itself it counts what belongs to single predictions
    three times, so its width is set to the unbiased one of a two-way analysis of variance, seeds +
    examples − single predictions, and widened by Student's t for the few replicates (Satterthwaite
    1946). The intervals are simultaneous (max-t): the chance that all of them hold is 95 %,
    however many candidates there are. Empty where a stage has one replicate, or no scores per
    example.

    ``resplit`` is given where each replicate has a split of its own: its validation examples per
    training example. Then an example's number says nothing in another replicate, and what examples
    add is in the spread of the replicates, as the analysis of variance finds by itself. But the
    splits are of one pool: the mean of R replicates varies by (1/R + ``resplit``) of one's variance
    instead of 1/R (Nadeau and Bengio 2003). Where groups make those splits of different sizes, the
    spread of the replicates' differences is all that counts (`_of_replicates`).
    """
    if resplit is not None and _uneven(stage):
        return _of_replicates(stage, chosen, resplit)
    scored = example_scores(stage)
    mine = scored.pop(chosen, None)
    if mine is None or len(mine) < 2:
        return ()
    others = {point: rows for point, rows in scored.items() if rows.shape == mine.shape}
    if not others:
        return ()
    # (other, replicate, example): of shares 1 where only the chosen is right, -1 where the other is
    gaps = stacked_gaps(mine, list(others.values()))
    means = gaps.mean(axis=(1, 2), dtype=np.float64)
    resampled = _resampled(gaps) - means[:, None]
    size = score_size(stage)
    scale = np.maximum(resampled.std(axis=1), 1e-12 * size)
    bound = float(np.quantile((np.abs(resampled) / scale[:, None]).max(axis=0), 0.95))
    halves = bound * _errors(gaps, size)
    if resplit is not None:
        halves = halves * math.sqrt(1 + gaps.shape[1] * resplit)
    return _differences(list(others), means, halves)


def gain_of(scores: npt.NDArray[Any], others: npt.NDArray[Any]) -> Gain:
    """Return the paired difference of scores (R, examples) to others of the same R trainings.

    The error is that of `differences`: over seeds and the draw of examples.
    """
    gaps = stacked_gaps(scores, [others])
    mean = float(gaps.mean(dtype=np.float64))
    if gaps.shape[1] < 2:
        return Gain(mean=mean, interval95=None)
    size = size_of_scores([scores, others])
    half = float(normal_quantile(0.975) * _errors(gaps, size)[0])
    return Gain(mean=mean, interval95=(mean - half, mean + half))


def bias(picked: StageRecord, fresh: StageRecord) -> Bias | None:
    """Return the selection bias of those that ``fresh`` took over from ``picked``; None if none.

    A replicate's mean score over these candidates has over seeds the variance s², seen over the
    J replicates of ``fresh``. If nothing had been picked, that of R replicates before would differ
    from it by chance alone, with the variance s²·(1/R + 1/J); so the interval is Student's, with
    J − 1 degrees of freedom. It holds what a replicate adds to all candidates alike. Where the two
    stages are trained differently, the difference holds that as well.
    """
    found = drops(picked, fresh)
    if not found:
        return None
    mean = math.fsum(one.picked - one.fresh for one in found) / len(found)
    points = {one.point for one in found}
    before, after = (_table(stage, points) for stage in (picked, fresh))
    if before is None or after is None or after.shape[1] < 2:
        return Bias(count=len(found), mean=mean, interval95=None)
    replicates = after.shape[1]
    variance = after.mean(axis=0).var(ddof=1) * (1 / before.shape[1] + 1 / replicates)
    half = float(student_quantile(replicates - 1, 0.975) * math.sqrt(variance))
    return Bias(count=len(found), mean=mean, interval95=(mean - half, mean + half))


def drops(picked: StageRecord, fresh: StageRecord) -> tuple[Drop, ...]:
    """Return what became of the candidates of ``fresh`` that were picked by their score before.

    Where the two stages have different schedules, a drop holds the schedule's effect as well.
    """
    before = _means(picked)
    return tuple(
        Drop(point=point, picked=before[point], fresh=mean)
        for point, mean in sorted(_means(fresh).items())
        if point in before
    )


def example_scores(stage: StageRecord) -> dict[Point, npt.NDArray[Any]]:
    """Per candidate: what each replicate scored on each example (R, examples); bool or float32."""
    found: dict[Point, npt.NDArray[Any]] = {}
    for point, trials in complete_replicates(stage).items():
        rows = [trial.scores for trial in trials if trial.scores is not None]
        if len(rows) == len(trials) and len({len(row) for row in rows}) == 1:
            found[point] = np.stack(rows)
    return found


def stacked_gaps(mine: npt.NDArray[Any], others: Sequence[npt.NDArray[Any]]) -> FloatArray:
    """Return ``mine`` (R, examples) less each of ``others``: (others, R, examples), float32."""
    mine = mine.astype(np.int8) if mine.dtype == np.bool_ else mine
    return np.stack([mine - rows for rows in others]).astype(np.float32)


def _uneven(stage: StageRecord) -> bool:
    """Whether replicates have different numbers of validation examples."""
    return len({len(one.scores) for one in stage.trials if one.scores is not None}) > 1


def _of_replicates(stage: StageRecord, chosen: Point, resplit: float) -> tuple[Difference, ...]:
    """`differences` by the replicates' means alone.

    Student's intervals with R - 1 degrees of freedom, simultaneous by Bonferroni's bound; the
    variance between replicates is pooled over the candidates.
    """
    scored = {
        point: [score_of(trial) for trial in trials]
        for point, trials in complete_replicates(stage).items()
    }
    mine = scored.pop(chosen, [])
    others = {point: own for point, own in scored.items() if len(own) == len(mine)}
    if len(mine) < 2 or not others:
        return ()
    gaps = np.array(mine) - np.array(list(others.values()))  # (others, replicates)
    replicates = gaps.shape[1]
    variance = max(float(gaps.var(axis=1, ddof=1).mean()), 1e-12) * (1 / replicates + resplit)
    bound = float(student_quantile(replicates - 1, 1 - 0.025 / len(others)))
    halves = np.full(len(others), bound * math.sqrt(variance))
    return _differences(list(others), gaps.mean(axis=1), halves)


def _differences(
    points: Sequence[Point], means: npt.NDArray[np.float64], halves: npt.NDArray[np.float64]
) -> tuple[Difference, ...]:
    found = []
    for point, mean, half in zip(points, means, halves, strict=True):
        low, high = float(mean - half), float(mean + half)
        found.append(
            Difference(
                point=point, mean=float(mean), interval95=(low, high),
                distinguishable=low > 0 or high < 0,
            )
        )  # fmt: skip
    return tuple(sorted(found, key=lambda one: one.point))


def _table(stage: StageRecord, points: set[Point]) -> npt.NDArray[np.float64] | None:
    """Scores of some candidates (candidates, replicates); None where some lack a replicate."""
    rows = [
        [score_of(trial) for trial in trials]
        for point, trials in complete_replicates(stage).items()
        if point in points
    ]
    return np.array(rows) if len({len(row) for row in rows}) == 1 else None


def _means(stage: StageRecord) -> dict[Point, float]:
    return {point: mean_score(trials) for point, trials in complete_replicates(stage).items()}


def _errors(gaps: FloatArray, size: float) -> npt.NDArray[np.float64]:
    """Standard errors of the mean gaps (others,), widened for the few replicates.

    ``size`` is that of the scores.
    """
    _, replicates, _ = gaps.shape
    seeds, draws, single = components(gaps)
    # all candidates' seeds are alike in their spread: four values each would say little of it
    seeds = np.full_like(seeds, seeds.mean())
    variance = np.maximum(seeds + draws - single, np.maximum(single, 1e-12 * size**2))
    freedom = (replicates - 1) * (variance / np.maximum(seeds, 1e-15 * size**2)) ** 2
    widened = student_quantile(freedom, 0.975) / normal_quantile(0.975)
    return np.asarray(np.sqrt(variance) * widened)


def components(gaps: FloatArray) -> tuple[npt.NDArray[np.float64], ...]:
    """Of the variance of the mean gaps (others,): seeds, draw of examples, single predictions.

    Each of the first two holds the third as well (two-way analysis of variance).
    """
    _, replicates, examples = gaps.shape
    whole = gaps.mean(axis=(1, 2), dtype=np.float64)
    by_replicate = gaps.mean(axis=2, dtype=np.float64)
    by_example = gaps.mean(axis=1, dtype=np.float64)
    seeds = by_replicate.var(axis=1, ddof=1) / replicates
    draws = by_example.var(axis=1, ddof=1) / examples
    rest = (gaps.astype(np.float64) ** 2).mean(axis=(1, 2)) - whole**2
    rest -= by_replicate.var(axis=1) + by_example.var(axis=1)
    single = np.maximum(rest, 0.0) / ((replicates - 1) * (examples - 1))
    return seeds, draws, single


def _resampled(gaps: FloatArray) -> npt.NDArray[np.float64]:
    """Means of resampled replicates and examples: (others, replicates, examples) → (others, B)."""
    _, replicates, examples = gaps.shape
    weights, draws = _draws(replicates, examples)
    by_replicate = gaps @ (draws.T.astype(np.float32) / np.float32(examples))
    means: npt.NDArray[np.float64] = np.einsum(
        "ors,sr->os", by_replicate.astype(np.float64), weights / replicates
    )
    return means


def _draws(replicates: int, examples: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """How often each resample has each replicate (B, replicates) and example (B, examples)."""
    rng = np.random.default_rng(_SEED)
    weights = rng.multinomial(replicates, [1 / replicates] * replicates, size=_RESAMPLES)
    return weights, rng.multinomial(examples, np.full(examples, 1 / examples), size=_RESAMPLES)

"""How far a choice can be trusted: paired differences, what cannot be told apart, the curse.

Enters: finished stages as records, with per-image correctness. Leaves: differences with intervals.
Pure but for a generator with a fixed seed. Refuses to know the test set.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri, stdtrit

from lamsearch.results import FloatArray, StageRecord, TrialRecord, TrialState

_RESAMPLES = 2000
_SEED = 20080229


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How much better the chosen candidate is than another, in accuracy, over paired replicates.

    ``interval95`` holds for all of a stage's candidates at the same time. ``apart`` says that it
    excludes 0.
    """

    log10_lambda: float
    mean: float
    interval95: tuple[float, float]
    apart: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """The winner's curse: a candidate's score where it was picked, and on fresh seeds."""

    log10_lambda: float
    picked: float
    fresh: float


def differences(stage: StageRecord, chosen: float) -> tuple[Difference, ...]:
    """Return the differences between ``chosen`` (its log10 λ) and every other candidate.

    Both the luck of the seeds and that of the images is in the interval. The differences' joint
    distribution comes from resampling replicates and images independently (the pigeonhole
    bootstrap, Owen 2007). By itself it counts what belongs to single predictions three times, so
    its width is set to the unbiased one of a two-way analysis of variance, seeds + images −
    single predictions, and widened by Student's t for the few replicates (Satterthwaite 1946).
    The intervals are simultaneous (max-t): the chance that all of them hold is 95 %, however many
    candidates there are. Empty where a stage has one replicate, or no per-image correctness.
    """
    scored = _correctness(stage)
    mine = scored.pop(chosen, None)
    if mine is None or len(mine) < 2:
        return ()
    others = {value: rows for value, rows in scored.items() if rows.shape == mine.shape}
    if not others:
        return ()
    # (other, replicate, image): 1 where only the chosen is right, -1 where only the other is
    gaps = np.stack([mine.astype(np.int8) - rows for rows in others.values()]).astype(np.float32)
    means = gaps.mean(axis=(1, 2), dtype=np.float64)
    resampled = _resampled(gaps) - means[:, None]
    scale = np.maximum(resampled.std(axis=1), 1e-12)
    bound = float(np.quantile((np.abs(resampled) / scale[:, None]).max(axis=0), 0.95))
    halves = bound * _errors(gaps)
    found = []
    for value, mean, half in zip(others, means, halves, strict=True):
        low, high = float(mean - half), float(mean + half)
        found.append(
            Difference(
                log10_lambda=value, mean=float(mean), interval95=(low, high),
                apart=low > 0 or high < 0,
            )
        )  # fmt: skip
    return tuple(sorted(found, key=lambda one: one.log10_lambda))


def drops(picked: StageRecord, fresh: StageRecord) -> tuple[Drop, ...]:
    """Return what became of the candidates of ``fresh`` that were picked by their score before.

    Where the two stages have different schedules, a drop holds the schedule's effect as well.
    """
    before = _means(picked)
    return tuple(
        Drop(log10_lambda=value, picked=before[value], fresh=mean)
        for value, mean in sorted(_means(fresh).items())
        if value in before
    )


def _correctness(stage: StageRecord) -> dict[float, npt.NDArray[np.bool_]]:
    """Per candidate (by log10 λ): whether each replicate was right on each image (R, images)."""
    found: dict[float, npt.NDArray[np.bool_]] = {}
    for value, trials in _complete(stage).items():
        rows = [trial.correct for trial in trials if trial.correct is not None]
        if len(rows) == len(trials) and len({len(row) for row in rows}) == 1:
            found[value] = np.stack(rows)
    return found


def _means(stage: StageRecord) -> dict[float, float]:
    return {
        value: math.fsum(trial.validation_accuracy or 0.0 for trial in trials) / len(trials)
        for value, trials in _complete(stage).items()
    }


def _complete(stage: StageRecord) -> dict[float, Sequence[TrialRecord]]:
    """Trials per candidate in the order of replicates; only where every one ended well."""
    found: dict[float, list[TrialRecord]] = {}
    for trial in stage.trials:
        if trial.log10_lambda is not None:
            found.setdefault(trial.log10_lambda, []).append(trial)
    return {
        value: sorted(trials, key=lambda one: one.replicate)
        for value, trials in found.items()
        if all(trial.state is TrialState.COMPLETE for trial in trials)
    }


def _errors(gaps: FloatArray) -> npt.NDArray[np.float64]:
    """Standard errors of the mean gaps (others,), widened for the few replicates."""
    _, replicates, images = gaps.shape
    whole = gaps.mean(axis=(1, 2), dtype=np.float64)
    by_replicate = gaps.mean(axis=2, dtype=np.float64)
    by_image = gaps.mean(axis=1, dtype=np.float64)
    seeds = by_replicate.var(axis=1, ddof=1) / replicates
    draws = by_image.var(axis=1, ddof=1) / images
    rest = (gaps.astype(np.float64) ** 2).mean(axis=(1, 2)) - whole**2
    rest -= by_replicate.var(axis=1) + by_image.var(axis=1)
    single = np.maximum(rest, 0.0) / ((replicates - 1) * (images - 1))
    # all candidates' seeds are alike in their spread: four values each would say little of it
    seeds = np.full_like(seeds, seeds.mean())
    variance = np.maximum(seeds + draws - single, np.maximum(single, 1e-12))
    freedom = (replicates - 1) * (variance / np.maximum(seeds, 1e-15)) ** 2
    widened = stdtrit(freedom, 0.975) / ndtri(0.975)
    return np.asarray(np.sqrt(variance) * widened)


def _resampled(gaps: FloatArray) -> npt.NDArray[np.float64]:
    """Means of resampled replicates and images: (others, replicates, images) → (others, B)."""
    rng = np.random.default_rng(_SEED)
    _, replicates, images = gaps.shape
    weights = rng.multinomial(replicates, [1 / replicates] * replicates, size=_RESAMPLES)
    draws = rng.multinomial(images, np.full(images, 1 / images), size=_RESAMPLES)
    by_replicate = gaps @ (draws.T.astype(np.float32) / np.float32(images))
    means: npt.NDArray[np.float64] = np.einsum(
        "ors,sr->os", by_replicate.astype(np.float64), weights / replicates
    )
    return means

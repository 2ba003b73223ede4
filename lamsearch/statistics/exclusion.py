"""What a search did not carry forward and cannot exclude: its candidates of one run each.

Enters: a stage of the search with its scores per example, and the finalists. Leaves: how far each
candidate is behind its stage's best, and how far it would have to be. Pure.
Refuses to know the test set, and what another stage's schedule would have made of a candidate.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from lamsearch.metrics.shares import unseen_variance
from lamsearch.results import StageName, StageRecord
from lamsearch.space import Point
from lamsearch.statistics.differences import components, example_scores, stacked_gaps
from lamsearch.statistics.model import pooled_variance
from lamsearch.statistics.quantiles import normal_quantile, student_quantile
from lamsearch.statistics.size import score_size

_LEVEL = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A candidate that a stage did not carry forward, against the best of that stage.

    ``difference`` is the best one's score less its own. Beyond ``critical_difference`` it is
    ``excluded``: worse than the best of what its stage tried.
    """

    stage: StageName
    point: Point
    difference: float
    critical_difference: float

    @property
    def excluded(self) -> bool:
        """Whether it is distinguishably worse than the best of its stage."""
        return self.difference > self.critical_difference


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedNoise:
    """The noise that another seed makes, as finalists show it.

    ``variance`` is that of one run's score between seeds, beyond what candidates share, with
    its degrees of freedom; ``single`` is the part of a difference's variance that both it and the
    draw of examples hold: that of single predictions.
    """

    variance: float
    freedom: int
    single: float


def seed_noise(finalists: StageRecord) -> SeedNoise | None:
    """Return the finalists' seed noise; None where they have one replicate or candidate."""
    variance, freedom = pooled_variance(finalists)
    if not freedom:
        return None
    rows = list(example_scores(finalists).values())
    if rows and rows[0].dtype == np.bool_:  # few replicates may agree by chance
        examples = rows[0].shape[1]
        variance = max(variance, unseen_variance(freedom * examples, examples))
    alike = [row for row in rows[1:] if row.shape == rows[0].shape and len(row) > 1]
    single = 0.0
    if alike:
        gaps = stacked_gaps(rows[0], alike)
        single = float(components(gaps)[2].mean()) * gaps.shape[1]
    return SeedNoise(variance=variance, freedom=freedom, single=single)


def dropped(
    stage: StageRecord, carried: Collection[Point], noise: SeedNoise | None
) -> tuple[Dropped, ...]:
    """Return the candidates of ``stage`` that are not among those ``carried`` forward, by point.

    Each is paired with the stage's best over the same validation examples. Their difference has
    the variance of the draw of examples plus twice that of the seeds (``noise``), less what both
    count; without ``noise`` it lacks the seeds and is too small. The critical difference is
    Student's at 1 − 0.05/(K − 1), one-sided, for K candidates: so with at least 95 % the best of
    all that the stage tried is not excluded, however many they are (subset selection, Gupta 1965,
    by Bonferroni's bound). Empty where there are no scores per example.
    """
    scored = {point: rows.mean(axis=0) for point, rows in example_scores(stage).items()}
    if len(scored) < 2:
        return ()
    best = max(scored.values(), key=lambda row: float(row.mean()))
    share, size = _LEVEL / (len(scored) - 1), score_size(stage)
    points = sorted(p for p, row in scored.items() if p not in carried and len(row) == len(best))
    if not points:
        return ()
    gaps = best - np.stack([scored[point] for point in points])  # all at once: may be thousands
    examples = gaps.shape[1]
    draws = gaps.var(axis=1, ddof=1) / examples if examples > 1 else np.full(len(points), 0.25)
    return tuple(
        Dropped(
            stage=stage.name,
            point=point,
            difference=float(difference),
            critical_difference=_critical(float(draw), noise, share, size),
        )
        for point, difference, draw in zip(points, gaps.mean(axis=1), draws, strict=True)
    )


def _critical(draws: float, noise: SeedNoise | None, share: float, size: float) -> float:
    """The difference that is exceeded by chance in a ``share`` of cases.

    ``draws`` is what the draw of examples adds to its variance.
    """
    if noise is None:
        return normal_quantile(1 - share) * math.sqrt(draws)
    seeds = 2 * noise.variance
    variance = max(draws + seeds - noise.single, draws, seeds)
    freedom = noise.freedom * (variance / max(seeds, 1e-15 * size**2)) ** 2
    return float(student_quantile(freedom, 1 - share)) * math.sqrt(variance)

"""Searches replayed from a bank of trainings, and the error of what they come to.

Enters: half of a bank as arrays, how a search is laid out. Leaves: the λ that lamsearch's own
functions choose from it, the updates that it took; means with intervals. Refuses to know which bank
it is. λs are those of the bank: a draw goes to the nearest, and the same λ on the same seed tells
nothing new.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.signal import savgol_filter

from benchmarks.common import CORES
from lamsearch.results import StageName, StageRecord, TrialRecord, TrialState
from lamsearch.search import Rule, extension, finalists, narrow, proposals, spacing, winner
from lamsearch.space import Bounds, Point

IMAGES = 5_000  # that a search selects by
INTERVAL = (-5.0, -1.0)  # of log10 λ, searched
KEEP = 3  # the default of [fine] keep
Floats = npt.NDArray[np.float64]
Kept = TypeVar("Kept")  # a bank
Found = TypeVar("Found")  # what half of it comes to


@dataclass(frozen=True, slots=True)
class Budget:
    """How a search is laid out: its candidates, their schedule and sampler, finalists.

    ``schedule`` and ``final`` name the trainings of coarse and fine and those of the finalists.
    """

    name: str
    coarse: int
    fine: int
    keep: int
    replicates: int
    schedule: str = "full"
    stratified: bool = True
    final: str = "full"

    @property
    def text(self) -> str:
        """The layout in words."""
        return f"{self.searched} at the {self.schedule} schedule, {self.replicated}"

    @property
    def searched(self) -> str:
        """What is drawn, in words."""
        sampler = "stratified" if self.stratified else "random"
        return f"{self.name}: {self.coarse} + {self.fine} {sampler} candidates"

    @property
    def replicated(self) -> str:
        """What is trained again, in words."""
        return f"{self.keep} finalists × {self.replicates}"


@dataclass(frozen=True, slots=True)
class Half:
    """A bank cut in two: what a search may see, and the truth that it is measured by.

    ``grid`` (λs) are the bank's log10 λs. ``seen`` holds validation scores (λs, seeds, cycles) by
    schedule, ``fitted`` training accuracy (λs, seeds) where it is known, both for the selecting
    seeds; ``truth`` (λs) by schedule. ``error`` is a score's over the draw of images, None for a
    share, whose error follows from it.
    """

    grid: Floats
    seen: Mapping[str, Floats]
    truth: Mapping[str, Floats]
    updates: Mapping[str, int]
    fitted: Mapping[str, Floats] = field(default_factory=dict)
    error: float | None = None

    def true(self, log10_lambda: float, schedule: str = "full") -> float:
        """The true accuracy at a λ, which need not be one of the bank's."""
        return float(np.interp(log10_lambda, self.grid, self.truth[schedule]))

    def nearest(self, values: npt.ArrayLike) -> list[int]:
        """Return the indices of the bank's λs that lie nearest to log10 λs (n,)."""
        distance = np.abs(np.asarray(values, np.float64)[:, None] - self.grid)
        return [int(index) for index in distance.argmin(axis=1)]


def smooth(curve: Floats) -> Floats:
    """Smooth a curve over log10 λ: least-squares parabolas over seven neighbours."""
    return np.asarray(savgol_filter(curve, window_length=7, polyorder=2), np.float64)


def stage(
    half: Half, name: StageName, schedule: str, indices: Sequence[int], seeds: Sequence[int],
    bounds: Bounds | None,
) -> StageRecord:  # fmt: skip
    """A stage as the storage would report it, with the bank's scores."""
    scores = half.seen[schedule][np.ix_(indices, seeds)][..., -1]
    points = [(float(half.grid[index]),) for index in indices]
    return record(name, points, scores, bounds, half.error)


def record(
    name: StageName, points: Sequence[Point], scores: Floats, bounds: Bounds | None,
    error: float | None = None,
) -> StageRecord:  # fmt: skip
    """Return a stage as the storage would, from validation scores (points, replicates).

    A score that is NaN is that of a training that failed; ``error`` is that of every other one.
    """
    trials = []
    for (candidate, replicate), score in np.ndenumerate(scores):
        failed = bool(np.isnan(score))
        trial = TrialRecord(
            candidate=candidate, replicate=replicate, cohort=0, point=points[candidate],
            state=TrialState.FAIL if failed else TrialState.COMPLETE,
            score=None if failed else float(score), score_error=None if failed else error,
            validation_loss=None if failed else 0.0,
        )  # fmt: skip
        trials.append(trial)
    return StageRecord(name=name, bounds=bounds, trials=tuple(trials))


@dataclass(frozen=True, slots=True)
class Search:
    """lamsearch's own way: coarse, fine, and finalists to which more can be added.

    ``searched`` counts the updates of coarse and fine; ``indices`` are the finalists', ``seeds``
    their replicates', ``schedule`` is theirs.
    """

    half: Half
    searched: int
    fine: StageRecord
    indices: tuple[int, ...]
    seeds: tuple[int, ...]
    schedule: str

    @property
    def finalists(self) -> StageRecord:
        """The deciding stage."""
        return stage(self.half, "finalists", self.schedule, self.indices, self.seeds, None)

    @property
    def updates(self) -> int:
        """Updates of single models, all stages together."""
        trained = len(self.indices) * len(self.seeds)
        return self.searched + trained * self.half.updates[self.schedule]

    def with_more(self, values: Sequence[float]) -> Search:
        """Add finalists, as far as the bank has not been asked for them."""
        new = self.half.nearest(values) if values else []
        indices = tuple(dict.fromkeys((*self.indices, *new)))
        return Search(self.half, self.searched, self.fine, indices, self.seeds, self.schedule)

    def extended(self) -> Search:
        """Go on while the best finalist is the outermost."""
        further = extension(
            self.finalists, step=spacing(self.fine), within=(INTERVAL,),
            examples=IMAGES,
        )  # fmt: skip
        larger = self.with_more([at for (at,) in further])
        return self if larger.indices == self.indices else larger.extended()

    def refined(self, count: int) -> Search:
        """A second round: what a model of the finalists proposes."""
        found = proposals(self.finalists, count=count, examples=IMAGES)
        return self.with_more([at for (at,) in found])

    def choice(self, rule: Rule) -> float:
        """The rule's log10 λ."""
        found = winner(self.finalists, [], examples=IMAGES, rule=rule)
        return found.point[0]


def search(half: Half, budget: Budget, rng: np.random.Generator) -> Search:
    """Run coarse and fine and choose the finalists."""
    seeds = [int(seed) for seed in rng.permutation(half.seen[budget.schedule].shape[1])]
    indices = half.nearest(draw(budget.coarse, INTERVAL, budget, rng))
    coarse = stage(half, "coarse", budget.schedule, indices, seeds[:1], (INTERVAL,))
    bounds = narrow(coarse, keep=KEEP, examples=IMAGES)
    indices = half.nearest(draw(budget.fine, bounds[0], budget, rng))
    fine = stage(half, "fine", budget.schedule, indices, seeds[1:2], bounds)
    kept = finalists(fine, keep=budget.keep, examples=IMAGES)
    replicates = tuple(seeds[2 : 2 + budget.replicates])
    searched = (budget.coarse + budget.fine) * half.updates[budget.schedule]
    chosen = tuple(half.nearest([at for (at,) in kept]))
    return Search(half, searched, fine, chosen, replicates, budget.final)


def draw(
    count: int, interval: tuple[float, float], budget: Budget, rng: np.random.Generator
) -> Floats:
    """Draw log10 λs as `lamsearch.search.draw` does."""
    shares = rng.random(count)
    if budget.stratified:
        shares = (np.arange(count) + shares) / count
    return interval[0] + (interval[1] - interval[0]) * shares


def mean_and_error(values: Floats) -> tuple[float, float]:
    """Mean of ``values`` (halves, searches) and its standard error.

    Halves of a bank, drawn without replacement, differ as whole banks would (McCarthy 1969). What
    they differ by beyond the luck of the few searches in each is that; to it comes the luck of all
    the searches.
    """
    means = values.mean(axis=1)
    total = float(means.var(ddof=1))
    searches = float(values.var(axis=1, ddof=1).mean()) / values.shape[1]
    return float(means.mean()), math.sqrt(max(0.0, total - searches) + total / len(means))


def interval(values: Floats) -> str:
    """Mean with its 95 % interval, fractions as points."""
    mean, error = (100 * value for value in mean_and_error(values))
    return f"{mean:.3f} ({mean - 1.96 * error:.3f} to {mean + 1.96 * error:.3f})"


def in_halves(
    replay: Callable[[Kept, int, int], Found], bank: Kept, halves: int, replays: int
) -> list[Found]:
    """Return what ``replay`` finds in so many halves of a bank, one core each."""
    with ProcessPoolExecutor(CORES) as pool:
        jobs = [pool.submit(replay, bank, number, replays) for number in range(halves)]
        return [job.result() for job in jobs]

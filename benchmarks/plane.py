"""Is λ × η_max worth searching? Whole searches, replayed from real trainings.

Enters: benchmarks/plane_bank.npz. Leaves: for every layout the true accuracy of what is chosen by a
search of λ × η_max, and of searches of λ alone at fixed rates, with as many updates; how much they
differ, with intervals.

    python -m benchmarks.plane [--quick]

Each replay draws its own halves of the bank, as `benchmarks.selection` does: 7 of 14 seeds and
5,000 of 10,000 held-out images to select by, the others for the truth; the intervals hold the
variation between the bank's seeds and images. Draws go to the nearest point of the bank. Every
search of a layout has the same number of updates: finalists are not extended, where fewer lie apart
than are kept the next best are trained with them, and a training that fails counts as a whole one.
For the truth it counts as a guess among ten classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy.interpolate import RegularGridInterpolator
from threadpoolctl import threadpool_limits

from benchmarks import plane_bank
from benchmarks.common import publish, read_options, table
from benchmarks.plane_bank import BLOCKS, HELD_OUT, LAMBDAS, RATES, SEEDS, Bank
from benchmarks.replay import in_halves, interval, record
from lamsearch.results import StageName, StageRecord
from lamsearch.search import Rule, draw, finalists, narrow, winner
from lamsearch.search.samplers import stratified
from lamsearch.space import SPACE, Bounds, Point, Space, space_of
from lamsearch.statistics import rank

HALVES, REPLAYS = 80, 24  # of the bank; searches in each
DESIGNS = 256  # different draws of so many points; one in two dimensions takes a while
IMAGES = HELD_OUT // 2
GUESS = 0.1  # accuracy, where a training failed
DEFAULT = 0.1  # η_max of a study file that says nothing
KEEP = 3  # the default of [fine] keep
RULES: tuple[Rule, ...] = ("model", "best")
GRID = (np.log10(RATES), np.array(LAMBDAS))
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a search is laid out: candidates of coarse and fine, finalists and their replicates."""

    name: str
    coarse: int
    fine: int
    keep: int
    replicates: int

    @property
    def trainings(self) -> int:
        """How many networks it trains."""
        return self.coarse + self.fine + self.keep * self.replicates


LAYOUTS = (
    Layout("small", 8, 4, 3, 2),
    Layout("cifar10.toml", 12, 8, 4, 5),
    Layout("large", 20, 10, 5, 5),
)


@dataclass(frozen=True, slots=True)
class Way:
    """What is searched: λ at a fixed η_max, or both where ``rate`` is None."""

    name: str
    space: Space
    bounds: Bounds
    rate: float | None = None

    def coordinates(self, point: Point) -> tuple[float, float]:
        """Return log10 η_max and log10 λ of a point."""
        return float(np.log10(self.rate) if self.rate else point[1]), point[0]

    def index(self, point: Point) -> tuple[int, int]:
        """Return the bank's nearest point: the indices of its η_max and its λ."""
        pairs = zip(self.coordinates(point), GRID, strict=True)
        rate, lam = (int(np.abs(axis - x).argmin()) for x, axis in pairs)
        return rate, lam

    def at(self, index: tuple[int, int]) -> Point:
        """Return the point of this space at one of the bank's."""
        rate, lam = (float(axis[k]) for k, axis in zip(index, GRID, strict=True))
        return (lam,) if self.rate else (lam, rate)


def alone(rate: float) -> Way:
    """λ at a fixed η_max."""
    return Way(f"λ alone, η_max = {rate:g}", SPACE, ((LAMBDAS[0], LAMBDAS[-1]),), rate)


def plane(low: float, high: float) -> Way:
    """λ × η_max, both logarithmic, as a study file has it."""
    space = space_of({"coarse": {"space": {"eta_max": {"log": [low, high]}}}})
    bounds = ((LAMBDAS[0], LAMBDAS[-1]), (float(np.log10(low)), float(np.log10(high))))
    return Way(f"λ × η_max, {low:g} to {high:g}", space, bounds)


# λ alone at these: a bank's rates at which no training failed, but for the lowest
FIXED = tuple(alone(rate) for rate in RATES if 0.04 < rate < 0.25)
# all rates of the bank; the bounds that docs/study-file.md has; a factor of two about the default
PLANES = (plane(RATES[0], RATES[-1]), plane(0.02, 0.3), plane(DEFAULT / 2, DEFAULT * 2))
WAYS = (*PLANES, *FIXED)


@dataclass(frozen=True, slots=True)
class Half:
    """A bank cut in two: what a search may see, and the truth that it is measured by.

    ``seen`` (η_max, λ, seeds) is validation accuracy, NaN where a training failed; ``truth``
    (η_max, λ) is the mean accuracy over the other seeds and images.
    """

    seen: Floats
    truth: Floats

    def true(self, way: Way, point: Point) -> float:
        """The true accuracy at a point, which need not be one of the bank's."""
        at = np.clip(way.coordinates(point), [x[0] for x in GRID], [x[-1] for x in GRID])
        return float(RegularGridInterpolator(GRID, self.truth)(at)[0])


def halve(bank: Bank, rng: np.random.Generator) -> Half:
    """Cut seeds and images in two at random."""
    mine, other = np.array_split(rng.permutation(SEEDS), 2)
    drawn, true = np.array_split(rng.permutation(BLOCKS), 2)
    well = bank.ended == bank.updates
    seen = bank.right[:, :, mine][..., drawn].sum(axis=-1) / IMAGES
    rest = bank.right[:, :, other][..., true].sum(axis=-1) / IMAGES
    return Half(
        seen=np.where(well[:, :, mine], seen, np.nan),
        truth=np.where(well[:, :, other], rest, GUESS).mean(axis=-1),
    )


def whole(bank: Bank) -> Floats:
    """True accuracy (η_max, λ) by everything the bank knows."""
    accuracy = bank.right.sum(axis=-1) / HELD_OUT
    return np.asarray(np.where(bank.ended == bank.updates, accuracy, GUESS).mean(axis=-1))


def best_rate(bank: Bank) -> float:
    """The η_max at which λ alone can do best, by everything the bank knows."""
    return RATES[int(whole(bank).max(axis=1).argmax())]


def stage(
    half: Half, way: Way, name: StageName, points: Sequence[Point], seeds: Sequence[int],
    bounds: Bounds | None,
) -> StageRecord:  # fmt: skip
    """A stage as the storage would tell it, trained at the bank's points nearest to these."""
    indices = [way.index(point) for point in points]
    scores = np.array([half.seen[index][list(seeds)] for index in indices])
    return record(name, [way.at(index) for index in indices], scores, bounds)


@cache
def design(count: int, dimensions: int, number: int) -> Floats:
    """Return one of the stratified sampler's draws, as shares of the bounds."""
    return stratified(count, dimensions, np.random.default_rng([46, number]))


def search(half: Half, way: Way, layout: Layout, rng: np.random.Generator) -> StageRecord:
    """Run coarse and fine; return the finalists."""
    seeds = [int(seed) for seed in rng.permutation(half.seen.shape[-1])]

    def drawn(count: int, bounds: Bounds) -> list[Point]:
        number = int(rng.integers(DESIGNS))
        return draw(
            count, bounds, seed=[number], space=way.space,
            sampler=lambda count, dimensions, _: design(count, dimensions, number),
        )  # fmt: skip

    coarse = stage(half, way, "coarse", drawn(layout.coarse, way.bounds), seeds[:1], way.bounds)
    bounds = narrow(coarse, keep=KEEP, examples=IMAGES, space=way.space)
    fine = stage(half, way, "fine", drawn(layout.fine, bounds), seeds[1:2], bounds)
    kept = finalists(fine, keep=layout.keep, examples=IMAGES, space=way.space)
    next_best = [one.point for searched in (fine, coarse) for one in rank(searched, IMAGES)]
    kept = list(dict.fromkeys([*kept, *next_best]))[: layout.keep]
    return stage(half, way, "finalists", kept, seeds[2 : 2 + layout.replicates], None)


def chosen(half: Half, way: Way, layout: Layout, rng: np.random.Generator) -> Floats:
    """Search once; return the true accuracy of what each of the rules chooses."""
    deciding = search(half, way, layout, rng)
    found = [winner(deciding, [], examples=IMAGES, rule=rule, space=way.space) for rule in RULES]
    return np.array([half.true(way, one.point) for one in found])


def replay(bank: Bank, number: int, replays: int) -> dict[tuple[str, str], Floats]:
    """Search one half of the bank in every way; by layout and way (searches, rules)."""
    half, found = halve(bank, np.random.default_rng([45, number])), {}
    with threadpool_limits(limits=1):
        for kind, (layout, way) in enumerate(product(LAYOUTS, WAYS)):
            rng = np.random.default_rng([45, number, kind])
            true = [chosen(half, way, layout, rng) for _ in range(replays)]
            found[layout.name, way.name] = np.array(true)
    return found


Found = Sequence[dict[tuple[str, str], Floats]]


def rows(bank: Bank, found: Found, layout: Layout) -> list[list[str]]:
    """A layout's rows: each way, and how much more it comes to than λ alone at two rates."""
    by_way = {
        way: np.stack([one[layout.name, way.name] for one in found]).transpose(2, 0, 1)
        for way in WAYS
    }
    usual, known = by_way[alone(DEFAULT)], by_way[alone(best_rate(bank))]
    lines = []
    for way, true in by_way.items():
        more, over = true - usual, true - known
        first = [interval(more[0]), f"{100 * (more[0] > 0).mean():.0f} %", interval(more[1])]
        cells = [
            *(["–"] * 3 if way == alone(DEFAULT) else first),
            "–" if way == alone(best_rate(bank)) else interval(over[0]),
        ]
        lines.append([named(bank, way), f"{100 * true[0].mean():.2f}", *cells])
    return lines


def named(bank: Bank, way: Way) -> str:
    """A way in words, and what is special about it."""
    notes = {DEFAULT: " (the default)", best_rate(bank): " (the best, known beforehand)"}
    return way.name + (notes.get(way.rate, "") if way.rate else "")


def surface(bank: Bank) -> str:
    """The bank's mean accuracy over the plane, and how many trainings failed."""
    failed = (bank.ended < bank.updates).sum(axis=-1)
    lines = [
        [f"{rate:g}"]
        + [
            f"{SEEDS - lost} of {SEEDS} ended" if lost else f"{100 * mean:.2f}"
            for mean, lost in zip(means, losts, strict=True)
        ]
        for rate, means, losts in zip(RATES, whole(bank), failed, strict=True)
    ]
    return table(["η_max, log10 λ", *(f"{x:g}" for x in LAMBDAS)], lines)


def report(bank: Bank, found: Found, replays: int) -> str:
    """The section of RESULTS.md."""
    parts = [
        f"{len(found)} halves of a bank of {len(RATES)} η_max × {len(LAMBDAS)} λs × {SEEDS} seeds "
        f"of real CIFAR-10 trainings (50 units, 512 components, 40,000 images, {bank.updates:,} "
        f"updates in 3 cycles), {replays} searches of every layout in each. Mean accuracy (%) over "
        "the bank's seeds on its 10,000 held-out images:",
        surface(bank),
        'True accuracy of what a search chooses by `rule = "model"`, and how many points more '
        "that is than what λ alone comes to (95 %), at the same number of updates. log10 λ from "
        f"{LAMBDAS[0]:g} to {LAMBDAS[-1]:g}, stratified draws; “higher”: in how many pairs of "
        "searches it ends at a better point than λ alone at the default rate.",
    ]
    head = [
        "searched", "true accuracy (%)", f"more than at η_max = {DEFAULT:g}", "higher",
        "the same by `best`", f"more than at η_max = {best_rate(bank):g}",
    ]  # fmt: skip
    parts += [
        f"Layout “{layout.name}”: {layout.coarse} + {layout.fine} candidates, {layout.keep} "
        f"finalists × {layout.replicates}: {layout.trainings} trainings, "
        f"{layout.trainings * bank.updates / 1000:,.0f} thousand updates.\n\n"
        + table(head, rows(bank, found, layout))
        for layout in LAYOUTS
    ]
    return "\n\n".join(parts)


def main() -> None:
    """Replay."""
    options = read_options(__doc__ or "")
    bank = plane_bank.load()
    halves, replays = (8, 2) if options.quick else (HALVES, REPLAYS)
    found = in_halves(replay, bank, halves, replays)
    publish("plane", report(bank, found, replays), options)


if __name__ == "__main__":
    main()

"""How good are the λs that the rules choose? Whole searches, replayed from real trainings.

Enters: benchmarks/selection_bank.npz. Leaves: for every rule and budget the true accuracy of the
chosen λ and its regret, with intervals; what halving costs; docs/pictures/selection.png.

    python -m benchmarks.selection [--quick]

Each replay draws its own halves of the bank: 10 of 20 seeds and 5,000 of 10,000 held-out images to
select by, the others for the truth: mean accuracy at the final's schedule, smoothed over λ. What
the halves of a bank differ by estimates the standard error of the whole (McCarthy 1969), so the
intervals hold the luck of the bank's seeds and images and not only that of the draws. λs are those
of the bank: a draw goes to the nearest, and the same λ on the same seed tells nothing new.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import savgol_filter
from threadpoolctl import threadpool_limits

from benchmarks import selection_bank, selection_picture
from benchmarks.common import CORES, publish, read_options, table
from benchmarks.selection_bank import LAMBDAS, SEEDS, Bank
from lamsearch import selection
from lamsearch.results import StageName, StageRecord, TrialRecord, TrialState
from lamsearch.selection.ranking import Rule

HALVES, REPLAYS = 120, 10  # of the bank; searches in each
IMAGES = selection_bank.HELD_OUT // 2
INTERVAL = (LAMBDAS[0], LAMBDAS[-1])
GRID = np.array(LAMBDAS)
COHORT = 8
LONGEST, PICTURED = 70, 400  # runs of the picture's single-seed searches; how many searches
STAGE = 15  # candidates of the stage that halving is tried on
SINGLE, PLAIN = "single-seed best, own seeds", "replicated finalists"
EDGES, MODEL = "finalists, extended", "finalists, extended, 2 rounds, model"
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Budget:
    """How long a search is: candidates of coarse and of fine, finalists, replicates of each."""

    name: str
    trials: int
    keep: int
    replicates: int


BUDGETS = (
    Budget("a third", 6, 3, 2),
    Budget("two thirds", 10, 3, 4),
    Budget("cifar10.toml", 15, 4, 5),
    Budget("twice", 30, 5, 8),
)


@dataclass(frozen=True, slots=True)
class Half:
    """A bank cut in two: what a search may see, and the truth that it is measured by.

    ``seen`` holds validation accuracy by schedule (λs, seeds, cycles), ``fitted`` training accuracy
    (λs, seeds), both for the selecting seeds; ``truth`` (λs) by schedule.
    """

    seen: Mapping[str, Floats]
    fitted: Mapping[str, Floats]
    truth: Mapping[str, Floats]
    updates: Mapping[str, int]

    def true(self, log10_lambda: float, schedule: str = "full") -> float:
        """The true accuracy at a λ, which need not be one of the bank's."""
        return float(np.interp(log10_lambda, GRID, self.truth[schedule]))


def smooth(curve: Floats) -> Floats:
    """Smooth a curve over log10 λ: least-squares parabolas over seven neighbours."""
    return np.asarray(savgol_filter(curve, window_length=7, polyorder=2), np.float64)


def halve(bank: Mapping[str, Bank], rng: np.random.Generator) -> Half:
    """Cut seeds and images in two at random."""
    seeds, blocks = rng.permutation(SEEDS), rng.permutation(selection_bank.BLOCKS)
    mine, other = np.array_split(seeds, 2)
    held, true = np.array_split(blocks, 2)
    return Half(
        seen={k: b.right[:, mine][..., held].sum(axis=-1) / IMAGES for k, b in bank.items()},
        fitted={k: b.train[:, mine].astype(np.float64) for k, b in bank.items()},
        truth={
            k: smooth(b.right[:, other, -1][..., true].sum(axis=-1).mean(axis=1) / IMAGES)
            for k, b in bank.items()
        },
        updates={k: b.updates for k, b in bank.items()},
    )


def nearest(values: npt.ArrayLike) -> list[int]:
    """Return the bank's places of log10 λs (n,)."""
    distance = np.abs(np.asarray(values, np.float64)[:, None] - GRID)
    return [int(place) for place in distance.argmin(axis=1)]


def stage(
    half: Half, name: StageName, schedule: str, places: Sequence[int], seeds: Sequence[int],
    interval: tuple[float, float] | None,
) -> StageRecord:  # fmt: skip
    """A stage as the storage would tell it, with the bank's accuracies."""
    seen = half.seen[schedule]
    trials = [
        TrialRecord(
            candidate=candidate, replicate=replicate, cohort=0, log10_lambda=float(GRID[place]),
            state=TrialState.COMPLETE, validation_accuracy=float(seen[place, seed, -1]),
            validation_loss=0.0,
        )
        for candidate, place in enumerate(places)
        for replicate, seed in enumerate(seeds)
    ]  # fmt: skip
    return StageRecord(name=name, interval=interval, trials=tuple(trials))


@dataclass(frozen=True, slots=True)
class Search:
    """lamsearch's own way: coarse, fine, and finalists to which more can be added."""

    half: Half
    coarse: StageRecord
    fine: StageRecord
    places: tuple[int, ...]
    seeds: tuple[int, ...]

    @property
    def finalists(self) -> StageRecord:
        """The deciding stage."""
        return stage(self.half, "finalists", "full", self.places, self.seeds, None)

    @property
    def updates(self) -> int:
        """Updates of single nets, all stages together."""
        searched = self.coarse.planned + self.fine.planned
        deciding = len(self.places) * len(self.seeds)
        return searched * self.half.updates["short"] + deciding * self.half.updates["full"]

    def with_more(self, values: Sequence[float]) -> Search:
        """Add finalists, as far as the bank has not been asked for them."""
        new = nearest(values) if values else []
        places = dict.fromkeys((*self.places, *new))
        return Search(self.half, self.coarse, self.fine, tuple(places), self.seeds)

    def extended(self) -> Search:
        """Go on while the best finalist is the outermost."""
        further = selection.extension(
            self.finalists, step=selection.apart(self.fine), within=INTERVAL,
            validation_images=IMAGES,
        )  # fmt: skip
        larger = self.with_more(further)
        return self if larger.places == self.places else larger.extended()

    def refined(self, count: int) -> Search:
        """A second round: what a model of the finalists proposes."""
        return self.with_more(
            selection.proposals(self.finalists, count=count, validation_images=IMAGES)
        )

    def choice(self, rule: Rule) -> float:
        """The rule's log10 λ."""
        found = selection.winner(self.finalists, [], validation_images=IMAGES, rule=rule)
        return found.log10_lambda


def search(half: Half, budget: Budget, rng: np.random.Generator) -> Search:
    """Run coarse and fine and choose the finalists."""
    seeds = [int(seed) for seed in rng.permutation(SEEDS // 2)]
    drawn = nearest(rng.uniform(*INTERVAL, budget.trials))
    coarse = stage(half, "coarse", "short", drawn, seeds[:1], INTERVAL)
    interval = selection.narrow(coarse, keep=3, validation_images=IMAGES)
    drawn = nearest(rng.uniform(*interval, budget.trials))
    fine = stage(half, "fine", "short", drawn, seeds[1:2], interval)
    kept = selection.finalists(fine, keep=budget.keep, validation_images=IMAGES)
    chosen = tuple(nearest(kept))
    return Search(half, coarse, fine, chosen, tuple(seeds[2 : 2 + budget.replicates]))


def single(
    half: Half, updates: int, rng: np.random.Generator, *, schedule: str = "full",
    by: str = "seen", one_seed: bool = False,
) -> tuple[float, float]:  # fmt: skip
    """What people do: as many random λs as ``updates`` pay for, once each, take the best.

    Returns log10 λ and the score that made it the best.
    """
    count = max(1, round(updates / half.updates[schedule]))
    places = nearest(rng.uniform(*INTERVAL, count))
    seeds = rng.integers(SEEDS // 2, size=1 if one_seed else count)
    scores = half.seen[schedule][..., -1] if by == "seen" else half.fitted[schedule]
    found = scores[places, seeds]
    best = int(found.argmax())
    return float(GRID[places[best]]), float(found[best])


def choices(half: Half, budget: Budget, rng: np.random.Generator) -> dict[str, tuple[float, int]]:
    """Return each rule's log10 λ and the updates it took, in one replay of a budget."""
    plain = search(half, budget, rng)
    wide = plain.extended()
    twice = wide.refined(budget.keep)
    found = {
        PLAIN: (plain.choice("best"), plain.updates),
        EDGES: (wide.choice("best"), wide.updates),
        "finalists, extended, one standard error": (
            wide.choice("one_standard_error"), wide.updates,
        ),
        "finalists, extended, model": (wide.choice("model"), wide.updates),
        "finalists, extended, 2 rounds": (twice.choice("best"), twice.updates),
        MODEL: (twice.choice("model"), twice.updates),
    }  # fmt: skip
    # as many updates as the longest of these took: what is left over is the simple rules' gain
    most = twice.updates
    ways: Mapping[str, Callable[[], tuple[float, float]]] = {
        "training accuracy, own seeds": lambda: single(half, most, rng, by="fitted"),
        SINGLE: lambda: single(half, most, rng),
        "single-seed best, one seed for all": lambda: single(half, most, rng, one_seed=True),
        "single-seed best, short schedule": lambda: single(half, most, rng, schedule="short"),
    }
    return {name: (way()[0], most) for name, way in ways.items()} | found


def halving(half: Half, rng: np.random.Generator) -> dict[str, tuple[float, int]]:
    """One stage of four cycles, whole, halved in its cohorts, and as short as the halved one."""
    places = nearest(rng.uniform(*INTERVAL, STAGE))
    seen = half.seen["long"][places, rng.integers(SEEDS // 2)]  # (candidates, cycles)
    cycles, per_cycle = seen.shape[1], half.updates["long"] // seen.shape[1]
    left, spent = seen.copy(), 0
    for cohort in np.array_split(np.arange(STAGE), -(-STAGE // COHORT)):
        spent += selection.halving.net_cycles(len(cohort), cycles=cycles) * per_cycle
        for cycle in range(cycles - 1):
            scores = left[cohort, cycle]
            gone = selection.halving.leavers(scores, -scores, cycle=cycle + 1, cycles=cycles)
            left[cohort[list(gone)], cycle + 1 :] = np.nan
    best = {
        "whole": (int(seen[:, -1].argmax()), STAGE * half.updates["long"]),
        "halved": (int(np.nanargmax(left[:, -1])), spent),
        "whole, as few updates": (int(seen[: STAGE // 2 + 1, -1].argmax()), spent),
    }
    return {name: (float(GRID[places[at]]), updates) for name, (at, updates) in best.items()}


Losses = dict[tuple[str, str], tuple[float, float]]  # (budget, rule): regret, updates


def replay(bank: Mapping[str, Bank], number: int, replays: int) -> Losses:
    """Return mean regret and updates of all rules in the searches of one half of the bank."""
    rng = np.random.default_rng([42, number])
    half = halve(bank, rng)
    best = {name: optimum(one) for name, one in bank.items()}
    sums: dict[tuple[str, str], list[tuple[float, float]]] = {}
    with threadpool_limits(limits=1):
        for _ in range(replays):
            for budget in BUDGETS:
                for rule, (chosen, updates) in choices(half, budget, rng).items():
                    lost = half.true(best["full"]) - half.true(chosen)
                    sums.setdefault((budget.name, rule), []).append((lost, updates))
            for rule, (chosen, updates) in halving(half, rng).items():
                lost = half.true(best["long"], "long") - half.true(chosen, "long")
                sums.setdefault(("halving", rule), []).append((lost, updates))
    return {key: tuple(np.mean(values, axis=0)) for key, values in sums.items()}


def optimum(bank: Bank) -> float:
    """The best log10 λ of a schedule by everything the bank knows: what regret is counted from."""
    return float(GRID[int(whole(bank).argmax())])


def whole(bank: Bank) -> Floats:
    """True accuracy over λ by everything the bank knows."""
    return smooth(bank.right[:, :, -1].sum(axis=-1).mean(axis=1) / selection_bank.HELD_OUT)


def mean_and_error(values: Floats) -> tuple[float, float]:
    """Mean over the halves and its standard error, which is the halves' own spread.

    Half-samples without replacement differ by as much as whole banks would; more of them make the
    mean smoother, not the bank larger.
    """
    return float(values.mean()), float(values.std(ddof=1))


def interval(values: Floats) -> str:
    """Mean with its 95 % interval, fractions as points."""
    mean, error = (100 * value for value in mean_and_error(values))
    return f"{mean:.2f} ({mean - 1.96 * error:.2f} to {mean + 1.96 * error:.2f})"


def rows(found: Sequence[Losses], budget: str, against: str, top: float) -> list[list[str]]:
    """A table's rows: regret, and how much less than that of the rule ``against``."""
    names = [rule for name, rule in found[0] if name == budget]
    lost = {rule: np.array([one[budget, rule][0] for one in found]) for rule in names}
    lines = []
    for rule in sorted(names, key=lambda one: -lost[one].mean()):
        updates = np.mean([one[budget, rule][1] for one in found])
        less = "–" if rule == against else interval(lost[against] - lost[rule])
        true = 100 * (top - lost[rule].mean())
        lines.append([rule, f"{updates / 1000:,.0f}", f"{true:.2f}", interval(lost[rule]), less])
    return lines


def report(bank: Mapping[str, Bank], found: Sequence[Losses], replays: int) -> str:
    """The section of RESULTS.md."""
    tops = {name: float(whole(one).max()) for name, one in bank.items()}
    head = ["rule", "1,000 updates", "true accuracy (%)", "regret, points (95 %)",
            "less than single-seed best (95 %)"]  # fmt: skip
    parts = [
        f"{len(found)} halves of a bank of {len(LAMBDAS)} λs × {SEEDS} seeds of real CIFAR-10 "
        f"trainings (512 components, 40,000 images), {replays} searches in each, for every budget. "
        "Regret is the true accuracy of the best λ less that of the chosen one, at the final's "
        f"schedule; best: log10 λ = {optimum(bank['full']):g}, {100 * tops['full']:.2f} %. "
        "Simple rules get as many updates as the longest of the others took."
    ]
    for budget in BUDGETS:
        size = (
            f"{budget.trials} + {budget.trials} trials, "
            f"{budget.keep} finalists × {budget.replicates}"
        )
        lines = rows(found, budget.name, SINGLE, tops["full"])
        parts.append(f"Budget “{budget.name}” ({size}):\n\n{table(head, lines)}")
    cut = rows(found, "halving", "whole", tops["long"])
    head = [*head[:-1], "less than whole (95 %)"]
    parts.append(
        f"Halving: one stage of {STAGE} candidates on one seed, cohorts of {COHORT}, four cycles "
        f"of {2 * 900:,} updates; truth at the same schedule.\n\n{table(head, cut)}"
    )
    single_lost, ours = (
        np.array([one["cifar10.toml", rule][0] for one in found]) for rule in (SINGLE, MODEL)
    )
    share = ours.mean() / single_lost.mean() if single_lost.mean() > 0 else math.nan
    parts.append(f"“{MODEL}” has {share:.2f} times the regret of “{SINGLE}” at its updates.")
    return "\n\n".join(parts)


def paths(bank: Mapping[str, Bank], searches: int) -> selection_picture.Paths:
    """Searches for the picture, each on its own half of the bank."""
    rng = np.random.default_rng(43)
    halves = [halve(bank, rng) for _ in range(searches)]
    walked = [walk(half, rng) for half in halves]
    ours: dict[str, tuple[Floats, Floats]] = {}
    for budget in BUDGETS:
        ended = [search(half, budget, rng).extended().refined(budget.keep) for half in halves]
        true = [one.half.true(one.choice("model")) for one in ended]
        ours[budget.name] = (np.array([one.updates for one in ended]), np.array(true))
    return selection_picture.Paths(
        reported=np.array([reported for reported, _ in walked]),
        true=np.array([true for _, true in walked]),
        ours=ours,
        top=float(whole(bank["full"]).max()),
        updates=bank["full"].updates,
    )


def walk(half: Half, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """A single-seed search's best score, and what its λ is worth, after each of its runs."""
    places = nearest(rng.uniform(*INTERVAL, LONGEST))
    scores = half.seen["full"][places, rng.integers(SEEDS // 2, size=LONGEST), -1]
    best = [int(scores[: n + 1].argmax()) for n in range(LONGEST)]
    return scores[best], half.truth["full"][np.array(places)[best]]


def main() -> None:
    """Replay."""
    options = read_options(__doc__ or "")
    bank = selection_bank.load()
    halves, replays = (8, 2) if options.quick else (HALVES, REPLAYS)
    with ProcessPoolExecutor(CORES) as pool:
        jobs = [pool.submit(replay, bank, number, replays) for number in range(halves)]
        found = [job.result() for job in jobs]
    publish("selection", report(bank, found, replays), options)
    if not options.quick:
        selection_picture.draw(paths(bank, PICTURED))


if __name__ == "__main__":
    main()

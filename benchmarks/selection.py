"""How good are the λs that the rules choose? Whole searches, replayed from real trainings.

Enters: benchmarks/selection_bank.npz. Leaves: for every rule and budget the true accuracy of the
chosen λ and its regret, with intervals; what halving costs; docs/figures/selection.png.

    python -m benchmarks.selection [--quick]

Each replay draws its own halves of the bank: 10 of 20 seeds and 5,000 of 10,000 held-out images to
select by, the others for the truth: mean accuracy at the final's schedule, smoothed over λ. What
the halves of a bank differ by estimates the standard error of the whole (McCarthy 1969), so the
intervals hold the luck of the bank's seeds and images and not only that of the draws. λs are those
of the bank: a draw goes to the nearest, and the same λ on the same seed tells nothing new.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import savgol_filter
from threadpoolctl import threadpool_limits

from benchmarks import banks, selection_bank, selection_picture
from benchmarks.common import CORES, publish, read_options, table
from benchmarks.selection_bank import LAMBDAS, SEEDS, Bank
from lamsearch.results import StageName, StageRecord
from lamsearch.search import Rule, extension, finalists, narrow, proposals, spacing, winner
from lamsearch.search.halving import leavers, model_cycles
from lamsearch.space import Bounds

HALVES, REPLAYS = 80, 8  # of the bank; searches in each
MATCHED = 20  # single-seed searches beside each of them
IMAGES = selection_bank.HELD_OUT // 2
INTERVAL = (LAMBDAS[0], LAMBDAS[-1])
GRID = np.array(LAMBDAS)
KEEP = 3  # the default of [fine] keep
COHORT = 8
LONGEST, PICTURED = 70, 200  # runs of the figure's single-seed searches; how many searches
STAGE = 15  # candidates of the stage that halving is tried on
SAMPLERS = ("random", "stratified")
SINGLE = "single-seed best"
MODEL = "finalists, extended, model"
WORSE = "worse than the model's"  # no rule: how often the two naive ones are
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Budget:
    """How a search is laid out: its candidates, their schedule and sampler, finalists."""

    name: str
    coarse: int
    fine: int
    keep: int
    replicates: int
    schedule: str = "full"
    stratified: bool = True

    @property
    def text(self) -> str:
        """The layout in words."""
        sampler = "stratified" if self.stratified else "random"
        return (
            f"{self.name}: {self.coarse} + {self.fine} {sampler} candidates at the {self.schedule} "
            f"schedule, {self.keep} finalists × {self.replicates}"
        )


BUDGETS = (
    Budget("small", 8, 4, 3, 2),
    Budget("cifar10.toml", 12, 8, 4, 5),
    Budget("large", 20, 10, 5, 8),
    Budget("searched at a third of the schedule", 15, 15, 4, 5, "short", stratified=False),
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
    drawn, true = np.array_split(blocks, 2)
    return Half(
        seen={k: b.right[:, mine][..., drawn].sum(axis=-1) / IMAGES for k, b in bank.items()},
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
    bounds: Bounds | None,
) -> StageRecord:  # fmt: skip
    """A stage as the storage would tell it, with the bank's accuracies."""
    scores = half.seen[schedule][np.ix_(places, seeds)][..., -1]
    return banks.record(name, [(float(GRID[place]),) for place in places], scores, bounds)


@dataclass(frozen=True, slots=True)
class Search:
    """lamsearch's own way: coarse, fine, and finalists to which more can be added.

    ``searched`` counts the updates of coarse and fine; ``places`` are the finalists', ``seeds``
    their replicates'.
    """

    half: Half
    searched: int
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
        return self.searched + len(self.places) * len(self.seeds) * self.half.updates["full"]

    def with_more(self, values: Sequence[float]) -> Search:
        """Add finalists, as far as the bank has not been asked for them."""
        new = nearest(values) if values else []
        places = dict.fromkeys((*self.places, *new))
        return Search(self.half, self.searched, self.fine, tuple(places), self.seeds)

    def extended(self) -> Search:
        """Go on while the best finalist is the outermost."""
        further = extension(
            self.finalists, step=spacing(self.fine), within=(INTERVAL,),
            examples=IMAGES,
        )  # fmt: skip
        larger = self.with_more([at for (at,) in further])
        return self if larger.places == self.places else larger.extended()

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
    seeds = [int(seed) for seed in rng.permutation(SEEDS // 2)]
    places = nearest(draw(budget.coarse, INTERVAL, budget, rng))
    coarse = stage(half, "coarse", budget.schedule, places, seeds[:1], (INTERVAL,))
    bounds = narrow(coarse, keep=KEEP, examples=IMAGES)
    places = nearest(draw(budget.fine, bounds[0], budget, rng))
    fine = stage(half, "fine", budget.schedule, places, seeds[1:2], bounds)
    kept = finalists(fine, keep=budget.keep, examples=IMAGES)
    replicates = tuple(seeds[2 : 2 + budget.replicates])
    searched = (budget.coarse + budget.fine) * half.updates[budget.schedule]
    return Search(half, searched, fine, tuple(nearest([at for (at,) in kept])), replicates)


def draw(
    count: int, interval: tuple[float, float], budget: Budget, rng: np.random.Generator
) -> Floats:
    """Draw log10 λs as `lamsearch.search.draw` does."""
    shares = rng.random(count)
    if budget.stratified:
        shares = (np.arange(count) + shares) / count
    return interval[0] + (interval[1] - interval[0]) * shares


def single(
    half: Half, updates: int, rng: np.random.Generator, *, searches: int = MATCHED,
    schedule: str = "full", by: str = "seen", one_seed: bool = False,
) -> Floats:  # fmt: skip
    """What people do: as many random λs as ``updates`` pay for, once each, take the best.

    Returns the true accuracies of what that many ``searches`` chose.
    """
    count = max(1, round(updates / half.updates[schedule]))
    places = np.reshape(nearest(rng.uniform(*INTERVAL, searches * count)), (searches, count))
    seeds = rng.integers(SEEDS // 2, size=(searches, 1 if one_seed else count))
    scores = half.seen[schedule][..., -1] if by == "seen" else half.fitted[schedule]
    best = scores[places, seeds].argmax(axis=1)
    chosen: Floats = half.truth["full"][places[np.arange(searches), best]]
    return chosen


def choices(half: Half, budget: Budget, rng: np.random.Generator) -> dict[str, tuple[float, int]]:
    """Return each rule's true accuracy and the updates it took, in one replay of a budget."""
    plain = search(half, budget, rng)
    wide = plain.extended()
    twice = wide.refined(budget.keep)
    ways: dict[str, tuple[Search, Rule]] = {
        "finalists": (plain, "best"),
        "finalists, extended": (wide, "best"),
        "finalists, extended, one standard error": (wide, "one_standard_error"),
        MODEL: (wide, "model"),
        "finalists, extended, model, 2 rounds": (twice, "model"),
    }
    return {
        name: (half.true(way.choice(rule)), way.updates) for name, (way, rule) in ways.items()
    } | simple(half, wide.updates, rng)


def simple(half: Half, updates: int, rng: np.random.Generator) -> dict[str, tuple[float, int]]:
    """Return what each of the simple rules comes to on average, at so many updates."""
    ways: dict[str, Floats] = {
        "training accuracy, as in the source report": single(half, updates, rng, by="fitted"),
        SINGLE: single(half, updates, rng),
        "single-seed best, one seed for all": single(half, updates, rng, one_seed=True),
        "single-seed best of the short schedule": single(half, updates, rng, schedule="short"),
    }
    return {name: (float(true.mean()), updates) for name, true in ways.items()}


def halving(half: Half, stratified: bool, rng: np.random.Generator) -> dict[str, tuple[float, int]]:
    """One stage of four cycles, whole, halved in its cohorts, and with half the candidates."""
    layout = Budget("halving", STAGE, 0, 0, 0, "long", stratified)
    places = nearest(draw(STAGE, INTERVAL, layout, rng))
    fewer = nearest(draw((STAGE + 1) // 2, INTERVAL, layout, rng))
    seed = int(rng.integers(SEEDS // 2))
    seen = half.seen["long"][places, seed]  # (candidates, cycles)
    cycles, per_cycle = seen.shape[1], half.updates["long"] // seen.shape[1]
    left, spent = seen.copy(), 0
    for cohort in np.array_split(np.arange(STAGE), -(-STAGE // COHORT)):
        spent += model_cycles(len(cohort), cycles=cycles) * per_cycle
        for cycle in range(1, cycles):
            scores = left[cohort, cycle - 1]
            gone = leavers(scores, -scores, cycle=cycle, cycles=cycles)
            left[cohort[list(gone)], cycle:] = np.nan
    short = int(half.seen["long"][fewer, seed, -1].argmax())
    best = {
        "whole": (places[int(seen[:, -1].argmax())], STAGE * half.updates["long"]),
        "halved": (places[int(np.nanargmax(left[:, -1]))], spent),
        "whole, half the candidates": (fewer[short], len(fewer) * half.updates["long"]),
    }
    truth = half.truth["long"]
    return {name: (float(truth[at]), updates) for name, (at, updates) in best.items()}


# By (budget, rule): the searches of one half as rows of true accuracy less than the best, that of
# the rule it is measured against, and updates. Under WORSE: the shares of single-seed searches that
# end below the model's λ at its updates, taking the best by validation and by training accuracy.
Searches = dict[tuple[str, str], Floats]


def replay(bank: Mapping[str, Bank], number: int, replays: int) -> Searches:
    """Search one half of the bank by every rule and budget, ``replays`` times."""
    rng, other = np.random.default_rng([42, number]), np.random.default_rng([44, number])
    half = halve(bank, rng)
    top, top_long = half.true(optimum(bank["full"])), half.true(optimum(bank["long"]), "long")
    found: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    with threadpool_limits(limits=1):
        for _ in range(replays):
            for budget in BUDGETS:
                chosen = choices(half, budget, rng)
                true, updates = chosen[MODEL]
                worse = [single(half, updates, other, by=by) < true for by in ("seen", "fitted")]
                shares = tuple(float(one.mean()) for one in worse)
                found.setdefault((budget.name, WORSE), []).append(shares)
                for rule, (true, updates) in chosen.items():
                    beside = top - float(single(half, updates, rng).mean())
                    found.setdefault((budget.name, rule), []).append((top - true, beside, updates))
            for sampler in SAMPLERS:
                cut = halving(half, sampler == "stratified", rng)
                beside = top_long - cut["whole"][0]
                for rule, (true, updates) in cut.items():
                    row = (top_long - true, beside, updates)
                    found.setdefault((sampler, rule), []).append(row)
    return {key: np.array(rows) for key, rows in found.items()}


def optimum(bank: Bank) -> float:
    """The best log10 λ of a schedule by everything the bank knows: what regret is counted from."""
    return float(GRID[int(whole(bank).argmax())])


def whole(bank: Bank) -> Floats:
    """True accuracy over λ by everything the bank knows."""
    return smooth(bank.right[:, :, -1].sum(axis=-1).mean(axis=1) / selection_bank.HELD_OUT)


def mean_and_error(values: Floats) -> tuple[float, float]:
    """Mean of ``values`` (halves, searches) and its standard error.

    Halves of a bank, drawn without replacement, differ as whole banks would. What they differ by
    beyond the luck of the few searches in each is that; to it comes the luck of all the searches.
    """
    means = values.mean(axis=1)
    total = float(means.var(ddof=1))
    searches = float(values.var(axis=1, ddof=1).mean()) / values.shape[1]
    return float(means.mean()), math.sqrt(max(0.0, total - searches) + total / len(means))


def interval(values: Floats) -> str:
    """Mean with its 95 % interval, fractions as points."""
    mean, error = (100 * value for value in mean_and_error(values))
    return f"{mean:.3f} ({mean - 1.96 * error:.3f} to {mean + 1.96 * error:.3f})"


def rows(found: Sequence[Searches], budget: str, top: float) -> list[list[str]]:
    """A table's rows, the worst first."""
    lines = []
    for rule in [rule for name, rule in found[0] if name == budget and rule != WORSE]:
        lost, beside, updates = np.stack([one[budget, rule] for one in found]).transpose(2, 0, 1)
        share = lost.mean() / beside.mean()
        cells = [f"{updates.mean() / 1000:,.0f}", f"{100 * (top - lost.mean()):.2f}"]
        if rule in (SINGLE, "whole"):
            compared = ["–", "–"]
        else:
            compared = [interval(beside - lost), f"{share:.2f}"]
        lines.append((lost.mean(), [rule, *cells, interval(lost), *compared]))
    return [line for _, line in sorted(lines, key=lambda one: -one[0])]


def report(bank: Mapping[str, Bank], found: Sequence[Searches], replays: int) -> str:
    """The section of RESULTS.md."""
    top, top_long = float(whole(bank["full"]).max()), float(whole(bank["long"]).max())
    head = ["rule", "1,000 updates", "true accuracy (%)", "regret, points (95 %)"]
    parts = [
        f"{len(found)} halves of a bank of {len(LAMBDAS)} λs × {SEEDS} seeds of real CIFAR-10 "
        f"trainings (512 components, 40,000 images), {replays} searches of every layout in each. "
        "Regret: true accuracy of the best λ less that of the chosen one, at the final's schedule "
        f"(best: log10 λ = {optimum(bank['full']):g}, {100 * top:.2f} %). Every rule is measured "
        "against single-seed best, random λs at the final's schedule and each with a seed of its "
        "own, at the updates that the rule took; “times” is the ratio of their regrets. The simple "
        "rules' own rows are at the updates of the extended finalists."
    ]
    for budget in BUDGETS:
        lines = rows(found, budget.name, top)
        beside = ["less than single-seed best's (95 %)", "times"]
        text = budget.text[0].upper() + budget.text[1:]
        parts.append(f"{text}.\n\n{table([*head, *beside], lines)}")
        naive = np.stack([one[budget.name, WORSE] for one in found]).transpose(2, 0, 1)
        best, fitted = (f"{100 * one.mean():.0f} %" for one in naive)
        parts.append(
            f"At the updates of the extended finalists with the model's rule, single-seed best "
            f"ends at a worse λ than they do in {best} of searches, training accuracy in {fitted}."
        )
    parts.append(
        f"Halving: the best of one stage of {STAGE} candidates on one seed, cohorts of {COHORT}, "
        f"four cycles of 1,800 updates; truth at that schedule (best: log10 λ = "
        f"{optimum(bank['long']):g}, {100 * top_long:.2f} %)."
    )
    for sampler in SAMPLERS:
        lines = rows(found, sampler, top_long)
        beside = ["less than the whole stage's (95 %)", "times"]
        parts.append(f"{sampler.capitalize()} candidates.\n\n{table([*head, *beside], lines)}")
    return "\n\n".join(parts)


def paths(bank: Mapping[str, Bank], searches: int) -> selection_picture.Paths:
    """Searches for the figure, each on its own half of the bank.

    Some halves have harder images than others, which is no merit of a search: every accuracy is
    told as if the best λ's on the same images were that of the whole bank.
    """
    rng = np.random.default_rng(43)
    halves = [halve(bank, rng) for _ in range(searches)]
    curve = whole(bank["full"])
    best, top = int(curve.argmax()), float(curve.max())
    walked = [walk(half, best, rng) for half in halves]
    ours: dict[str, tuple[Floats, Floats]] = {}
    for budget in BUDGETS[:3]:
        ended = [search(half, budget, rng).extended() for half in halves]
        true = [one.half.true(one.choice("model")) - one.half.truth["full"][best] for one in ended]
        ours[budget.name] = (np.array([one.updates for one in ended]), top + np.array(true))
    return selection_picture.Paths(
        reported=top + np.array([reported for reported, _ in walked]),
        true=top + np.array([true for _, true in walked]),
        ours=ours,
        top=top,
        updates=bank["full"].updates,
    )


def walk(half: Half, best: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """A single-seed search's best score, and what its λ is worth, after each of its runs.

    Both less those of the best λ.
    """
    places = np.array(nearest(rng.uniform(*INTERVAL, LONGEST)))
    seen, truth = half.seen["full"][..., -1], half.truth["full"]
    scores = seen[places, rng.integers(SEEDS // 2, size=LONGEST)]
    won = [int(scores[: n + 1].argmax()) for n in range(LONGEST)]
    return scores[won] - smooth(seen.mean(axis=1))[best], truth[places[won]] - truth[best]


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

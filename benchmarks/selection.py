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

from collections.abc import Mapping, Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks import selection_bank, selection_picture
from benchmarks.bank import HELD_OUT
from benchmarks.common import publish, read_options, table
from benchmarks.replay import (
    IMAGES,
    INTERVAL,
    Budget,
    Floats,
    Half,
    Search,
    draw,
    in_halves,
    interval,
    search,
    smooth,
)
from benchmarks.selection_bank import LAMBDAS, SEEDS, Bank
from lamsearch.search import Rule
from lamsearch.search.halving import leavers, model_cycles

HALVES, REPLAYS = 80, 8  # of the bank; searches in each
MATCHED = 20  # single-seed searches beside each of them
GRID = np.array(LAMBDAS)
COHORT = 8
LONGEST, PICTURED = 70, 200  # runs of the figure's single-seed searches; how many searches
STAGE = 15  # candidates of the stage that halving is tried on
SAMPLERS = ("random", "stratified")
SINGLE = "single-seed best"
MODEL = "finalists, extended, model"
WORSE = "worse than the model's"  # no rule: how often the two naive ones are


BUDGETS = (
    Budget("small", 8, 4, 3, 2),
    Budget("cifar10.toml", 12, 8, 4, 5),
    Budget("large", 20, 10, 5, 8),
    Budget("searched at a third of the schedule", 15, 15, 4, 5, "short", stratified=False),
)


def halve(bank: Mapping[str, Bank], rng: np.random.Generator) -> Half:
    """Cut seeds and images in two at random."""
    seeds, blocks = rng.permutation(SEEDS), rng.permutation(selection_bank.BLOCKS)
    mine, other = np.array_split(seeds, 2)
    drawn, true = np.array_split(blocks, 2)
    return Half(
        grid=GRID,
        seen={k: b.right[:, mine][..., drawn].sum(axis=-1) / IMAGES for k, b in bank.items()},
        fitted={k: b.train[:, mine].astype(np.float64) for k, b in bank.items()},
        truth={
            k: smooth(b.right[:, other, -1][..., true].sum(axis=-1).mean(axis=1) / IMAGES)
            for k, b in bank.items()
        },
        updates={k: b.updates for k, b in bank.items()},
    )


def single(
    half: Half, updates: int, rng: np.random.Generator, *, searches: int = MATCHED,
    schedule: str = "full", by: str = "seen", one_seed: bool = False,
) -> Floats:  # fmt: skip
    """What people do: as many random λs as ``updates`` pay for, once each, take the best.

    Returns the true accuracies of what that many ``searches`` chose.
    """
    count = max(1, round(updates / half.updates[schedule]))
    places = np.reshape(half.nearest(rng.uniform(*INTERVAL, searches * count)), (searches, count))
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
    places = half.nearest(draw(STAGE, INTERVAL, layout, rng))
    fewer = half.nearest(draw((STAGE + 1) // 2, INTERVAL, layout, rng))
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
    return smooth(bank.right[:, :, -1].sum(axis=-1).mean(axis=1) / HELD_OUT)


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
    places = np.array(half.nearest(rng.uniform(*INTERVAL, LONGEST)))
    seen, truth = half.seen["full"][..., -1], half.truth["full"]
    scores = seen[places, rng.integers(SEEDS // 2, size=LONGEST)]
    won = [int(scores[: n + 1].argmax()) for n in range(LONGEST)]
    return scores[won] - smooth(seen.mean(axis=1))[best], truth[places[won]] - truth[best]


def main() -> None:
    """Replay."""
    options = read_options(__doc__ or "")
    bank = selection_bank.load()
    halves, replays = (8, 2) if options.quick else (HALVES, REPLAYS)
    found = in_halves(replay, bank, halves, replays)
    publish("selection", report(bank, found, replays), options)
    if not options.quick:
        selection_picture.draw(paths(bank, PICTURED))


if __name__ == "__main__":
    main()

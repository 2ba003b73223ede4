"""Which score selects best, and on which split? Whole searches, replayed from real trainings.

Enters: benchmarks/scores_bank.npz. Leaves: for every layout and rule the true accuracy of the λ
that is chosen by accuracy and by log loss, on one split and on splits redrawn per replicate of the
finalists, with intervals.

    python -m benchmarks.selection_scores [--quick]

Each replay draws its own half of the bank: half of the seeds to select by, the others for the
truth: mean accuracy over both ways of splitting, smoothed over λ. On one split a search sees 5,000
images, drawn from the 15,000 that none of its trainings saw; the truth is half of the 10,000 that
no training of either way saw, without those. A redrawn split has its own 5,000. All four ways of a
replay draw alike. The intervals hold the luck of the bank's seeds and images, as in
benchmarks/selection, and not that of the one split's training images, which are 35,000 of 40,000.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from benchmarks import scores_bank
from benchmarks.common import publish, read_options, table
from benchmarks.replay import (
    IMAGES,
    Budget,
    Floats,
    Half,
    Search,
    in_halves,
    interval,
    search,
    smooth,
)
from benchmarks.scores_bank import BLOCK, LAMBDAS, TRUTH, UPDATES, VALIDATION, WAYS, Bank

HALVES, REPLAYS = 80, 12  # of the bank; searches in each
GRID = np.array(LAMBDAS)
SCORES = ("accuracy", "log loss")
BASE = ("accuracy", "one")  # what the others are measured against
SPLITS = {"one": "one split", "redrawn": "a split per replicate"}
RULES = ("best mean", "model", "extended, model")
BUDGETS = (
    Budget("small", 8, 4, 3, 2, "one", final="one"),
    Budget("cifar10.toml with 2 replicates", 12, 8, 4, 2, "one", final="one"),
    Budget("cifar10.toml", 12, 8, 4, 5, "one", final="one"),
)
# By (budget, rule, score, way of splitting): true accuracy and updates, a row for each search.
Searches = Mapping[tuple[str, str, str, str], Floats]


def halve(bank: Mapping[str, Bank], rng: np.random.Generator) -> dict[str, Half]:
    """Cut seeds and images in two at random; return what is seen and the truth by score."""
    seeds = bank["one"].right.shape[1]
    mine, other = np.array_split(rng.permutation(seeds), 2)
    drawn = rng.permutation(VALIDATION + TRUTH)[:VALIDATION]
    unseen = np.setdiff1d(np.arange(VALIDATION, VALIDATION + TRUTH), drawn)
    true = rng.permutation(unseen)[: TRUTH // 2]
    images = {"one": drawn, "redrawn": np.arange(VALIDATION)}
    curves = [_shares(bank[way].right[:, other][..., true]).mean(axis=1) for way in WAYS]
    truth = smooth(np.mean(curves, axis=0))
    right = {way: _shares(bank[way].right[:, mine][..., images[way]]) for way in WAYS}
    losses = {way: _shares(bank[way].loss[:, mine][..., images[way]]) for way in WAYS}
    accuracy = Half(
        grid=GRID,
        seen={way: seen[..., None] for way, seen in right.items()},
        truth=dict.fromkeys(WAYS, truth),
        updates=dict.fromkeys(WAYS, UPDATES),
    )
    # a score that is no share has its own error; that of one run decides nothing here
    log_loss = replace(
        accuracy, seen={way: -seen[..., None] for way, seen in losses.items()}, error=0.01
    )
    return {"accuracy": accuracy, "log loss": log_loss}


def _shares(sums: npt.NDArray[np.generic]) -> Floats:
    """Means per image of sums over blocks (…, blocks)."""
    return np.asarray(sums.sum(axis=-1, dtype=np.float64) / (sums.shape[-1] * BLOCK), np.float64)


def chosen(found: Search) -> dict[str, tuple[float, int]]:
    """Return each rule's true accuracy and the updates it took."""
    wide = found.extended()
    at = {
        "best mean": (found.choice("best"), found),
        "model": (found.choice("model"), found),
        "extended, model": (wide.choice("model"), wide),
    }
    return {
        rule: (one.half.true(log10_lambda, one.schedule), one.updates)
        for rule, (log10_lambda, one) in at.items()
    }


def replay(bank: Mapping[str, Bank], number: int, replays: int) -> Searches:
    """Search one half of the bank by every layout, score and way of splitting."""
    halves = halve(bank, np.random.default_rng([45, number]))
    top = halves["accuracy"].true(optimum(bank), "one")
    found: dict[tuple[str, str, str, str], list[tuple[float, int]]] = {}
    with threadpool_limits(limits=1):
        for at in range(replays):
            for budget in BUDGETS:
                for score in SCORES:
                    for way in WAYS:
                        rng = np.random.default_rng([46, number, at])
                        done = search(halves[score], replace(budget, final=way), rng)
                        for rule, (true, updates) in chosen(done).items():
                            key = (budget.name, rule, score, way)
                            found.setdefault(key, []).append((top - true, updates))
    return {key: np.array(rows) for key, rows in found.items()}


def whole(bank: Mapping[str, Bank], *, loss: bool = False) -> Floats:
    """Accuracy or log loss of the truth over λ by everything the bank knows."""
    sums = [bank[way].loss if loss else bank[way].right for way in WAYS]
    return smooth(np.mean([_shares(one[..., VALIDATION:]).mean(axis=1) for one in sums], axis=0))


def optimum(bank: Mapping[str, Bank]) -> float:
    """The log10 λ of the best true accuracy: what regret is counted from."""
    return float(GRID[int(whole(bank).argmax())])


def signal(bank: Mapping[str, Bank], score: str) -> float:
    """A step of 1/8 in log10 λ beside the best one, in standard deviations of what one run says.

    The step's mean difference of the score, root mean square over the six around the score's best
    and less what noise adds to it, over the standard deviation between seeds on redrawn splits,
    which holds the draw of images.
    """
    one = bank["redrawn"]
    seen = _shares((one.loss if score == "log loss" else one.right)[..., :VALIDATION])
    curve = -whole(bank, loss=True) if score == "log loss" else whole(bank)
    best = min(max(int(curve.argmax()), 3), len(GRID) - 4)
    near = np.diff(seen[best - 3 : best + 4], axis=0)  # (steps, seeds)
    noise = near.var(axis=1, ddof=1)
    squares = near.mean(axis=1) ** 2 - noise / near.shape[1]
    return float(np.sqrt(max(0.0, float(squares.mean())) / noise.mean()))


def rows(found: Sequence[Searches], budget: str, top: float) -> list[list[str]]:
    """A table's rows: rule by rule, each score and way of splitting."""
    lines = []
    for rule in RULES:
        base = np.stack([one[(budget, rule, *BASE)][:, 0] for one in found])
        for way in WAYS:
            for score in SCORES:
                pairs = np.stack([one[budget, rule, score, way] for one in found])
                lost, updates = pairs[..., 0], pairs[..., 1].mean()
                against = ["–", "–"]
                if (score, way) != BASE:
                    against = [interval(base - lost), f"{lost.mean() / base.mean():.2f}"]
                lines.append([
                    f"{rule}, {SPLITS[way]}, {score}", f"{updates / 1000:,.0f}",
                    f"{100 * (top - lost.mean()):.2f}", interval(lost), *against,
                ])  # fmt: skip
    return lines


def fewer(found: Sequence[Searches], rule: str) -> str:
    """Log loss with two replicates against accuracy with five, in a sentence."""
    few, many = BUDGETS[1], BUDGETS[2]
    short = np.stack([one[few.name, rule, "log loss", "one"] for one in found])
    long = np.stack([one[(many.name, rule, *BASE)] for one in found])
    gain = interval(long[..., 0] - short[..., 0])
    return (
        f"By log loss with {few.replicates} replicates ({short[..., 1].mean() / 1000:,.0f} thousand"
        f" updates) against accuracy with {many.replicates} ({long[..., 1].mean() / 1000:,.0f} "
        f"thousand), rule “{rule}”, one split: {gain} points less regret."
    )


def splits(found: Sequence[Searches]) -> list[list[str]]:
    """What redrawing the split is worth within each score, over all layouts, rule by rule."""
    lines = []
    for budget in BUDGETS:
        for rule in RULES:
            for score in SCORES:
                one, redrawn = (
                    np.stack([each[budget.name, rule, score, way][:, 0] for each in found])
                    for way in WAYS
                )
                lines.append([f"{budget.name}: {rule}, {score}", interval(one - redrawn)])
    return lines


def report(bank: Mapping[str, Bank], found: Sequence[Searches], replays: int) -> str:
    """The section of RESULTS.md."""
    accuracy, loss = whole(bank), whole(bank, loss=True)
    top, at = float(accuracy.max()), int(loss.argmin())
    head = ["rule, split, score", "1,000 updates", "true accuracy (%)", "regret, points (95 %)"]
    head += ["less than by accuracy on one split (95 %)", "times"]
    parts = [
        f"{len(found)} halves of a bank of {len(GRID)} λs × {bank['one'].right.shape[1]} seeds × "
        "two ways of splitting, of real CIFAR-10 trainings (512 components, 35,000 images, "
        f"{IMAGES:,} to validate), {replays} searches of every layout in each. Coarse and fine are "
        "on the one split always; the finalists' replicates on it, or each on its own. Regret: "
        f"true accuracy of the best λ (log10 λ = {optimum(bank):g}, {100 * top:.2f} %) less that "
        "of the chosen one.",
        f"The best λ by true log loss is log10 λ = {GRID[at]:g}; its true accuracy is "
        f"{100 * (top - float(accuracy[at])):.3f} points below the best. A step of 1/8 in log10 λ "
        f"near the best is {signal(bank, 'accuracy'):.2f} standard deviations, over seeds and "
        f"splits, of its difference in one run by accuracy, {signal(bank, 'log loss'):.2f} by log "
        "loss.",
    ]
    for budget in BUDGETS:
        text = f"{budget.searched}, {budget.replicated}"
        text = text[0].upper() + text[1:]
        parts.append(f"{text}.\n\n{table(head, rows(found, budget.name, top))}")
    parts += [fewer(found, rule) for rule in RULES]
    of_splits = table(["layout: rule, score", "less regret, points (95 %)"], splits(found))
    parts.append(f"A split per replicate against one split, by the same score.\n\n{of_splits}")
    return "\n\n".join(parts)


def main() -> None:
    """Replay."""
    options = read_options(__doc__ or "")
    bank = scores_bank.load()
    halves, replays = (8, 2) if options.quick else (HALVES, REPLAYS)
    found = in_halves(replay, bank, halves, replays)
    publish("selection_scores", report(bank, found, replays), options)


if __name__ == "__main__":
    main()

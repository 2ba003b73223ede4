"""How good is the chosen λ where the truth is known? Whole searches on data that are generated.

Enters: seeds. Leaves: for every way of searching the regret of the chosen λ, true accuracy of a
dense grid's best less its own, with intervals; beside it what the same examples allow at most; and
in how many searches of random labels the report says that nothing was learned.

    python -m benchmarks.known_truth [--quick]

200 labelled examples of 500 features are all that a search has. Their variances fall as 1/k² in
directions drawn at random, a linear rule in them says the class, and 15 % of the labels are turned
over, or all of them are random. The truth of a λ is the mean accuracy, on 10,000 fresh examples, of
eight models that were trained on all 200 with seeds of their own. Everything is the search's own
code, in memory. About half an hour of two cores.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from benchmarks.common import in_parallel, publish, read_options, table, verdict
from lamsearch import data as datasets
from lamsearch.api.in_memory import searched
from lamsearch.data import Contents, LabelledImages, Splits, TrainingData
from lamsearch.data.sources.given import hold, let_go
from lamsearch.findings.warnings import warnings
from lamsearch.study import Study, parse_study
from lamsearch.trainers.network import NetworkTrainer, evaluate

Floats = npt.NDArray[np.float64]
EXAMPLES, FEATURES, FRESH = 200, 500, 10_000
VALIDATION = 60  # of the 200
TURNED = 0.15  # of the labels
INTERVAL = (-4.0, 0.5)  # of log10 λ
SEEDS, RANDOM_SEEDS = 40, 60
TRUE_MODELS = 8  # for each λ
LOOKS = 15  # replicates of the dense grid that nothing but the examples limits
TARGET, TARGET_WARNED = 0.5, 0.95
# hidden units and the step of the dense grid
MODELS: Mapping[str, tuple[list[int], float]] = {"linear": ([], 0.1), "20 units": ([20], 0.15)}
BY_ACCURACY = "accuracy, a split per replicate, `model`"
RECOMMENDED = "log loss, a split per replicate, `model`"
# metric, resplit, rule and replicates of the finalists
WAYS: Mapping[str, tuple[str, bool, str, int]] = {
    "accuracy, one split, `best`: what files get that name neither": ("accuracy", False, "best", 5),
    "accuracy, one split, `model`": ("accuracy", False, "model", 5),
    BY_ACCURACY: ("accuracy", True, "model", 5),
    "the same with 20 replicates": ("accuracy", True, "model", 20),
    "log loss, one split, `model`": ("log_loss", False, "model", 5),
    RECOMMENDED: ("log_loss", True, "model", 5),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """A world: the examples that a search has, and fresh ones (n, features) with labels (n,)."""

    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.int64]
    fresh_x: npt.NDArray[np.float32]
    fresh_y: npt.NDArray[np.int64]


def generate(seed: int, *, turned: float = TURNED, fresh: int = FRESH) -> Generated:
    """Draw a world and its examples; at ``turned`` = 1/2 no label says anything."""
    rng = np.random.default_rng([seed, EXAMPLES])
    deviations = 1 / np.arange(1, FEATURES + 1)
    deviations /= math.sqrt(float((deviations**2).mean()))
    rule = rng.standard_normal(FEATURES)
    turn = np.linalg.qr(rng.standard_normal((FEATURES, FEATURES)))[0].astype(np.float32)

    def drawn(count: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        z = rng.standard_normal((count, FEATURES), np.float32) * deviations.astype(np.float32)
        return z @ turn, ((z @ rule > 0) ^ (rng.random(count) < turned)).astype(np.int64)

    (x, y), (fresh_x, fresh_y) = drawn(EXAMPLES), drawn(fresh)
    return Generated(x=x, y=y, fresh_x=fresh_x, fresh_y=fresh_y)


def study(key: str, seed: int, hidden: Sequence[int], way: tuple[str, bool, str, int]) -> Study:
    """Return a study of examples that are held under a key."""
    return parse_study(document(key, seed, hidden, way))


def document(
    key: str, seed: int, hidden: Sequence[int], way: tuple[str, bool, str, int]
) -> dict[str, Any]:
    """Return the study's file: the layout of digits.toml."""
    metric, resplit, rule, replicates = way
    return {
        "name": "known-truth", "seed": seed, "metric": metric,
        "data": {
            "source": "given", "key": key, "train": EXAMPLES - VALIDATION,
            "validation": VALIDATION, "resplit": resplit,
        },
        "network": {"hidden": list(hidden)},
        "training": {
            "batch_size": 20, "eta_min": 1e-5, "eta_max": 1e-1, "step_size": 75, "cycles": 2,
            "sample_every": "cycle",
        },
        "coarse": {"trials": 16, "log10_lambda": list(INTERVAL), "sampler": "stratified"},
        "fine": {"trials": 16, "keep": 4, "sampler": "stratified"},
        "finalists": {"keep": 4, "replicates": replicates, "extend": True, "rule": rule},
    }  # fmt: skip


def held(world: Generated) -> str:
    """Hold a world's examples, with the fresh ones as the test set; return their key."""
    pool = LabelledImages(x=world.x, y=world.y)
    test = LabelledImages(x=world.fresh_x, y=world.fresh_y)
    return hold(Contents(name="generated", classes=("0", "1"), pool=pool, test=test))


def curves(splits: Splits, grid: Floats, found: Study, seed: Sequence[int]) -> dict[str, Floats]:
    """Return accuracy and log loss (λs), its sign changed, of a dense grid on one seed."""
    trainer = NetworkTrainer(
        splits, found.training_of("coarse"), list(grid), network=found.network, classes=2, seed=seed
    )
    for _ in trainer.run():
        pass
    if trainer.weights.count < len(grid):
        raise ValueError("the dense grid must hold no λ that diverges")
    seen = evaluate(trainer.weights, splits.validation_x, splits.validation_y)
    assert seen.accuracy is not None  # classes have one
    return {"accuracy": seen.accuracy, "log_loss": -seen.loss}


def truth(world: Generated, grid: Floats, found: Study, models: int) -> Floats:
    """Return the true accuracy of every λ, trained on all examples."""
    mean, std = world.x.mean(axis=0), world.x.std(axis=0)
    splits = Splits(
        train_x=(world.x - mean) / std, train_y=world.y,
        validation_x=(world.fresh_x - mean) / std, validation_y=world.fresh_y, mean=mean, std=std,
    )  # fmt: skip
    seeds = [(found.seed, 9, number) for number in range(models)]
    curve: Floats = np.mean([curves(splits, grid, found, one)["accuracy"] for one in seeds], axis=0)
    return curve


def dense(data: TrainingData, grid: Floats, found: Study, looks: int) -> dict[str, Floats]:
    """Return the mean scores (λs) of a dense grid over many replicates, by metric."""
    seen = [
        curves(data.split("finalists", one), grid, found, (found.seed, 8, one))
        for one in range(looks)
    ]
    return {metric: np.mean([one[metric] for one in seen], axis=0) for metric in seen[0]}


# By way: regret, trainings of a search.
Searched = dict[str, tuple[float, float]]


def replay(model: str, seed: int, quick: bool) -> Searched:
    """Search one world in every way, and by all that its examples can say."""
    hidden, step = MODELS[model]
    grid = np.arange(INTERVAL[0], INTERVAL[1] + step / 2, step)
    world = generate(seed, fresh=2_000 if quick else FRESH)
    key = held(world)
    found: Searched = {}
    with threadpool_limits(limits=1):
        asked = study(key, seed, hidden, WAYS[RECOMMENDED])
        true = truth(world, grid, asked, 2 if quick else TRUE_MODELS)
        for name, way in WAYS.items():
            asked = study(key, seed, hidden, way)
            record = searched(asked, datasets.load(asked, Path()))
            assert record.selected is not None  # every search chooses
            at = float(np.interp(record.selected.point[0], grid, true))
            runs = sum(stage.planned for stage in record.stages.values())
            found[name] = float(true.max()) - at, runs
        for resplit, words in ((False, "one split"), (True, "a split per replicate")):
            asked = study(key, seed, hidden, ("accuracy", resplit, "best", LOOKS))
            looks = 3 if quick else LOOKS
            data = datasets.load(asked, Path())
            for metric, scores in dense(data, grid, asked, looks).items():
                name = f"dense grid × {looks}, {metric.replace('_', ' ')}, {words}"
                lost = float(true.max() - true[int(scores.argmax())])
                found[name] = lost, len(grid) * looks
    let_go(key)
    return found


def warned(model: str, seed: int, way: str) -> bool:
    """Whether the report of a search of random labels says that nothing was learned."""
    key = held(generate(seed, turned=0.5, fresh=1))
    found = study(key, seed, MODELS[model][0], WAYS[way])
    record = searched(found, datasets.load(found, Path(), look=True))
    let_go(key)
    return any("better on validation" in one for one in warnings(record))


def rows(found: Sequence[Searched]) -> list[list[str]]:
    """The rows of a table: regret with its interval over worlds, the worst, trainings."""
    lines = []
    for name in found[0]:
        lost = 100 * np.array([one[name][0] for one in found])
        half = 1.96 * lost.std(ddof=1) / math.sqrt(len(lost))
        runs = np.mean([one[name][1] for one in found])
        mean = f"{lost.mean():.2f} ({lost.mean() - half:.2f} to {lost.mean() + half:.2f})"
        lines.append([name, mean, f"{lost.max():.1f}", f"{runs:,.0f}"])
    return lines


def report(quick: bool) -> str:
    """The section of RESULTS.md."""
    seeds, random = (4, 4) if quick else (SEEDS, RANDOM_SEEDS)
    parts = [
        f"{seeds} worlds each: {EXAMPLES} examples of {FEATURES} features, {TURNED:.0%} of the "
        f"labels turned over, {VALIDATION} of the examples to validate on. Regret: true accuracy "
        "of the best λ of a dense grid less that of the chosen one, in points, with its 95 % "
        "interval over worlds. Coarse 16, fine 16, four finalists over five replicates, extended, "
        "unless it says otherwise. The dense grid has no budget: what it loses, the examples do "
        "not tell."
    ]
    for model in MODELS:
        found = in_parallel(replay, [(model, seed, quick) for seed in range(seeds)])
        head = [model, "regret, points (95 %)", "worst", "trainings"]
        parts.append(table(head, rows(found)))
        lost = 100 * float(np.mean([one[RECOMMENDED][0] for one in found]))
        parts.append(f"{RECOMMENDED}: {verdict(round(lost, 2), '≤', TARGET)}.")
    lines = []
    for model in MODELS:
        for way in (next(iter(WAYS)), BY_ACCURACY, RECOMMENDED):
            said = in_parallel(warned, [(model, seed, way) for seed in range(random)])
            share = float(np.mean(said))
            lines.append([f"{model}: {way}", f"{share:.0%}", verdict(share, "≥", TARGET_WARNED)])
    head = ["random labels", "said to be no better", "target"]
    parts.append(f"{random} worlds each.\n\n{table(head, lines)}")
    return "\n\n".join(parts)


def main() -> None:
    """Search all worlds."""
    options = read_options(__doc__ or "")
    publish("known_truth", report(options.quick), options)


if __name__ == "__main__":
    main()

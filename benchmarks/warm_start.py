"""What a search gains by `start_from`: whole searches on data that are generated, with and without.

Enters: seeds. Leaves: regret of the chosen λ, true accuracy of a dense grid's best less its own, of
searches that start from another sample of the same world, and of the same searches that do not,
paired by world.

    python -m benchmarks.warm_start [--quick]

The worlds are those of `benchmarks.known_truth`. The study that is started from has 200 other
examples of the world, and a full search; this one has 200 of its own, and a full search or a small
one. What it starts from is written into its study as planning does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.common import in_parallel, publish, read_options, table
from benchmarks.known_truth import (
    EXAMPLES,
    FRESH,
    INTERVAL,
    MODELS,
    RECOMMENDED,
    WAYS,
    Generated,
    document,
    generate,
    held,
    study,
    truth,
)
from lamsearch import data as datasets
from lamsearch.api.in_memory import searched
from lamsearch.data.sources.given import let_go
from lamsearch.results import StudyRecord
from lamsearch.search import observed
from lamsearch.study import Study, parse_study

SEEDS, QUICK_SEEDS, TRUE_MODELS = 40, 2, 8
METRICS: Mapping[str, str] = {
    "log_loss": RECOMMENDED,
    "accuracy": "accuracy, a split per replicate, `model`",
}


@dataclass(frozen=True, slots=True)
class Budget:
    """Trials of coarse and fine; finalists and their replicates."""

    coarse: int
    fine: int
    finalists: int
    replicates: int


BUDGETS: Mapping[str, Budget] = {
    "full": Budget(16, 16, 4, 5),
    "a third": Budget(6, 4, 3, 2),
}
# By metric, budget and whether it starts from the other study: regret, trainings.
Found = dict[tuple[str, str, bool], tuple[float, float]]


def replay(model: str, seed: int, quick: bool) -> Found:
    """Search one world by every metric and budget, with and without what was seen before."""
    hidden, step = MODELS[model]
    grid = np.arange(INTERVAL[0], INTERVAL[1] + step / 2, step)
    drawn = generate(seed, fresh=EXAMPLES + (2_000 if quick else FRESH))
    world = replace(drawn, fresh_x=drawn.fresh_x[EXAMPLES:], fresh_y=drawn.fresh_y[EXAMPLES:])
    earlier = replace(world, x=drawn.fresh_x[:EXAMPLES], y=drawn.fresh_y[:EXAMPLES])
    found: Found = {}
    with threadpool_limits(limits=1):
        key = held(world)
        asked = study(key, seed, hidden, WAYS[RECOMMENDED])
        true = truth(world, grid, asked, 2 if quick else TRUE_MODELS)
        let_go(key)
        for metric, way in METRICS.items():
            before, record = _search(earlier, seed + 1000, hidden, way, BUDGETS["full"], ())
            examples = {stage: before.validation_images(stage) for stage in before.stages}
            seen = observed(record.stages, examples)
            for name, budget in BUDGETS.items():
                for prior in ((), seen):
                    _, record = _search(world, seed, hidden, way, budget, prior)
                    assert record.selected is not None  # every search chooses
                    at = float(np.interp(record.selected.point[0], grid, true))
                    runs = sum(stage.planned for stage in record.stages.values())
                    found[metric, name, bool(prior)] = float(true.max()) - at, runs
    return found


def _search(
    world: Generated, seed: int, hidden: Sequence[int], way: str, budget: Budget, prior: Any
) -> tuple[Study, StudyRecord]:
    """Search the examples of a world; what was seen before, if anything, is in the study."""
    key = held(world)
    file = document(key, seed, hidden, WAYS[way])
    file["coarse"] |= {"trials": budget.coarse}
    file["fine"] |= {"trials": budget.fine}
    file["finalists"] |= {"keep": budget.finalists, "replicates": budget.replicates}
    if prior:
        file["coarse"] |= {"start_from": "earlier", "prior": prior}
    asked = parse_study(file)
    record = searched(asked, datasets.load(asked, Path()))
    let_go(key)
    return asked, record


def rows(found: Sequence[Found]) -> list[list[str]]:
    """The rows of a table: regret without and with, the difference by world, the worst."""
    lines = []
    for metric, budget, warm in found[0]:
        if warm:
            continue
        cold, started = (
            100 * np.array([one[metric, budget, prior][0] for one in found])
            for prior in (False, True)
        )
        runs = np.mean([one[metric, budget, False][1] for one in found])
        sides = [f"{side.mean():.2f} ({side.max():.1f})" for side in (cold, started)]
        name = f"{metric.replace('_', ' ')}, {budget}"
        lines.append([name, f"{runs:,.0f}", *sides, _interval(started - cold)])
    return lines


def _interval(values: Any) -> str:
    """A mean and its 95 % interval over worlds."""
    half = 1.96 * values.std(ddof=1) / math.sqrt(len(values))
    return f"{values.mean():+.2f} ({values.mean() - half:+.2f} to {values.mean() + half:+.2f})"


def report(quick: bool) -> str:
    """The section of RESULTS.md."""
    seeds = QUICK_SEEDS if quick else SEEDS
    parts = [
        f"{seeds} worlds each, as in the section *known_truth*; a split per replicate, "
        '`rule = "model"`. The study started from searched 200 other examples of the same world. '
        "Regret in points of true accuracy, the worst world in brackets; less is better, so a "
        "difference below 0 is a gain. *A third*: coarse 6, fine 4, three finalists over two "
        "replicates."
    ]
    head = ["trainings", "regret without", "with `start_from`", "difference (95 %)"]
    for model in MODELS:
        found = in_parallel(replay, [(model, seed, quick) for seed in range(seeds)])
        parts.append(table([model, *head], rows(found)))
    return "\n\n".join(parts)


def main() -> None:
    """Search all worlds."""
    options = read_options(__doc__ or "")
    publish("warm_start", report(options.quick), options)


if __name__ == "__main__":
    main()

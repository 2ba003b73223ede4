"""What it takes to gather a mini-batch, its images varied or not, beside one update.

Enters: nothing; images are random, but of CIFAR-10's shape and moments. Leaves: times of one
thread, each the median of its rounds, in which all ways take turns.

    python -m benchmarks.gathering [--quick]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import thread_time

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.common import publish, ratios, read_options, spread, table
from lamsearch.data import Splits
from lamsearch.study import Augment, ImageShape, Training
from lamsearch.trainers.network import NetworkTrainer
from lamsearch.trainers.network.batches import MiniBatches

IMAGE = ImageShape(height=32, width=32, channels=3, planar=True)
FEATURES, COMPONENTS, BATCH, SEED = 3072, 512, 100, (0, 0, 0)
WAYS = {
    "as they are": Augment(),
    "flip": Augment(flip=True),
    "shift = 2": Augment(shift=2),
    "shift = 4": Augment(shift=4),
    "flip, shift = 4": Augment(flip=True, shift=4),
}
NETWORKS: Mapping[str, tuple[Sequence[int], int]] = {
    "50 hidden units, cohort of 8": ([50], 8),
    "400 hidden units, cohort of 8": ([400], 8),
    "[1024, 512], cohort of 4": ([1024, 512], 4),
}
Way = Callable[[], None]


def splits_of(rows: int, components: int | None, *, moved: bool = False) -> Splits:
    """Random normalised images, more than any processor's cache holds, perhaps to be moved."""
    rng, width = np.random.default_rng(0), components or FEATURES
    x, y = rng.standard_normal((rows, width), np.float32), rng.integers(0, 10, rows)
    return Splits(
        train_x=x,
        train_y=y,
        validation_x=x[:BATCH],
        validation_y=y[:BATCH],
        mean=rng.uniform(0.4, 0.5, FEATURES).astype(np.float32),
        std=rng.uniform(0.2, 0.3, FEATURES).astype(np.float32),
        projection=None if components is None else np.ones((FEATURES, components), np.float32),
        image=IMAGE,
        mirrored_x=None if components is None or moved else rng.permutation(x),
        unprojected_x=rng.standard_normal((rows, FEATURES), np.float32) if moved else None,
    )


def gathering(splits: Splits, augment: Augment) -> Way:
    """Fill one mini-batch after another."""
    batches, update = MiniBatches(splits, SEED, BATCH, augment), iter(range(10**9))
    out = np.empty((BATCH, splits.train_x.shape[1]), np.float32)

    def step() -> None:
        batches.fill(next(update), out)

    return step


def updating(splits: Splits, hidden: Sequence[int], cohort: int) -> Way:
    """Do one update after another, everything included, of examples that are not varied."""
    training = Training(batch_size=BATCH, step_size=10**6, sample_every="cycle")
    lambdas = [-3.0] * cohort
    trainer = NetworkTrainer(splits, training, lambdas, hidden=hidden, classes=10, seed=SEED)
    running = trainer.run()

    def step() -> None:
        next(running)

    return step


def measure(ways: dict[str, Way], rounds: int, block: int) -> dict[str, list[float]]:
    """Return seconds of processor time for one step of each way, one number a round."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(rounds):
        for name, way in ways.items():
            begun = thread_time()
            for _ in range(block):
                way()
            found[name].append((thread_time() - begun) / block)
    return found


def section(rows: int, rounds: int, components: int | None) -> str:
    """Measure on all features, or on components; return a table."""
    splits = splits_of(rows, components)
    moved = splits if components is None else splits_of(rows, components, moved=True)
    ways = {
        name: gathering(moved if one.shift else splits, one) for name, one in WAYS.items()
    }  # fmt: skip
    updates = {name: updating(splits, *sizes) for name, sizes in NETWORKS.items()}
    times = measure(ways | updates, rounds, block=5)
    lines = []
    for name in WAYS:
        added = [one - plain for one, plain in zip(times[name], times["as they are"], strict=True)]
        lines.append([name, spread(1e6 * one for one in times[name]).text(0)] + [
            f"{100 * ratios(added, times[update]).median:+.1f} %" for update in NETWORKS
        ])  # fmt: skip
    lines += [
        [
            f"one update: {name}",
            spread(1e6 * one for one in times[name]).text(0),
            *[""] * len(NETWORKS),
        ]
        for name in NETWORKS
    ]
    title = "All 3072 features" if components is None else f"{components} principal components"
    header = [title, "µs", *(f"added to an update: {name}" for name in NETWORKS)]
    return table(header, lines)


def main() -> None:
    """Measure, print, write."""
    options = read_options(__doc__ or "")
    rows, rounds = (4_000, 10) if options.quick else (20_000, 60)
    with threadpool_limits(limits=1):
        parts = [section(rows, rounds, components) for components in (None, COMPONENTS)]
    head = (
        f"Gathering {BATCH} images of 32 x 32 pixels in 3 channels out of {rows:,}, one thread, "
        "processor time, median (quartiles) of rounds. An update includes gathering its images as "
        "they are. Mirrored components are gathered from those that lie beside the split; moved "
        "images are projected when they have been moved."
    )
    publish("gathering", "\n\n".join([head, *parts]), options)


if __name__ == "__main__":
    main()

"""Is the accuracy-over-λ curve the same on 512 principal components? Replicated, paired runs.

Enters: CIFAR-10. Leaves: for each λ the mean validation accuracy on all features and on the
components, their difference with its standard error over seeds, and what the projection costs.

    python -m benchmarks.projection [--quick] [--data-dir DIR]
"""

from __future__ import annotations

import math
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from time import perf_counter

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.common import CORES, ROOT, publish, read_options, table
from lamsearch import data as datasets
from lamsearch.cli.options import cache_directory
from lamsearch.data.splits import split
from lamsearch.search import training_seed
from lamsearch.study import Study, parse_study, read_study
from lamsearch.trainers.network import NetworkTrainer

COMPONENTS = 512
LAMBDAS = (-4.5, -4.0, -3.5, -3.0, -2.5, -2.25, -2.0, -1.5)
REPLICATES = 6

Accuracies = list[float]


def study_of(components: int | None) -> Study:
    """The coarse stage of cifar10.toml, on all features or on components."""
    document = read_study(ROOT / "studies" / "cifar10.toml").canonical()
    coarse = document["coarse"] | ({} if components is None else {"components": components})
    kept = {key: document[key] for key in ("name", "seed", "data", "network", "training")}
    return parse_study(kept | {"coarse": coarse})


def train(directory: Path, components: int | None, replicate: int, quick: bool) -> Accuracies:
    """Train one cohort of all λs at the coarse settings; return validation accuracies."""
    study = study_of(components)
    data = datasets.load(study, directory, cache=cache_directory())
    training = study.training_of("coarse")
    if quick:
        training = training.model_copy(update={"step_size": 45, "cycles": 1})
    with threadpool_limits(limits=1):
        trainer = NetworkTrainer(
            data.split("coarse"),
            training.model_copy(update={"sample_every": "cycle"}),
            LAMBDAS,
            hidden=study.network.hidden,
            classes=len(data.classes),
            seed=training_seed(study, "coarse", replicate),
        )
        for _ in trainer.run():
            pass
        return [one.score or math.nan for one in trainer.outcomes()]


def measure(directory: Path, components: int | None, quick: bool) -> tuple[np.ndarray, float]:
    """Return accuracies (replicates, λs) and the wall seconds, on all cores."""
    begun = perf_counter()
    with ProcessPoolExecutor(CORES) as pool:
        jobs = [
            pool.submit(train, directory, components, replicate, quick)
            for replicate in range(2 if quick else REPLICATES)
        ]
        return np.array([job.result() for job in jobs]), perf_counter() - begun


def discarded(directory: Path) -> tuple[float, float]:
    """Return the share of variance left out, and seconds to fit and apply the projection."""
    study = study_of(COMPONENTS)
    data = datasets.load(study, directory)
    begun = perf_counter()
    splits = split(study, "coarse", data.pool)
    seconds = perf_counter() - begun
    kept = np.square(splits.train_x, dtype=np.float64).sum() / len(splits.train_y)
    return 1 - kept / len(splits.mean), seconds


def main() -> None:
    """Run the benchmark."""
    options = read_options(__doc__ or "")
    for components in (None, COMPONENTS):  # splits into the cache, outside the measurement
        study = study_of(components)
        datasets.load(study, options.data, cache=cache_directory()).split("coarse")
    full, full_seconds = measure(options.data, None, options.quick)
    fast, fast_seconds = measure(options.data, COMPONENTS, options.quick)
    difference = fast - full
    n = len(difference)
    # Both variants draw weights of their own, so the difference has the seeds' spread twice.
    error = difference.std(axis=0, ddof=1) / math.sqrt(n)
    rows = [
        [f"{lam:g}", f"{100 * a:.2f}", f"{100 * b:.2f}", f"{100 * d:+.2f} ± {100 * e:.2f}"]
        for lam, a, b, d, e in zip(
            LAMBDAS, full.mean(axis=0), fast.mean(axis=0), difference.mean(axis=0), error,
            strict=True,
        )
    ]  # fmt: skip
    # A level that is common to all λs moves no choice; what is left of it is the curve's shape.
    centred = difference - difference.mean(axis=1, keepdims=True)
    shape = centred.mean(axis=0) / (centred.std(axis=0, ddof=1) / math.sqrt(n))
    share, seconds = discarded(options.data)
    header = ["log10 λ", "all 3072 features (%)", f"{COMPONENTS} components (%)", "difference"]
    level, level_error = difference.mean(), difference.mean(axis=1).std(ddof=1) / math.sqrt(n)
    text = (
        f"Validation accuracy at the coarse settings, mean of {n} seeds, difference ± its standard "
        f"error over seeds.\n\n{table(header, rows)}\n\n"
        f"Common level of the difference: {100 * level:+.2f} ± {100 * level_error:.2f} points. "
        f"Around it the largest |t| of the {len(LAMBDAS)} λs is {np.abs(shape).max():.1f} "
        f"with {n - 1} degrees of freedom. Best λ: {LAMBDAS[int(full.mean(axis=0).argmax())]:g} on "
        f"all features, {LAMBDAS[int(fast.mean(axis=0).argmax())]:g} on components. "
        f"Variance discarded: {100 * share:.2f} %. Training took {full_seconds:.1f} s and "
        f"{fast_seconds:.1f} s ({full_seconds / fast_seconds:.1f} times); making the projected "
        f"split, once a host, {seconds:.1f} s."
    )
    publish("projection", text, options)


if __name__ == "__main__":
    main()

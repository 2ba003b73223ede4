"""What a cohort's size gains on one core: time per model and update, for cohorts of 1 to 256.

    python -m benchmarks.cohorts [--quick]

Enters: networks of several sizes, one BLAS thread. Leaves: processor time per model and update of
each cohort, what `lamsearch.trainers.network.demand` expects of it, and the memory that each model
adds, in RESULTS.md. The expectation is what `cohort = "auto"` chooses by: it is right where the
ratio of two cohorts is right, whatever the core. Processor time, for others may use the machine;
each number is the least of its rounds, which cohorts take in turns.
"""

from __future__ import annotations

import time

from benchmarks.common import publish, read_options, table
from lamsearch.diagnostics.calibration import calibrate
from lamsearch.study import Network, OptimiserName, Training
from lamsearch.trainers import Shape
from lamsearch.trainers.network.demand import demand

_CLASSES = 10
# features, hidden units, batch, optimiser
NETWORKS: tuple[tuple[int, tuple[int, ...], int, OptimiserName], ...] = (
    (64, (16,), 50, "sgd"),
    (64, (16,), 50, "adam"),
    (64, (50,), 50, "sgd"),
    (64, (50, 50), 100, "sgd"),
    (784, (50,), 100, "sgd"),
    (512, (400,), 100, "sgd"),
    (3072, (50,), 100, "sgd"),
)
COHORTS = (1, 8, 32, 128, 256)


def main() -> None:
    """Measure, print, write."""
    options = read_options(__doc__ or "")
    networks = NETWORKS[:1] + NETWORKS[-1:] if options.quick else NETWORKS
    rounds, seconds = (1, 0.05) if options.quick else (5, 0.3)
    rows = []
    for features, hidden, batch, optimiser in networks:
        network = Network(hidden=hidden)
        least = dict.fromkeys(COHORTS, float("inf"))
        for _ in range(rounds):
            for models in COHORTS:
                spent = calibrate(
                    features, network, _CLASSES, models, batch,
                    optimiser=optimiser, seconds=seconds, clock=time.process_time,
                )  # fmt: skip
                least[models] = min(least[models], spent / models)
        training = Training(batch_size=batch, step_size=1, optimiser=optimiser)
        shape = Shape(examples=None, features=features, classes=_CLASSES)
        expected = demand(network, training, shape)
        name = " → ".join(map(str, (features, *hidden, _CLASSES)))
        rows.append([
            f"{name}, batch {batch}, {optimiser}",
            *(_both(least[models], expected.seconds(models) / models) for models in COHORTS),
            f"{expected.model_bytes / 1e6:.2f}",
        ])  # fmt: skip
    header = ["network", *(f"cohort {models}" for models in COHORTS), "MB per model"]
    head = (
        "µs of processor time per model and update, one BLAS thread, and in brackets what the "
        f"choice of a cohort expects; the least of {rounds} rounds."
    )
    publish("cohorts", f"{head}\n\n{table(header, rows)}", options)


def _both(measured: float, expected: float) -> str:
    return f"{1e6 * measured:,.0f} ({1e6 * expected:,.0f})"


if __name__ == "__main__":
    main()

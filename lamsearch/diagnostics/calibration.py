"""Calibration: what one update of a cohort costs on this machine.

Enters: the sizes of network, cohort and mini-batch. Leaves: seconds. Refuses to know the data,
and how many updates a study plans.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from threadpoolctl import threadpool_limits

from lamsearch.metrics import DEFAULT_METRIC
from lamsearch.metrics.mse import MSE
from lamsearch.results import FloatArray, TargetArray
from lamsearch.study import Network, OptimiserName, Training
from lamsearch.trainers.network import NetworkTrainer

# Beyond a processor's caches at CIFAR-10's width, so that gathering a mini-batch costs what it
# costs in training, yet drawn in a fraction of a second.
_ROWS = 4096
_WARM_UP = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _RandomSplits:
    """Examples of noise; the validation split is never measured."""

    train_x: FloatArray
    train_y: TargetArray
    validation_x: FloatArray
    validation_y: TargetArray
    mean: FloatArray
    std: FloatArray
    projection: None = None
    target_mean: float = 0.0
    target_std: float = 1.0
    weights: None = None


def calibrate(
    features: int,
    network: Network | int,
    classes: int,
    cohort: int,
    batch_size: int,
    *,
    optimiser: OptimiserName = "sgd",
    seconds: float = 1.0,
    clock: Callable[[], float] | None = None,
) -> float:
    """Return the mean seconds per update of ``cohort`` models, with one BLAS thread, in float32.

    ``network`` is one's settings, or a number of hidden units; ``classes`` are 0 where a quantity
    is predicted. Updates are counted for about ``seconds``, at least one of them, after a short
    warm-up, as ``clock`` tells, else wall time; the evaluations at sampling points are not in it.
    """
    training = Training(
        batch_size=batch_size, step_size=10**9, eta_min=1e-5, eta_max=1e-5, sample_every="cycle",
        optimiser=optimiser,
    )  # fmt: skip
    splits = _random_splits(features, classes, max(_ROWS, batch_size))
    lambdas = [-3.0] * cohort
    network = Network(hidden=network) if isinstance(network, int) else network
    with threadpool_limits(limits=1, user_api="blas"):
        trainer = NetworkTrainer(
            splits,
            training,
            lambdas,
            network=network,
            classes=classes,
            seed=(0, 0, 0),
            metric=DEFAULT_METRIC if classes else MSE,
        )
        updates = trainer.run()
        for _ in range(_WARM_UP):
            next(updates)
        now = clock or perf_counter
        start, elapsed = now(), 0.0
        while elapsed < seconds or trainer.updates == _WARM_UP:
            next(updates)
            elapsed = now() - start
    return elapsed / (trainer.updates - _WARM_UP)


def _random_splits(features: int, classes: int, rows: int) -> _RandomSplits:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, features), dtype=np.float32)
    targets: TargetArray = (
        rng.integers(classes, size=rows) if classes else rng.standard_normal(rows, np.float32)
    )
    return _RandomSplits(
        train_x=x,
        train_y=targets,
        validation_x=x[:1],
        validation_y=targets[:1],
        mean=np.zeros(features, np.float32),
        std=np.ones(features, np.float32),
    )

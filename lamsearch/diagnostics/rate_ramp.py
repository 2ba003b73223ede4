"""The range test's ramp: a few networks trained while the learning rate rises linearly.

Enters: splits, a study's settings, the ramp's bounds. Leaves: a `RateRamp`. Refuses to know the
test set, and what the ramp suggests.

Source: Smith (2015), Cyclical Learning Rates for Training Neural Networks, arXiv:1506.01186,
section 3.3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from lamsearch.diagnostics.rate_range import DIVERGED
from lamsearch.metrics import DEFAULT_METRIC, Metric, default_of
from lamsearch.results import STAGES, Curve, RateRamp, StageName
from lamsearch.schedules import linear
from lamsearch.space import Point, span
from lamsearch.study import Study, Training, laid_over
from lamsearch.trainers import Splits
from lamsearch.trainers.network import NetworkTrainer, evaluate
from lamsearch.trainers.targets import scale_of

_POINTS = 200  # sampled over a whole ramp
_EPOCHS, _LEAST_UPDATES = 8, 1000
_STAGE = len(STAGES)  # in the seed: that of no stage


def stage_of(study: Study) -> StageName:
    """Return the stage whose split, batch size and components are used.

    The last that scores candidates, for it has the schedule of the final; else the final itself.
    """
    return [name for name in study.stages if name != "final" or not study.selects][-1]


def point_of(study: Study) -> Point:
    """Return the final's given point, else the middle of what the first stage searches."""
    if study.final is not None and study.final.point is not None:
        return study.final.point
    search = study.search
    assert search is not None  # noqa: S101  # a rule of study files: λ is given or searched
    bounds = search.bounds or span(search.points or ())
    return tuple((low + high) / 2 for low, high in bounds)


def epochs_of(per_epoch: int) -> int:
    """Return how many epochs of ``per_epoch`` updates a ramp takes unless told.

    Eight, or as many as hold 1,000 updates: in fewer the rate rises faster than models learn.
    """
    return max(_EPOCHS, -(-_LEAST_UPDATES // per_epoch))


def run_ramp(
    splits: Splits,
    study: Study,
    *,
    classes: int,
    point: Point,
    low: float,
    high: float,
    epochs: int,
    replicates: int,
    say: Callable[[str], None] = lambda _: None,
) -> RateRamp:
    """Train each replicate over one ramp from ``low`` to ``high``, or until it diverges.

    A replicate has initial weights and mini-batches of its own, which are those of no stage.
    Sampled at about 200 points; computed with one BLAS thread, so that the same study gives the
    same numbers. Scores are by the task's default metric. ``say`` is told of each replicate.
    """
    metric = default_of("classification" if classes else "regression")
    training = _training(study, len(splits.train_y), low, high, epochs)
    every = int(training.sample_every)
    rate = partial(linear, eta_min=low, eta_max=high, updates=training.updates)
    curves: list[Curve] = []
    untrained = []
    with threadpool_limits(limits=1, user_api="blas"):
        for replicate in range(replicates):
            say(f"replicate {replicate + 1} of {replicates}: {training.updates} updates")
            trainer = NetworkTrainer(
                splits,
                training,
                [point[0]],
                network=study.network,
                classes=classes,
                seed=(study.seed, _STAGE, replicate),
                schedule=rate,
                augment=study.augment,
                metric=metric,
            )
            untrained.append(_untrained(trainer, splits, classes))
            curves.append(_run(trainer, every, DIVERGED * untrained[-1][0]))
    ramp = _ramp(curves, untrained, training, rate, every, metric)
    return ramp if classes else _explained(ramp, splits)


def _untrained(trainer: NetworkTrainer, splits: Splits, classes: int) -> tuple[float, float]:
    """Validation loss and share of right answers before any update; of a quantity there is none."""
    scale = scale_of(splits, classes)
    before = evaluate(trainer.weights, splits.validation_x, splits.validation_y, scale=scale)
    share = np.nan if before.correct is None else float(before.correct[0].mean())
    return float(before.loss[0]), share


def _explained(ramp: RateRamp, splits: Splits) -> RateRamp:
    """The ramp with R² as its score: what the validation loss leaves of the targets' variance."""
    variance = float(np.var(splits.validation_y, dtype=np.float64)) or 1.0
    return replace(
        ramp,
        untrained_score=1 - ramp.untrained_loss / variance,
        validation_score=1 - ramp.validation_loss / variance,
    )


def _ramp(
    curves: list[Curve],
    untrained: list[tuple[float, float]],
    training: Training,
    rate: Callable[[int], float],
    every: int,
    metric: Metric,
) -> RateRamp:
    """The replicates side by side, up to the first point that none of them reached."""
    loss, score = np.mean(untrained, axis=0)
    updates = np.arange(every, training.updates + 1, every)
    training_loss, validation_loss, validation_score = (
        _table(curves, name, len(updates))
        for name in ("training_loss", "validation_loss", f"validation_{DEFAULT_METRIC.name}")
    )
    ended = np.isnan(training_loss).all(axis=0)
    points = int(ended.argmax()) + 1 if ended.any() else len(updates)
    return RateRamp(
        low=training.eta_min,
        high=training.eta_max,
        updates=updates[:points],
        learning_rate=np.array([rate(int(update)) for update in updates[:points]]),
        untrained_loss=float(loss),
        untrained_score=float(score),
        training_loss=training_loss[:, :points],
        validation_loss=validation_loss[:, :points],
        validation_score=validation_score[:, :points],
        metric=metric,
    )


def _training(study: Study, examples: int, low: float, high: float, epochs: int) -> Training:
    """The settings of one ramp: its updates are a whole, even number of sampling intervals."""
    settings = study.training_of(stage_of(study))
    asked = epochs * (examples // settings.batch_size)
    every = max(1, asked // _POINTS)
    half = max(1, asked // (2 * every)) * every
    ramp = {"eta_min": low, "eta_max": high, "step_size": half, "cycles": 1, "sample_every": every}
    return laid_over(settings, ramp)


def _run(trainer: NetworkTrainer, every: int, too_much: float) -> Curve:
    """Train to the end of the ramp, or to the first point whose training loss is too much."""
    for progress in trainer.run():
        if progress.updates % every == 0:
            (curve,) = trainer.curves()
            if len(curve.updates) and curve.values["training_loss"][-1] > too_much:
                break
    return trainer.curves()[0]


def _table(curves: list[Curve], name: str, points: int) -> npt.NDArray[np.float64]:
    """The curves as (replicates, points), NaN where one has ended."""
    table = np.full((len(curves), points), np.nan)
    for row, curve in zip(table, curves, strict=True):
        values = curve.values.get(name, np.empty(0))  # of a quantity none has right answers
        row[: len(values)] = values
    return table

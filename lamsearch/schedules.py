"""Cyclical learning rates: update step → learning rate.

Enters: the schedule's constants. Leaves: a plain function of the update count. Knows nothing of
networks or data.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from lamsearch.study import Training

Schedule = Callable[[int], float]
# One bound of the learning rate, or one for each of several models.
Bound = TypeVar("Bound", float, npt.NDArray[np.float64])


def triangular(
    update: int, *, eta_min: Bound, eta_max: Bound, step_size: int, amplitude: float = 1.0
) -> Bound:
    """Return the learning rate before update ``update`` (counted from 0).

    The rate rises linearly from ``eta_min`` to ``eta_max`` in ``step_size`` (n_s) updates and
    falls back in as many: with cycle c = ⌊t / 2n_s⌋ and x = |t / n_s − 2c − 1|,
    η_t = η_min + (η_max − η_min) · max(0, 1 − x) · amplitude.

    Source: Smith (2015), Cyclical Learning Rates for Training Neural Networks, arXiv:1506.01186.

    Example:
        >>> [triangular(t, eta_min=0.0, eta_max=1.0, step_size=2) for t in range(5)]
        [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    cycle = update // (2 * step_size)
    distance = abs(update / step_size - 2 * cycle - 1)
    return eta_min + (eta_max - eta_min) * max(0.0, 1.0 - distance) * amplitude


def triangular2(update: int, *, eta_min: Bound, eta_max: Bound, step_size: int) -> Bound:
    """Return the triangular rate with its amplitude halved after every cycle (Smith 2015)."""
    amplitude = math.ldexp(1.0, -(update // (2 * step_size)))
    return triangular(
        update, eta_min=eta_min, eta_max=eta_max, step_size=step_size, amplitude=amplitude
    )


def exp_range(
    update: int, *, eta_min: Bound, eta_max: Bound, step_size: int, gamma: float
) -> Bound:
    """Return the triangular rate with its amplitude times ``gamma ** update`` (Smith 2015)."""
    return triangular(
        update, eta_min=eta_min, eta_max=eta_max, step_size=step_size, amplitude=gamma**update
    )


def linear(update: int, *, eta_min: float, eta_max: float, updates: int) -> float:
    """Return the rate of a ramp from ``eta_min`` to ``eta_max`` in ``updates`` updates.

    η_t = η_min + (η_max − η_min) · min(1, t / updates), t counted from 0.

    Source: Smith (2015), arXiv:1506.01186, section 3.3: the learning-rate range test.

    Example:
        >>> [linear(t, eta_min=0.0, eta_max=1.0, updates=4) for t in range(6)]
        [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
    """
    return eta_min + (eta_max - eta_min) * min(1.0, update / updates)


def schedule_of(training: Training) -> Schedule:
    """Return the function update → learning rate of a study file's training settings."""
    return _schedule(training, training.eta_min, training.eta_max)


def schedules_of(
    training: Training, *, eta_min: npt.NDArray[np.float64], eta_max: npt.NDArray[np.float64]
) -> Callable[[int], npt.NDArray[np.float64]]:
    """Return update → the learning rates of several models, each with bounds of its own.

    A model's rates are to the bit those of the schedule with its bounds alone.
    """
    return _schedule(training, eta_min, eta_max)


def _schedule(training: Training, eta_min: Bound, eta_max: Bound) -> Callable[[int], Bound]:
    step_size, gamma = training.step_size, training.gamma
    if training.schedule == "triangular2":
        return lambda update: triangular2(
            update, eta_min=eta_min, eta_max=eta_max, step_size=step_size
        )
    if training.schedule == "exp_range":
        return lambda update: exp_range(
            update, eta_min=eta_min, eta_max=eta_max, step_size=step_size, gamma=gamma
        )
    return lambda update: triangular(update, eta_min=eta_min, eta_max=eta_max, step_size=step_size)

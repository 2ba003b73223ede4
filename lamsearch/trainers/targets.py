"""Targets that are quantities: standardised in training, in their own unit for metrics and models.

Enters: splits, standardised values. Leaves: values in the target's own unit. Refuses to know
models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from lamsearch.results import FloatArray, TargetArray
from lamsearch.trainers.protocol import Splits


@runtime_checkable
class QuantitySplits(Splits, Protocol):
    """What a trainer needs of a data set whose targets are quantities.

    ``train_y`` and ``validation_y`` are then (y − target_mean) / target_std, float32 (n,), with the
    moments of the training split in the target's own unit.
    """

    @property
    def target_mean(self) -> float: ...  # noqa: D102 - named by the class docstring
    @property
    def target_std(self) -> float: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetScale:
    """Mean and standard deviation that targets were standardised with."""

    mean: float = 0.0
    std: float = 1.0

    def own(self, standardised: TargetArray) -> npt.NDArray[np.float64]:
        """Return standardised values (n,) in the target's own unit, as float64."""
        return np.asarray(standardised, np.float64) * self.std + self.mean

    def of_last_layer(self, W: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the last layer (W, b) of a model of standardised values, for the own unit."""
        return W.astype(np.float64) * self.std, self.own(b)


def scale_of(splits: Splits, classes: int) -> TargetScale | None:
    """Return the scale of the targets of splits; None where there are ``classes``.

    Raises:
        TypeError: Splits of quantities have no moments of their targets.
    """
    if classes:
        return None
    if not isinstance(splits, QuantitySplits):
        raise TypeError("splits of quantities must have target_mean and target_std")
    return TargetScale(mean=float(splits.target_mean), std=float(splits.target_std))

"""Settings that each model of a cohort may have for itself.

Enters: values by name, (K,). Leaves: rates of every model. Refuses names that a cohort shares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from lamsearch.schedules import Schedule, schedule_of, schedules_of
from lamsearch.study import Network, Training
from lamsearch.trainers.network.curve_table import Rates
from lamsearch.trainers.network.dropout import Dropout

NAMES = ("eta_max", "eta_min", "dropout", "input_dropout")
_DROPPED = NAMES[2:]


class OwnSettings:
    """The settings of K models, those of the study where a model has none of its own.

    Raises:
        ValueError: A name or a number of values is none of these, or a value cannot be.
    """

    def __init__(self, given: Mapping[str, Sequence[float]], count: int) -> None:
        self._count = count
        self._given = {name: np.asarray(values, np.float64) for name, values in given.items()}
        for name, values in self._given.items():
            if name not in NAMES:
                raise ValueError(f"per_model: must be of {', '.join(NAMES)}, got {name!r}")
            if values.shape != (count,):
                raise ValueError(f"{name}: must be {count} values, got {values.shape}")
            right = (values >= 0) & (values < 1) if name in _DROPPED else values > 0
            if not (right & np.isfinite(values)).all():
                rule = "at least 0 and below 1" if name in _DROPPED else "above 0 and finite"
                raise ValueError(f"{name}: must be {rule}, got {values.tolist()}")

    def of(self, name: str, usual: float) -> npt.NDArray[np.float64]:
        """Return every model's value (K,)."""
        return self._given.get(name, np.full(self._count, usual))

    def rates(self, training: Training, schedule: Schedule | None) -> Rates:
        """Return update → every model's learning rate (K,); a ``schedule`` is for all alike."""
        if schedule is None and not self._given.keys() & {"eta_min", "eta_max"}:
            schedule = schedule_of(training)
        if schedule is None:
            return schedules_of(
                training,
                eta_min=self.of("eta_min", training.eta_min),
                eta_max=self.of("eta_max", training.eta_max),
            )
        one, count = schedule, self._count
        return lambda update: np.full(count, one(update))

    def dropout(self, network: Network, seed: Sequence[int]) -> Dropout:
        """Return what drops inputs and hidden activations, at every model's rates."""
        hidden = (self.of("dropout", network.dropout) for _ in network.units)
        inputs = self.of("input_dropout", network.input_dropout)
        return Dropout(seed=tuple(seed), rates=(inputs, *hidden))

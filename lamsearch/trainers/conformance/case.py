"""What a trainer is tried on: a small task, and comparisons of what it answers.

Enters: a kind of trainer. Leaves: trainers made for the task, what they answered as bytes. Refuses
to know what is asked of them.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from lamsearch.metrics import DEFAULT_METRIC, Metric
from lamsearch.results import Curve, FloatArray, IntArray, Trained
from lamsearch.space import Point
from lamsearch.study import Training
from lamsearch.trainers.failures import Guarded
from lamsearch.trainers.kind import TrainerKind
from lamsearch.trainers.protocol import Progress, Splits, Task

SEED = (7, 1, 2)
_TRAINING = Training(batch_size=20, step_size=20, cycles=2, eta_min=1e-3, eta_max=0.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnSplits:
    """Drawn examples as a trainer gets them: normalised, float32, and not to be written to."""

    train_x: FloatArray
    train_y: IntArray
    validation_x: FloatArray
    validation_y: IntArray
    mean: FloatArray
    std: FloatArray
    projection: FloatArray | None = None
    image: None = None
    mirrored_x: None = None
    unprojected_x: None = None
    weights: None = None
    target_mean: float = 0.0
    target_std: float = 1.0


def drawn_splits(train: int = 200, validation: int = 60) -> DrawnSplits:
    """Return three overlapping Gaussian classes of six features, in units far from their own."""
    rng = np.random.default_rng(3)
    y = np.arange(train + validation) % 3
    x = 1.5 * rng.normal(size=(3, 6))[y] + rng.normal(size=(len(y), 6))
    x = 5.0 + 3.0 * x
    mean, std = x[:train].mean(axis=0), x[:train].std(axis=0)
    x = (x - mean) / std
    return DrawnSplits(
        train_x=_frozen(x[:train]), train_y=_frozen(y[:train], np.int64),
        validation_x=_frozen(x[train:]), validation_y=_frozen(y[train:], np.int64),
        mean=_frozen(mean), std=_frozen(std),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A kind of trainer, and a task that it is tried on.

    Args:
        kind: the trainer.
        options: its own options; their defaults unless given.
        per_model: values of what is searched beside λ and shares a cohort, one for each point.
        seeded: whether its answers depend on the seed; False where nothing in it is random.
        penalised: whether they depend on λ; False where the trainer has no such penalty.
        splits: training and validation examples; drawn ones unless given.
        classes: how many classes these have.
        training: budget and schedule, of two cycles or more.
        points: (log10 λ,) of the cohort's trials, four or more.
    """

    kind: TrainerKind
    options: BaseModel | None = None
    per_model: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    seeded: bool = True
    penalised: bool = True
    splits: Splits = field(default_factory=drawn_splits)
    classes: int = 3
    training: Training = _TRAINING
    points: tuple[Point, ...] = ((-4.0,), (-0.5,), (-2.5,), (-1.5,))

    def make(
        self,
        points: tuple[Point, ...] | None = None,
        *,
        seed: tuple[int, ...] = SEED,
        metric: Metric = DEFAULT_METRIC,
    ) -> Guarded:
        """Return a trainer for points, as the worker makes it."""
        return Guarded(self.kind, self.task(points, seed=seed, metric=metric))

    def task(
        self,
        points: tuple[Point, ...] | None = None,
        *,
        seed: tuple[int, ...] = SEED,
        metric: Metric = DEFAULT_METRIC,
    ) -> Task:
        """Return the task; settings of its own go with each point of the case."""
        points = self.points if points is None else points
        rows = [self.points.index(one) if one in self.points else 0 for one in points]
        return Task(
            points=points, splits=self.splits, training=self.training,
            options=self.kind.options() if self.options is None else self.options,
            per_model={name: tuple(own[k] for k in rows) for name, own in self.per_model.items()},
            classes=self.classes, seed=seed, metric=metric,
        )  # fmt: skip

    def projected(self) -> Case:
        """Return the case with models that see three components of the features."""
        splits = self.splits
        features = splits.train_x.shape[1]
        basis, _ = np.linalg.qr(np.random.default_rng(4).normal(size=(features, 3)))
        projection = _frozen(basis)
        found = DrawnSplits(
            train_x=_frozen(splits.train_x @ projection), train_y=splits.train_y,
            validation_x=_frozen(splits.validation_x @ projection),
            validation_y=splits.validation_y, mean=splits.mean, std=splits.std,
            projection=projection,
        )  # fmt: skip
        return replace(self, splits=found)


def finish(trainer: Guarded) -> list[Progress]:
    """Run a trainer to its end; return what it yielded."""
    return list(trainer.run())


def bits(records: Iterable[Progress] | Iterable[Trained]) -> list[object]:
    """Return everything that records say, arrays as bytes."""
    return [[_plain(getattr(one, field.name)) for field in fields(one)] for one in records]


def stored(trainer: Guarded) -> dict[str, npt.NDArray[Any]]:
    """Return a trainer's state as it comes back from a checkpoint, which holds no pickle."""
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **trainer.state())
    file.seek(0)
    with np.load(file, allow_pickle=False) as found:
        return dict(found)


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape, value.tobytes())
    if isinstance(value, Curve):
        return [_plain(getattr(value, one.name)) for one in fields(value)]
    if isinstance(value, Mapping):
        return [(name, _plain(one)) for name, one in value.items()]
    return value


def _frozen(values: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> npt.NDArray[Any]:
    array = np.ascontiguousarray(values, dtype)
    array.setflags(write=False)
    return array

"""What a trainer is: the parts that the worker, an objective and the tests rely on.

Enters: nothing. Leaves: the types by which a trainer says what it can do, is made, and answers.
Refuses to know any trainer, and where results are kept.

λ means the same for every trainer: cost = loss + λ·Σ‖W‖², whatever a library calls its own
parameter. Within a replicate every candidate has the same seed, so differences between them are
paired.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from lamsearch.metrics import DEFAULT_METRIC, Metric
from lamsearch.results import FloatArray, Model, TargetArray, Trained
from lamsearch.space import LAMBDA, Point, Scale
from lamsearch.study import Augment, ImageShape, Training

State = dict[str, npt.NDArray[np.generic]]


class Splits(Protocol):
    """What a trainer needs of a data set: normalised examples (n, F), targets (n,), F statistics.

    Targets are labels, int64; where a quantity is predicted `targets.QuantitySplits` says what.
    ``projection`` (features, F) leads from all features to the F components that models see, or
    is None where they see all. ``weights`` (n,) are those of the training examples in the loss,
    float32 of mean 1, or None where all count alike: the loss is Σ w_i·loss_i / n.
    """

    @property
    def train_x(self) -> FloatArray: ...  # noqa: D102 - named by the class docstring
    @property
    def train_y(self) -> TargetArray: ...  # noqa: D102
    @property
    def validation_x(self) -> FloatArray: ...  # noqa: D102
    @property
    def validation_y(self) -> TargetArray: ...  # noqa: D102
    @property
    def mean(self) -> FloatArray: ...  # noqa: D102
    @property
    def std(self) -> FloatArray: ...  # noqa: D102
    @property
    def projection(self) -> FloatArray | None: ...  # noqa: D102
    @property
    def weights(self) -> FloatArray | None: ...  # noqa: D102


Table = Literal["trainer", "network", "training", "augment"]


@runtime_checkable
class ImageSplits(Splits, Protocol):
    """What a trainer needs besides, where it varies the training images.

    ``image`` says how raw features make one. ``mirrored_x`` (n, F) are the mirrored training
    images in the components that models see, or None where they see all features; where images are
    moved too, ``unprojected_x`` (n, features) are the training images before the projection.
    """

    @property
    def image(self) -> ImageShape | None: ...  # noqa: D102 - named by the class docstring
    @property
    def mirrored_x(self) -> FloatArray | None: ...  # noqa: D102
    @property
    def unprojected_x(self) -> FloatArray | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter that can be searched.

    Args:
        name: its key in a study file, both where it is set and where it is searched.
        about: what it is.
        low, high: between which its values may lie, ends included, where they are numbers.
        shares_cohort: whether trials that differ in it can be trained in one cohort.
        table: the study file's table that it is a key of.
        scales: those that it may be searched on.
    """

    name: str
    about: str = ""
    low: float = -math.inf
    high: float = math.inf
    shares_cohort: bool = True
    table: Table = "trainer"
    scales: tuple[Scale, ...] = (Scale.LINEAR, Scale.LOG, Scale.CHOICE)


# Every trainer's first parameter.
L2_PENALTY = Parameter(
    name=LAMBDA.name, about=LAMBDA.about, low=-30.0, high=10.0, scales=(Scale.LOG10,)
)


class NoOptions(BaseModel):
    """The options of a trainer that has none."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What a trainer computes on.

    Args:
        name: as its library has it, such as ``cpu`` or ``cuda:1``.
        model: what it is, as far as numbers follow from it, such as its maker's name of it. Which
            of several such a machine has does not count.
    """

    name: str = "cpu"
    model: str = ""

    def __str__(self) -> str:
        kind = self.name.partition(":")[0]
        return f"{kind} ({self.model})" if self.model else kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """All that the training of a cohort follows from.

    Args:
        points: the points of the cohort's K trials, in their order; log10 λ is their first
            coordinate.
        splits: the stage's training and validation examples.
        training: the stage's budget and schedule.
        options: the trainer's own, as its kind has checked them.
        per_model: by name the values of what is searched and shares a cohort, one for each of the
            K trials; empty where λ alone is searched. What is searched and does not share one has
            been laid over ``training``, ``options`` and ``augment``.
        classes: how many classes there are; 0 where a quantity is predicted.
        seed: (study seed, stage, replicate); all randomness follows from it.
        test: test examples and targets, only for the curves of a study that selects nothing.
        metric: what scores a validation example.
        augment: how training images are varied; None where they are not.
        device: what is trained on, as the kind's ``device`` has chosen it; ``cpu`` for a kind
            without.
    """

    points: tuple[Point, ...]
    splits: Splits
    training: Training
    options: BaseModel
    classes: int
    seed: tuple[int, ...]
    test: tuple[FloatArray, TargetArray] | None = None
    metric: Metric = DEFAULT_METRIC
    augment: Augment | None = None
    per_model: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    device: str = "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a cohort stands: updates done of all, cycles done.

    An update is the trainer's own step, such as a mini-batch. ``scores`` and ``losses`` are the
    trials' on validation (K,) at the last sampling point, NaN for one that has left; None before
    the first. ``cycle_end`` says that a cycle has just ended: scores are comparable there,
    and trials may be dropped.
    """

    updates: int
    total: int
    cycles: int
    cycle_end: bool
    scores: FloatArray | None
    losses: FloatArray | None


class Trainer(Protocol):
    """Trains one cohort. It knows no clocks, files or Optuna; whoever drives it decides those.

    What it raises makes all of its trials FAIL with that reason. A trial that fails alone, by a
    cost that is no longer finite, is FAIL in its outcome while the others go on.
    """

    @property
    def updates(self) -> int:
        """Updates done."""
        ...

    def run(self) -> Iterator[Progress]:
        """Train to the end; yield after every update, and at every cycle end."""
        ...

    def outcomes(self) -> tuple[Trained, ...]:
        """Return what became of every trial, in the order of the points, once it has run.

        ``scores`` has the metric's number for each validation example, in the order of the split,
        and ``score`` is their mean.
        """
        ...


@runtime_checkable
class Resumable(Trainer, Protocol):
    """A trainer that can go on where another process stopped; others begin again after a kill."""

    def state(self) -> State:
        """Return all that a resumed training needs to end with the same bits, as plain arrays.

        Whole after every `Progress`. The name ``identity`` is taken.
        """
        ...

    def restore(self, state: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Go on from a state of a trainer that was made with the same task.

        Raises:
            ValueError: It is of no such trainer; nothing was changed.
        """
        ...


@runtime_checkable
class Prunable(Trainer, Protocol):
    """A trainer that lets trials go before the end, as successive halving asks it to."""

    def drop(self, reasons: Mapping[int, str]) -> None:
        """Take trials out as PRUNED at a cycle end, each by its index with its reason."""
        ...


@runtime_checkable
class Exporting(Trainer, Protocol):
    """A trainer whose models can be kept, which the final needs."""

    def models(self) -> tuple[Model | None, ...]:
        """Return every trial's model, in the order of the points; None for one that has left."""
        ...


@runtime_checkable
class Snapshotting(Exporting, Protocol):
    """A trainer whose models can be kept at cycle ends too, which snapshot ensembles need."""

    def snapshot(self) -> tuple[Model | None, ...]:
        """Return every trial's model as it is at the cycle end just yielded, None as `models`.

        The training goes on to the same bits as if nobody had asked.
        """
        ...

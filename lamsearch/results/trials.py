"""Trials as records: what was planned, measured, and became of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from lamsearch.metrics import Task
from lamsearch.space import Point

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]
TargetArray = npt.NDArray[Any]  # labels, int64, or quantities, floats
StageName = Literal["coarse", "fine", "finalists", "final"]
Activation = Literal["relu", "leaky_relu", "tanh"]
STAGES: tuple[StageName, ...] = ("coarse", "fine", "finalists", "final")
WAS_CANCELLED = "the study was cancelled"  # the reason of its trials that had begun
SEARCHING: tuple[StageName, ...] = ("coarse", "fine")  # those that draw candidates


class TrialState(StrEnum):
    """Where a planned trial stands; the names are Optuna's."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    PRUNED = "PRUNED"
    FAIL = "FAIL"

    @property
    def finished(self) -> bool:
        """Whether the trial has its last state."""
        return self in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Learning curves of one trial at its sampling points, all of shape (points,).

    ``updates`` counts mini-batch updates done. ``values`` are by SPLIT_QUANTITY, such as
    ``training_loss`` and ``validation_loss``: those of training are means over the mini-batches
    since the last point (a cost: that mean loss plus the penalty at the point), the others are
    measured at the point. ``test_*`` is there only where a study that selects nothing asked for
    test curves. Losses are in nats, shares are fractions; of a quantity losses are mean squared
    errors of standardised targets, and none of the predictions is right or wrong.
    """

    updates: IntArray
    learning_rate: FloatArray
    values: Mapping[str, FloatArray]

    def columns(self) -> dict[str, IntArray | FloatArray]:
        """Return all of it by name, as the columns of a table."""
        return {"updates": self.updates, "learning_rate": self.learning_rate, **self.values}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What the trainer says of one model of a cohort once it has left it.

    ``score`` and the rest are None for a model that failed, and those of the cycle end at which it
    left for one that was pruned (``reason`` says why, ``updates`` after how many; None at the end).
    ``score`` is the mean of ``scores``, one number per validation example, higher is better;
    ``score_error`` is its standard error over the draw of examples, None where each scores 0 or 1
    and the error follows from the mean. ``cycle_scores`` holds the score at each cycle end that was
    reached. ``model_sha256`` is the digest of the file that its model was saved in, None where none
    was; ``snapshot_sha256`` those of what was saved of it at earlier cycle ends, by cycle.
    """

    state: TrialState
    reason: str | None = None
    updates: int | None = None
    score: float | None = None
    score_error: float | None = None
    validation_loss: float | None = None
    train_score: float | None = None
    cycle_scores: tuple[float, ...] = ()
    curve: Curve | None = None
    scores: npt.NDArray[np.generic] | None = None
    model_sha256: str | None = None
    snapshot_sha256: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One trained model in the original feature space: a chain of layers (W, b), float32.

    W1 (features, H_1), b1 (H_1), …, WL (H_L−1, outputs), bL (outputs); ``mean`` and ``std``
    (features) are the training split's, float64 where float32 cannot hold them, so class scores of
    raw x are ``f(… f((x - mean) / std @ W1 + b1) …) @ WL + bL`` with f the ``activation``, which is
    relu unless the study says otherwise. Where the ``task`` is regression there is one output: the
    predicted value in the target's own unit.
    """

    layers: tuple[tuple[FloatArray, FloatArray], ...]
    mean: FloatArray
    std: FloatArray
    activation: Activation = "relu"
    task: Task = "classification"

    @property
    def classes(self) -> int:
        """C, the number of classes; 0 where a quantity is predicted."""
        return self.outputs if self.task == "classification" else 0

    @property
    def outputs(self) -> int:
        """How many numbers it answers for an example: a score per class, or the value."""
        return len(self.layers[-1][1])

    @classmethod
    def of(
        cls,
        arrays: Mapping[str, FloatArray],
        activation: Activation = "relu",
        task: Task = "classification",
    ) -> Model:
        """Return the model of what `arrays` returned."""
        depth = sum(name[0] == "W" for name in arrays)
        return cls(
            layers=tuple((arrays[f"W{n}"], arrays[f"b{n}"]) for n in range(1, depth + 1)),
            mean=arrays["mean"],
            std=arrays["std"],
            activation=activation,
            task=task,
        )

    def arrays(self) -> dict[str, FloatArray]:
        """Return all arrays by name: W1, b1, …, WL, bL, mean, std."""
        found: dict[str, FloatArray] = {}
        for number, (W, b) in enumerate(self.layers, 1):
            found |= {f"W{number}": W, f"b{number}": b}
        return {**found, "mean": self.mean, "std": self.std}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """One planned trial as the storage knows it; scores are None until it has ended well.

    Those of a pruned trial are what it left with in mid-schedule: not to be compared with those
    of complete ones. ``updates`` is after how many it left before the end, None where it did not.
    ``damaged`` says that it had a curve, which is no longer as it was written. ``model_sha256`` and
    ``snapshot_sha256`` are as in `Trained`, and ``environment`` the number of what its worker
    computed with; studies of earlier versions have none.
    """

    candidate: int
    replicate: int
    cohort: int
    point: Point | None
    state: TrialState
    reason: str | None = None
    updates: int | None = None
    score: float | None = None
    score_error: float | None = None
    validation_loss: float | None = None
    train_score: float | None = None
    curve: Curve | None = None
    scores: npt.NDArray[np.generic] | None = None
    damaged: bool = False
    model_sha256: str | None = None
    snapshot_sha256: Mapping[int, str] = field(default_factory=dict)
    environment: int | None = None

    @classmethod
    def of(
        cls, trained: Trained, candidate: int, replicate: int, point: Point | None, *, cohort: int
    ) -> TrialRecord:
        """Return the record of a planned trial that was trained."""
        return cls(
            candidate=candidate,
            replicate=replicate,
            cohort=cohort,
            point=point,
            state=trained.state,
            reason=trained.reason,
            updates=trained.updates,
            score=trained.score,
            score_error=trained.score_error,
            validation_loss=trained.validation_loss,
            train_score=trained.train_score,
            curve=trained.curve,
            scores=trained.scores,
            model_sha256=trained.model_sha256,
            snapshot_sha256=trained.snapshot_sha256,
        )

    @property
    def halved(self) -> bool:
        """Whether it left at a cycle end as one of the worse of its cohort."""
        return self.state is TrialState.PRUNED and self.score is not None

    @property
    def cut_short(self) -> bool:
        """Whether the search ended before it was trained."""
        return self.state is TrialState.PRUNED and self.score is None

    @property
    def computed(self) -> bool:
        """Whether a worker has trained it as far as it was to be; not where somebody ended it."""
        return self.state.finished and not self.cut_short and self.reason != WAS_CANCELLED

"""Frozen records of what was measured and decided. Enters and leaves: plain numbers and arrays.

Refuses to know where the records are kept, how they were made or how they are shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

import numpy as np
import numpy.typing as npt

from lamsearch.environment import Environment

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]
StageName = Literal["coarse", "fine", "finalists", "final"]
STAGES: tuple[StageName, ...] = ("coarse", "fine", "finalists", "final")


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

    ``updates`` counts mini-batch updates done; training values are means over the mini-batches
    since the last point (cost: that mean loss plus the penalty at the point); validation and test
    values are measured at the point. ``test_*`` is there only where a study that selects nothing
    asked for test curves. Losses are in nats, accuracies are fractions.
    """

    updates: IntArray
    learning_rate: FloatArray
    training_loss: FloatArray
    training_cost: FloatArray
    training_accuracy: FloatArray
    validation_loss: FloatArray
    validation_cost: FloatArray
    validation_accuracy: FloatArray
    test_loss: FloatArray | None = None
    test_cost: FloatArray | None = None
    test_accuracy: FloatArray | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What the trainer says of one net of a cohort once it has left it.

    ``validation_accuracy`` and the rest are None for a net that failed, and those of the cycle end
    at which it left for one that was pruned (``reason`` says why, ``updates`` after how many; None
    at the end). ``cycle_accuracies`` holds the validation accuracy at each cycle end that was
    reached. ``correct`` is one bool per validation image. ``model_sha256`` is the digest of the
    file that its model was saved in, None where none was.
    """

    state: TrialState
    reason: str | None = None
    updates: int | None = None
    validation_accuracy: float | None = None
    validation_loss: float | None = None
    train_accuracy: float | None = None
    cycle_accuracies: tuple[float, ...] = ()
    curve: Curve | None = None
    correct: npt.NDArray[np.bool_] | None = None
    model_sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RateRamp:
    """What was sampled while the learning rate rose from ``low`` to ``high``.

    ``learning_rate`` and ``updates`` have the shape (points,), the others (replicates, points);
    they are NaN from where a replicate diverged, and the points end where all have. Training loss
    is the mean over the mini-batches since the last point, validation is measured at the point.
    ``untrained_loss`` and ``untrained_accuracy`` are the validation split's, before the ramp, means
    over the replicates. Losses are in nats, accuracies are fractions.
    """

    low: float
    high: float
    updates: IntArray
    learning_rate: FloatArray
    training_loss: FloatArray
    validation_loss: FloatArray
    validation_accuracy: FloatArray
    untrained_loss: float
    untrained_accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RateRange:
    """The bounds of a cyclical learning rate that a ramp suggests; None where it suggests none.

    ``why`` says in a few words what set ``eta_max``; ``diverged_at`` is the first sampled rate at
    which a replicate diverged; ``notes`` are sentences on what the ramp could not tell.
    """

    eta_min: float | None
    eta_max: float | None
    why: str | None
    diverged_at: float | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """The weights of one trained net in the original feature space, float32.

    W1 (features, hidden), b1 (hidden), W2 (hidden, classes), b2 (classes); ``mean`` and ``std``
    (features) are the training split's, float64 where float32 cannot hold them, so class scores of
    raw x are ``relu((x - mean) / std @ W1 + b1) @ W2 + b2``.
    """

    W1: FloatArray
    b1: FloatArray
    W2: FloatArray
    b2: FloatArray
    mean: FloatArray
    std: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """One planned trial as the storage knows it; scores are None until it has ended well.

    Those of a pruned trial are what it left with in mid-schedule: not to be compared with those
    of complete ones. ``updates`` is after how many it left before the end, None where it did not.
    ``damaged`` says that it had a curve, which is no longer as it was written. ``model_sha256`` is
    as in `Trained`, and ``environment`` the number of what its worker computed with; studies of
    earlier versions have none.
    """

    candidate: int
    replicate: int
    cohort: int
    log10_lambda: float | None
    state: TrialState
    reason: str | None = None
    updates: int | None = None
    validation_accuracy: float | None = None
    validation_loss: float | None = None
    train_accuracy: float | None = None
    curve: Curve | None = None
    correct: npt.NDArray[np.bool_] | None = None
    damaged: bool = False
    model_sha256: str | None = None
    environment: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many trials of a stage had ended in each way."""

    complete: int
    pruned: int
    failed: int


class DecisionKind(StrEnum):
    """Why candidates were added to a stage."""

    FIRST = "first"
    ROUND = "round"
    EXTENSION = "extension"
    FURTHER_FINALISTS = "further finalists"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One batch of candidates as it was decided: from ``candidates[0]`` to before the other.

    ``interval`` is in log10 λ, None where λs were given or chosen one by one; ``inputs`` has by
    stage the trials that had ended, on which it rests.
    """

    kind: DecisionKind
    candidates: tuple[int, int]
    interval: tuple[float, float] | None
    inputs: Mapping[StageName, Counts] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many candidates there are."""
        return self.candidates[1] - self.candidates[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRecord:
    """One planned stage: its interval in log10 λ (None where λs were given) and its trials,
    in the order (candidate, replicate).

    ``decisions`` are its batches in their order; studies of earlier versions have none.
    """

    name: StageName
    interval: tuple[float, float] | None
    trials: tuple[TrialRecord, ...]
    warnings: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = ()

    @property
    def planned(self) -> int:
        """The number of trials planned."""
        return len(self.trials)

    def count(self, state: TrialState) -> int:
        """The number of trials in ``state``."""
        return sum(trial.state is state for trial in self.trials)


class ScoreKind(StrEnum):
    """Whether a score was measured at its λ, or predicted there by a model of other λs' scores."""

    MEASURED = "measured"
    PREDICTED = "predicted"


# How the rule begins that chose a predicted score: older records say it by their rule alone.
MODEL_RULE = "top of a Gaussian process"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A mean accuracy with its standard error; ``n`` replicates were measured at that very λ.

    A measured score has the standard error over its replicates (n = 1: the binomial one). A
    predicted one has n = 0, and ``se`` is the standard deviation of the prediction.
    """

    mean: float
    se: float
    n: int
    kind: ScoreKind = ScoreKind.MEASURED


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """The chosen candidate, the rule that chose it, and its validation accuracy.

    ``validation_accuracy`` is None where the study file gave λ and nothing was selected; ``inputs``
    has by stage the trials that had ended then, empty in studies of earlier versions.
    """

    log10_lambda: float
    rule: str
    validation_accuracy: Score | None
    warnings: tuple[str, ...] = ()
    inputs: Mapping[StageName, Counts] = field(default_factory=dict)

    @property
    def lam(self) -> float:
        """λ itself, 10 ** log10_lambda."""
        return float(10.0**self.log10_lambda)


@dataclass(frozen=True, slots=True, kw_only=True)
class TestOpening:
    """The committed record that the test set was opened: what for, when (UTC), by whom.

    Only the storage hands one out, after writing it; the dataset asks for it before it reads.
    """

    __test__ = False  # pytest would collect the name

    study: str
    study_id: str
    purpose: str
    at: str
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalScore:
    """Test accuracy over the final's replicates.

    ``sd`` is the sample standard deviation over replicates (0 for one); ``interval95`` is for the
    accuracy expected over seeds, on new examples (with one replicate: that network's); ``ensemble``
    is the accuracy of the mean of
    the replicates' softmax probabilities. ``confusion`` (classes, classes) counts the ensemble's
    predictions: row true class, column predicted.
    """

    mean: float
    sd: float
    n: int
    interval95: tuple[float, float]
    ensemble: float
    accuracies: tuple[float, ...]
    test_images: int
    confusion: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFacts:
    """What was seen of the data when the study was planned, as far as it bears on the answer.

    ``majority`` is the most frequent class among the training labels of the last stage, and
    ``baseline`` holds, by stage, the validation accuracy (a fraction) of always answering with the
    most frequent class of that stage's training labels. ``warnings`` are whole sentences.
    """

    majority: str
    baseline: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """What some workers of a study compute with, and the number by which their trials name it.

    ``mixed`` says that it was admitted though its numbers could differ from the first one's.
    """

    number: int
    environment: Environment
    mixed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRecord:
    """A whole study as the storage knows it. ``settings`` is the study file's canonical form.

    ``data`` is None where an earlier version planned the study, which looked at none of it;
    ``environment`` is where it was planned, None likewise; ``workers`` are in the order of joining.
    """

    name: str
    seed: int
    study_fingerprint: str
    data_fingerprint: str
    settings: dict[str, object]
    stages: dict[StageName, StageRecord] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    data: DataFacts | None = None
    environment: Environment | None = None
    workers: tuple[Joined, ...] = ()
    selected: Selected | None = None
    openings: tuple[TestOpening, ...] = ()
    final: FinalScore | None = None
    failure: str | None = None
    seconds: float | None = None

    @property
    def done(self) -> bool:
        """Whether nothing is left to do, well or not."""
        return self.failure is not None or self.finished

    finished: bool = False

"""A study as a record: its stages, its choice, its test, and what computed it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lamsearch.environment import Environment
from lamsearch.metrics import DEFAULT_METRIC, Metric, metric_of
from lamsearch.results.columns import Column, columns_from
from lamsearch.results.decisions import Decision, Selected
from lamsearch.results.states import StudyState
from lamsearch.results.trials import (
    StageName,
    TrialRecord,
    TrialState,
)
from lamsearch.space import Bounds, Space, space_of


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRecord:
    """One planned stage: its bounds (None where candidates were given) and its trials, in the
    order (candidate, replicate).

    ``decisions`` are its batches in their order; studies of earlier versions have none.
    """

    name: StageName
    bounds: Bounds | None
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
class ScoreBeside:
    """The test score, by the default metric, of models that were chosen by another one; its fields
    are as those of the score that it stands beside."""

    mean: float
    sd: float
    n: int
    interval95: tuple[float, float]
    ensemble: float
    scores: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineScore:
    """What no learning gets on the test set, and how much higher the models' mean score is.

    ``mean`` is the score of the metric's constant answer, from the final's training targets.
    ``gain`` is the models' mean score less it; its 95 % interval is that of the paired difference
    of these models over the draw of examples.
    """

    mean: float
    gain: float
    gain_interval95: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotScore:
    """The test scores of means over cycle ends of the final's trainings.

    ``updates`` are those cycle ends (S,), the last one of them the training's end, and
    ``replicates`` whose trainings they are of. ``scores`` has for each replicate that of the mean
    of its own snapshots' predictions, which one training gives; ``mean``, ``sd``, ``n``
    and ``interval95`` are over those, as in `FinalScore`. ``gain`` is how much higher ``mean`` is
    than that of the same trainings' last models, with the 95 % interval of that paired difference,
    None for one replicate. ``members`` are the means over replicates of each cycle end's models
    alone (S,), and ``ensemble`` is the score of the mean over all replicates and snapshots.
    ``beside`` is as in `FinalScore`.
    """

    updates: tuple[int, ...]
    replicates: tuple[int, ...]
    mean: float
    sd: float
    n: int
    interval95: tuple[float, float]
    gain: float
    gain_interval95: tuple[float, float] | None
    ensemble: float
    scores: tuple[float, ...]
    members: tuple[float, ...]
    beside: ScoreBeside | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalScore:
    """The test score over the final's replicates.

    ``sd`` is the sample standard deviation over replicates (0 for one); ``interval95`` is for the
    score expected over seeds, on new examples (with one replicate: that model's); ``ensemble`` is
    the score of the mean of the replicates' predictions. ``confusion`` (classes,
    classes) counts the ensemble's predictions: row true class, column predicted. All of that is of
    the models at the end of training; ``snapshots`` is of earlier cycle ends too, where asked for.
    ``beside`` is None where the metric is the default itself, where a quantity is predicted, and in
    finals of earlier versions; ``baseline`` is None where none is known. Of a quantity there is
    no confusion.
    """

    mean: float
    sd: float
    n: int
    interval95: tuple[float, float]
    ensemble: float
    scores: tuple[float, ...]
    test_images: int
    confusion: tuple[tuple[int, ...], ...] = ()
    snapshots: SnapshotScore | None = None
    beside: ScoreBeside | None = None
    baseline: BaselineScore | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFacts:
    """What was seen of the data when the study was planned, as far as it bears on the answer.

    ``majority`` is the most frequent class among the training labels of the last stage, empty
    where targets are quantities. By stage ``constants`` are what is always answered where nothing
    is learned, a probability per class or one value, from the stage's training targets, and
    ``baseline`` is that answer's validation score. ``per_example`` has, for the stage that decides,
    its `packed` numbers per validation example, for each split of its replicates. ``warnings`` are
    sentences. ``columns`` are a table's, in the order of the features that come from them. Earlier
    versions wrote neither constants nor numbers per example; their baseline is the share of
    the most frequent class, which was always answered, whatever the metric.
    """

    majority: str
    baseline: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    constants: Mapping[StageName, tuple[float, ...]] = field(default_factory=dict)
    per_example: Mapping[StageName, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> DataFacts:
        """Return the facts of plain JSON values, whose lists become tuples."""
        tables = {
            name: {stage: tuple(one) for stage, one in plain.get(name, {}).items()}
            for name in ("constants", "per_example")
        }
        columns = columns_from(plain.get("columns", []))
        rest = {"warnings": tuple(plain["warnings"]), "columns": columns}
        return cls(**{**plain, **rest, **tables})


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """What some workers of a study compute with, and the number by which their trials name it.

    ``mixed`` says that it was admitted though its numbers could differ from the first one's.
    """

    number: int
    environment: Environment
    mixed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class StudyRecord:
    """A whole study as the storage knows it. ``settings`` is the study file's canonical form.

    ``data`` is None where an earlier version planned the study, which looked at none of it;
    ``environment`` is where it was planned, None likewise; ``workers`` are in the order of joining.
    ``planned_at`` is when (UTC), and ``seconds`` from then to the end; None outside a storage.
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
    planned_at: str | None = None

    finished: bool = False
    state: StudyState = StudyState.QUEUED
    search_ended: str | None = None

    @property
    def done(self) -> bool:
        """Whether nothing is left to do, well or not."""
        return self.failure is not None or self.finished or self.state.over

    @property
    def space(self) -> Space:
        """What is searched."""
        return space_of(self.settings)

    @property
    def metric(self) -> Metric:
        """What candidates are compared by."""
        return metric_of(self.settings.get("metric", DEFAULT_METRIC.name))

"""What a worker works with on one study, and what several of its parts do with that.

Enters: a stored study, its data, files and leases. Leaves: trainers, the test examples, saved
models. Refuses to know which work is next.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lamsearch import data as datasets
from lamsearch import environment
from lamsearch.artifacts import CONVENTION, PIXELS, Files, Inputs, inputs_metadata
from lamsearch.data import LabelledImages, TrainingData
from lamsearch.defaults import AUTO
from lamsearch.environment import INSTALLED
from lamsearch.errors import DataError
from lamsearch.metrics import Metric, beside, metric_of
from lamsearch.results import FloatArray, Model, StageName, TargetArray, columns_document
from lamsearch.search import training_seed
from lamsearch.space import LAMBDA, Point
from lamsearch.storage import Claim, Leases, PlannedStudy
from lamsearch.study import Study
from lamsearch.trainers import Device, Guarded, trainer_for
from lamsearch.worker.idling import LONGEST_WAIT
from lamsearch.worker.renewer import Retry

# What the test set is opened for, with the metric's title and that of the one beside it.
SELECTED_TEST = "test {} of the selected λ"
CURVES_TEST = "test curves and test {} of a study that selects nothing"
SNAPSHOTS_TEST = ", at the ends of {} cycles"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a worker works; none of it changes results, but a device last digits.

    ``device`` is what trainers that know devices train on, ``auto`` what they choose.
    ``mixed_versions`` admits what it computes with although numbers could differ by that.
    ``longest_wait`` is the most seconds from one look at its one study to the next while there is
    nothing to claim: what a stage may wait for it.
    """

    data_directory: Path
    cache_directory: Path | None = None
    lease_seconds: float = 20.0
    checkpoint_seconds: float = 30.0
    mixed_versions: bool = False
    longest_wait: float = LONGEST_WAIT
    device: str = AUTO


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """A study with all that it is worked on with; ``stop`` is set when the worker is to leave."""

    stored: PlannedStudy
    settings: Settings
    data: TrainingData
    files: Files
    leases: Leases
    retried: Retry
    device: Device
    stop: threading.Event
    say: Callable[[str], None]

    @property
    def study(self) -> Study:
        """The study."""
        return self.stored.study

    @property
    def metric(self) -> Metric:
        """What the study's candidates are compared by."""
        return metric_of(self.study.metric)

    @property
    def wants_test_curves(self) -> bool:
        """Whether the final's curves have test values, which a study that selects may not have."""
        final = self.study.final
        return final is not None and final.test_curves

    @property
    def test_purpose(self) -> str:
        """What the test set is opened for."""
        purpose = CURVES_TEST if self.wants_test_curves else SELECTED_TEST
        count = len(self.study.snapshot_cycles)
        snapshots = SNAPSHOTS_TEST.format(count) if count else ""
        title = self.metric.title
        other = beside(self.metric)
        both = title if other is None else f"{title} and {other.title}"
        return purpose.format(both) + snapshots

    @property
    def constant(self) -> tuple[float, ...] | None:
        """What is always answered where nothing is learned; None where an earlier version planned.

        That of the default metric is known of its studies too.
        """
        facts, classes = self.stored.facts, self.stored.classes
        if facts is None:
            return None
        found = facts.constants.get("final")
        if found is None and self.metric.is_default and facts.majority in classes:
            return tuple(float(name == facts.majority) for name in classes)
        return found

    def trainer(
        self,
        stage: StageName,
        points: Sequence[Point],
        replicate: int,
        test: tuple[FloatArray, TargetArray] | None = None,
    ) -> Guarded:
        """Return what trains ``points``, one for each trial, at a stage's settings."""
        return trainer_for(
            self.study,
            stage,
            points,
            splits=self.data.split(stage, replicate),
            classes=len(self.stored.classes),
            seed=training_seed(self.study, stage, replicate),
            test=test,
            device=self.device,
        )

    def open_test(self, claim: Claim) -> LabelledImages:
        """Have the opening recorded, then read the test examples: the one way to them."""
        opening = self.retried(lambda: self.leases.open_test(claim, self.test_purpose))
        return datasets.open_test(
            self.study, self.settings.data_directory, opening,
            fingerprint=self.stored.data_fingerprint, origin=Path(self.stored.origin),
        )  # fmt: skip

    def save_model(
        self, replicate: int, model: Model, point: Point, cycle: int | None = None
    ) -> bytes:
        """Save a model of the final, or its snapshot at the end of an earlier ``cycle``.

        Returns the file's content.
        """
        study, data = self.study, self.data
        inputs = Inputs(
            fills=getattr(study.data, "missing", None) == "mean",
            divisor=PIXELS if data.of_bytes else 1,
            image=data.image,
        )
        metadata: dict[str, object] = {
            **study.space.parameters(point),
            LAMBDA.name: float(point[0]),
            "lambda_convention": CONVENTION,
            "study": study.name,
            "seed": study.seed,
            "replicate": replicate,
            "task": study.task,
            "metric": study.metric,
            "classes": list(self.stored.classes),
            "study_fingerprint": study.fingerprint,
            "data_fingerprint": self.stored.data_fingerprint,
            "versions": {name: getattr(environment.here(), name) for name in INSTALLED},
            **inputs_metadata(inputs),
        }
        if data.columns:
            metadata["columns"] = columns_document(data.columns)
            metadata["target"] = getattr(study.data, "target", "")
        if cycle is not None:
            metadata["cycle"] = cycle
        return self.files.save_model(replicate, model, metadata, cycle)


def loaded(stored: PlannedStudy, settings: Settings) -> TrainingData:
    """Return the data of a study, which must be those that it was planned with.

    Raises:
        DataError: They are others, or cannot be used.
    """
    data = datasets.load(
        stored.study, settings.data_directory,
        origin=Path(stored.origin), cache=settings.cache_directory,
    )  # fmt: skip
    if data.fingerprint != stored.data_fingerprint:
        raise DataError(
            f"data: {stored.study.name!r} was planned with other data: fingerprint "
            f"{stored.data_fingerprint[:12]}…, got {data.fingerprint[:12]}…"
        )
    return data

"""A whole study: its tables together, and what follows from them."""

from __future__ import annotations

import hashlib
import json
from itertools import chain
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, SerializeAsAny, model_validator

from lamsearch.errors import StudyFileError
from lamsearch.metrics import DEFAULT_METRIC, METRICS, Task, metric_of
from lamsearch.registries import checked
from lamsearch.results import STAGES, StageName
from lamsearch.space import Space, space_of
from lamsearch.study.augment import Augment
from lamsearch.study.checks import all_issues, feature_issues
from lamsearch.study.data import Data, ImageShape
from lamsearch.study.limits import Limits, seconds_of
from lamsearch.study.sections import MOST, NAME_PATTERN, Network, Section, Trainer, Training
from lamsearch.study.settings import StageSettings, stage_settings
from lamsearch.study.shares import has_shares
from lamsearch.study.stages import Coarse, Final, Finalists, Fine
from lamsearch.study.tasks import task_issues

MOST_TOGETHER = 512  # trials of a cohort


def _known_metric(name: str) -> str:
    return checked(METRICS, name, lambda names: f"must be one of {', '.join(names)}")


def _duration(text: str) -> str:
    seconds_of(text)
    return text


class Study(Section):
    """A study file."""

    written = frozenset({"cohort", "network"})

    name: str = Field(
        pattern=f"^{NAME_PATTERN}$", max_length=100, description="the study's name, a file name"
    )
    seed: Annotated[
        int, Field(ge=0, le=2**63 - 1, description="all that is random follows from it")
    ]
    cohort: Annotated[int, Field(ge=1, le=MOST_TOGETHER)] | Literal["auto"] = Field(
        8, description="trials trained together; 'auto' is made a number when the study is planned"
    )
    metric: Annotated[str, AfterValidator(_known_metric)] = Field(
        DEFAULT_METRIC.name,
        description="what candidates are compared by, on validation",
        json_schema_extra={"enum": list(METRICS.builtin)},
    )
    time_limit: Annotated[str, AfterValidator(_duration)] | None = Field(
        None,
        description="of the search since its first lease, such as '2h': then finalists and final "
        "follow with what is there",
    )
    target: float | None = Field(
        None, description="a validation score at which the search ends; higher is better"
    )
    data: SerializeAsAny[Data]  # the source's own table
    trainer: Trainer = Trainer()
    network: Network = Network()
    augment: Augment = Augment()
    training: Training
    coarse: Coarse | None = None
    fine: Fine | None = None
    finalists: Finalists | None = None
    final: Final | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        sections = {key: getattr(self, key) for key in SECTIONS}
        found = [*all_issues(sections, cohort=self.cohort), *task_issues(self.metric, self.data)]
        if found:
            raise StudyFileError(found)
        return self

    @property
    def stages(self) -> tuple[StageName, ...]:
        """The stages that this study has, in their order."""
        return tuple(name for name in STAGES if getattr(self, name) is not None)

    @property
    def space(self) -> Space:
        """What is searched."""
        return space_of({} if self.search is None else {"coarse": {"space": self.search.axes}})

    @property
    def search(self) -> Coarse | Fine | None:
        """The first stage that searches, whose table names what is searched beside λ."""
        return self.coarse or self.fine

    def searched(self, name: str) -> tuple[Any, ...]:
        """Return the values of what is searched beside λ: all choices, or both ends; else none."""
        axes = {} if self.search is None else self.search.axes
        return tuple(chain(*axes.get(name, {}).values()))

    @property
    def cohort_size(self) -> int:
        """How many trials are trained together at most."""
        if self.cohort == "auto":
            raise ValueError("cohort must be made a number first, by planning.with_cohort_for")
        return self.cohort

    @property
    def unsized(self) -> bool:
        """Whether some size is a share of examples or a fold's, to be made a number by `sized`."""
        unfolded = self.data.folds is not None and self.data.train is None
        return unfolded or has_shares(self.data) or has_shares(self.final)

    @property
    def pool_size(self) -> int:
        """The examples that the splits of all stages need; what is left may be the test set."""
        self._check_sized()
        if self.data.assigned is not None:
            return self.data.assigned.pool
        return max(sum(size or 0 for size in self.split_of(name)) for name in self.stages)

    @property
    def selects(self) -> bool:
        """Whether λ is to be selected (rather than given)."""
        return any(name != "final" for name in self.stages)

    @property
    def modelled(self) -> bool:
        """Whether a model through all scores chooses."""
        return self.finalists is not None and self.finalists.rule == "model"

    @property
    def snapshot_cycles(self) -> tuple[int, ...]:
        """The cycles of the final whose ends are averaged for the test, the last one included."""
        if self.final is None:
            return ()
        return self.final.snapshot_cycles(self.training_of("final").cycles)

    @property
    def limits(self) -> Limits:
        """What ends the search early."""
        seconds = None if self.time_limit is None else seconds_of(self.time_limit)
        return Limits(time_limit=self.time_limit, seconds=seconds, target=self.target)

    def settings_of(self, stage: StageName) -> StageSettings:
        """Return all that a stage is trained with."""
        return stage_settings(self.training, self.data, getattr(self, stage))

    def training_of(self, stage: StageName) -> Training:
        """Return [training] with the stage's overrides."""
        return self.settings_of(stage).training

    def split_of(self, stage: StageName) -> tuple[int | None, int | None]:
        """Return (train, validation) sizes of the stage.

        None where the table assigns examples, or a share is no number yet.
        """
        settings = self.settings_of(stage)
        return settings.train, settings.validation

    def order_of(self, stage: StageName, replicate: int) -> int | None:
        """Return whose split of the training pool a replicate has.

        Its own number where splits are redrawn, the same in finalists and final; else None, the
        one of the study. With folds that is the first, which replicate 0 has too.
        """
        settings = self.settings_of(stage)
        if not settings.resplit:
            return None
        return replicate if settings.folds is None else replicate or None

    def orders_of(self, stage: StageName) -> tuple[int | None, ...]:
        """Return `order_of` all replicates of a stage, each once."""
        replicates = range(getattr(getattr(self, stage), "replicates", 1))
        return tuple(dict.fromkeys(self.order_of(stage, one) for one in replicates))

    def check_features(self, features: int) -> None:
        """Check what asks for features against how many the data were found to have.

        Raises:
            StudyFileError: More principal components than features are asked for.
        """
        sections = {key: getattr(self, key) for key in SECTIONS}
        source = self.data.file or self.data.source
        if found := list(feature_issues(sections, features, source)):
            raise StudyFileError(found)

    @property
    def most_varied(self) -> Augment:
        """All that any of its trainings may do to images: what its data must allow, and have.

        What else is searched under these names is no such thing, and said by who checks it.
        """
        own = self.augment
        shifts = [one for one in self.searched("shift") if type(one) is int and one <= MOST]
        flips = any(one is True for one in self.searched("flip"))
        return Augment(flip=own.flip or flips, shift=max(own.shift, *shifts, 0))

    def check_image(self, image: ImageShape | None) -> None:
        """Check what varies images against what the data were found to be.

        Raises:
            StudyFileError: They are no images, or too small.
        """
        source = self.data.file or self.data.source
        if found := list(self.most_varied.image_issues(image, source)):
            raise StudyFileError(found)

    @property
    def task(self) -> Task:
        """Whether classes are to be told apart or a quantity predicted: what its metric is for."""
        return metric_of(self.metric).task

    @property
    def uses_network(self) -> bool:
        """Whether the built-in network is what is trained."""
        return self.trainer.name == "network"

    @property
    def has_network_table(self) -> bool:
        """Whether the file has a [network] table."""
        return "network" in self.model_fields_set

    def halves(self, stage: StageName) -> bool:
        """Whether the worse half of a cohort leaves at the stage's first cycle ends."""
        return self.settings_of(stage).halving

    def validation_images(self, stage: StageName) -> int:
        """Return how many examples the stage's validation score is measured on."""
        self._check_sized()
        return self.settings_of(stage).validation_examples or 0

    def _check_sized(self) -> None:
        if self.unsized:
            raise ValueError("sizes must be made numbers first, by study.sized")

    def canonical(self) -> dict[str, Any]:
        """Return the study as plain JSON values, which parse to the same study.

        Absent keys are left out, and so are defaults, but for those that have been written out
        since the first fingerprints (`Section.written`). A published default never changes.
        [network] is left out where another trainer is named, unless the file has it.
        """
        unsaid = set() if self.uses_network else {"network"} - self.model_fields_set
        return self.model_dump(mode="json", exclude_none=True, exclude=unsaid)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the canonical form."""
        text = json.dumps(self.canonical(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


SECTIONS: dict[str, type[Section]] = {
    "data": Data, "trainer": Trainer, "network": Network, "augment": Augment, "training": Training,
    "coarse": Coarse, "fine": Fine, "finalists": Finalists, "final": Final,
}  # fmt: skip

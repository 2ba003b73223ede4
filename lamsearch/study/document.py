"""A whole study: its tables together, and what follows from them."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from lamsearch.errors import StudyFileError
from lamsearch.results import STAGES, StageName
from lamsearch.study.checks import all_issues, feature_issues, merged
from lamsearch.study.sections import (
    CIFAR10_BATCH,
    KNOWN_SOURCES,
    Coarse,
    Data,
    Final,
    Finalists,
    Fine,
    Network,
    Section,
    Trainer,
    Training,
)

NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"


class Study(Section):
    """A study file."""

    name: str = Field(pattern=f"^{NAME_PATTERN}$", max_length=100)
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)]
    cohort: Annotated[int, Field(ge=1, le=512)] = Field(8, description="trials trained together")
    data: Data
    trainer: Trainer = Trainer()
    network: Network = Network()
    training: Training
    coarse: Coarse | None = None
    fine: Fine | None = None
    finalists: Finalists | None = None
    final: Final | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        sections = {key: getattr(self, key) for key in SECTIONS}
        found = list(all_issues(sections, cohort=self.cohort))
        if found:
            raise StudyFileError(found)
        return self

    @property
    def stages(self) -> tuple[StageName, ...]:
        """The stages that this study has, in their order."""
        return tuple(name for name in STAGES if getattr(self, name) is not None)

    @property
    def pool_size(self) -> int:
        """The images that the splits of all stages need; what is left may be the test set."""
        if self.data.train_batches is not None:
            return KNOWN_SOURCES["cifar10"][0]
        return max(sum(size or 0 for size in self.split_of(name)) for name in self.stages)

    @property
    def selects(self) -> bool:
        """Whether λ is to be selected (rather than given)."""
        return any(name != "final" for name in self.stages)

    def training_of(self, stage: StageName) -> Training:
        """Return [training] with the stage's overrides."""
        return merged(self.training, getattr(self, stage))

    def split_of(self, stage: StageName) -> tuple[int | None, int | None]:
        """Return (train, validation) sizes of the stage; None where whole batches are named."""
        if stage == "final" and self.final is not None and self.data.train_batches is None:
            final, data = self.final, self.data
            return (final.train or data.train, final.validation or data.validation)
        return (self.data.train, self.data.validation)

    def components_of(self, stage: StageName) -> int | None:
        """Return how many principal components the stage trains on; None: all features."""
        section = getattr(self, stage)
        own: int | None = None if section is None else section.components
        return own or self.data.components

    def check_features(self, features: int) -> None:
        """Check what asks for features against how many the data were found to have.

        Raises:
            StudyFileError: More principal components than features are asked for.
        """
        sections = {key: getattr(self, key) for key in SECTIONS}
        source = self.data.npz_path or self.data.source
        if found := list(feature_issues(sections, features, source)):
            raise StudyFileError(found)

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
        return bool(getattr(getattr(self, stage), "halving", False))

    def validation_images(self, stage: StageName) -> int:
        """Return how many images the stage's validation accuracy is measured on."""
        if self.data.validation_batches is not None:
            return CIFAR10_BATCH * len(self.data.validation_batches)
        return self.split_of(stage)[1] or 0

    def canonical(self) -> dict[str, Any]:
        """Return the study as plain JSON values; defaults are written out, absent keys left out.

        The built-in trainer is left out, as files that are older than [trainer] have it, and so is
        [network] where another one trains.
        """
        unsaid = {"trainer"} if self.trainer == Trainer() else {"network"} - self.model_fields_set
        return self.model_dump(mode="json", exclude_none=True, exclude=unsaid)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the canonical form."""
        text = json.dumps(self.canonical(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


SECTIONS: dict[str, type[Section]] = {
    "data": Data, "trainer": Trainer, "network": Network, "training": Training,
    "coarse": Coarse, "fine": Fine, "finalists": Finalists, "final": Final,
}  # fmt: skip

"""What a stage is trained with: [training] and [data] with the stage's own keys over them.

Enters: tables that were checked, or a record's settings as they were stored. Leaves:
`StageSettings`. The one place where a stage's keys are laid over the others; refuses to know where
they are used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from lamsearch.study.data import Assigned, Data
from lamsearch.study.sections import Training
from lamsearch.study.sources import choose
from lamsearch.study.stages import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSettings:
    """One stage's settings, resolved.

    ``train`` and ``validation`` are how many examples are drawn; both are None where the data
    table assigns examples itself (``assigned``), and each where it is a share of examples that
    nobody has counted yet. ``components`` is how many principal components
    are trained on, None for all features. With ``halving`` the worse half of a cohort leaves at
    the first cycle ends. With ``resplit`` each replicate has a split of its own, drawn anew
    (Bouthillier et al. 2021, arXiv:2103.03098) or another one of ``folds``; otherwise all stages
    share one split of the pool, or its first fold. With ``uneven`` replicates' splits differ in
    size, for they part no group.
    """

    training: Training
    train: int | None
    validation: int | None
    assigned: Assigned | None
    components: int | None
    halving: bool
    resplit: bool
    folds: int | None
    uneven: bool

    @property
    def train_examples(self) -> int | None:
        """How many examples are trained on; None where the settings do not say."""
        return self.train if self.assigned is None else self.assigned.train_size

    @property
    def validation_examples(self) -> int | None:
        """How many examples are validated on; None where the settings do not say."""
        return self.validation if self.assigned is None else self.assigned.validation_size

    def trained_by(self) -> dict[str, object]:
        """Return the keys that a stage may have otherwise than another, with their values."""
        sizes = {key: getattr(self, key) for key in ("train", "validation", "components")}
        return {key: getattr(self.training, key) for key in Training.model_fields} | sizes


def stage_settings(training: Training, data: Data | None, stage: Stage | None) -> StageSettings:
    """Return the settings of a stage of checked tables; without data it has no split."""
    own = {} if stage is None else dict(stage)
    return _resolved(training.model_copy(update=_overrides(own)), data, own)


def recorded_settings(settings: Mapping[str, object], stage: str) -> StageSettings | None:
    """Return the settings of a stage of a record; None where they do not say how it is trained.

    Of the split what is not a number of examples is None.
    """
    own = _table(settings, stage)
    try:
        training = Training.model_validate(_table(settings, "training") | _overrides(own))
    except ValidationError:
        return None
    return _resolved(training, _data(_table(settings, "data")), own)


def _resolved(training: Training, data: Data | None, own: Mapping[str, object]) -> StageSettings:
    assigned, folds = (None, None) if data is None else (data.assigned, _size(data, "folds"))
    sizes = {key: _split_size(own, data, key) for key in ("train", "validation")}
    # coarse and fine have no replicates, and keep the study's split
    resplit = "replicates" in own and (folds is not None or getattr(data, "resplit", None) is True)
    return StageSettings(
        training=training,
        train=None if assigned is not None else sizes["train"],
        validation=None if assigned is not None else sizes["validation"],
        assigned=assigned,
        components=_size(own, "components") or getattr(data, "components", None),
        halving=own.get("halving") is True,
        resplit=resplit,
        folds=folds,
        uneven=resplit and getattr(data, "groups", None) is not None,
    )


def _overrides(own: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key in Training.model_fields if (value := own.get(key)) is not None}


def _size(own: Mapping[str, object] | Data, key: str) -> int | None:
    value = getattr(own, key, None) if isinstance(own, Data) else own.get(key)
    return value if isinstance(value, int) and value > 0 else None


def _split_size(own: Mapping[str, object], data: Data | None, key: str) -> int | None:
    """A stage's size of a split; None where it is a share, which the data make a number."""
    if isinstance(own.get(key), float):
        return None
    value = _size(own, key) or getattr(data, key, None)
    return value if isinstance(value, int) else None


def _data(document: Mapping[str, Any]) -> Data:
    """A record's [data] without the keys whose values are of no use."""
    chosen = choose(document)
    known = chosen.document if isinstance(chosen.document, dict) else {}
    try:
        return chosen.table.model_validate(known)
    except ValidationError as error:
        bad = {item["loc"][0] for item in error.errors()}
        return chosen.table.model_construct(**{k: v for k, v in known.items() if k not in bad})


def _table(settings: Mapping[str, object], key: str) -> dict[str, Any]:
    value = settings.get(key)
    return dict(value) if isinstance(value, Mapping) else {}

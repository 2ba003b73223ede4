"""What a stage is trained with. Enters: a study's canonical settings. Leaves: one flat table.

Refuses to check: settings come from a study file that was accepted, or from a record of one.
"""

from __future__ import annotations

from collections.abc import Mapping

from lamsearch.study.sections import Training

_OF_DATA = ("train", "validation", "train_batches", "validation_batches", "components")


def resolved(settings: Mapping[str, object], stage: str) -> dict[str, object]:
    """Return [training] with the stage's overrides, and its components and split.

    Every key of [training] is there, by its default where nobody gave it, and so are ``train``,
    ``validation``, ``train_batches``, ``validation_batches`` and ``components``; None is what is
    neither given nor has a default.
    """
    data, own = _table(settings, "data"), _table(settings, stage)
    defaults = {
        key: None if field.is_required() else field.default
        for key, field in Training.model_fields.items()
    }
    found = defaults | _known(_table(settings, "training"), Training.model_fields)
    found |= dict.fromkeys(_OF_DATA) | _known(data, _OF_DATA)
    return found | _known(own, found)


def _known(
    table: Mapping[str, object], keys: Mapping[str, object] | tuple[str, ...]
) -> dict[str, object]:
    return {key: value for key in keys if (value := table.get(key)) is not None}


def _table(settings: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = settings.get(key)
    return value if isinstance(value, Mapping) else {}

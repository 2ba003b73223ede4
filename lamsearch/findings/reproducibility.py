"""Whether a study would give its numbers again. Enters: its record. Leaves: sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lamsearch.errors import InputError
from lamsearch.results import StudyRecord
from lamsearch.trainers import kind_named


def sentences(record: StudyRecord) -> Iterator[str]:
    """Say where a trainer does not promise the same bits for the same study file."""
    table = record.settings.get("trainer")
    if not isinstance(table, Mapping):  # the built-in network's, as its studies leave it out
        return
    name = str(table.get("name"))
    try:
        reproducible = kind_named(name).reproducible
    except InputError:
        yield (
            f"trainer {name!r} is not registered here: whether the same study file gives the same "
            "numbers again is not known"
        )
        return
    if not reproducible:
        yield (
            f"trainer {name!r} does not promise the same numbers for the same study file: another "
            "run, or an interrupted one, may give others"
        )

"""A study as it was planned. Enters: its row in our tables. Leaves: a checked record.

Refuses a row that lamsearch did not write.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from lamsearch.errors import StorageError, shown
from lamsearch.results import DataFacts, Selected, StageName
from lamsearch.space import space_of
from lamsearch.storage.damage import check_row
from lamsearch.storage.digests import check_study
from lamsearch.storage.states import CANCELLED
from lamsearch.storage.study_json import facts_from, selected_from
from lamsearch.study import Study, parse_study

_ID = re.compile(r"[0-9a-f]{32}")  # it is a directory's name


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStudy:
    """A study as it was planned: all that a worker needs, wherever it runs."""

    study: Study
    id: str
    data_fingerprint: str
    validation_images: Mapping[StageName, int]
    classes: tuple[str, ...]
    origin: str
    files: str
    finished: bool
    failure: str | None
    halted: str | None
    selected: Selected | None
    facts: DataFacts | None = None

    @property
    def over(self) -> bool:
        """Whether nothing is left to do, well or not."""
        return self.finished or self.failure is not None or self.cancelled

    @property
    def cancelled(self) -> bool:
        """Whether somebody has cancelled it."""
        return self.halted == CANCELLED and not self.finished and self.failure is None


def planned_study_from(row: sa.RowMapping) -> PlannedStudy:
    """Return the study of a row.

    Raises:
        StorageError: The row is not one that lamsearch wrote.
    """
    if not (isinstance(row["id"], str) and _ID.fullmatch(row["id"])):
        raise StorageError(
            f"storage: the id of study {row['name']!r} must be 32 hexadecimal digits, got "
            f"{shown(row['id'])}: the database is damaged"
        )
    check_row(row)
    check_study(row)
    return PlannedStudy(
        study=parse_study(row["document"], where=f"study {row['name']}"),
        id=row["id"],
        data_fingerprint=row["data_fingerprint"],
        validation_images=row["validation_images"],
        classes=tuple(row["classes"]),
        origin=row["origin"],
        files=row["files"],
        finished=row["finished"] is not None,
        failure=row["failure"],
        halted=row["halted"],
        selected=selected_from(row["selected"], space_of(row["document"])),
        facts=facts_from(row["data_facts"]),
    )

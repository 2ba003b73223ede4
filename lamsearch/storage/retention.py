"""What is kept of studies, and since when: for whoever prunes old ones, or looks for their files.

Enters: a database. Leaves: a frozen record for each study, in two statements however many there
are. Writes nothing; refuses to believe a row that lamsearch did not write.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa

from lamsearch.results import StudyState
from lamsearch.storage.damage import damage_is_said
from lamsearch.storage.engine import Database
from lamsearch.storage.expiry import holds
from lamsearch.storage.retries import retried
from lamsearch.storage.states import CANCELLED, PAUSED, state_of
from lamsearch.storage.tables import LEASED, cohorts, studies

_COLUMNS = ("name", "id", "files", "halted", "finished", "failure", "created", "started")
_HALTED = (None, PAUSED, CANCELLED)
_ID = re.compile(r"[0-9a-f]{32}")  # it is a directory's name


class Since(StrEnum):
    """From which moment a study's age is counted."""

    OVER = "since it was done"
    RENEWED = "since a worker was last seen on it"
    SUBMITTED = "since it was submitted"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptStudy:
    """A study with the URL of its files. ``age``: seconds since what ``since`` says.

    A row that is damaged has no files that could be believed, and no age.
    """

    name: str
    id: str
    files: str | None
    state: StudyState
    since: Since
    age: float


@retried
@damage_is_said()
def read_kept(database: Database) -> tuple[KeptStudy, ...]:
    """Return all studies, oldest first."""
    with database.read() as transaction:
        now = transaction.now()
        rows = transaction.execute(
            sa.select(*(studies.c[name] for name in _COLUMNS)).order_by(studies.c.created)
        )
        leased = sa.and_(cohorts.c.state == LEASED, holds(now))
        workers = sa.select(
            cohorts.c.study,
            sa.func.max(cohorts.c.renewed).label("renewed"),
            sa.func.sum(sa.case((leased, 1), else_=0)).label("leased"),
        ).group_by(cohorts.c.study)
        seen = {row.study: row for row in transaction.execute(workers)}
        return tuple(_kept(row, seen.get(row["name"]), now) for row in rows.mappings())


def _kept(row: sa.RowMapping, seen: sa.Row[tuple[str, float, int]] | None, now: float) -> KeptStudy:
    renewed = None if seen is None else seen.renewed
    since, moment = Since.SUBMITTED, row["created"]
    if row["finished"] is not None:
        since, moment = Since.OVER, row["finished"]
    elif renewed is not None:
        since, moment = Since.RENEWED, renewed
    whole = _is_whole(row) and isinstance(moment, float) and math.isfinite(moment)
    return KeptStudy(
        name=str(row["name"]),
        id=str(row["id"]),
        files=row["files"] if whole else None,
        state=state_of(row, leased=seen is not None and seen.leased > 0)
        if whole
        else StudyState.FAILED,
        since=since,
        age=max(0.0, now - moment) if whole else 0.0,
    )


def _is_whole(row: sa.RowMapping) -> bool:
    """Whether what is used of a row is what lamsearch writes; SQLite keeps anything anywhere."""
    named = isinstance(row["id"], str) and _ID.fullmatch(row["id"])
    return bool(named) and isinstance(row["files"], str) and row["halted"] in _HALTED

"""What is left of a study's cohorts: how many models and updates, and what updates have taken.

Enters: a study's name. Leaves: plain records. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from lamsearch.storage.damage import damage_is_said
from lamsearch.storage.engine import Database
from lamsearch.storage.retries import retried
from lamsearch.storage.tables import DONE, LEASED, OPEN, TEST, cohorts

_PROGRESS = ("state", "updates", "total", "per_second")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remaining:
    """A cohort that is not done: its models, its updates to come, and whether somebody has it."""

    models: int
    updates: int
    leased: bool


@retried
@damage_is_said()
def read_remaining(
    database: Database, name: str, most: int
) -> tuple[tuple[Remaining, ...], Mapping[int, float]]:
    """Return the cohorts of a study that are not done, and the seconds of an update by models.

    Cohorts that somebody has come first, then the others in the order in which they are claimed;
    ``most`` at most. The seconds are those of the fastest cohort that was done in one go, which
    shared its core least, else what those in work take.
    """
    models = sa.func.json_array_length(cohorts.c.trials, type_=sa.Integer).label("models")
    ours = (cohorts.c.study == name, cohorts.c.stage != TEST)
    left = sa.select(models, *(cohorts.c[name] for name in _PROGRESS))
    left = left.where(*ours, cohorts.c.state.in_((OPEN, LEASED)))
    left = left.order_by(cohorts.c.state.desc(), cohorts.c.number).limit(most)
    fastest = sa.func.min(cohorts.c.seconds / cohorts.c.updates).label("seconds")
    whole = (cohorts.c.state == DONE, cohorts.c.updates > 0, cohorts.c.recovered.is_(None))
    spent = sa.select(models, fastest).where(*ours, *whole).group_by(models)
    with database.read() as transaction:
        rows = transaction.execute(left).all()
        done = transaction.execute(spent).all()
    found = tuple(
        Remaining(
            models=row.models, updates=max(0, row.total - row.updates), leased=row.state == LEASED
        )
        for row in rows
    )
    going = {row.models: 1 / row.per_second for row in rows if row.per_second > 0}
    return found, going | {row.models: row.seconds for row in done if row.seconds}

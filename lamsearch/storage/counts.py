"""Counts of a whole storage, for a monitor: studies and trials by state, leases, the queue's age.

Enters: a database. Leaves: a frozen record, which the database adds up. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from lamsearch.results import StudyState, TrialState
from lamsearch.storage.damage import damage_is_said
from lamsearch.storage.engine import Database
from lamsearch.storage.expiry import holds
from lamsearch.storage.optuna_bridge import STUDIES, TRIALS
from lamsearch.storage.planned import is_ours
from lamsearch.storage.retries import retried
from lamsearch.storage.tables import LEASED, cohorts, stages, studies


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How much there is of everything.

    Trials are those of the stages that lamsearch planned, others' among them. ``queue_age`` is the
    seconds that the oldest queued study has waited, 0 where none waits, ``workers`` the leases that
    hold, ``reclaimed`` how often a lease that ran out was given to another worker.
    """

    studies: Mapping[str, int]
    trials: Mapping[str, int]
    workers: int
    reclaimed: int
    queue_age: float


@retried
@damage_is_said()
def read_counts(database: Database) -> Counts:
    """Return the counts of all that lamsearch planned in a storage."""
    with database.read() as transaction:
        now = transaction.now()
        by_state = transaction.execute(_studies_query(now)).all()
        trials = transaction.execute(_trials_query()).all()
        leases = transaction.execute(_leases_query(now)).one()
    found = {row.state: (int(row.number), row.oldest) for row in by_state}
    _, oldest = found.get(StudyState.QUEUED.value, (0, None))
    counted = {str(row.state): int(row.number) for row in trials}
    return Counts(
        studies={state.value: found.get(state.value, (0, None))[0] for state in StudyState},
        trials={state.value: counted.get(state.value, 0) for state in TrialState},
        workers=int(leases.workers or 0),
        reclaimed=int(leases.reclaimed or 0),
        queue_age=0.0 if oldest is None else max(0.0, now - float(oldest)),
    )


def _studies_query(now: float) -> sa.Select[Any]:
    row = studies.c
    leased = sa.exists().where(cohorts.c.study == row.name, cohorts.c.state == LEASED, holds(now))
    state = sa.case(
        (row.failure.is_not(None), StudyState.FAILED.value),
        (row.finished.is_not(None), StudyState.DONE.value),
        (row.halted.is_not(None), row.halted),
        (leased, StudyState.RUNNING.value),
        else_=StudyState.QUEUED.value,
    )  # fmt: skip
    each = sa.select(state.label("state"), row.created).subquery()
    return sa.select(
        each.c.state, sa.func.count().label("number"), sa.func.min(each.c.created).label("oldest")
    ).group_by(each.c.state)


def _trials_query() -> sa.Select[str, int]:
    state = sa.cast(TRIALS.c.state, sa.String)
    return (
        sa.select(state.label("state"), sa.func.count().label("number"))
        .join(STUDIES, STUDIES.c.study_id == TRIALS.c.study_id)
        .join(stages, is_ours())
        .group_by(state)
    )


def _leases_query(now: float) -> sa.Select[Any]:
    holding = sa.and_(cohorts.c.state == LEASED, holds(now))
    return sa.select(
        sa.func.sum(sa.case((holding, 1), else_=0)).label("workers"),
        sa.func.sum(cohorts.c.takeovers).label("reclaimed"),
    )

"""A study at a glance: how far it is, who works on it, and the best so far.

Enters: a study's name. Leaves: a frozen record, whose numbers the database adds up, so that it is
as cheap for ten thousand trials as for ten. Writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from lamsearch.metrics import DEFAULT_METRIC
from lamsearch.results import STAGES, Selected, StudyState
from lamsearch.space import SPACE, Space, space_of
from lamsearch.storage.candidate_means import means_of_stages
from lamsearch.storage.damage import believed, damage_is_said
from lamsearch.storage.documents import metric_name, point_from
from lamsearch.storage.engine import Database, Transaction
from lamsearch.storage.expiry import lease_holds
from lamsearch.storage.optuna_bridge import STUDIES
from lamsearch.storage.planned import is_ours
from lamsearch.storage.retries import retried
from lamsearch.storage.states import state_of
from lamsearch.storage.study_json import elapsed, selected_from
from lamsearch.storage.study_rows import study_row
from lamsearch.storage.tables import DONE, LEASED, TEST, cohorts, stages
from lamsearch.storage.unable import unable_of

_RECOVERIES = 5
# How near each other candidates are one mark of a status: in the coordinate, and in the score.
_NEAR = (0.02, 0.005)
_WATCHED = [column for column in cohorts.c if column.name != "trials"]
# By database: of which study at how many finished trials, and its points then.
_POINTS: WeakKeyDictionary[Database, tuple[tuple[str, int], tuple[Scored, ...]]] = (
    WeakKeyDictionary()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStatus:
    """How far a stage is: trials planned and finished, updates done of all its cohorts'."""

    name: str
    planned: int
    finished: int
    updates: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStatus:
    """Who holds a cohort: its updates, their rate, and seconds since the lease was renewed."""

    owner: str
    stage: str
    cohort: int
    updates: int
    total: int
    per_second: float
    renewed_ago: float
    expired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """A cohort that was resumed: whose work it was, and how many updates were not lost.

    ``taken_from`` is None where it was given back gracefully.
    """

    stage: str
    cohort: int
    taken_from: str | None
    owner: str | None
    updates: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A candidate's mean validation score over its complete trials so far.

    ``at`` is its coordinate in the space's first dimension. Candidates that lie very near each
    other in both are one, with the best one's score.
    """

    stage: str
    at: float
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A study at a glance; cheap to read, whatever its size in trials and updates.

    ``best`` is (coordinate in the space's first dimension, validation score) of the latest stage
    that has one. ``recovered`` are the latest few cohorts that were resumed, the newest first.
    ``points`` are in the order of the stages, then of that coordinate. ``search_ended`` is why
    searching ended before its stages did; ``unable`` has a sentence for each host that cannot
    serve it. ``expected_updates`` are those of all stages as the study file has them, 0 in studies
    of earlier versions.
    """

    name: str
    state: StudyState
    stages: tuple[StageStatus, ...]
    workers: tuple[WorkerStatus, ...]
    takeovers: int
    recovered: tuple[Recovery, ...]
    best: tuple[float, float] | None
    failure: str | None
    selected: Selected | None
    elapsed: float
    points: tuple[Scored, ...] = ()
    metric: str = DEFAULT_METRIC.name
    priority: int = 0
    search_ended: str | None = None
    unable: tuple[str, ...] = ()
    space: Space = SPACE
    expected_updates: float = 0.0

    @property
    def over(self) -> bool:
        """Whether nothing is left to do, well or not."""
        return self.state.over


@retried
@damage_is_said()
def read_status(database: Database, name: str) -> Status:
    """Return a study at a glance.

    Raises:
        StudyStateError: There is none of that name.
    """
    with database.read() as transaction:
        now, row = transaction.now(), study_row(transaction, name)
        totals = _totals(transaction, name)
        query = sa.select(*_WATCHED).where(cohorts.c.study == name)
        working = query.where(cohorts.c.state == LEASED).order_by(cohorts.c.number)
        leased = transaction.execute(working).mappings().all()
        resumed = query.where(cohorts.c.recovered.is_not(None))
        resumed = resumed.order_by(cohorts.c.renewed.desc()).limit(_RECOVERIES)
        recovered = transaction.execute(resumed).mappings().all()
        best = _best(transaction, name, totals)
        points = _points(transaction, database, row, totals)
        reasons = unable_of(transaction, row["id"])
    return believed(
        Status(
            name=name,
            state=state_of(row, leased=any(lease_holds(one, now) for one in leased)),
            stages=tuple(_stage_status(one) for one in totals),
            workers=tuple(_worker(cohort, now) for cohort in leased),
            takeovers=sum(one.takeovers for one in totals),
            recovered=tuple(_recovery(cohort) for cohort in recovered),
            best=best,
            failure=row["failure"],
            selected=selected_from(row["selected"], space_of(row["document"])),
            elapsed=elapsed(row["created"], row["finished"] or now),
            points=points,
            metric=metric_name(row["document"]),
            priority=row["priority"],
            search_ended=row["search_ended"],
            unable=reasons,
            space=space_of(row["document"]),
            expected_updates=row["expected_updates"] or 0.0,
        )
    )


def _totals(transaction: Transaction, name: str) -> list[sa.Row[Any]]:
    """A row per planned stage, in their order; the database adds up."""
    trials = sa.func.json_array_length(cohorts.c.trials, type_=sa.Integer)
    query = sa.select(
        cohorts.c.stage,
        sa.func.sum(trials).label("planned"),
        sa.func.sum(sa.case((cohorts.c.state == DONE, trials), else_=0)).label("finished"),
        sa.func.sum(cohorts.c.updates).label("updates"),
        sa.func.sum(cohorts.c.total).label("total"),
        sa.func.sum(cohorts.c.takeovers).label("takeovers"),
        sa.func.max(cohorts.c.best).label("best"),
    )
    rows = transaction.execute(query.where(cohorts.c.study == name).group_by(cohorts.c.stage)).all()
    return sorted(rows, key=lambda one: (*STAGES, TEST).index(one.stage))


def _best(
    transaction: Transaction, name: str, totals: list[sa.Row[Any]]
) -> tuple[float, float] | None:
    latest = next((one for one in reversed(totals) if one.best is not None), None)
    if latest is None:
        return None
    query = sa.select(cohorts.c.best_at).where(
        cohorts.c.study == name, cohorts.c.stage == latest.stage, cohorts.c.best == latest.best
    )
    points = [point_from(value) or (0.0,) for value in transaction.connection.scalars(query)]
    return max(points)[0], float(latest.best)


def _points(
    transaction: Transaction, database: Database, row: sa.RowMapping, totals: list[sa.Row[Any]]
) -> tuple[Scored, ...]:
    """The points of a study, read again only when a further trial of it has finished."""
    finished = (row["id"], sum(int(one.finished) for one in totals))
    known = _POINTS.get(database)
    if known is None or known[0] != finished:
        points = _points_read(transaction, row["name"], space_of(row["document"]))
        points.sort(key=lambda one: (STAGES.index(one.stage), one.at))
        _POINTS[database] = known = (finished, tuple(points))
    return known[1]


def _points_read(transaction: Transaction, name: str, space: Space) -> list[Scored]:
    """The database joins what lies near each other: 10,000 trials stay few."""
    found = sa.select(stages.c.optuna_study, stages.c.name).join(STUDIES, is_ours())
    found = found.where(stages.c.study == name, stages.c.name.in_(STAGES))
    named = {row.optuna_study: row.name for row in transaction.execute(found)}
    apart = space.several  # two candidates may have one λ
    means = means_of_stages(transaction, name, named, space.dimensions[0].name, apart=apart)
    cell = [sa.func.round(means.c.x / _NEAR[0]), sa.func.round(means.c.y / _NEAR[1])]
    query = sa.select(
        means.c.number, sa.func.avg(means.c.x).label("at"), sa.func.max(means.c.y).label("score")
    ).group_by(means.c.number, *cell)
    return [
        Scored(stage=named[one.number], at=one.at, score=one.score)
        for one in transaction.execute(query)
    ]


def _stage_status(row: sa.Row[Any]) -> StageStatus:
    return StageStatus(
        name=row.stage,
        planned=int(row.planned),
        finished=int(row.finished),
        updates=int(row.updates),
        total=int(row.total),
    )


def _recovery(cohort: sa.RowMapping) -> Recovery:
    return Recovery(
        stage=cohort["stage"],
        cohort=cohort["number"],
        taken_from=cohort["taken_from"],
        owner=cohort["owner"],
        updates=cohort["recovered"],
        total=cohort["total"],
    )


def _worker(cohort: sa.RowMapping, now: float) -> WorkerStatus:
    return WorkerStatus(
        owner=cohort["owner"],
        stage=cohort["stage"],
        cohort=cohort["number"],
        updates=cohort["updates"],
        total=cohort["total"],
        per_second=cohort["per_second"],
        renewed_ago=elapsed(cohort["renewed"], now),
        expired=not lease_holds(cohort, now),
    )

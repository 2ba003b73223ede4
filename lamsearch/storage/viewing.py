"""What somebody who looks reads of our tables, through connections that cannot write.

Enters: a database that has been reached once. Leaves: rows, as plain values. Refuses to write: a
connection for looking is read-only at the database itself, whatever is tried over it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from optuna.storages import RDBStorage
from sqlalchemy.engine import Connection, ExceptionContext

from lamsearch.errors import StorageError
from lamsearch.metrics import DEFAULT_METRIC
from lamsearch.results import STAGES, StageName
from lamsearch.space import SPACE, Bounds, Point, Space, space_of
from lamsearch.storage.connections import engine_options, prepare
from lamsearch.storage.documents import bounds_from, chosen_point, metric_name
from lamsearch.storage.engine import Database
from lamsearch.storage.optuna_bridge import STUDIES, TRIALS, storage_over
from lamsearch.storage.planned import (
    PlannedTrial,
    is_ours,
    planned_trials,
)
from lamsearch.storage.states import CANCELLED
from lamsearch.storage.tables import DONE, LEASED, cohorts, curves, stages, studies

_BUSY_SECONDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStage:
    """One stage as the list of studies shows it; ``number`` is Optuna's id of it.

    ``best`` is its best validation score so far, ``over`` whether the whole study is; ``chosen`` is
    the study's choice.
    """

    study: str
    study_id: str
    stage: StageName
    number: int
    bounds: Bounds | None
    planned: int
    finished: int
    best: float | None
    over: bool
    failure: str | None
    metric: str
    space: Space = SPACE
    chosen: Point | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A running trial's worker, and how far its cohort is."""

    worker: str
    updates: int
    total: int


class View:
    """A pool of connections to a storage, for looking; one more that writes, where it is allowed.

    Args:
        database: the storage, reached once.
        writable: whether there is to be a way to write.
        connections: how many may look at the same time.
    """

    def __init__(self, database: Database, *, writable: bool, connections: int = 4) -> None:
        self._database = database
        self._trouble = threading.local()
        self.writable = writable
        self.reader = self._open(connections, write=False)
        self.writer = self._open(1, write=True) if writable else None

    def close(self) -> None:
        """Give back all connections."""
        for storage in filter(None, (self.reader, self.writer)):
            storage.engine.dispose()

    def calm(self) -> None:
        """Forget what went wrong in this thread."""
        self._trouble.error = self._trouble.refused = None

    def refuse(self, why: str) -> None:
        """Remember why something was refused in this thread."""
        self._trouble.refused = why

    def refused(self) -> str | None:
        """Return why something was refused in this thread."""
        return getattr(self._trouble, "refused", None)

    def trouble(self) -> str | None:
        """Return the last database error of this thread as one sentence, without password."""
        error = getattr(self._trouble, "error", None)
        return None if error is None else self._database.say(error)

    def planned(self) -> dict[int, PlannedStage]:
        """Return the stages of all studies by Optuna's number."""
        with self._connect() as connection:
            rows = connection.execute(_planned_query()).all()
        found = [
            PlannedStage(
                study=row.study, study_id=row.id, stage=row.name, number=row.optuna_study,
                bounds=_bounds_in(row.bounds),
                planned=int(row.planned or 0), finished=int(row.finished or 0), best=row.best,
                over=row.over is not None or row.failure is not None or row.halted == CANCELLED,
                failure=row.failure,
                metric=_metric_in(row.document),
                space=_space_in(row.document),
                chosen=_chosen_in(row.selected, row.document),
            )
            for row in rows
        ]  # fmt: skip
        return {one.number: one for one in sorted(found, key=lambda one: STAGES.index(one.stage))}

    def study_row(self, name: str) -> sa.RowMapping | None:
        """Return a study's row, None where it was deleted."""
        with self._connect() as connection:
            query = sa.select(studies).where(studies.c.name == name)
            return connection.execute(query).mappings().first()

    def progress(self, name: str) -> dict[int, Progress]:
        """Return by Optuna's trial id how far the trials are that workers hold."""
        query = sa.select(cohorts.c.trials, cohorts.c.owner, cohorts.c.updates, cohorts.c.total)
        with self._connect() as connection:
            leased = connection.execute(
                query.where(cohorts.c.study == name, cohorts.c.state == LEASED)
            ).all()
        return {
            entry[0]: Progress(worker=row.owner, updates=row.updates, total=row.total)
            for row in leased
            for entry in row.trials
        }

    def trials(self, stage: PlannedStage) -> list[PlannedTrial]:
        """Return the planned trials of a stage: those by which ours are known among Optuna's."""
        with self._connect() as connection:
            return planned_trials(connection, stage.study, stage.stage)

    def with_curves(self, stage: PlannedStage) -> set[tuple[int, int]]:
        """Return the trials of a stage, by candidate and replicate, that have learning curves."""
        query = sa.select(curves.c.candidate, curves.c.replicate)
        query = query.where(curves.c.study_id == stage.study_id, curves.c.stage == stage.stage)
        with self._connect() as connection:
            return {(row.candidate, row.replicate) for row in connection.execute(query)}

    def curve(self, stage: PlannedStage, planned: PlannedTrial) -> bytes | None:
        """Return the packed curve of a planned trial, None where it has none."""
        query = sa.select(curves.c.arrays).where(
            curves.c.study_id == stage.study_id, curves.c.stage == stage.stage,
            curves.c.candidate == planned.candidate, curves.c.replicate == planned.replicate,
        )  # fmt: skip
        with self._connect() as connection:
            return connection.scalar(query)

    def number_of(self, trial: int) -> int | None:
        """Return Optuna's study of one of its trials."""
        with self._connect() as connection:
            table = TRIALS
            return connection.scalar(
                sa.select(table.c.study_id).where(table.c.trial_id == trial)
            )  # fmt: skip

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        with self.reader.engine.connect() as connection:
            yield connection

    def _open(self, connections: int, *, write: bool) -> RDBStorage:
        url = self._database.url
        # a reader beside a writer in one process opens SQLite as the writer does
        opened = write or (self._database.file is not None and self.writable)
        text, options = engine_options(
            url, write=opened, application="lamsearch dashboard", busy_seconds=_BUSY_SECONDS
        )
        if options.get("poolclass") is not sa.NullPool:
            options |= {"pool_size": connections, "pool_pre_ping": True}
        engine = sa.create_engine(text, **options)
        prepare(engine, write=write)
        sa.event.listen(engine, "handle_error", self._note)
        return storage_over(engine)  # the database was opened before, and is as it should be

    def _note(self, context: ExceptionContext) -> None:
        self._trouble.error = context.sqlalchemy_exception or context.original_exception


def _metric_in(document: str) -> str:
    """The metric that a study names; a damaged study is none of the others' business."""
    try:
        return metric_name(json.loads(document))
    except (ValueError, TypeError, AttributeError, RecursionError):
        return DEFAULT_METRIC.name


def _space_in(document: str) -> Space:
    """What a study searches; a damaged study is none of the others' business."""
    try:
        return space_of(json.loads(document))
    except (ValueError, TypeError, AttributeError, RecursionError):
        return SPACE


def _chosen_in(selected: str | None, document: str) -> Point | None:
    """The point that a study chose; a damaged one is said where the study is read."""
    try:
        return None if selected is None else chosen_point(json.loads(selected), _space_in(document))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, StorageError):
        return None


def _bounds_in(text: str | None) -> Bounds | None:
    """A stage's bounds; damaged ones are said where the study is read."""
    try:
        return None if text is None else bounds_from(json.loads(text))
    except (ValueError, TypeError, RecursionError):
        return None


def _planned_query() -> sa.Select[Any]:
    trials = sa.func.json_array_length(cohorts.c.trials, type_=sa.Integer)
    totals = (
        sa.select(
            cohorts.c.study, cohorts.c.stage, sa.func.sum(trials).label("planned"),
            sa.func.sum(sa.case((cohorts.c.state == DONE, trials), else_=0)).label("finished"),
            sa.func.max(cohorts.c.best).label("best"),
        )
        .group_by(cohorts.c.study, cohorts.c.stage)
        .subquery()
    )  # fmt: skip
    same = sa.and_(totals.c.study == stages.c.study, totals.c.stage == stages.c.name)
    return (
        sa.select(
            stages.c.study, stages.c.name, stages.c.optuna_study,
            sa.cast(stages.c.bounds, sa.Text).label("bounds"),
            sa.cast(studies.c.selected, sa.Text).label("selected"),
            studies.c.id, studies.c.finished.label("over"), studies.c.failure,
            studies.c.halted, sa.cast(studies.c.document, sa.Text).label("document"),
            totals.c.planned, totals.c.finished, totals.c.best,
        )
        .join(studies, studies.c.name == stages.c.study)
        .join(STUDIES, is_ours())
        .outerjoin(totals, same)
    )  # fmt: skip

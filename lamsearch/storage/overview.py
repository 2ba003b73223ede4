"""The queue as people see it: all studies of a storage, each in a line.

Enters: a database. Leaves: frozen records, in as few statements for a thousand studies as for one.
A study whose row is damaged is among them, and says so. Writes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from lamsearch.errors import StorageError
from lamsearch.metrics import DEFAULT_METRIC
from lamsearch.results import QueuedStudy, Selected, StudyState
from lamsearch.space import Space, space_of
from lamsearch.storage.damage import believed, damage_is_said
from lamsearch.storage.engine import Database, Transaction
from lamsearch.storage.expiry import holds
from lamsearch.storage.retries import retried
from lamsearch.storage.states import state_of
from lamsearch.storage.study_json import elapsed, selected_from
from lamsearch.storage.tables import DONE, LEASED, cohorts, studies, unable
from lamsearch.storage.unable import sentence

_PLAIN = ("name", "id", "priority", "created", "started")
_COLUMNS = (*_PLAIN, "halted", "finished", "failure", "expected_updates")
_NEARLY = 0.999  # nothing that is not done is at 100 %
_ORDER = (StudyState.RUNNING, StudyState.QUEUED, StudyState.PAUSED)


@retried
@damage_is_said()
def read_queue(database: Database) -> tuple[QueuedStudy, ...]:
    """Return all studies: running, queued and paused ones as they are served, then those that are
    over, the latest first."""
    with database.read() as transaction:
        now = transaction.now()
        query = sa.select(
            *(studies.c[name] for name in _COLUMNS),
            sa.cast(studies.c.selected, sa.Text).label("selected"),
            _chosen_from(),
            _metric(transaction),
        )
        rows = transaction.execute(query).mappings().all()
        totals = _totals(transaction, now)
        reasons = _reasons(transaction)
    found = [_queued(row, totals.get(row["name"]), reasons, now) for row in rows]
    return tuple(sorted(found, key=_rank))


def _rank(study: QueuedStudy) -> tuple[int, int, float]:
    if study.state.over:
        return len(_ORDER), 0, -study.created
    return _ORDER.index(study.state), -study.priority, study.created


def _totals(transaction: Transaction, now: float) -> dict[str, sa.RowMapping]:
    """Trials, updates and leases of each study; the database adds up."""
    trials = _trial_count(transaction)
    done, leased = cohorts.c.state == DONE, sa.and_(cohorts.c.state == LEASED, holds(now))
    query = sa.select(
        cohorts.c.study,
        sa.func.sum(trials).label("planned"),
        sa.func.sum(sa.case((done, trials), else_=0)).label("finished"),
        sa.func.sum(sa.case((done, cohorts.c.total), else_=cohorts.c.updates)).label("updates"),
        sa.func.sum(cohorts.c.total).label("total"),
        sa.func.sum(sa.case((leased, 1), else_=0)).label("workers"),
    ).group_by(cohorts.c.study)
    return {row["study"]: row for row in transaction.execute(query).mappings()}


def _metric(transaction: Transaction) -> sa.Label[str]:
    """The metric that a study names; what is no JSON, as SQLite lets it be, names none."""
    named: sa.ColumnElement[str] = studies.c.document["metric"].as_string()
    if transaction.connection.dialect.name == "sqlite":
        named = sa.case((sa.func.json_valid(studies.c.document) == 1, named))
    return named.label("metric")


def _trial_count(transaction: Transaction) -> sa.ColumnElement[int]:
    """How many trials a cohort has; none where its row is damaged."""
    count = sa.func.json_array_length(cohorts.c.trials, type_=sa.Integer)
    if transaction.connection.dialect.name == "sqlite":
        return sa.case((sa.func.json_valid(cohorts.c.trials) == 1, count), else_=0)
    return sa.case((sa.func.json_typeof(cohorts.c.trials) == "array", count), else_=0)


def _reasons(transaction: Transaction) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in transaction.execute(sa.select(unable).order_by(unable.c.at.desc())):
        found.setdefault(row.study_id, []).append(sentence(row.host, row.reason))
    return found


def _queued(
    row: sa.RowMapping,
    totals: sa.RowMapping | None,
    reasons: Mapping[str, list[str]],
    now: float,
) -> QueuedStudy:
    workers = 0 if totals is None else int(totals["workers"])
    try:
        with damage_is_said():
            state = state_of(row, leased=workers > 0)
            unserved = state is StudyState.QUEUED
            return believed(
                QueuedStudy(
                    **{name: row[name] for name in _PLAIN},
                    state=state,
                    age=elapsed(row["created"], now),
                    finished_trials=0 if totals is None else int(totals["finished"]),
                    planned_trials=0 if totals is None else int(totals["planned"]),
                    progress=_progress(row, totals, state),
                    workers=workers,
                    selected=_selected(row["selected"], row["chosen_from"]),
                    space=_space(row["chosen_from"]),
                    failure=row["failure"],
                    unable=tuple(reasons.get(row["id"], ())) if unserved else (),
                    metric=row["metric"] or DEFAULT_METRIC.name,
                ),
                deep=False,
            )
    except StorageError as error:
        return _damaged(row, str(error))


def _chosen_from() -> sa.Label[str]:
    """The canonical form of a study that has chosen: it names what is searched."""
    document = sa.cast(studies.c.document, sa.Text)
    return sa.case((studies.c.selected.is_not(None), document)).label("chosen_from")


def _selected(text: str | None, document: str | None) -> Selected | None:
    found = None if text is None else json.loads(text)
    return selected_from(found, _space(document))


def _space(document: str | None) -> Space:
    return space_of(json.loads(document or "{}"))


def _progress(row: sa.RowMapping, totals: Mapping[Any, Any] | None, state: StudyState) -> float:
    """The share of all updates that is done; of studies of earlier versions, of those planned."""
    if state is StudyState.DONE:
        return 1.0
    if totals is None:
        return 0.0
    whole = max(row["expected_updates"] or 0.0, float(totals["total"]))
    return min(_NEARLY, float(totals["updates"]) / whole) if whole else 0.0


def _damaged(row: sa.RowMapping, why: str) -> QueuedStudy:
    """A study whose row lamsearch did not write, for it to be seen and deleted."""
    created = row["created"]
    return QueuedStudy(
        name=str(row["name"]), id=str(row["id"]), state=StudyState.FAILED, priority=0,
        created=float(created) if isinstance(created, (int, float)) else 0.0, started=None, age=0.0,
        finished_trials=0, planned_trials=0, progress=0.0, workers=0, selected=None, failure=why,
    )  # fmt: skip

"""States of a study: paused, resumed, cancelled, told to search no more, moved in the queue.

Enters: a study's name and what is asked of it. Leaves: the study in its new state, in one
transaction, or a sentence why that makes no sense. Who works on it notices when it next looks.
Refuses to know how work is done and what comes next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from lamsearch.errors import InputError, StudyStateError
from lamsearch.results import SEARCHING, WAS_CANCELLED, StudyState, Trained, TrialState
from lamsearch.storage.completion import end_trials
from lamsearch.storage.damage import check_cohort, damage_is_said
from lamsearch.storage.digests import write_digests
from lamsearch.storage.documents import metric_name
from lamsearch.storage.engine import Database, Transaction
from lamsearch.storage.planned import read_stage_row, settle
from lamsearch.storage.retries import retried
from lamsearch.storage.study_json import elapsed
from lamsearch.storage.study_rows import study_row
from lamsearch.storage.tables import DONE, LEASED, OPEN, TEST, cohorts, studies

PAUSED, CANCELLED = "paused", "cancelled"
MOST_PRIORITY = 1_000_000


@retried
@damage_is_said()
def pause(database: Database, name: str) -> None:
    """Let nothing of a study be started; what runs is saved and given back soon.

    Raises:
        StudyStateError: There is none of that name, it is over, or it is paused.
    """
    with _changing(database, name) as (transaction, row):
        _refuse_over(row, "paused")
        if row["halted"] == PAUSED:
            raise StudyStateError(f"study: {name!r} is paused already")
        _update(transaction, name, halted=PAUSED, paused_at=transaction.now())


@retried
@damage_is_said()
def resume(database: Database, name: str) -> None:
    """Let a paused study go on.

    Raises:
        StudyStateError: There is none of that name, or it is not paused.
    """
    with _changing(database, name) as (transaction, row):
        _refuse_over(row, "resumed")
        if row["halted"] != PAUSED:
            raise StudyStateError(f"study: {name!r} is not paused")
        now = transaction.now()
        paused = row["paused_seconds"] + elapsed(row["paused_at"] or now, now)
        _update(transaction, name, halted=None, paused_at=None, paused_seconds=paused)


@retried
@damage_is_said()
def cancel(database: Database, name: str) -> None:
    """End a study: what has ended stays, trials that have begun fail, nothing else is started.

    Raises:
        StudyStateError: There is none of that name, or it is over.
    """
    with _changing(database, name) as (transaction, row):
        _refuse_over(row, "cancelled")
        _update(transaction, name, halted=CANCELLED, paused_at=None)
        begun = sa.and_(cohorts.c.token > 0, cohorts.c.stage != TEST)
        cancelled = Trained(state=TrialState.FAIL, reason=WAS_CANCELLED)
        _end_cohorts(transaction, row, begun, cancelled)
        left = sa.update(cohorts).where(cohorts.c.study == name, cohorts.c.state == LEASED)
        transaction.execute(left.values(state=OPEN, owner=None, expires=None))  # the test's


@retried
@damage_is_said()
def finish(database: Database, name: str, reason: str = "finish was asked for") -> None:
    """End the search of a study: finalists and final follow with what is there.

    Raises:
        StudyStateError: There is none of that name, it is over, or its search has ended.
    """
    with _changing(database, name) as (transaction, row):
        _refuse_over(row, "finished")
        if row["search_ended"] is not None:
            raise StudyStateError(f"study: the search of {name!r} has ended: {row['search_ended']}")
        if row["selected"] is not None:
            raise StudyStateError(f"study: the search of {name!r} has ended: λ is chosen")
        end_search(transaction, row, reason)


@retried
@damage_is_said()
def prioritize(database: Database, name: str, priority: int) -> None:
    """Move a study in the queue; studies of higher priority are served first.

    Raises:
        InputError: The priority is beyond all bounds.
        StudyStateError: There is none of that name, or it is over.
    """
    check_priority(priority)
    with _changing(database, name) as (transaction, row):
        _refuse_over(row, "moved in the queue")
        _update(transaction, name, priority=priority)


def check_priority(priority: int) -> None:
    """Refuse a priority that is none.

    Raises:
        InputError: It is beyond all bounds.
    """
    if abs(priority) > MOST_PRIORITY:
        rule = f"must be between -{MOST_PRIORITY} and {MOST_PRIORITY}"
        raise InputError(f"priority: {rule}, got {priority}")


def state_of(row: Mapping[Any, Any], *, leased: bool) -> StudyState:
    """Return the state of a study's row; ``leased`` says whether a lease in it holds."""
    if row["failure"] is not None:
        return StudyState.FAILED
    if row["finished"] is not None:
        return StudyState.DONE
    if row["halted"] is not None:
        return StudyState(row["halted"])
    return StudyState.RUNNING if leased else StudyState.QUEUED


def end_search(transaction: Transaction, row: sa.RowMapping, reason: str) -> None:
    """End the search of a study whose row is locked: what of it is not trained yet is PRUNED."""
    _update(transaction, row["name"], search_ended=reason)
    pruned = Trained(state=TrialState.PRUNED, reason=f"searching ended early: {reason}")
    _end_cohorts(transaction, row, cohorts.c.stage.in_(SEARCHING), pruned)


@contextmanager
def _changing(database: Database, name: str) -> Iterator[tuple[Transaction, sa.RowMapping]]:
    """A transaction that has locked a study's row."""
    with database.write() as transaction:
        yield transaction, study_row(transaction, name, lock=True)


def _refuse_over(row: sa.RowMapping, asked: str) -> None:
    state = state_of(row, leased=False)
    if state.over:
        verb = {StudyState.CANCELLED: "was", StudyState.DONE: "is"}.get(state, "has")
        raise StudyStateError(f"study: {row['name']!r} {verb} {state} and cannot be {asked}")


def _end_cohorts(
    transaction: Transaction, row: sa.RowMapping, which: sa.ColumnElement[bool], outcome: Trained
) -> None:
    """End all trials of the cohorts that are not done, as one that was not trained to its end."""
    left = cohorts.c.state.in_((OPEN, LEASED))
    query = sa.select(cohorts).where(cohorts.c.study == row["name"], left, which)
    query = query.order_by(cohorts.c.stage, cohorts.c.number).with_for_update()
    for cohort in transaction.execute(query).mappings().all():
        check_cohort(cohort)
        _end_cohort(transaction, row, cohort, outcome)


def _end_cohort(
    transaction: Transaction, row: sa.RowMapping, cohort: sa.RowMapping, outcome: Trained
) -> None:
    stage_row = read_stage_row(transaction, row["name"], cohort["stage"])
    entries, _ = settle(transaction, stage_row, cohort, begun=cohort["token"] > 0)
    outcomes: Sequence[Trained] = [replace(outcome, updates=cohort["updates"])] * len(entries)
    write_digests(transaction, entries, cohort["replicate"], outcomes)
    ended = [(entry[0], one) for entry, one in zip(entries, outcomes, strict=True)]
    end_trials(transaction, ended, metric_name(row["document"]), {})
    key = (cohorts.c.study == row["name"], cohorts.c.stage == cohort["stage"],
           cohorts.c.number == cohort["number"])  # fmt: skip
    done = sa.update(cohorts).where(*key)
    transaction.execute(done.values(state=DONE, owner=None, expires=None))


def _update(transaction: Transaction, name: str, **values: object) -> None:
    transaction.execute(sa.update(studies).where(studies.c.name == name).values(**values))

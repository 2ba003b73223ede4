"""Rows of Optuna's tables, many at a time: trials that wait, that run, and what they came to.

Enters: a transaction, and trials that nobody else writes to in it. Leaves: the rows that Optuna's
own storage would have written trial by trial, in statements whose number does not grow with that
of the trials: where a network loses packets, each statement is waited for. Refuses to know our
tables, and whether a trial may be written to.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from typing import Any

import sqlalchemy as sa
from optuna.distributions import distribution_to_json
from optuna.trial import FrozenTrial, TrialState

from lamsearch.storage import optuna_bridge
from lamsearch.storage.engine import Transaction
from lamsearch.storage.optuna_bridge import STEPS, STUDIES, TRIALS, USER_ATTRIBUTES, VALUES

_Rows = Sequence[Mapping[str, Any]]


def insert_waiting(
    transaction: Transaction, study: int, templates: Sequence[FrozenTrial]
) -> list[int]:
    """Write trials that wait into a study; return their ids, which ascend.

    Args:
        transaction: the transaction.
        study: Optuna's id of the study, which is locked until the transaction's end.
        templates: waiting trials with parameters and attributes of the user's.
    """
    lock = sa.select(STUDIES.c.study_id).where(STUDIES.c.study_id == study).with_for_update()
    transaction.execute(lock)
    there = transaction.connection.scalar(
        sa.select(sa.func.count()).where(TRIALS.c.study_id == study)
    )
    rows = [
        {"number": number, "study_id": study, "state": TrialState.WAITING}
        for number, _ in enumerate(templates, start=there or 0)
    ]
    ids = _insert_trials(transaction, rows)
    known = [(number, one) for number, one in zip(ids, templates, strict=True)]
    insert_rows(transaction, optuna_bridge.PARAMS, [
        {"trial_id": number, "param_name": name, "distribution_json": distribution_to_json(kind),
         "param_value": kind.to_internal_repr(one.params[name])}
        for number, one in known for name, kind in one.distributions.items()
    ])  # fmt: skip
    insert_rows(transaction, USER_ATTRIBUTES, [
        {"trial_id": number, "key": key, "value_json": json.dumps(value)}
        for number, one in known for key, value in one.user_attrs.items()
    ])  # fmt: skip
    return ids


def start(transaction: Transaction, trials: Sequence[int]) -> None:
    """Let waiting trials run."""
    if trials:
        values = {"state": TrialState.RUNNING, "datetime_start": _now()}
        where = (TRIALS.c.trial_id.in_(trials), TRIALS.c.state == TrialState.WAITING)
        transaction.execute(sa.update(TRIALS).where(*where).values(**values))


def set_attributes(
    transaction: Transaction, found: Iterable[tuple[int, Mapping[str, object]]]
) -> None:
    """Set attributes of the user's, by the trial's id."""
    _upsert(transaction, USER_ATTRIBUTES, ("trial_id", "key"), [
        {"trial_id": number, "key": key, "value_json": json.dumps(value)}
        for number, attributes in found for key, value in attributes.items()
    ])  # fmt: skip


def set_intermediate_values(
    transaction: Transaction, found: Iterable[tuple[int, int, float]]
) -> None:
    """Set intermediate values, each as the trial's id, step and value."""
    rows = []
    for number, step, value in found:
        stored, kind = optuna_bridge.step_of(value)
        rows.append({"trial_id": number, "step": step, "intermediate_value": stored,
                     "intermediate_value_type": kind})  # fmt: skip
    _upsert(transaction, STEPS, ("trial_id", "step"), rows)


def end(transaction: Transaction, found: Sequence[tuple[int, TrialState, float | None]]) -> None:
    """End trials, each given as its id, state and value, if it has one."""
    rows = []
    for number, _, value in found:
        if value is not None:
            stored, kind = optuna_bridge.value_of(value)
            rows.append({"trial_id": number, "objective": 0, "value": stored, "value_type": kind})
    _upsert(transaction, VALUES, ("trial_id", "objective"), rows)
    now = _now()
    for state in sorted({one[1] for one in found}):
        ids = [one[0] for one in found if one[1] is state]
        ended = sa.update(TRIALS).where(TRIALS.c.trial_id.in_(ids))
        transaction.execute(ended.values(state=state, datetime_complete=now))


def insert_rows(transaction: Transaction, table: sa.Table, rows: _Rows) -> None:
    """Write rows in as few statements as the database takes, a thousand in each."""
    _write(transaction, sa.insert(table), rows)


def _upsert(transaction: Transaction, table: sa.Table, key: tuple[str, str], rows: _Rows) -> None:
    """The same where some of the rows may be there already, which are known by their key."""
    if rows:
        names = tuple(name for name in rows[0] if name not in key)
        _write(
            transaction, _upserting(transaction.connection.dialect.name, table, key, names), rows
        )


@cache
def _upserting(kind: str, table: sa.Table, key: tuple[str, str], names: tuple[str, ...]) -> Any:
    # the other one is never loaded
    dialect: Any = import_module(f"sqlalchemy.dialects.{kind}")
    insert = dialect.insert(table)
    written = {name: insert.excluded[name] for name in names}
    return insert.on_conflict_do_update(index_elements=list(key), set_=written)


def _write(transaction: Transaction, insert: sa.Insert, rows: _Rows) -> None:
    if not rows:
        return
    if transaction.connection.dialect.insert_executemany_returning:
        # what is returned is of no use, but lets SQLAlchemy put many rows into one statement
        transaction.connection.execute(insert.returning(*insert.table.primary_key), rows).all()
    else:  # SQLite before 3.35, to which statements cost little
        transaction.connection.execute(insert, rows)


def _insert_trials(transaction: Transaction, rows: _Rows) -> list[int]:
    """Write trials; return their ids in the same order."""
    if not rows:
        return []
    insert = sa.insert(TRIALS)
    if transaction.connection.dialect.insert_executemany_returning:
        written = transaction.connection.execute(
            insert.returning(TRIALS.c.number, TRIALS.c.trial_id), rows
        )
        return [number for _, number in sorted(map(tuple, written))]
    keys = [transaction.execute(insert.values(**row)).inserted_primary_key for row in rows]
    return [int(key[0]) for key in keys if key is not None]


def _now() -> datetime:
    """The time as Optuna writes it: UTC, without saying so."""
    return datetime.now(UTC).replace(tzinfo=None)

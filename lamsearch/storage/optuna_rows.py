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
from typing import Any

import sqlalchemy as sa
from optuna.distributions import distribution_to_json
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.dialects import postgresql, sqlite

from lamsearch.storage.engine import Transaction

_Rows = Sequence[Mapping[str, Any]]
_studies, _trials, _params, _attributes, _values, _steps = (
    models.BaseModel.metadata.tables[name]
    for name in ("studies", "trials", "trial_params", "trial_user_attributes", "trial_values",
                 "trial_intermediate_values")
)  # fmt: skip
_value_of = models.TrialValueModel.value_to_stored_repr
_step_of = models.TrialIntermediateValueModel.intermediate_value_to_stored_repr


def insert_waiting(
    transaction: Transaction, study: int, templates: Sequence[FrozenTrial]
) -> list[int]:
    """Write trials that wait into a study; return their ids, which ascend.

    Args:
        transaction: the transaction.
        study: Optuna's id of the study, which is locked until the transaction's end.
        templates: waiting trials with parameters and attributes of the user's.
    """
    transaction.execute(sa.select(_studies.c.study_id).filter_by(study_id=study).with_for_update())
    there = transaction.connection.scalar(
        sa.select(sa.func.count()).where(_trials.c.study_id == study)
    )
    rows = [
        {"number": number, "study_id": study, "state": TrialState.WAITING}
        for number, _ in enumerate(templates, start=there or 0)
    ]
    ids = _insert_trials(transaction, rows)
    known = [(number, one) for number, one in zip(ids, templates, strict=True)]
    insert_rows(transaction, _params, [
        {"trial_id": number, "param_name": name, "distribution_json": distribution_to_json(kind),
         "param_value": kind.to_internal_repr(one.params[name])}
        for number, one in known for name, kind in one.distributions.items()
    ])  # fmt: skip
    insert_rows(transaction, _attributes, [
        {"trial_id": number, "key": key, "value_json": json.dumps(value)}
        for number, one in known for key, value in one.user_attrs.items()
    ])  # fmt: skip
    return ids


def start(transaction: Transaction, trials: Sequence[int]) -> None:
    """Let waiting trials run."""
    if trials:
        values = {"state": TrialState.RUNNING, "datetime_start": _now()}
        where = (_trials.c.trial_id.in_(trials), _trials.c.state == TrialState.WAITING)
        transaction.execute(sa.update(_trials).where(*where).values(**values))


def set_attributes(
    transaction: Transaction, found: Iterable[tuple[int, Mapping[str, object]]]
) -> None:
    """Set attributes of the user's, by the trial's id."""
    _upsert(transaction, _attributes, ("trial_id", "key"), [
        {"trial_id": number, "key": key, "value_json": json.dumps(value)}
        for number, attributes in found for key, value in attributes.items()
    ])  # fmt: skip


def set_intermediate_values(
    transaction: Transaction, found: Iterable[tuple[int, int, float]]
) -> None:
    """Set intermediate values, each as the trial's id, step and value."""
    rows = []
    for number, step, value in found:
        stored, kind = _step_of(value)
        rows.append({"trial_id": number, "step": step, "intermediate_value": stored,
                     "intermediate_value_type": kind})  # fmt: skip
    _upsert(transaction, _steps, ("trial_id", "step"), rows)


def end(transaction: Transaction, found: Sequence[tuple[int, TrialState, float | None]]) -> None:
    """End trials, each given as its id, state and value, if it has one."""
    rows = []
    for number, _, value in found:
        if value is not None:
            stored, kind = _value_of(value)
            rows.append({"trial_id": number, "objective": 0, "value": stored, "value_type": kind})
    _upsert(transaction, _values, ("trial_id", "objective"), rows)
    now = _now()
    for state in sorted({one[1] for one in found}):
        ids = [one[0] for one in found if one[1] is state]
        ended = sa.update(_trials).where(_trials.c.trial_id.in_(ids))
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
    dialect: Any = postgresql if kind == "postgresql" else sqlite
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
    insert = sa.insert(_trials)
    if transaction.connection.dialect.insert_executemany_returning:
        written = transaction.connection.execute(
            insert.returning(_trials.c.number, _trials.c.trial_id), rows
        )
        return [number for _, number in sorted(map(tuple, written))]
    keys = [transaction.execute(insert.values(**row)).inserted_primary_key for row in rows]
    return [int(key[0]) for key in keys if key is not None]


def _now() -> datetime:
    """The time as Optuna writes it: UTC, without saying so."""
    return datetime.now(UTC).replace(tzinfo=None)

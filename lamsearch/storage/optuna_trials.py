"""Trials out of Optuna's tables, thousands at a time.

Enters: a connection, Optuna's number of a study. Leaves: trials to the value as Optuna's own
storage reads them one by one. Refuses to know our tables, and what a trial means.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from optuna.distributions import json_to_distribution
from optuna.trial import FrozenTrial
from sqlalchemy.engine import Connection

from lamsearch.storage.optuna_bridge import (
    PARAMS,
    STEPS,
    STUDIES,
    SYSTEM_ATTRIBUTES,
    TRIALS,
    USER_ATTRIBUTES,
    VALUES,
    step_from,
    value_from,
)


def frozen_trials(connection: Connection, study: int) -> list[FrozenTrial]:
    """Return the trials of a study, in the order of their ids, as `get_all_trials` does.

    That one makes an object of every row of every table, and reads every text by itself, which is
    most of its time where trials are thousands.

    Raises:
        KeyError: There is no such study.
    """
    if connection.scalar(sa.select(STUDIES.c.study_id).where(STUDIES.c.study_id == study)) is None:
        raise KeyError(study)
    params, values = (_by_trial(connection, one, study) for one in (PARAMS, VALUES))
    steps = _by_trial(connection, STEPS, study)
    of_user, of_system = (
        _attributes(connection, one, study) for one in (USER_ATTRIBUTES, SYSTEM_ATTRIBUTES)
    )
    rows = connection.execute(
        sa.select(TRIALS).where(TRIALS.c.study_id == study).order_by(TRIALS.c.trial_id)
    )
    return [
        _frozen(
            row, params.get(row.trial_id, ()), values.get(row.trial_id, ()),
            steps.get(row.trial_id, ()), of_user.get(row.trial_id, {}),
            of_system.get(row.trial_id, {}),
        )
        for row in rows.all()
    ]  # fmt: skip


def _frozen(
    row: sa.Row[Any],
    params: Sequence[sa.Row[Any]],
    values: Sequence[sa.Row[Any]],
    steps: Sequence[sa.Row[Any]],
    of_user: dict[str, Any],
    of_system: dict[str, Any],
) -> FrozenTrial:
    scores = [0.0 for _ in values]
    for one in values:
        scores[one.objective] = value_from(one.value, one.value_type)
    kinds = {one.param_name: _distribution(one.distribution_json) for one in params}
    return FrozenTrial(
        number=row.number,
        state=row.state,
        value=None,
        values=scores or None,
        datetime_start=row.datetime_start,
        datetime_complete=row.datetime_complete,
        params={
            one.param_name: kinds[one.param_name].to_external_repr(one.param_value)
            for one in params
        },
        distributions=kinds,
        user_attrs=of_user,
        system_attrs=of_system,
        intermediate_values={
            one.step: step_from(one.intermediate_value, one.intermediate_value_type)
            for one in steps
        },
        trial_id=row.trial_id,
    )


_distribution = lru_cache(maxsize=1024)(json_to_distribution)  # a stage's trials share theirs


def _rows(connection: Connection, table: sa.Table, study: int) -> Sequence[sa.Row[Any]]:
    """The rows of a study's trials in a table."""
    query = sa.select(table).join(TRIALS, TRIALS.c.trial_id == table.c.trial_id)
    query = query.where(TRIALS.c.study_id == study).order_by(*table.primary_key)
    return connection.execute(query).all()


def _by_trial(connection: Connection, table: sa.Table, study: int) -> dict[int, list[sa.Row[Any]]]:
    """The rows of a table by the trial that they are of."""
    found = defaultdict[int, list[sa.Row[Any]]](list)
    for row in _rows(connection, table, study):
        found[row.trial_id].append(row)
    return found


def _attributes(connection: Connection, table: sa.Table, study: int) -> dict[int, dict[str, Any]]:
    """The attributes in a table by the trial that they are of."""
    found = defaultdict[int, dict[str, Any]](dict)
    rows = _rows(connection, table, study)
    for row, value in zip(rows, _decoded([row.value_json for row in rows]), strict=True):
        found[row.trial_id][row.key] = value
    return found


def _decoded(texts: Sequence[str]) -> list[Any]:
    """What short JSON texts say: read as one, unless one of them is none."""
    try:
        found = json.loads(f"[{','.join(texts)}]")
    except ValueError:
        found = []
    return found if len(found) == len(texts) else [json.loads(one) for one in texts]

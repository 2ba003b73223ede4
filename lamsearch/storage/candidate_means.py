"""The means of candidates over their replicates, as the database itself works them out.

Enters: names of studies, and the parameter that they are shown over. Leaves: a query. A page of a
hundred studies asks for all of them at once, so what is damaged in one has no means here: it is
said where that study is read alone. Who asks for one study has its plan read here: a plan's trials
have ids in a row, and a few ranges of ids are answered several times faster than a list that the
database takes out of the plan itself, whose length its planner cannot know.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from optuna.trial import TrialState

from lamsearch.results import STAGES
from lamsearch.storage.engine import Transaction
from lamsearch.storage.optuna_bridge import PARAMS, STUDIES, TRIALS, USER_ATTRIBUTES, VALUES
from lamsearch.storage.planned import is_ours
from lamsearch.storage.tables import DONE, cohorts, stages

_MOST_RANGES = 100  # of ids, in one statement
# Of an entry of a plan its id: to read all coordinates as JSON takes ten times as long.
_ENTRY = re.compile(r"\[([0-9]{1,10}), ?[0-9]+, ?(?:\[|null)")


def candidate_means(
    names: Iterable[str], dialect: str, parameter: str, *, apart: bool = False
) -> sa.Subquery:
    """Return ``study``, ``stage``, ``x`` and ``y``: the mean score at each value of a parameter.

    ``apart`` keeps candidates of one value apart, which differ in another parameter. Of complete
    planned trials alone: what other programs added to a stage is none of its results.
    """
    wanted = list(names)
    trial, value, param = TRIALS.c, VALUES.c, PARAMS.c
    done = sa.and_(cohorts.c.study.in_(wanted), cohorts.c.state == DONE)
    query = (
        sa.select(
            stages.c.study,
            stages.c.name.label("stage"),
            param.param_value.label("x"),
            sa.func.avg(value.value).label("y"),
        )
        .join(STUDIES, is_ours())
        .join(TRIALS, trial.study_id == stages.c.optuna_study)
        .join(VALUES, value.trial_id == trial.trial_id)
        .join(PARAMS, param.trial_id == trial.trial_id)
        .where(stages.c.name.in_(STAGES), stages.c.study.in_(wanted))
        # a list of ids, not a join: SQLite would read the plan anew for every trial
        .where(trial.trial_id.in_(_planned_ids(dialect).where(done)))
        .where(sa.cast(trial.state, sa.String) == "COMPLETE")
        .where(param.param_name == parameter)
        .where(value.value.is_not(None))
        .group_by(stages.c.study, stages.c.name, param.param_value)
    )
    return (_kept_apart(query) if apart else query).subquery()


def means_of_stages(
    transaction: Transaction,
    name: str,
    numbers: Iterable[int],
    parameter: str,
    *,
    apart: bool = False,
) -> sa.Subquery:
    """Return the same of one study's stages: ``number`` (Optuna's of the stage), ``x``, ``y``."""
    trial, value, param = TRIALS.c, VALUES.c, PARAMS.c
    query = (
        sa.select(
            trial.study_id.label("number"),
            param.param_value.label("x"),
            sa.func.avg(value.value).label("y"),
        )
        .join(VALUES, value.trial_id == trial.trial_id)
        .join(PARAMS, param.trial_id == trial.trial_id)
        .where(trial.study_id.in_(list(numbers)), _is_planned(transaction, name))
        .where(trial.state == TrialState.COMPLETE)
        .where(param.param_name == parameter)
        .where(value.value.is_not(None))
        .group_by(trial.study_id, param.param_value)
        .order_by(trial.study_id, param.param_value)  # sums over them are in that order
    )
    return (_kept_apart(query) if apart else query).subquery()


def _kept_apart(query: sa.Select[Any]) -> sa.Select[Any]:
    ours = USER_ATTRIBUTES.c
    mine = sa.and_(ours.trial_id == TRIALS.c.trial_id, ours.key == "candidate")
    return query.join(USER_ATTRIBUTES, mine).group_by(ours.value_json)


def _is_planned(transaction: Transaction, name: str) -> sa.ColumnElement[bool]:
    """Whether a trial is one of a study's that are done by its plan."""
    done = sa.and_(cohorts.c.study == name, cohorts.c.state == DONE)
    plans = transaction.connection.scalars(
        sa.select(sa.cast(cohorts.c.trials, sa.Text)).where(done)
    )
    found = _ranges(sorted(_ids(plans)))
    if len(found) > _MOST_RANGES:
        kind = transaction.connection.dialect.name
        listed: sa.ColumnElement[bool] = TRIALS.c.trial_id.in_(_planned_ids(kind).where(done))
        return listed
    within: list[sa.ColumnElement[bool]] = [TRIALS.c.trial_id.between(*ends) for ends in found]
    return sa.or_(sa.false(), *within)


def _ids(plans: Iterable[str]) -> list[int]:
    """Optuna's ids in plans; a plan that is no list of entries has none."""
    text = ",".join(one for one in plans if one.startswith("[["))
    return [int(one) for one in _ENTRY.findall(text)]


def _ranges(ids: Iterable[int]) -> list[tuple[int, int]]:
    """Ascending numbers as ranges, first and last, of numbers in a row."""
    found: list[tuple[int, int]] = []
    for one in ids:
        if found and one == found[-1][1] + 1:
            found[-1] = found[-1][0], one
        else:
            found.append((one, one))
    return found


def _planned_ids(dialect: str) -> sa.Select[Any]:
    """Return a query of Optuna's ids of the planned trials, for the database itself to use.

    A plan that is no list of entries has none, so that one damaged row does not hide all others.
    """
    plan = cohorts.c.trials
    if dialect == "sqlite":
        valid = sa.and_(sa.func.json_valid(plan) == 1, sa.func.json_type(plan) == "array")
        whole = sa.case((valid, sa.cast(plan, sa.Text)), else_="[]")
        entry = sa.func.json_each(whole).table_valued("fullkey", name="trial")
        trial: sa.ColumnElement[Any] = sa.func.json_extract(whole, entry.c.fullkey.op("||")("[0]"))
    else:
        listed = sa.func.json_typeof(plan) == "array"
        empty = sa.cast(sa.literal("[]", sa.Text), sa.JSON)
        rows = sa.func.json_array_elements(sa.case((listed, plan), else_=empty))
        entry = rows.table_valued("value", name="trial")
        text = entry.c.value.op("->>")(sa.literal_column("0"))
        trial = sa.case((text.regexp_match("^[0-9]{1,9}$"), text))
    ids = sa.select(sa.cast(trial, sa.Integer).label("trial"))
    return ids.select_from(cohorts.join(entry, sa.true()))

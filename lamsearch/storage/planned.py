"""Which of Optuna's trials are planned, whatever else people add to its studies.

Enters: rows of our tables. Leaves: the planned trials, those that still have to be done fit to be
worked on. The plan in our tables counts: attributes can be copied, and SQLite gives the ids of what
was deleted out again. Refuses to adopt what another program did with a planned trial: that one is
left out, and planned anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
import sqlalchemy as sa
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState
from sqlalchemy.engine import Connection

from lamsearch.errors import StudyStateError
from lamsearch.results import Decision, StageName
from lamsearch.search import TrialPlan
from lamsearch.space import Bounds, Point, Scale, Space, space_of
from lamsearch.storage.decisions import decisions_from
from lamsearch.storage.distributions import distribution, parameter, suggested
from lamsearch.storage.documents import bounds_from, bounds_of_entry, point_from
from lamsearch.storage.engine import Transaction
from lamsearch.storage.optuna_bridge import (
    PARAMS,
    STUDIES,
    TRIALS,
    USER_ATTRIBUTES,
    PlannedTrialsStudy,
    trial_id,
)
from lamsearch.storage.optuna_rows import start
from lamsearch.storage.optuna_templates import bounds_for, template, values_apart
from lamsearch.storage.tables import DONE, cohorts, stages, studies

LEFT_OUT = "lamsearch"  # the attribute of a trial that is planned no more


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTrial:
    """One planned trial and Optuna's id of it; ``done`` means that its result is in."""

    trial: int
    stage: StageName
    candidate: int
    replicate: int
    cohort: int
    point: Point | None
    begun: bool
    done: bool

    def is_that(self, trial: FrozenTrial) -> bool:
        """Whether Optuna's trial is this one, and not another that was given its id."""
        found = trial.user_attrs
        return (
            trial_id(trial) == self.trial
            and _same(found.get("candidate"), self.candidate)
            and _same(found.get("replicate"), self.replicate)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRow:
    """A stage in the storage: our study's id, Optuna's number, what is searched, its bounds, and
    the decisions that its candidates are of."""

    study: str
    study_id: str
    stage: StageName
    number: int
    space: Space
    bounds: Bounds | None
    decisions: tuple[Decision, ...]


def read_stage_row(transaction: Transaction, study: str, stage: StageName) -> StageRow:
    """Return where a planned stage is.

    Raises:
        StudyStateError: Optuna's study of it was removed.
    """
    columns = (stages.c.optuna_study, stages.c.bounds, stages.c.decisions)
    query = (
        sa.select(studies.c.id, studies.c.document, *columns)
        .join(stages, stages.c.study == studies.c.name)
        .join(STUDIES, is_ours())
        .where(stages.c.study == study, stages.c.name == stage)
    )
    row = transaction.execute(query).first()
    if row is None:
        raise removed(study, stage)
    return StageRow(
        study=study, study_id=row.id, stage=stage, number=row.optuna_study,
        space=space_of(row.document), bounds=bounds_from(row.bounds),
        decisions=decisions_from(row.decisions),
    )  # fmt: skip


def is_ours() -> sa.ColumnElement[bool]:
    """Whether a study of Optuna's is the one of a stage: by number and name, for each may be
    another's by now."""
    title = stages.c.study + "/" + stages.c.name
    return sa.and_(STUDIES.c.study_id == stages.c.optuna_study, STUDIES.c.study_name == title)


def removed(study: str, stage: str) -> StudyStateError:
    """Return the error that says that trials of a stage are gone."""
    rule = f"the trials of {study}/{stage} were removed past lamsearch, say in a dashboard"
    return StudyStateError(f"study: {rule}; start over with: lamsearch delete {study}")


def planned_trials(
    connection: Connection, study: str, stage: StageName | None = None
) -> list[PlannedTrial]:
    """Return the planned trials of a study, or of one stage, in the order of the plan."""
    columns = (cohorts.c.stage, cohorts.c.number, cohorts.c.replicate, cohorts.c.trials,
               cohorts.c.state, cohorts.c.token)  # fmt: skip
    query = sa.select(*columns).where(cohorts.c.study == study)
    if stage is not None:
        query = query.where(cohorts.c.stage == stage)
    return [
        PlannedTrial(
            trial=trial, stage=row.stage, candidate=candidate, replicate=row.replicate,
            cohort=row.number, point=point_from(value), begun=row.token > 0, done=row.state == DONE,
        )
        for row in connection.execute(query.order_by(cohorts.c.stage, cohorts.c.number))
        for trial, candidate, value in row.trials
    ]  # fmt: skip


def settle(
    transaction: Transaction, stage_row: StageRow, cohort: sa.RowMapping, *, begun: bool
) -> tuple[list[list[Any]], tuple[str, ...]]:
    """Make the trials of a cohort run, those planned anew that another program has had.

    Returns:
        The cohort's trials as they are now, and a sentence for each trial that was planned anew.
    """
    entries = [list(entry) for entry in cohort["trials"]]
    found = _states(transaction, stage_row, [entry[0] for entry in entries])
    lines, waiting = [], []
    for entry in entries:
        one = found.get(entry[0])
        why = _objection(one, entry[1], cohort["replicate"], begun=begun)
        if why is not None:
            lines.append(_plan_anew(transaction, stage_row, cohort, entry, one, why))
        if why is not None or (one is not None and one.state == OptunaState.WAITING.name):
            waiting.append(entry[0])
    start(transaction, waiting)
    if lines:
        key = (cohorts.c.study == stage_row.study, cohorts.c.stage == stage_row.stage,
               cohorts.c.number == cohort["number"])  # fmt: skip
        transaction.execute(sa.update(cohorts).where(*key).values(trials=entries))
    return entries, tuple(lines)


def sample(
    transaction: Transaction,
    stage_row: StageRow,
    trial: int,
    *,
    seed: int,
    fixed: Mapping[int, float],
) -> Point:
    """Let an adaptive sampler choose the point of a running trial, by what is planned alone.

    ``fixed`` has the coordinates, by their index, that it must have; so is a choice that has been
    narrowed to one. What Optuna holds then is what the point's coordinates lead to.
    """
    query = sa.select(cohorts.c.trials).where(
        cohorts.c.study == stage_row.study, cohorts.c.stage == stage_row.stage
    )
    planned = {entry[0] for entries in transaction.connection.scalars(query) for entry in entries}
    sampler = optuna.samplers.TPESampler(seed=seed)
    study = PlannedTrialsStudy(
        f"{stage_row.study}/{stage_row.stage}", transaction.optuna, sampler, planned
    )
    # the cache must know a trial before it is asked for
    known = {trial_id(one): one for one in study.get_trials(deepcopy=False)}
    bounds, dimensions = bounds_of_entry(known[trial].user_attrs) or (), stage_row.space.dimensions
    narrowed = {
        index: low
        for index, (one, (low, high)) in enumerate(zip(dimensions, bounds, strict=True))
        if not one.ordered and low == high
    }
    fixed = {**narrowed, **fixed}
    for index, x in fixed.items():
        kind = distribution(dimensions[index], bounds[index])
        value = kind.to_internal_repr(parameter(dimensions[index], x))
        transaction.optuna.set_trial_param(trial, dimensions[index].name, value, kind)
    found = optuna.trial.Trial(study, trial)
    drawn = suggested(found, stage_row.space, bounds)
    point = tuple(fixed.get(index, x) for index, x in enumerate(drawn))
    _record(transaction, trial, stage_row.space, point)
    for name, attribute in values_apart(stage_row.space, point).items():
        found.set_user_attr(name, attribute)
    return point


def _record(transaction: Transaction, trial: int, space: Space, point: Point) -> None:
    """Have Optuna hold the values at a point's coordinates: a suggested one may lie beside it."""
    for dimension, x in zip(space.dimensions, point, strict=True):
        if dimension.scale is Scale.LOG:
            where = (PARAMS.c.trial_id == trial, PARAMS.c.param_name == dimension.name)
            value = parameter(dimension, x)
            transaction.execute(sa.update(PARAMS).where(*where).values(param_value=value))


def _states(
    transaction: Transaction, stage_row: StageRow, trials: Sequence[int]
) -> dict[int, sa.Row[Any]]:
    """State, number and our two attributes of trials of a stage, locked until its end."""

    def attribute(key: str) -> sa.Label[Any]:
        query = sa.select(USER_ATTRIBUTES.c.value_json)
        query = query.where(USER_ATTRIBUTES.c.trial_id == TRIALS.c.trial_id)
        return query.where(USER_ATTRIBUTES.c.key == key).scalar_subquery().label(key)

    query = sa.select(
        TRIALS.c.trial_id, TRIALS.c.number,
        sa.cast(TRIALS.c.state, sa.String).label("state"),
        attribute("candidate"), attribute("replicate"),
    ).where(
        TRIALS.c.study_id == stage_row.number, TRIALS.c.trial_id.in_(trials)
    ).with_for_update(of=TRIALS)  # fmt: skip
    return {row.trial_id: row for row in transaction.execute(query)}


def _objection(
    one: sa.Row[Any] | None, candidate: int, replicate: int, *, begun: bool
) -> str | None:
    """Why a trial is not what was planned; None where it is fit to be worked on."""
    if one is None:
        return "was removed"
    if (one.candidate, one.replicate) != (str(candidate), str(replicate)):
        return "was changed by another program"
    if one.state == OptunaState.RUNNING.name:
        return None if begun else "was taken by another program"
    if one.state == OptunaState.WAITING.name:
        return None
    return f"was ended ({one.state}) by another program"


def _plan_anew(
    transaction: Transaction,
    stage_row: StageRow,
    cohort: sa.RowMapping,
    entry: list[Any],
    one: sa.Row[Any] | None,
    why: str,
) -> str:
    """Put a fresh trial into an entry; what was there stays with whoever has had it."""
    old = None if one is None else transaction.optuna.get_trial(entry[0])
    point = point_from(entry[2])
    wanted = TrialPlan(candidate=entry[1], replicate=cohort["replicate"], point=point)
    bounds = bounds_for(point, stage_row.space, stage_row.bounds, old)
    if bounds is None:
        raise removed(stage_row.study, stage_row.stage)
    fresh = template(wanted, cohort["number"], bounds, stage_row.space)
    left, entry[0] = entry[0], transaction.optuna.create_new_trial(stage_row.number, fresh)
    number = transaction.optuna.get_trial(entry[0]).number
    if old is not None and not old.state.is_finished():
        note = f"planned anew as trial {number}; whatever becomes of this one is left out"
        transaction.optuna.set_trial_user_attr(left, LEFT_OUT, note)
    which = f"candidate {wanted.candidate}, replicate {wanted.replicate}"
    name = "a trial" if old is None else f"trial {old.number}"
    return (
        f"{name} of {stage_row.study}/{stage_row.stage} ({which}) {why}: "
        f"it is left out, and planned anew as trial {number}"
    )


def _same(value: object, number: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value == number

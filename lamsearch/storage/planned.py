"""Which of Optuna's trials are planned, whatever else people add to its studies.

Enters: rows of our tables. Leaves: the planned trials, those that still have to be done fit to be
worked on. The plan in our tables counts: attributes can be copied, and SQLite gives the ids of what
was deleted out again. Refuses to adopt what another program did with a planned trial: that one is
left out, and planned anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import optuna
import sqlalchemy as sa
from optuna.distributions import FloatDistribution
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState
from sqlalchemy.engine import Connection

from lamsearch.errors import StudyStateError
from lamsearch.results import Decision, StageName
from lamsearch.search import TrialPlan
from lamsearch.space import SPACE, Bounds, Point
from lamsearch.storage.decisions import decisions_from
from lamsearch.storage.documents import point_from
from lamsearch.storage.engine import Transaction
from lamsearch.storage.optuna_bridge import (
    STUDIES,
    TRIALS,
    USER_ATTRIBUTES,
    PlannedTrialsStudy,
    trial_id,
)
from lamsearch.storage.optuna_rows import start
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
    """A stage in the storage: our study's id, Optuna's number, its bounds, and the
    decisions that its candidates are of."""

    study: str
    study_id: str
    stage: StageName
    number: int
    bounds: Bounds | None
    decisions: tuple[Decision, ...]


def read_stage_row(transaction: Transaction, study: str, stage: StageName) -> StageRow:
    """Return where a planned stage is.

    Raises:
        StudyStateError: Optuna's study of it was removed.
    """
    query = (
        sa.select(
            studies.c.id, stages.c.optuna_study, stages.c.low, stages.c.high, stages.c.decisions
        )
        .join(stages, stages.c.study == studies.c.name)
        .join(STUDIES, is_ours())
        .where(stages.c.study == study, stages.c.name == stage)
    )
    row = transaction.execute(query).first()
    if row is None:
        raise removed(study, stage)
    bounds = None if row.low is None else ((row.low, row.high),)
    return StageRow(
        study=study, study_id=row.id, stage=stage, number=row.optuna_study, bounds=bounds,
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
    columns = (cohorts.c.stage, cohorts.c.number, cohorts.c.replicate, cohorts.c.slots,
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
        for trial, candidate, value in row.slots
    ]  # fmt: skip


def planned_ids(dialect: str) -> sa.Select[Any]:
    """Return a query of Optuna's ids of the planned trials, for the database itself to use."""
    if dialect == "sqlite":
        entry = sa.func.json_each(cohorts.c.slots).table_valued("value", name="slot")
        trial: sa.ColumnElement[Any] = sa.func.json_extract(entry.c.value, "$[0]")
    else:
        entry = sa.func.json_array_elements(cohorts.c.slots).table_valued("value", name="slot")
        trial = entry.c.value.op("->>")(sa.literal_column("0"))
    ids = sa.select(sa.cast(trial, sa.Integer).label("trial"))
    return ids.select_from(cohorts.join(entry, sa.true()))


def settle(
    transaction: Transaction, stage_row: StageRow, cohort: sa.RowMapping, *, begun: bool
) -> tuple[list[list[Any]], tuple[str, ...]]:
    """Make the trials of a cohort run, those planned anew that another program has had.

    Returns:
        The cohort's trials as they are now, and a sentence for each trial that was planned anew.
    """
    entries = [list(entry) for entry in cohort["slots"]]
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
        transaction.execute(sa.update(cohorts).where(*key).values(slots=entries))
    return entries, tuple(lines)


def sample(transaction: Transaction, stage_row: StageRow, trial: int, *, seed: int) -> float:
    """Let an adaptive sampler choose the point of a running trial, by what is planned alone."""
    query = sa.select(cohorts.c.slots).where(
        cohorts.c.study == stage_row.study, cohorts.c.stage == stage_row.stage
    )
    planned = {entry[0] for entries in transaction.connection.scalars(query) for entry in entries}
    sampler = optuna.samplers.TPESampler(seed=seed)
    study = PlannedTrialsStudy(
        f"{stage_row.study}/{stage_row.stage}", transaction.optuna, sampler, planned
    )
    study.get_trials(deepcopy=False)  # the cache must know a trial before it is asked for
    found = optuna.trial.Trial(study, trial)
    (dimension,) = SPACE.dimensions
    value = found.suggest_float(dimension.name, *found.user_attrs["interval"])
    found.set_user_attr(dimension.parameter, dimension.value(value))
    return value


def template(planned: TrialPlan, cohort: int, bounds: FloatDistribution) -> FrozenTrial:
    """Return a planned trial for Optuna: waiting, with its point unless a sampler chooses."""
    params = {} if planned.point is None else SPACE.params(planned.point)
    attributes: dict[str, Any] = {
        "candidate": planned.candidate, "replicate": planned.replicate, "cohort": cohort
    }  # fmt: skip
    if planned.point is not None:
        attributes |= SPACE.parameters(planned.point)
    else:  # the stage's own interval may grow before the sampler is asked
        attributes["interval"] = [bounds.low, bounds.high]
    return optuna.trial.create_trial(
        state=OptunaState.WAITING,
        params=params,
        distributions=dict.fromkeys(params, bounds),
        user_attrs=attributes,
    )


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
    wanted = TrialPlan(
        candidate=entry[1], replicate=cohort["replicate"], point=point_from(entry[2])
    )
    fresh = template(wanted, cohort["number"], _bounds(stage_row, entry[2], old))
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


def _bounds(stage_row: StageRow, value: float | None, old: FrozenTrial | None) -> FloatDistribution:
    """The distribution that a fresh trial is given: its forerunner's, else the stage's."""
    if value is None and old is not None and _is_interval(old.user_attrs.get("interval")):
        return FloatDistribution(*old.user_attrs["interval"])
    low, high = stage_row.bounds[0] if stage_row.bounds else (value, value)
    if low is None or high is None:
        raise removed(stage_row.study, stage_row.stage)
    known = None if old is None else old.distributions.get(SPACE.dimensions[0].name)
    if value is None or (low <= value <= high and stage_row.bounds is not None):
        return FloatDistribution(low, high)
    if isinstance(known, FloatDistribution) and known.low <= value <= known.high:
        return known
    return FloatDistribution(min(low, value), max(high, value))


def _is_interval(value: object) -> bool:
    return (
        isinstance(value, list)
        and [type(end) for end in value] == [float, float]
        and value[0] <= value[1]
    )


def _same(value: object, number: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value == number

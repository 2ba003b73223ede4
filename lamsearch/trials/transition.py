"""Stage transitions: what a search does next is decided, then written.

Enters: a study whose present stage is done. Leaves: the next step in the storage. It is decided
outside any transaction, for a model may take its time, and written in one if nothing has changed
meanwhile: so it is made once, whoever sees it first, and a death in it undoes it. A stage is
planned whole: Optuna's study, its waiting trials, our cohorts. Refuses to decide: see
`lamsearch.search`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import optuna
import sqlalchemy as sa
from optuna.distributions import FloatDistribution
from optuna.study import StudyDirection

from lamsearch.errors import StudyStateError, WorkFailedError
from lamsearch.results import StageName
from lamsearch.search import (
    Choose,
    Done,
    Plan,
    StagePlan,
    Standing,
    Step,
    Test,
    next_steps,
)
from lamsearch.study import Study
from lamsearch.trials.damage import damage_is_said
from lamsearch.trials.digests import with_choice
from lamsearch.trials.engine import Database, Unit
from lamsearch.trials.optuna_rows import insert_rows, insert_waiting
from lamsearch.trials.planned import place_of, template
from lamsearch.trials.reading import read_stage
from lamsearch.trials.stored import Stored, row_of, stored_from
from lamsearch.trials.tables import DONE, OPEN, TEST, cohorts, stages, studies


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What a decision rests on: it holds as long as this is the same.

    ``cohorts`` counts those of each stage, all of them done; what is done does not change.
    """

    id: str
    chosen: bool
    cohorts: tuple[tuple[str, int], ...]


@damage_is_said()
def advance(database: Database, name: str) -> None:
    """Make the next transition of a study whose present stage is done; otherwise do nothing."""
    with database.read() as unit:
        row = _row_of(unit, name)
        state = _state(unit, row)
        if state is None:
            return
        stored, standing = _standing(unit, row, state)
    steps: list[Step] = []
    failure: str | None = None
    try:
        steps = list(next_steps(stored.study, standing))
    except WorkFailedError as error:
        failure = str(error)
    with database.write() as unit:
        if _state(unit, _row_of(unit, name, lock=True)) == state:
            for step in steps:
                write_step(unit, stored.study, step)
            if failure is not None:
                _update(unit, name, failure=failure)
    database.checkpoint()


def write_step(unit: Unit, study: Study, step: Step) -> None:
    """Write what a search does next."""
    match step:
        case Plan(extends=False):
            _insert(unit, study, step.trials)
        case Plan():
            _extend(unit, study, step.trials, rounds=step.rounds)
        case Choose():
            chosen = with_choice(unit, study.name, asdict(step.selected))
            _update(unit, study.name, selected=chosen)
        case Test():
            row = _cohort_row(study.name, TEST, 0, replicate=0, slots=[], total=0)
            insert_rows(unit, cohorts, [row])
        case Done():
            _update(unit, study.name, finished=unit.now())


def foreign(title: str) -> StudyStateError:
    """Return the error that says that a title is taken by a study of another program's."""
    return StudyStateError(
        f"study: the storage holds an Optuna study {title!r} that lamsearch did not make; "
        "choose another name"
    )


def _row_of(unit: Unit, name: str, *, lock: bool = False) -> sa.RowMapping:
    row = row_of(unit, name, lock=lock)
    if row is None:
        raise StudyStateError(f"study: no study {name!r}: it was deleted")
    return row


def _state(unit: Unit, row: sa.RowMapping) -> _State | None:
    """Where a study is; None where a cohort of it is not done, or nothing is left to do."""
    if row["finished"] is not None or row["failure"] is not None:
        return None
    left = sa.func.sum(sa.case((cohorts.c.state == DONE, 0), else_=1))
    query = sa.select(cohorts.c.stage, sa.func.count().label("all"), left.label("left"))
    query = query.where(cohorts.c.study == row["name"]).group_by(cohorts.c.stage)
    counts = unit.execute(query.order_by(cohorts.c.stage)).all()
    if any(one.left for one in counts):
        return None
    return _State(
        id=row["id"],
        chosen=row["selected"] is not None,
        cohorts=tuple((str(one.stage), int(one.all)) for one in counts),
    )


def _standing(unit: Unit, row: sa.RowMapping, state: _State) -> tuple[Stored, Standing]:
    stored, name = stored_from(row), row["name"]
    query = sa.select(stages.c.name, stages.c.rounds).where(stages.c.study == name)
    rounds: dict[StageName, int] = {one.name: one.rounds for one in unit.execute(query)}
    standing = Standing(
        examples=stored.validation_images,
        stages={stage: read_stage(unit, name, stage) for stage in rounds},
        rounds=rounds,
        selected=stored.selected,
        tested=TEST in dict(state.cohorts),
    )
    return stored, standing


def _insert(unit: Unit, study: Study, planned: StagePlan) -> None:
    """Write a stage: Optuna's study, its waiting trials, and our cohorts."""
    title = f"{study.name}/{planned.stage}"
    try:
        optuna_study = unit.optuna_may_refuse.create_new_study([StudyDirection.MAXIMIZE], title)
    except optuna.exceptions.DuplicatedStudyError:
        raise foreign(title) from None
    low, high = planned.interval or (None, None)
    unit.execute(
        sa.insert(stages).values(
            study=study.name, name=planned.stage, optuna_study=optuna_study,
            low=low, high=high, cohorts=len(planned.cohorts), rounds=1,
        )
    )  # fmt: skip
    _insert_cohorts(unit, study, planned, optuna_study)


def _extend(unit: Unit, study: Study, further: StagePlan, *, rounds: int = 0) -> None:
    """Add cohorts to a stage that is planned already; its interval grows to hold theirs."""
    where = (stages.c.study == study.name, stages.c.name == further.stage)
    row = unit.execute(sa.select(stages).where(*where)).mappings().one()
    number = place_of(unit, study.name, further.stage).number
    values = {"cohorts": row["cohorts"] + len(further.cohorts), "rounds": row["rounds"] + rounds}
    if further.interval is not None:
        low, high = further.interval
        values |= {"low": min(low, row["low"]), "high": max(high, row["high"])}
    unit.execute(sa.update(stages).where(*where).values(**values))
    _insert_cohorts(unit, study, further, number)


def _insert_cohorts(unit: Unit, study: Study, planned: StagePlan, optuna_study: int) -> None:
    bounds = _distribution(study, planned)
    total = study.training_of(planned.stage).updates
    templates = [
        template(slot, cohort.number, bounds) for cohort in planned.cohorts for slot in cohort.slots
    ]
    ids = iter(insert_waiting(unit, optuna_study, templates))
    rows = [
        _cohort_row(
            study.name, planned.stage, cohort.number, replicate=cohort.replicate, total=total,
            slots=[[next(ids), slot.candidate, slot.log10_lambda] for slot in cohort.slots],
        )
        for cohort in planned.cohorts
    ]  # fmt: skip
    insert_rows(unit, cohorts, rows)


def _distribution(study: Study, planned: StagePlan) -> FloatDistribution:
    """Optuna's distribution of log10 λ: the interval, else the span of all that is searched."""
    if planned.interval is not None:
        return FloatDistribution(*planned.interval)
    values = [slot.log10_lambda for cohort in planned.cohorts for slot in cohort.slots]
    ends = [value for value in values if value is not None]
    for search in (study.coarse, study.fine):
        if search is not None and search.log10_lambda is not None:
            ends += search.log10_lambda
    return FloatDistribution(min(ends), max(ends))


def _cohort_row(
    study: str, stage: str, number: int, *, replicate: int, slots: list[list[Any]], total: int
) -> dict[str, Any]:
    return {
        "study": study, "stage": stage, "number": number, "replicate": replicate, "slots": slots,
        "state": OPEN, "token": 0, "takeovers": 0, "updates": 0, "total": total, "per_second": 0.0,
    }  # fmt: skip


def _update(unit: Unit, name: str, **values: object) -> None:
    unit.execute(sa.update(studies).where(studies.c.name == name).values(**values))

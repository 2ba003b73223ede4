"""Stage transitions: what a search does next is decided, then written.

Enters: a study whose present stage is done. Leaves: the next step in the storage. It is decided
outside any transaction, for a model may take its time, and written in one if nothing has changed
meanwhile: so it is made once, whoever sees it first, and a crash in it undoes it. A stage is
planned whole: Optuna's study, its waiting trials, our cohorts. Refuses to decide: see
`lamsearch.search`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import optuna
import sqlalchemy as sa
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
from lamsearch.space import Bounds, Point, enclosing, span
from lamsearch.storage.damage import damage_is_said
from lamsearch.storage.decisions import decision_json
from lamsearch.storage.digests import with_choice
from lamsearch.storage.documents import bounds_from, choice_document, stored_point
from lamsearch.storage.engine import Database, Transaction
from lamsearch.storage.optuna_rows import insert_rows, insert_waiting
from lamsearch.storage.optuna_templates import template
from lamsearch.storage.planned import read_stage_row
from lamsearch.storage.planned_study import PlannedStudy, planned_study_from
from lamsearch.storage.reading import read_stage
from lamsearch.storage.splitting import splitting_of
from lamsearch.storage.study_rows import planned_study_row
from lamsearch.storage.tables import DONE, OPEN, TEST, cohorts, stages, studies
from lamsearch.study import Study


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What a decision rests on: it holds as long as this is the same.

    ``cohorts`` counts those of each stage, all of them done; what is done does not change.
    """

    id: str
    chosen: bool
    search_ended: str | None
    cohorts: tuple[tuple[str, int], ...]


@damage_is_said()
def advance(database: Database, name: str) -> None:
    """Make the next transition of a study whose present stage is done; otherwise do nothing."""
    with database.read() as transaction:
        row = planned_study_row(transaction, name)
        state = _state(transaction, row)
        if state is None:
            return
        planned, standing = _standing(transaction, row, state)
    steps: list[Step] = []
    failure: str | None = None
    try:
        steps = list(next_steps(planned.study, standing))
    except WorkFailedError as error:
        failure = str(error)
    with database.write() as transaction:
        if _state(transaction, planned_study_row(transaction, name, lock=True)) == state:
            _update(transaction, name, transition_until=None)
            for step in steps:
                write_step(transaction, planned.study, step)
            if failure is not None:
                _update(transaction, name, failure=failure)
    database.checkpoint()


def write_step(transaction: Transaction, study: Study, step: Step) -> None:
    """Write what a search does next."""
    match step:
        case Plan(extends=False):
            _insert(transaction, study, step)
        case Plan():
            _extend(transaction, study, step)
        case Choose():
            chosen = with_choice(
                transaction, study.name, choice_document(step.selected, study.space)
            )
            _update(transaction, study.name, selected=chosen)
        case Test():
            row = _cohort_row(study.name, TEST, 0, replicate=0, entries=[], total=0)
            insert_rows(transaction, cohorts, [row])
        case Done():
            _update(transaction, study.name, finished=transaction.now())


def foreign(title: str) -> StudyStateError:
    """Return the error that says that a title is taken by a study of another program's."""
    return StudyStateError(
        f"study: the storage holds an Optuna study {title!r} that lamsearch did not make; "
        "choose another name"
    )


def _state(transaction: Transaction, row: sa.RowMapping) -> _State | None:
    """Where a study is; None where a cohort of it is not done, or nothing is left to do."""
    if any(row[name] is not None for name in ("finished", "failure", "halted")):
        return None
    left = sa.func.sum(sa.case((cohorts.c.state == DONE, 0), else_=1))
    query = sa.select(cohorts.c.stage, sa.func.count().label("all"), left.label("left"))
    query = query.where(cohorts.c.study == row["name"]).group_by(cohorts.c.stage)
    counts = transaction.execute(query.order_by(cohorts.c.stage)).all()
    if any(one.left for one in counts):
        return None
    return _State(
        id=row["id"],
        chosen=row["selected"] is not None,
        search_ended=row["search_ended"],
        cohorts=tuple((str(one.stage), int(one.all)) for one in counts),
    )


def _standing(
    transaction: Transaction, row: sa.RowMapping, state: _State
) -> tuple[PlannedStudy, Standing]:
    planned, name = planned_study_from(row), row["name"]
    query = sa.select(stages.c.name, stages.c.rounds).where(stages.c.study == name)
    rounds: dict[StageName, int] = {one.name: one.rounds for one in transaction.execute(query)}
    standing = Standing(
        examples=planned.validation_images,
        stages={stage: read_stage(transaction, name, stage) for stage in rounds},
        rounds=rounds,
        selected=planned.selected,
        tested=TEST in dict(state.cohorts),
        search_ended=state.search_ended,
        splitting=splitting_of(planned.study),
    )
    return planned, standing


def _insert(transaction: Transaction, study: Study, step: Plan) -> None:
    """Write a stage: Optuna's study, its waiting trials, and our cohorts."""
    planned = step.trials
    title = f"{study.name}/{planned.stage}"
    try:
        optuna_study = transaction.optuna_may_refuse.create_new_study(
            [StudyDirection.MAXIMIZE], title
        )
    except optuna.exceptions.DuplicatedStudyError:
        raise foreign(title) from None
    transaction.execute(
        sa.insert(stages).values(
            study=study.name, name=planned.stage, optuna_study=optuna_study,
            bounds=planned.bounds, cohorts=len(planned.cohorts), rounds=1,
            decisions=[decision_json(step.decision)],
        )
    )  # fmt: skip
    _insert_cohorts(transaction, study, planned, optuna_study)


def _extend(transaction: Transaction, study: Study, step: Plan) -> None:
    """Add cohorts to a stage that is planned already; its bounds grow to hold theirs."""
    further = step.trials
    where = (stages.c.study == study.name, stages.c.name == further.stage)
    row = transaction.execute(sa.select(stages).where(*where)).mappings().one()
    number = read_stage_row(transaction, study.name, further.stage).number
    values: dict[str, object] = {
        "cohorts": row["cohorts"] + len(further.cohorts), "rounds": row["rounds"] + step.rounds
    }  # fmt: skip
    if row["decisions"] is not None:  # a stage of an earlier version has none, and gets none
        values["decisions"] = [*row["decisions"], decision_json(step.decision)]
    if further.bounds is not None:
        values["bounds"] = enclosing(further.bounds, bounds_from(row["bounds"]) or ())
    transaction.execute(sa.update(stages).where(*where).values(**values))
    _insert_cohorts(transaction, study, further, number)


def _insert_cohorts(
    transaction: Transaction, study: Study, planned: StagePlan, optuna_study: int
) -> None:
    bounds = _drawn_within(study, planned)
    total = study.training_of(planned.stage).updates
    space = study.space
    templates = [
        template(one, cohort.number, bounds, space)
        for cohort in planned.cohorts
        for one in cohort.trials
    ]
    ids = iter(insert_waiting(transaction, optuna_study, templates))
    rows = [
        _cohort_row(
            study.name, planned.stage, cohort.number, replicate=cohort.replicate, total=total,
            entries=[[next(ids), one.candidate, stored_point(one.point)] for one in cohort.trials],
        )
        for cohort in planned.cohorts
    ]  # fmt: skip
    insert_rows(transaction, cohorts, rows)


def _drawn_within(study: Study, planned: StagePlan) -> Bounds:
    """What Optuna's distributions are: the bounds, else the span of all that is searched."""
    if planned.bounds is not None:
        return planned.bounds
    points = [one.point for cohort in planned.cohorts for one in cohort.trials]
    corners: list[Point] = [point for point in points if point is not None]
    for search in (study.coarse, study.fine):
        if search is not None and search.bounds is not None:
            corners += zip(*search.bounds, strict=True)
    return span(corners)


def _cohort_row(
    study: str, stage: str, number: int, *, replicate: int, entries: list[list[Any]], total: int
) -> dict[str, Any]:
    return {
        "study": study, "stage": stage, "number": number, "replicate": replicate, "trials": entries,
        "state": OPEN, "token": 0, "takeovers": 0, "updates": 0, "total": total, "per_second": 0.0,
    }  # fmt: skip


def _update(transaction: Transaction, name: str, **values: object) -> None:
    transaction.execute(sa.update(studies).where(studies.c.name == name).values(**values))

"""What the storage knows, as records: a stage, a study, and where its workers stand.

Enters: a study's name. Leaves: frozen records. Writes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from optuna.trial import FrozenTrial

from lamsearch.errors import StudyStateError
from lamsearch.results import (
    MODEL_RULE,
    STAGES,
    DataFacts,
    FinalScore,
    Joined,
    Score,
    ScoreKind,
    Selected,
    StageName,
    StageRecord,
    StudyRecord,
    TestOpening,
    TrialRecord,
    TrialState,
)
from lamsearch.search import restated
from lamsearch.statistics import validation_images
from lamsearch.storage.curve_blobs import unpack
from lamsearch.storage.damage import believed, check_row, damage_is_said
from lamsearch.storage.decisions import inputs_from
from lamsearch.storage.digests import check_intervals, check_record, check_study
from lamsearch.storage.engine import Database, Transaction
from lamsearch.storage.environments import environment_from, joined
from lamsearch.storage.expiry import held
from lamsearch.storage.optuna_bridge import PARAMS, STUDIES, TRIALS, VALUES, trial_id
from lamsearch.storage.planned import (
    Planned,
    is_ours,
    place_of,
    planned_ids,
    planned_trials,
    removed,
)
from lamsearch.storage.retries import retried
from lamsearch.storage.tables import DONE, LEASED, TEST, cohorts, curves, stages, studies
from lamsearch.study import parse_study

T = TypeVar("T")
_log = logging.getLogger(__name__)
_RECOVERIES = 5
# How near each other candidates are one point of a status: in log10 λ, and in accuracy.
_NEAR = (0.02, 0.005)
_WATCHED = [column for column in cohorts.c if column.name != "slots"]
# By database: of which study at how many finished trials, and its points then.
_POINTS: WeakKeyDictionary[Database, tuple[tuple[str, int], tuple[Point, ...]]] = (
    WeakKeyDictionary()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStatus:
    """How far a stage is: trials planned and finished, updates done of all its cohorts'."""

    name: str
    planned: int
    finished: int
    updates: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStatus:
    """Who holds a cohort: its updates, their rate, and seconds since the lease was renewed."""

    owner: str
    stage: str
    cohort: int
    updates: int
    total: int
    per_second: float
    renewed_ago: float
    expired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """A cohort that was resumed: whose work it was, and how many updates were not lost.

    ``taken_from`` is None where it was given back gracefully.
    """

    stage: str
    cohort: int
    taken_from: str | None
    owner: str | None
    updates: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A candidate's mean validation accuracy over its complete trials so far.

    Candidates that lie very near each other in both are one point, with the best one's accuracy.
    """

    stage: str
    log10_lambda: float
    validation_accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A study at a glance; cheap to read, whatever its size in trials and updates.

    ``best`` is (log10 λ, validation accuracy) of the latest stage that has one. ``recovered`` are
    the latest few cohorts that were resumed, the newest first. ``points`` are in the order of the
    stages, then of λ.
    """

    name: str
    state: str
    stages: tuple[StageStatus, ...]
    workers: tuple[WorkerStatus, ...]
    takeovers: int
    recovered: tuple[Recovery, ...]
    best: tuple[float, float] | None
    failure: str | None
    selected: Selected | None
    elapsed: float
    points: tuple[Point, ...] = ()

    @property
    def over(self) -> bool:
        """Whether nothing is left to do, well or not."""
        return self.state in ("done", "failed")


@retried
@damage_is_said()
def read_study(database: Database, name: str) -> StudyRecord:
    """Return all that is known of a study, with its learning curves.

    Raises:
        StudyStateError: There is none of that name.
    """
    with database.read() as transaction:
        row = _study_row(transaction, name)
        found = transaction.connection.scalars(
            sa.select(stages.c.name).where(stages.c.study == name)
        )
        records = {stage: read_stage(transaction, name, stage, curves_too=True) for stage in found}
        workers = joined(transaction, row["id"])
    parse_study(row["document"], where=f"study {name}")
    return study_record(row, records, workers)


def study_record(
    row: sa.RowMapping, records: dict[StageName, StageRecord], workers: tuple[Joined, ...] = ()
) -> StudyRecord:
    """Return the record of a study's row, of its stages and of what its workers compute with."""
    check_row(row)
    check_study(row)
    check_intervals(row, records)
    finished, created = row["finished"], row["created"]
    record = StudyRecord(
        name=row["name"],
        seed=row["document"]["seed"],
        study_fingerprint=row["fingerprint"],
        data_fingerprint=row["data_fingerprint"],
        settings=row["document"],
        stages=records,
        classes=tuple(row["classes"]),
        data=_facts(row["data_facts"]),
        environment=environment_from(row["environment"]),
        workers=workers,
        selected=selected_from(row["selected"]),
        openings=tuple(believed(TestOpening(**opening)) for opening in row["openings"]),
        final=_final(row["final"]),
        failure=row["failure"],
        seconds=None if finished is None else _since(created, finished),
        finished=finished is not None,
    )
    return _restated(record, row["selected"])


def read_stage(
    transaction: Transaction, study: str, stage: StageName, *, curves_too: bool = False
) -> StageRecord:
    """Return a planned stage with its trials in the order (candidate, replicate).

    Raises:
        StudyStateError: Trials whose results are in were removed past lamsearch.
    """
    place = place_of(transaction, study, stage)
    blobs: Mapping[tuple[int, int], bytes] = {}
    images: int | None = None
    if curves_too:
        query = sa.select(curves.c.candidate, curves.c.replicate, curves.c.arrays)
        query = query.where(curves.c.study_id == place.study_id, curves.c.stage == stage)
        blobs = {(row.candidate, row.replicate): row.arrays for row in transaction.execute(query)}
        sizes = sa.select(studies.c.validation_images).where(studies.c.name == study)
        found = transaction.connection.scalar(sizes)
        images = _of(int, found.get(stage)) if isinstance(found, dict) else None
    trials = transaction.optuna.get_all_trials(place.number, deepcopy=False)
    planned = planned_trials(transaction.connection, study, stage)
    records = trial_records(planned, trials, blobs, images)
    if len(records) < len(planned):
        raise removed(study, stage)
    if curves_too and stage == "final":
        digests = model_digests(transaction, study)
        records = tuple(replace(one, model_sha256=digests.get(one.replicate)) for one in records)
    return StageRecord(
        name=stage, interval=place.interval, trials=records, decisions=place.decisions
    )


@retried
@damage_is_said()
def read_status(database: Database, name: str) -> Status:
    """Return a study at a glance.

    Raises:
        StudyStateError: There is none of that name.
    """
    with database.read() as transaction:
        now, row = transaction.now(), _study_row(transaction, name)
        totals = _totals(transaction, name)
        query = sa.select(*_WATCHED).where(cohorts.c.study == name)
        working = query.where(cohorts.c.state == LEASED).order_by(cohorts.c.number)
        leased = transaction.execute(working).mappings().all()
        resumed = query.where(cohorts.c.recovered.is_not(None))
        resumed = resumed.order_by(cohorts.c.renewed.desc()).limit(_RECOVERIES)
        recovered = transaction.execute(resumed).mappings().all()
        best = _best(transaction, name, totals)
        points = _points(transaction, database, row, totals)
    if row["failure"]:
        state = "failed"
    elif row["finished"] is not None:
        state = "done"
    else:
        state = "running" if any(held(cohort, now) for cohort in leased) else "waiting"
    return believed(
        Status(
            name=name,
            state=state,
            stages=tuple(_stage_status(one) for one in totals),
            workers=tuple(_worker(cohort, now) for cohort in leased),
            takeovers=sum(one.takeovers for one in totals),
            recovered=tuple(_recovery(cohort) for cohort in recovered),
            best=best,
            failure=row["failure"],
            selected=selected_from(row["selected"]),
            elapsed=_since(row["created"], row["finished"] or now),
            points=points,
        )
    )


def model_digests(transaction: Transaction, study: str) -> dict[int, str | None]:
    """Return the SHA-256 of each replicate's model file, as it was evaluated or is to be."""
    query = (
        sa.select(curves.c.replicate, curves.c.model_sha256)
        .join(studies, studies.c.id == curves.c.study_id)
        .where(studies.c.name == study, curves.c.stage == "final")
    )
    return {row.replicate: row.model_sha256 for row in transaction.execute(query)}


def _study_row(transaction: Transaction, name: str) -> sa.RowMapping:
    row = transaction.execute(sa.select(studies).where(studies.c.name == name)).mappings().first()
    if row is None:
        raise StudyStateError(f"study: no study {name!r}")
    return row


def trial_records(
    planned: Iterable[Planned],
    trials: Iterable[FrozenTrial],
    blobs: Mapping[tuple[int, int], bytes],
    images: int | None = None,
) -> tuple[TrialRecord, ...]:
    """Return the records of planned trials, with curves by (candidate, replicate) where given.

    ``images`` is how many validation examples the stage has, if known.
    Trials that nobody planned are left out, and so are planned ones whose results are gone.
    """
    known = {trial_id(trial): trial for trial in trials}
    records = []
    for one in planned:
        trial = known.get(one.trial)
        if not one.done:
            records.append(_unfinished(one))
        elif trial is not None and one.is_that(trial):
            curve = _unpacked(blobs.get((one.candidate, one.replicate)), images)
            record = _finished(one, trial, curve)
            check_record(record, one.stage, trial)
            records.append(record)
    return tuple(sorted(records, key=lambda one: (one.candidate, one.replicate)))


def _unfinished(planned: Planned) -> TrialRecord:
    """A trial without results: what Optuna's has by now may be another program's."""
    return TrialRecord(
        candidate=planned.candidate,
        replicate=planned.replicate,
        cohort=planned.cohort,
        log10_lambda=planned.log10_lambda,
        state=TrialState.RUNNING if planned.begun else TrialState.WAITING,
    )


def _finished(planned: Planned, trial: FrozenTrial, curve: Mapping[str, Any]) -> TrialRecord:
    attributes, state = trial.user_attrs, TrialState(trial.state.name)
    complete = state is TrialState.COMPLETE
    done = complete or state is TrialState.PRUNED
    return TrialRecord(
        candidate=planned.candidate,
        replicate=planned.replicate,
        cohort=planned.cohort,
        log10_lambda=planned.log10_lambda,
        state=state,
        reason=None if complete else _of(str, attributes.get("reason")),
        updates=None if complete else _of(int, attributes.get("updates")),
        validation_accuracy=trial.values[0] if done and trial.values else None,
        validation_loss=_of(float, attributes.get("validation_loss")) if done else None,
        train_accuracy=_of(float, attributes.get("train_accuracy")) if done else None,
        environment=_of(int, attributes.get("environment")),
        **curve,
    )


def _of(kind: type[T], value: object) -> T | None:
    """An attribute of that type; other programs may have set it to anything."""
    return value if isinstance(value, kind) else None


def _unpacked(blob: bytes | None, images: int | None) -> dict[str, Any]:
    """A trial's curve and correctness, or that they are damaged."""
    if blob is None:
        return {}
    try:
        curve, correct = unpack(blob)
    except ValueError as error:
        _log.debug("a curve in the database is damaged: %s", error)
        return {"damaged": True}
    if correct is not None and images is not None and len(correct) != images:
        return {"curve": curve, "damaged": True}  # nothing can be paired with another split's
    return {"curve": curve, "correct": correct}


def selected_from(value: dict[str, Any] | None) -> Selected | None:
    """Return the committed choice from its JSON form."""
    if value is None:
        return None
    score = value["validation_accuracy"]
    return believed(
        Selected(
            log10_lambda=value["log10_lambda"],
            rule=value["rule"],
            validation_accuracy=None if score is None else _score(score, value["rule"]),
            warnings=tuple(value["warnings"]),
            inputs=inputs_from(value.get("inputs")),
        )
    )


def _score(value: dict[str, Any], rule: str) -> Score:
    """The chosen λ's score; an older version did not say that a model's was predicted."""
    if "kind" in value:
        return Score(**{**value, "kind": ScoreKind(value["kind"])})
    if rule.startswith(MODEL_RULE):
        return Score(mean=value["mean"], se=value["se"], n=0, kind=ScoreKind.PREDICTED)
    return Score(**value)


def _restated(record: StudyRecord, value: dict[str, Any] | None) -> StudyRecord:
    """The record, with the whole error of a prediction that an older version stored."""
    score = None if value is None else value["validation_accuracy"]
    finalists, images = record.stages.get("finalists"), validation_images(record, "finalists")
    if score is None or "kind" in score or finalists is None or images is None:
        return record
    if record.selected is None or not record.selected.rule.startswith(MODEL_RULE):
        return record
    return replace(record, selected=restated(record.selected, finalists, images))


def _facts(value: dict[str, Any] | None) -> DataFacts | None:
    if value is None:
        return None
    return believed(DataFacts(**{**value, "warnings": tuple(value["warnings"])}))


def _final(value: dict[str, Any] | None) -> FinalScore | None:
    if value is None:
        return None
    low, high = value["interval95"]
    confusion = tuple(tuple(row) for row in value["confusion"])
    rest = {"interval95": (low, high), "accuracies": tuple(value["accuracies"])}
    return believed(FinalScore(**{**value, **rest, "confusion": confusion}))


def _totals(transaction: Transaction, name: str) -> list[sa.Row[Any]]:
    """A row per planned stage, in their order; the database adds up."""
    trials = sa.func.json_array_length(cohorts.c.slots, type_=sa.Integer)
    query = sa.select(
        cohorts.c.stage,
        sa.func.sum(trials).label("planned"),
        sa.func.sum(sa.case((cohorts.c.state == DONE, trials), else_=0)).label("finished"),
        sa.func.sum(cohorts.c.updates).label("updates"),
        sa.func.sum(cohorts.c.total).label("total"),
        sa.func.sum(cohorts.c.takeovers).label("takeovers"),
        sa.func.max(cohorts.c.best).label("best"),
    )
    rows = transaction.execute(query.where(cohorts.c.study == name).group_by(cohorts.c.stage)).all()
    return sorted(rows, key=lambda one: (*STAGES, TEST).index(one.stage))


def _best(
    transaction: Transaction, name: str, totals: list[sa.Row[Any]]
) -> tuple[float, float] | None:
    latest = next((one for one in reversed(totals) if one.best is not None), None)
    if latest is None:
        return None
    query = sa.select(sa.func.max(cohorts.c.best_at)).where(
        cohorts.c.study == name, cohorts.c.stage == latest.stage, cohorts.c.best == latest.best
    )
    return float(transaction.connection.scalar(query) or 0.0), float(latest.best)


def _points(
    transaction: Transaction, database: Database, row: sa.RowMapping, totals: list[sa.Row[Any]]
) -> tuple[Point, ...]:
    """The points of a study, read again only when a further trial of it has finished."""
    finished = (row["id"], sum(int(one.finished) for one in totals))
    known = _POINTS.get(database)
    if known is None or known[0] != finished:
        query = _points_query(row["name"], transaction.connection.dialect.name)
        points = [Point(**one) for one in transaction.execute(query).mappings()]
        points.sort(key=lambda one: (STAGES.index(one.stage), one.log10_lambda))
        _POINTS[database] = known = (finished, tuple(points))
    return known[1]


def _points_query(name: str, dialect: str) -> sa.Select[Any]:
    """The database averages over replicates and joins what lies near: 10,000 trials stay few."""
    trial, value, place = TRIALS.c, VALUES.c, PARAMS.c
    done = sa.and_(cohorts.c.study == name, cohorts.c.state == DONE)
    means = (
        sa.select(
            stages.c.name.label("stage"),
            place.param_value.label("x"),
            sa.func.avg(value.value).label("y"),
        )
        .join(STUDIES, is_ours())
        .join(TRIALS, trial.study_id == stages.c.optuna_study)
        .join(VALUES, value.trial_id == trial.trial_id)
        .join(PARAMS, place.trial_id == trial.trial_id)
        .where(stages.c.name.in_(STAGES), stages.c.study == name)
        # a list of ids, not a join: SQLite would read the plan anew for every trial
        .where(trial.trial_id.in_(planned_ids(dialect).where(done)))
        .where(sa.cast(trial.state, sa.String) == "COMPLETE", place.param_name == "log10_lambda")
        .where(value.value.is_not(None))
        .group_by(stages.c.name, place.param_value)
        .subquery()
    )
    cell = [sa.func.round(means.c.x / _NEAR[0]), sa.func.round(means.c.y / _NEAR[1])]
    return sa.select(
        means.c.stage,
        sa.func.avg(means.c.x).label("log10_lambda"),
        sa.func.max(means.c.y).label("validation_accuracy"),
    ).group_by(means.c.stage, *cell)


def _stage_status(row: sa.Row[Any]) -> StageStatus:
    return StageStatus(
        name=row.stage,
        planned=int(row.planned),
        finished=int(row.finished),
        updates=int(row.updates),
        total=int(row.total),
    )


def _recovery(cohort: sa.RowMapping) -> Recovery:
    return Recovery(
        stage=cohort["stage"],
        cohort=cohort["number"],
        taken_from=cohort["taken_from"],
        owner=cohort["owner"],
        updates=cohort["recovered"],
        total=cohort["total"],
    )


def _worker(cohort: sa.RowMapping, now: float) -> WorkerStatus:
    return WorkerStatus(
        owner=cohort["owner"],
        stage=cohort["stage"],
        cohort=cohort["number"],
        updates=cohort["updates"],
        total=cohort["total"],
        per_second=cohort["per_second"],
        renewed_ago=_since(cohort["renewed"], now),
        expired=not held(cohort, now),
    )


def _since(then: float, now: float) -> float:
    """Seconds between two times of the database's clock, which may have been set back."""
    return max(0.0, now - then)

"""Studies and their passage from stage to stage.

Enters: a checked study, or its name. Leaves: what the storage knows of it. Every stage is planned
whole in one transaction: Optuna's study, all its trials (waiting), our cohorts. The passage locks
the study's row, so that it is made once, by whoever sees it first, and a death in it undoes it.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import optuna
import sqlalchemy as sa
from optuna.distributions import FloatDistribution
from optuna.study import StudyDirection

from lamsearch import plan, selection
from lamsearch.errors import InputError, StorageError, StudyStateError, WorkFailedError, shown
from lamsearch.results import DataFacts, Selected, StageName, StageRecord
from lamsearch.study import Study, differences, parse_study
from lamsearch.trials import reading
from lamsearch.trials.damage import check_row, damage_is_said
from lamsearch.trials.engine import Database, Unit
from lamsearch.trials.expiry import holds
from lamsearch.trials.planned import is_ours, optuna_studies, place_of, template
from lamsearch.trials.retries import retried
from lamsearch.trials.tables import DONE, LEASED, OPEN, TEST, cohorts, curves, stages, studies

_ID = re.compile(r"[0-9a-f]{32}")  # it is a directory's name
GIVEN = "given in the study file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A study as it was planned: all that a worker needs, wherever it runs."""

    study: Study
    id: str
    data_fingerprint: str
    validation_images: Mapping[str, int]
    classes: tuple[str, ...]
    origin: str
    files: str
    finished: bool
    failure: str | None
    selected: Selected | None

    @property
    def over(self) -> bool:
        """Whether nothing is left to do, well or not."""
        return self.finished or self.failure is not None


@retried
@damage_is_said()
def create(
    database: Database,
    study: Study,
    *,
    data_fingerprint: str,
    validation_images: Mapping[StageName, int],
    classes: Sequence[str],
    origin: str,
    files: str,
    facts: DataFacts | None = None,
) -> Stored:
    """Plan a study, or find it planned already with the same file and the same data.

    Raises:
        StudyStateError: The name is taken by another study; the message shows the difference.
    """
    try:
        with database.write() as unit:
            row = _row(unit, study.name)
            if row is None:
                values = {
                    "name": study.name, "id": uuid.uuid4().hex, "document": study.canonical(),
                    "fingerprint": study.fingerprint, "data_fingerprint": data_fingerprint,
                    "validation_images": dict(validation_images), "classes": list(classes),
                    "data_facts": None if facts is None else asdict(facts),
                    "origin": origin, "files": files, "created": unit.now(), "openings": [],
                }  # fmt: skip
                unit.execute(sa.insert(studies).values(**values))
                _refuse_foreign(unit, study)
                _pass_on(unit, study.name)
                row = _row(unit, study.name)
    except sa.exc.IntegrityError:  # another process planned it at the same moment
        with database.read() as unit:
            row = _row(unit, study.name)
    database.checkpoint()
    assert row is not None  # noqa: S101 - written or found above
    _refuse_other(row, study, data_fingerprint)
    return _stored(row)


@retried
@damage_is_said()
def load(database: Database, name: str) -> Stored:
    """Return a planned study.

    Raises:
        StudyStateError: There is none of that name; the message lists those that are.
    """
    with database.read() as unit:
        row = _row(unit, name)
        if row is None:
            known = ", ".join(unit.connection.scalars(sa.select(studies.c.name))) or "none"
            raise StudyStateError(
                f"study: no study {name!r} in {database.redacted}; known: {known}"
            )
    return _stored(row)


@retried
@damage_is_said()
def names(database: Database) -> list[str]:
    """Return the names of all planned studies, oldest first."""
    with database.read() as unit:
        return list(unit.connection.scalars(sa.select(studies.c.name).order_by(studies.c.created)))


@damage_is_said()
def advance(database: Database, name: str) -> None:
    """Make the next passage of a study whose present stage is done; otherwise do nothing."""
    with database.write() as unit:
        _pass_on(unit, name)
    database.checkpoint()


@damage_is_said()
def delete(database: Database, name: str) -> Stored:
    """Remove a study with its trials and leases; return what it was, for its files.

    Raises:
        StudyStateError: There is none of that name, or a worker holds a lease in it.
    """
    stored = load(database, name)
    _remove(database, stored)
    return stored


@retried
@damage_is_said()
def _remove(database: Database, stored: Stored) -> None:
    """Remove a study, unless it is gone by now, or another of its name is there."""
    name = stored.study.name
    with database.write() as unit:
        row = _row(unit, name, lock=True)
        if row is None or row["id"] != stored.id:
            return
        live = sa.select(cohorts.c.owner).where(
            cohorts.c.study == name, cohorts.c.state == LEASED, holds(unit.now())
        )
        owner = unit.connection.scalar(live)
        if owner is not None:
            raise StudyStateError(f"study: {name!r} is being worked on by {owner}; stop it first")
        # the dashboard may have removed one, and SQLite gives its number to another
        there = sa.select(stages.c.optuna_study).join(optuna_studies, is_ours())
        for number in unit.connection.scalars(there.where(stages.c.study == name)).all():
            unit.optuna.delete_study(number)
        for table in (cohorts, stages):
            unit.execute(sa.delete(table).where(table.c.study == name))
        unit.execute(sa.delete(curves).where(curves.c.study_id == stored.id))
        unit.execute(sa.delete(studies).where(studies.c.name == name))


def _row(unit: Unit, name: str, *, lock: bool = False) -> sa.RowMapping | None:
    query = sa.select(studies).where(studies.c.name == name)
    return unit.execute(query.with_for_update() if lock else query).mappings().first()


def _stored(row: sa.RowMapping) -> Stored:
    if not (isinstance(row["id"], str) and _ID.fullmatch(row["id"])):
        raise StorageError(
            f"storage: the id of study {row['name']!r} must be 32 hexadecimal digits, got "
            f"{shown(row['id'])}: the database is damaged"
        )
    check_row(row)
    return Stored(
        study=parse_study(row["document"], where=f"study {row['name']}"),
        id=row["id"],
        data_fingerprint=row["data_fingerprint"],
        validation_images=row["validation_images"],
        classes=tuple(row["classes"]),
        origin=row["origin"],
        files=row["files"],
        finished=row["finished"] is not None,
        failure=row["failure"],
        selected=reading.selected_from(row["selected"]),
    )


def _refuse_other(row: sa.RowMapping, study: Study, data_fingerprint: str) -> None:
    if row["fingerprint"] != study.fingerprint:
        changed = "; ".join(differences(row["document"], study.canonical()))
        raise StudyStateError(
            f"study: the name {study.name!r} is taken by another study file ({changed}); "
            f"choose another name, or start over with: lamsearch delete {study.name}"
        )
    if row["data_fingerprint"] != data_fingerprint:
        raise InputError(
            f"data: {study.name!r} was planned with other data: fingerprint "
            f"{row['data_fingerprint'][:12]}…, got {data_fingerprint[:12]}…"
        )


def _refuse_foreign(unit: Unit, study: Study) -> None:
    """Refuse now what a later stage could not make, rather than in the middle of the study."""
    for stage in study.stages:
        if _optuna_study(unit, title := f"{study.name}/{stage}") is not None:
            raise _foreign(title)


def _foreign(title: str) -> StudyStateError:
    return StudyStateError(
        f"study: the storage holds an Optuna study {title!r} that lamsearch did not make; "
        "choose another name"
    )


def _optuna_study(unit: Unit, title: str) -> int | None:
    try:
        return unit.optuna_may_refuse.get_study_id_from_name(title)
    except KeyError:
        return None


def _pass_on(unit: Unit, name: str) -> None:
    """Plan what comes next, once all cohorts are done; the row lock makes it happen once."""
    row = _row(unit, name, lock=True)
    if row is None:
        raise StudyStateError(f"study: no study {name!r}: it was deleted")
    if row["finished"] is not None or row["failure"] is not None:
        return
    left = sa.select(sa.func.count()).where(cohorts.c.study == name, cohorts.c.state != DONE)
    if unit.connection.scalar(left):
        return
    stored = _stored(row)
    try:
        _next(unit, stored)
    except WorkFailedError as error:
        _update(unit, name, failure=str(error))


def _next(unit: Unit, stored: Stored) -> None:
    study = stored.study
    planned = set(
        unit.connection.scalars(sa.select(stages.c.name).where(stages.c.study == study.name))
    )
    todo = [stage for stage in study.stages if stage not in planned]
    done = {stage: reading.read_stage(unit, study.name, stage)
            for stage in study.stages if stage in planned}  # fmt: skip
    if stored.selected is None and _goes_on(unit, stored, done):
        return
    if todo and todo[0] != "final":
        _insert(unit, study, _plan_search(stored, todo[0], done))
        return
    if stored.selected is None:
        chosen = _choose(stored, done)
        _update(unit, study.name, selected=asdict(chosen))
        if todo:
            _insert(unit, study, plan.plan_candidates(study, "final", [chosen.log10_lambda]))
            return
    _after_final(unit, stored, done)


def _plan_search(
    stored: Stored, stage: StageName, done: Mapping[StageName, StageRecord]
) -> plan.StagePlan:
    study, images = stored.study, stored.validation_images
    if stage == "finalists" and study.finalists is not None:
        source: StageName = "fine" if "fine" in done else "coarse"
        chosen = selection.finalists(
            done[source], keep=study.finalists.keep, validation_images=images[source]
        )
        return plan.plan_candidates(study, stage, chosen)
    if (
        stage == "fine"
        and study.fine is not None
        and study.fine.values is None
        and "coarse" in done
    ):
        interval = selection.narrow(
            done["coarse"], keep=study.fine.kept, validation_images=images["coarse"]
        )
        return plan.plan_search(study, stage, interval)
    return plan.plan_search(study, stage)


def _goes_on(unit: Unit, stored: Stored, done: Mapping[StageName, StageRecord]) -> bool:
    """Add to a stage that is done what it still wants: further draws, further finalists.

    A stage that has been followed by another wants nothing more: its answer is the same again.
    """
    if (batch := _fine_batch(stored, done)) is not None:
        further = plan.plan_search(
            stored.study, "fine", batch.interval,
            count=batch.count, part=batch.part, after=_after(done["fine"]),
        )  # fmt: skip
        _extend(unit, stored.study, further, rounds=0 if batch.extension else 1)
    elif (more := _extension(stored, done)) is not None:
        _extend(unit, stored.study, more)
    elif (more := _next_round(unit, stored, done)) is not None:
        _extend(unit, stored.study, more, rounds=1)
    else:
        return False
    return True


def _fine_batch(stored: Stored, done: Mapping[StageName, StageRecord]) -> selection.Batch | None:
    """What fine draws next: past its edge, or in a further round."""
    fine, images = stored.study.fine, stored.validation_images
    if fine is None or fine.values is not None or "fine" not in done:
        return None
    if not fine.extend and fine.rounds == 1:
        return None
    if "coarse" in done:
        within = selection.searched(done["coarse"])
        first = selection.narrow(done["coarse"], keep=fine.kept, validation_images=images["coarse"])
    else:
        first = within = selection.searched(done["fine"])
    return selection.further(
        done["fine"], fine, first, within=within, validation_images=images["fine"]
    )


def _extension(stored: Stored, done: Mapping[StageName, StageRecord]) -> plan.StagePlan | None:
    """Further finalists, where the best one is the outermost; with the replicates' seeds."""
    study = stored.study
    if study.finalists is None or not study.finalists.extend or "finalists" not in done:
        return None
    source = done.get("fine") or done["coarse"]
    within = done.get("coarse", source).interval or source.interval
    if within is None:
        return None
    so_far = done["finalists"]
    further = selection.extension(
        so_far,
        step=selection.apart(source),
        within=within,
        validation_images=stored.validation_images["finalists"],
    )
    return _further(study, so_far, further)


def _next_round(
    unit: Unit, stored: Stored, done: Mapping[StageName, StageRecord]
) -> plan.StagePlan | None:
    """Further finalists that a model of those before proposes, as many rounds as are wanted."""
    settings = stored.study.finalists
    if settings is None or "finalists" not in done:
        return None
    where = (stages.c.study == stored.study.name, stages.c.name == "finalists")
    rounds = unit.connection.execute(sa.select(stages.c.rounds).where(*where)).scalar_one()
    if rounds >= settings.rounds:
        return None
    proposed = selection.proposals(
        done["finalists"], count=settings.keep,
        validation_images=stored.validation_images["finalists"],
    )  # fmt: skip
    return _further(stored.study, done["finalists"], proposed)


def _further(study: Study, so_far: StageRecord, values: Sequence[float]) -> plan.StagePlan | None:
    """The plan of more candidates of a stage, numbered after those it has."""
    if not values:
        return None
    return plan.plan_candidates(study, so_far.name, values, after=_after(so_far))


def _after(so_far: StageRecord) -> tuple[int, int]:
    """How many candidates and cohorts a stage has."""
    candidates = {trial.candidate for trial in so_far.trials}
    return len(candidates), len({trial.cohort for trial in so_far.trials})


def _choose(stored: Stored, done: Mapping[StageName, StageRecord]) -> Selected:
    final = stored.study.final
    if final is not None and final.log10_lambda is not None:
        return Selected(log10_lambda=final.log10_lambda, rule=GIVEN, validation_accuracy=None)
    searched = [done[stage] for stage in ("coarse", "fine") if stage in done]
    deciding = done.get("finalists") or searched[-1]
    images = stored.validation_images[deciding.name]
    settings = stored.study.finalists
    rule = "best" if settings is None or deciding.name != "finalists" else settings.rule
    return selection.winner(deciding, searched, validation_images=images, rule=rule)


def _after_final(unit: Unit, stored: Stored, done: Mapping[StageName, StageRecord]) -> None:
    """Plan the opening of the test set, once; after it, or where there is no final, finish."""
    name = stored.study.name
    tested = sa.select(cohorts.c.state).where(cohorts.c.study == name, cohorts.c.stage == TEST)
    if "final" not in done or unit.connection.scalar(tested) is not None:
        _update(unit, name, finished=unit.now())
        return
    if not any(trial.state.value == "COMPLETE" for trial in done["final"].trials):
        raise WorkFailedError("final: no replicate ended with a finite cost; lower eta_max")
    _insert_cohort(unit, name, TEST, 0, replicate=0, slots=[], total=0)


def _insert(unit: Unit, study: Study, planned: plan.StagePlan) -> None:
    """Write a stage: Optuna's study, its waiting trials, and our cohorts."""
    title = f"{study.name}/{planned.stage}"
    try:
        optuna_study = unit.optuna_may_refuse.create_new_study([StudyDirection.MAXIMIZE], title)
    except optuna.exceptions.DuplicatedStudyError:
        raise _foreign(title) from None
    low, high = planned.interval or (None, None)
    unit.execute(
        sa.insert(stages).values(
            study=study.name, name=planned.stage, optuna_study=optuna_study,
            low=low, high=high, cohorts=len(planned.cohorts), rounds=1,
        )
    )  # fmt: skip
    _insert_cohorts(unit, study, planned, optuna_study)


def _extend(unit: Unit, study: Study, further: plan.StagePlan, *, rounds: int = 0) -> None:
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


def _insert_cohorts(unit: Unit, study: Study, planned: plan.StagePlan, optuna_study: int) -> None:
    bounds = _distribution(study, planned)
    total = study.training_of(planned.stage).updates
    for cohort in planned.cohorts:
        slots = [
            [
                unit.optuna.create_new_trial(optuna_study, template(slot, cohort.number, bounds)),
                slot.candidate,
                slot.log10_lambda,
            ]
            for slot in cohort.slots
        ]
        _insert_cohort(
            unit, study.name, planned.stage, cohort.number,
            replicate=cohort.replicate, slots=slots, total=total,
        )  # fmt: skip


def _distribution(study: Study, planned: plan.StagePlan) -> FloatDistribution:
    """Optuna's distribution of log10 λ: the interval, else the span of all that is searched."""
    if planned.interval is not None:
        return FloatDistribution(*planned.interval)
    values = [slot.log10_lambda for cohort in planned.cohorts for slot in cohort.slots]
    ends = [value for value in values if value is not None]
    for search in (study.coarse, study.fine):
        if search is not None and search.log10_lambda is not None:
            ends += search.log10_lambda
    return FloatDistribution(min(ends), max(ends))


def _insert_cohort(
    unit: Unit, study: str, stage: str, number: int, *,
    replicate: int, slots: list[list[Any]], total: int,
) -> None:  # fmt: skip
    values = {
        "study": study, "stage": stage, "number": number, "replicate": replicate, "slots": slots,
        "state": OPEN, "token": 0, "takeovers": 0, "updates": 0, "total": total, "per_second": 0.0,
    }  # fmt: skip
    unit.execute(sa.insert(cohorts).values(**values))


def _update(unit: Unit, name: str, **values: object) -> None:
    unit.execute(sa.update(studies).where(studies.c.name == name).values(**values))

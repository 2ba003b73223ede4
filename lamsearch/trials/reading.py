"""What the storage knows, as records: a stage, a study, and where its workers stand.

Enters: a study's name. Leaves: frozen records. Writes nothing.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import sqlalchemy as sa
from optuna.trial import FrozenTrial

from lamsearch.errors import StudyStateError
from lamsearch.results import (
    Curve,
    FinalScore,
    Score,
    Selected,
    StageName,
    StageRecord,
    StudyRecord,
    TestOpening,
    Trained,
    TrialRecord,
    TrialState,
)
from lamsearch.trials.engine import Database, Unit
from lamsearch.trials.tables import DONE, LEASED, TEST, cohorts, curves, stages, studies


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
class Status:
    """A study at a glance; cheap to read, whatever its size in updates.

    ``best`` is (log10 λ, validation accuracy) of the latest stage that has one.
    """

    name: str
    state: str
    stages: tuple[StageStatus, ...]
    workers: tuple[WorkerStatus, ...]
    takeovers: int
    best: tuple[float, float] | None
    failure: str | None
    selected: Selected | None
    elapsed: float

    @property
    def over(self) -> bool:
        """Whether nothing is left to do, well or not."""
        return self.state in ("done", "failed")


def read_study(database: Database, name: str) -> StudyRecord:
    """Return all that is known of a study, with its learning curves.

    Raises:
        StudyStateError: There is none of that name.
    """
    with database.read() as unit:
        row = _study_row(unit, name)
        found = unit.connection.scalars(sa.select(stages.c.name).where(stages.c.study == name))
        records = {stage: read_stage(unit, name, stage, curves_too=True) for stage in found}
    finished, created = row["finished"], row["created"]
    return StudyRecord(
        name=name,
        seed=row["document"]["seed"],
        study_fingerprint=row["fingerprint"],
        data_fingerprint=row["data_fingerprint"],
        settings=row["document"],
        stages=records,
        classes=tuple(row["classes"]),
        selected=selected_from(row["selected"]),
        openings=tuple(TestOpening(**opening) for opening in row["openings"]),
        final=_final(row["final"]),
        failure=row["failure"],
        seconds=None if finished is None else finished - created,
        finished=finished is not None,
    )


def read_stage(
    unit: Unit, study: str, stage: StageName, *, curves_too: bool = False
) -> StageRecord:
    """Return a planned stage with its trials in the order (candidate, replicate)."""
    row = unit.execute(
        sa.select(stages).where(stages.c.study == study, stages.c.name == stage)
    ).mappings().one()  # fmt: skip
    arrays: Mapping[int, bytes] = {}
    if curves_too:
        query = sa.select(curves.c.trial, curves.c.arrays).where(curves.c.study == study)
        arrays = {row.trial: row.arrays for row in unit.execute(query)}
    trials = unit.optuna.get_all_trials(row["optuna_study"], deepcopy=False)
    records = [_trial(trial, arrays.get(trial._trial_id)) for trial in trials]
    return StageRecord(
        name=stage,
        interval=None if row["low"] is None else (row["low"], row["high"]),
        trials=tuple(sorted(records, key=lambda one: (one.candidate, one.replicate))),
    )


def read_status(database: Database, name: str) -> Status:
    """Return a study at a glance.

    Raises:
        StudyStateError: There is none of that name.
    """
    with database.read() as unit:
        now, row = unit.now(), _study_row(unit, name)
        query = sa.select(cohorts).where(cohorts.c.study == name).order_by(cohorts.c.number)
        held = unit.execute(query).mappings().all()
    by_stage: dict[str, list[sa.RowMapping]] = {}
    for cohort in held:
        by_stage.setdefault(cohort["stage"], []).append(cohort)
    order = [stage for stage in ("coarse", "fine", "finalists", "final", TEST) if stage in by_stage]
    leased = [cohort for cohort in held if cohort["state"] == LEASED]
    best = [_best(by_stage[stage]) for stage in order]
    if row["failure"]:
        state = "failed"
    elif row["finished"] is not None:
        state = "done"
    else:
        state = "running" if any(c["expires"] > now for c in leased) else "waiting"
    return Status(
        name=name,
        state=state,
        stages=tuple(_stage_status(stage, by_stage[stage]) for stage in order),
        workers=tuple(_worker(cohort, now) for cohort in leased),
        takeovers=sum(cohort["takeovers"] for cohort in held),
        best=next((one for one in reversed(best) if one is not None), None),
        failure=row["failure"],
        selected=selected_from(row["selected"]),
        elapsed=(row["finished"] or now) - row["created"],
    )


def pack_arrays(trained: Trained) -> bytes | None:
    """Return a trial's curve and per-image correctness as npz bytes, without pickle."""
    if trained.curve is None:
        return None
    arrays: dict[str, Any] = {
        field.name: value
        for field in fields(Curve)
        if (value := getattr(trained.curve, field.name)) is not None
    }
    if trained.correct is not None:
        arrays["correct"] = np.packbits(trained.correct)
        arrays["images"] = np.array(len(trained.correct))
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _study_row(unit: Unit, name: str) -> sa.RowMapping:
    row = unit.execute(sa.select(studies).where(studies.c.name == name)).mappings().first()
    if row is None:
        raise StudyStateError(f"study: no study {name!r}")
    return row


def _trial(trial: FrozenTrial, blob: bytes | None) -> TrialRecord:
    attributes, state = trial.user_attrs, TrialState(trial.state.name)
    curve, correct = _unpack(blob)
    done = state is TrialState.COMPLETE
    return TrialRecord(
        candidate=attributes["candidate"],
        replicate=attributes["replicate"],
        cohort=attributes["cohort"],
        log10_lambda=trial.params.get("log10_lambda"),
        state=state,
        reason=attributes.get("reason"),
        validation_accuracy=attributes.get("validation_accuracy") if done else None,
        validation_loss=attributes.get("validation_loss") if done else None,
        train_accuracy=attributes.get("train_accuracy") if done else None,
        curve=curve,
        correct=correct,
    )


def _unpack(blob: bytes | None) -> tuple[Curve | None, Any]:
    if blob is None:
        return None, None
    with np.load(io.BytesIO(blob), allow_pickle=False) as archive:
        arrays = dict(archive)
    images, packed = arrays.pop("images", None), arrays.pop("correct", None)
    correct = None if packed is None else np.unpackbits(packed, count=int(images)).astype(np.bool_)
    return Curve(**arrays), correct


def selected_from(value: dict[str, Any] | None) -> Selected | None:
    """Return the committed choice from its JSON form."""
    if value is None:
        return None
    score = value["validation_accuracy"]
    return Selected(
        log10_lambda=value["log10_lambda"],
        rule=value["rule"],
        validation_accuracy=None if score is None else Score(**score),
        warnings=tuple(value["warnings"]),
    )


def _final(value: dict[str, Any] | None) -> FinalScore | None:
    if value is None:
        return None
    low, high = value["interval95"]
    confusion = tuple(tuple(row) for row in value["confusion"])
    rest = {"interval95": (low, high), "accuracies": tuple(value["accuracies"])}
    return FinalScore(**{**value, **rest, "confusion": confusion})


def _best(held: list[sa.RowMapping]) -> tuple[float, float] | None:
    scored = [(cohort["best"], cohort["best_at"]) for cohort in held if cohort["best"] is not None]
    return None if not scored else (max(scored)[1], max(scored)[0])


def _stage_status(stage: str, held: list[sa.RowMapping]) -> StageStatus:
    return StageStatus(
        name=stage,
        planned=sum(len(cohort["slots"]) for cohort in held),
        finished=sum(len(cohort["slots"]) for cohort in held if cohort["state"] == DONE),
        updates=sum(cohort["updates"] for cohort in held),
        total=sum(cohort["total"] for cohort in held),
    )


def _worker(cohort: sa.RowMapping, now: float) -> WorkerStatus:
    return WorkerStatus(
        owner=cohort["owner"],
        stage=cohort["stage"],
        cohort=cohort["number"],
        updates=cohort["updates"],
        total=cohort["total"],
        per_second=cohort["per_second"],
        renewed_ago=now - cohort["renewed"],
        expired=cohort["expires"] <= now,
    )

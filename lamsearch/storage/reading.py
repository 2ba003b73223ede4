"""What the storage knows, as records: a stage, a study.

Enters: a study's name. Leaves: frozen records. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lamsearch.results import (
    Joined,
    StageName,
    StageRecord,
    StudyRecord,
    TestOpening,
    TrialRecord,
    TrialState,
)
from lamsearch.space import space_of
from lamsearch.storage.damage import believed, check_row, damage_is_said
from lamsearch.storage.digests import check_intervals, check_study
from lamsearch.storage.engine import Database, Transaction
from lamsearch.storage.environments import environment_from, joined
from lamsearch.storage.optuna_trials import frozen_trials
from lamsearch.storage.planned import planned_trials, read_stage_row, removed
from lamsearch.storage.queue import any_lease_holds
from lamsearch.storage.retries import retried
from lamsearch.storage.states import state_of
from lamsearch.storage.study_json import (
    elapsed,
    facts_from,
    final_from,
    moment,
    restated_choice,
    selected_from,
)
from lamsearch.storage.study_rows import study_row
from lamsearch.storage.tables import curves, stages, studies
from lamsearch.storage.trial_records import trial_records, typed
from lamsearch.study import parse_study, recorded_settings


@retried
@damage_is_said()
def read_study(database: Database, name: str) -> StudyRecord:
    """Return all that is known of a study, with its learning curves.

    Raises:
        StudyStateError: There is none of that name.
    """
    with database.read() as transaction:
        row = study_row(transaction, name)
        found = transaction.connection.scalars(
            sa.select(stages.c.name).where(stages.c.study == name)
        )
        records = {stage: read_stage(transaction, name, stage, curves_too=True) for stage in found}
        workers = joined(transaction, row["id"])
        leased = any_lease_holds(transaction, name)
    parse_study(row["document"], where=f"study {name}")
    return replace(study_record(row, records, workers), state=state_of(row, leased=leased))


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
        data=facts_from(row["data_facts"]),
        environment=environment_from(row["environment"]),
        workers=workers,
        selected=selected_from(row["selected"], space_of(row["document"])),
        openings=tuple(believed(TestOpening(**opening)) for opening in row["openings"]),
        final=final_from(row["final"]),
        failure=row["failure"],
        seconds=None if finished is None else elapsed(created, finished),
        planned_at=moment(created),
        finished=finished is not None,
        state=state_of(row, leased=False),
        search_ended=row["search_ended"],
    )
    return restated_choice(record, row["selected"])


def read_stage(
    transaction: Transaction, study: str, stage: StageName, *, curves_too: bool = False
) -> StageRecord:
    """Return a planned stage with its trials in the order (candidate, replicate).

    Raises:
        StudyStateError: Trials whose results are in were removed past lamsearch.
    """
    stage_row = read_stage_row(transaction, study, stage)
    blobs: Mapping[tuple[int, int], bytes] = {}
    examples: int | None = None
    if curves_too:
        query = sa.select(curves.c.candidate, curves.c.replicate, curves.c.arrays)
        query = query.where(curves.c.study_id == stage_row.study_id, curves.c.stage == stage)
        rows = _rows_of_bytes(transaction.connection, query)
        blobs = {(row.candidate, row.replicate): row.arrays for row in rows}
        examples = _examples(transaction, study, stage)
    trials = frozen_trials(transaction.connection, stage_row.number)
    planned = planned_trials(transaction.connection, study, stage)
    records = trial_records(planned, trials, blobs, examples, space=stage_row.space)
    if len(records) < len(planned):
        raise removed(study, stage)
    if curves_too and stage == "final":
        digests = model_digests(transaction, study)
        records = tuple(replace(one, model_sha256=digests.get(one.replicate)) for one in records)
    return StageRecord(
        name=stage, bounds=stage_row.bounds, trials=records, decisions=stage_row.decisions
    )


def _rows_of_bytes(connection: Connection, query: sa.Executable) -> Sequence[sa.Row[Any]]:
    """The rows of a query that selects many bytes, and nothing else but numbers.

    PostgreSQL's driver has them sent as text unless it is asked, which takes three times as long.
    """
    if connection.dialect.name != "postgresql":
        return connection.execute(query).all()
    raw: Any = connection.connection.dbapi_connection
    usual = raw.cursor_factory
    raw.cursor_factory = _binary_cursor
    try:
        return connection.execute(query).all()
    finally:
        raw.cursor_factory = usual


def _binary_cursor(connection: Any, **options: Any) -> Any:
    """A cursor of psycopg's to which values are sent as the server has them."""
    from psycopg import Cursor
    from psycopg.pq import Format

    cursor: Any = Cursor(connection, **options)
    cursor.format = Format.BINARY
    return cursor


def _examples(transaction: Transaction, study: str, stage: StageName) -> int | None:
    """Return how many examples a stage validates with; None where replicates differ in that."""
    query = sa.select(studies.c.validation_images, studies.c.document)
    row = transaction.execute(query.where(studies.c.name == study)).one()
    settings = recorded_settings(row.document, stage) if isinstance(row.document, dict) else None
    if settings is not None and settings.uneven:
        return None
    found = row.validation_images
    return typed(int, found.get(stage)) if isinstance(found, dict) else None


def trained_final(transaction: Transaction, study: str) -> dict[int, TrialRecord]:
    """Return the final's complete trials by replicate, without curves, with models' digests."""
    trials = read_stage(transaction, study, "final").trials
    digests = model_digests(transaction, study)
    return {
        one.replicate: replace(one, model_sha256=digests.get(one.replicate))
        for one in trials
        if one.state is TrialState.COMPLETE
    }


def model_digests(transaction: Transaction, study: str) -> dict[int, str | None]:
    """Return the SHA-256 of each replicate's model file, as it was evaluated or is to be."""
    query = (
        sa.select(curves.c.replicate, curves.c.model_sha256)
        .join(studies, studies.c.id == curves.c.study_id)
        .where(studies.c.name == study, curves.c.stage == "final")
    )
    return {row.replicate: row.model_sha256 for row in transaction.execute(query)}

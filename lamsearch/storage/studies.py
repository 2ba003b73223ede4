"""Studies: planned, found, listed, deleted.

Enters: a checked study, or its name. Leaves: what the storage knows of it. Refuses to know how a
search goes on: its first step comes from `lamsearch.search`, and is written by `transition`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from lamsearch.environment import Environment
from lamsearch.errors import InputError, StorageAwayError, StudyStateError, UnknownStudyError
from lamsearch.results import DataFacts, StageName
from lamsearch.search import Standing, expected_updates, next_steps
from lamsearch.storage.damage import damage_is_said
from lamsearch.storage.engine import Database, Transaction
from lamsearch.storage.expiry import holds
from lamsearch.storage.optuna_bridge import STUDIES
from lamsearch.storage.planned import is_ours
from lamsearch.storage.planned_study import PlannedStudy, planned_study_from
from lamsearch.storage.retries import retried
from lamsearch.storage.splitting import splitting_of
from lamsearch.storage.start_from import with_prior
from lamsearch.storage.states import CANCELLED, check_priority
from lamsearch.storage.study_json import facts_document
from lamsearch.storage.study_rows import find_study_row
from lamsearch.storage.tables import (
    LEASED,
    cohorts,
    curves,
    environments,
    stages,
    studies,
    unable,
)
from lamsearch.storage.transition import foreign, write_step
from lamsearch.study import Study, differences


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
    environment: Environment | None = None,
    priority: int = 0,
) -> PlannedStudy:
    """Plan a study, or find it planned already with the same file and the same data.

    Its priority is given to a study that is new; that of one that is there stays.

    Raises:
        StudyStateError: The name is taken by another study, and the message shows the difference;
            or this very study was cancelled.
    """
    check_priority(priority)
    study = with_prior(database, study)
    splitting = splitting_of(study)
    standing = Standing(examples=validation_images, splitting=splitting)
    first = list(next_steps(study, standing))
    try:
        with database.write() as transaction:
            row = find_study_row(transaction, study.name)
            if row is None:
                values = {
                    "name": study.name, "id": uuid.uuid4().hex, "document": study.canonical(),
                    "fingerprint": study.fingerprint, "data_fingerprint": data_fingerprint,
                    "validation_images": dict(validation_images), "classes": list(classes),
                    "data_facts": facts_document(facts),
                    "environment": None if environment is None else environment.document(),
                    "origin": origin, "files": files, "created": transaction.now(), "openings": [],
                    "priority": priority, "expected_updates": expected_updates(study, splitting),
                }  # fmt: skip
                transaction.execute(sa.insert(studies).values(**values))
                _refuse_foreign(transaction, study)
                for step in first:
                    write_step(transaction, study, step)
                row = find_study_row(transaction, study.name)
    except sa.exc.IntegrityError:  # another process planned it at the same moment
        with database.read() as transaction:
            row = find_study_row(transaction, study.name)
    database.checkpoint()
    assert row is not None  # noqa: S101 - written or found above
    _refuse_other(row, study, data_fingerprint)
    return planned_study_from(row)


@retried
@damage_is_said()
def load(database: Database, name: str) -> PlannedStudy:
    """Return a planned study.

    Raises:
        StudyStateError: There is none of that name; the message lists those that are.
    """
    with database.read() as transaction:
        row = find_study_row(transaction, name)
        if row is None:
            known = ", ".join(transaction.connection.scalars(sa.select(studies.c.name))) or "none"
            raise UnknownStudyError(
                f"study: no study {name!r} in {database.redacted}; known: {known}"
            )
    return planned_study_from(row)


@retried
@damage_is_said()
def names(database: Database) -> list[str]:
    """Return the names of all planned studies, oldest first."""
    with database.read() as transaction:
        return list(
            transaction.connection.scalars(sa.select(studies.c.name).order_by(studies.c.created))
        )


def damage_of(database: Database, name: str) -> str | None:
    """Return what is wrong with the row of a study; None where nothing is.

    Raises:
        StudyStateError: There is none of that name.
    """
    try:
        load(database, name)
    except (StorageAwayError, StudyStateError):
        raise
    except InputError as error:
        return str(error)
    return None


@damage_is_said()
def delete(database: Database, name: str, study_id: str | None = None) -> None:
    """Remove a study with its trials and leases, whatever its row holds.

    ``study_id`` is that of the study that was meant, where another of its name may be there now.

    Raises:
        StudyStateError: There is none of that name, or a worker holds a lease in it.
    """
    if study_id is None:
        with database.read() as transaction:
            found = transaction.execute(_id_of(name)).first()
        if found is None:
            raise UnknownStudyError(f"study: no study {name!r}")
        study_id = found.id
    _remove(database, name, study_id)


def _id_of(name: str) -> sa.Select[tuple[str]]:
    # nothing else of the row, which may be damaged
    return sa.select(studies.c.id).where(studies.c.name == name)


@retried
@damage_is_said()
def _remove(database: Database, name: str, study_id: object) -> None:
    """Remove a study, unless it is gone by now, or another of its name is there."""
    with database.write() as transaction:
        row = transaction.execute(_id_of(name).with_for_update()).first()
        if row is None or row.id != study_id:
            return
        live = sa.select(cohorts.c.owner).where(
            cohorts.c.study == name, cohorts.c.state == LEASED, holds(transaction.now())
        )
        owner = transaction.connection.scalar(live)
        if owner is not None:
            raise StudyStateError(f"study: {name!r} is being worked on by {owner}; stop it first")
        # the dashboard may have removed one, and SQLite gives its number to another
        there = sa.select(stages.c.optuna_study).join(STUDIES, is_ours())
        for number in transaction.connection.scalars(there.where(stages.c.study == name)).all():
            transaction.optuna.delete_study(number)
        for table in (cohorts, stages):
            transaction.execute(sa.delete(table).where(table.c.study == name))
        for table in (curves, environments, unable):
            transaction.execute(sa.delete(table).where(table.c.study_id == study_id))
        transaction.execute(sa.delete(studies).where(studies.c.name == name))


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
    if row["halted"] == CANCELLED:
        raise StudyStateError(
            f"study: {study.name!r} was cancelled; start over with: lamsearch delete {study.name}"
        )


def _refuse_foreign(transaction: Transaction, study: Study) -> None:
    """Refuse now what a later stage could not make, rather than in the middle of the study."""
    for stage in study.stages:
        if _optuna_study(transaction, title := f"{study.name}/{stage}") is not None:
            raise foreign(title)


def _optuna_study(transaction: Transaction, title: str) -> int | None:
    try:
        return transaction.optuna_may_refuse.get_study_id_from_name(title)
    except KeyError:
        return None

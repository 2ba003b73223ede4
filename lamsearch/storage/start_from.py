"""Warm starts: what a study in the storage has seen, written into one that starts from it.

Enters: a study that names another one, before it is planned. Leaves: the same study with the scores
of that one's finished trials. Once it is planned they are its own: they are part of its document
and its fingerprint, and stay whatever the other one does. Refuses to know what a model makes of
them.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from lamsearch.errors import InputError
from lamsearch.results import STAGES, StageName
from lamsearch.search import observed
from lamsearch.storage.engine import Database, Transaction
from lamsearch.storage.planned_study import planned_study_from
from lamsearch.storage.reading import read_stage
from lamsearch.storage.study_rows import find_study_row
from lamsearch.storage.tables import stages
from lamsearch.study import Study, parse_study

_WHERE = "coarse.start_from"


def with_prior(database: Database, study: Study) -> Study:
    """Return a study with the scores that it starts from; as it is where it starts from none.

    One that was planned before keeps those of then.

    Raises:
        InputError: There is no study to start from, it is of another kind, or has seen too little.
    """
    if study.coarse is None or study.coarse.start_from is None or study.coarse.prior is not None:
        return study
    with database.read() as transaction:
        rows = _planned(transaction, study) or _observed(
            transaction, study, study.coarse.start_from
        )
    document = study.canonical()
    document["coarse"] = {**document["coarse"], "prior": rows}
    return parse_study(document)


def _planned(transaction: Transaction, study: Study) -> Any:
    """What the study was planned with, None where it was not, or started from another one."""
    row = find_study_row(transaction, study.name)
    coarse = {} if row is None else planned_study_from(row).study.canonical().get("coarse", {})
    mine = study.canonical()["coarse"]
    return coarse.get("prior") if coarse.get("start_from") == mine["start_from"] else None


def _observed(transaction: Transaction, study: Study, name: str) -> Any:
    """What the other study has seen so far."""
    row = find_study_row(transaction, name)
    if row is None or name == study.name:
        raise InputError(f"{_WHERE}: must name another study in the storage, got {name!r}")
    planned = planned_study_from(row)
    _refuse_other_kind(study, planned.study)
    query = sa.select(stages.c.name).where(stages.c.study == name)
    names = set(transaction.connection.scalars(query))
    wanted: list[StageName] = [stage for stage in STAGES if stage in names]
    records = {stage: read_stage(transaction, name, stage) for stage in wanted}
    rows = observed(records, planned.validation_images)
    if not rows:
        raise InputError(
            f"{_WHERE}: needs a stage with at least 3 candidates that ended well, and {name!r} has "
            "none yet"
        )
    return rows


def _refuse_other_kind(study: Study, other: Study) -> None:
    """Refuse scores that do not compare: of another trainer, metric or space."""
    pairs = {"trainer": (study.trainer.name, other.trainer.name)}
    pairs["metric"] = study.metric, other.metric
    for what, (mine, its) in pairs.items():
        if mine != its:
            rule = f"{other.name!r} must have the {what} of this study, {mine!r}"
            raise InputError(f"{_WHERE}: {rule}, got {its!r}")
    if study.space != other.space:
        its = ", ".join(one.name for one in other.space.dimensions)
        raise InputError(
            f"{_WHERE}: {other.name!r} must search what this study does, on the same scales, got "
            f"{its}"
        )

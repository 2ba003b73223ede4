"""A study's cohorts as a queue: which is claimed next, its trials set running, the claim itself.

Enters: a transaction, a study's name, the database's time. Leaves: claims, or that there is nothing
to claim, and why a claim is lost. Refuses to know how long a lease holds and who may have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa

from lamsearch.errors import LeaseLostError, StudyHaltedError
from lamsearch.results import SEARCHING, STAGES
from lamsearch.storage.claims import Claim, LeasedTrial
from lamsearch.storage.damage import check_points
from lamsearch.storage.engine import Transaction
from lamsearch.storage.expiry import has_ended, holds, is_ahead
from lamsearch.storage.planned import StageRow, read_stage_row, sample, settle
from lamsearch.storage.splitting import splitting_of
from lamsearch.storage.states import CANCELLED, PAUSED
from lamsearch.storage.study_rows import deleted, find_study_row, planned_study_row
from lamsearch.storage.tables import ACTIVE, DONE, LEASED, OPEN, TEST, cohorts, studies
from lamsearch.study import parse_study


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """A study as a claim finds it: the database's time, and whether anything may be claimed."""

    now: float
    over: bool
    paused: bool
    started: bool
    transition_until: float | None


def present(transaction: Transaction, study: str, study_id: str | None = None) -> Present:
    """Return how a study stands at the moment.

    Raises:
        UnknownStudyError: It was deleted; with ``study_id``, also where one of its name was made
            since.
    """
    columns = (
        studies.c.id, studies.c.finished, studies.c.failure, studies.c.halted, studies.c.started,
        studies.c.transition_until,
    )  # fmt: skip
    query = sa.select(*columns, transaction.clock.label("now"))
    row = transaction.execute(query.where(studies.c.name == study)).first()
    if row is None or study_id not in (None, row.id):
        raise deleted(study)
    if row.halted not in (None, PAUSED, CANCELLED):
        raise ValueError(f"a study is halted as {PAUSED} or {CANCELLED}, got {row.halted!r}")
    ended = row.finished is not None or row.failure is not None
    return Present(
        now=float(row.now),
        over=ended or row.halted == CANCELLED,
        paused=row.halted == PAUSED,
        started=row.started is not None,
        transition_until=row.transition_until,
    )


def keep_active(transaction: Transaction, study: str, found: Present) -> bool:
    """Keep a study from being paused or cancelled until the transaction's end, unless it was since
    it was looked at; note when its first lease is given, from which its time limit counts.

    The study's row is locked before a cohort's, by everybody. SQLite has one writer anyway.
    """
    active = (studies.c.name == study, ACTIVE)
    if not found.started:
        first = sa.update(studies).where(*active, studies.c.started.is_(None))
        return transaction.execute(first.values(started=found.now)).rowcount == 1
    if transaction.connection.dialect.name == "sqlite":
        return True
    query = sa.select(studies.c.id).where(*active).with_for_update(read=True)
    return transaction.execute(query).first() is not None


def unfinished(transaction: Transaction, study: str) -> int:
    """Return how many cohorts are not done."""
    left = cohorts.c.state.in_((OPEN, LEASED))
    query = sa.select(sa.func.count()).where(cohorts.c.study == study, left)
    return int(transaction.connection.scalar(query) or 0)


def any_lease_holds(transaction: Transaction, study: str) -> bool:
    """Whether somebody works on a study."""
    query = sa.select(cohorts.c.number).where(
        cohorts.c.study == study, cohorts.c.state == LEASED, holds(transaction.now())
    )
    return transaction.execute(query.limit(1)).first() is not None


def check_states(transaction: Transaction, study: str) -> None:
    """Refuse cohorts that nobody could claim and nobody has done: they end no stage.

    Raises:
        ValueError: There is one.
    """
    known = cohorts.c.state.in_((OPEN, LEASED, DONE))
    query = sa.select(cohorts.c.state).where(cohorts.c.study == study, sa.not_(known))
    for state in transaction.connection.scalars(query.limit(1)):
        raise ValueError(f"a cohort's state must be {OPEN}, {LEASED} or {DONE}, got {state!r}")


def first_cohort(
    transaction: Transaction,
    study: str,
    *,
    now: float | None,
    own: str | None = None,
    lock: bool = False,
) -> sa.RowMapping | None:
    """Return the cohort whose lease ran out first, else the first that is open, else one whose
    lease is of a clock that was ahead.

    Each query but the last, which is seldom asked, walks an index no further than to its first row,
    however many hold a lease.

    Args:
        transaction: the transaction.
        study: its name.
        now: the database's time; None where no lease is taken to have run out.
        own: an owner whose leases do not count either.
        lock: whether the row is locked, past rows that others have locked.
    """
    number = cohorts.c.number
    for where, order in _wanted(now, own):
        query = sa.select(cohorts).where(cohorts.c.study == study, where)
        query = query.order_by(order, number).limit(1)
        if lock:
            query = query.with_for_update(skip_locked=True)
        if (row := transaction.execute(query).mappings().first()) is not None:
            return row
    return None


def standing(
    transaction: Transaction, study: str, *, now: float | None, own: str | None = None
) -> tuple[bool, bool]:
    """Whether a cohort is not done, and whether there is one that `first_cohort` would return."""
    of_it = sa.select(cohorts.c.number).where(cohorts.c.study == study)
    left = of_it.where(cohorts.c.state.in_((OPEN, LEASED))).exists()
    found = [of_it.where(where).exists() for where, _ in _wanted(now, own)]
    row = transaction.execute(sa.select(left.label("left"), sa.or_(*found).label("any"))).one()
    return bool(row.left), bool(row.any)


def _wanted(
    now: float | None, own: str | None
) -> list[tuple[sa.ColumnElement[bool], sa.ColumnElement[Any]]]:
    """What may be claimed, the first first, each with its order."""
    leased, number = cohorts.c.state == LEASED, cohorts.c.number
    wanted: list[tuple[sa.ColumnElement[bool], sa.ColumnElement[Any]]] = [
        (cohorts.c.state == OPEN, number)
    ]
    if own is not None:
        wanted.insert(0, (sa.and_(leased, cohorts.c.owner == own), number))
    if now is not None:
        wanted.insert(0, (sa.and_(leased, has_ended(now)), cohorts.c.expires))
        wanted.append((sa.and_(leased, is_ahead(now)), number))
    return wanted


def at_work(transaction: Transaction) -> int:
    """Return how many cohorts somebody works on, in all studies."""
    # a time that is known before the rows are looked at bounds an index
    now = sa.select(transaction.clock).scalar_subquery()
    held = sa.and_(cohorts.c.state == LEASED, cohorts.c.expires > now)
    return int(transaction.connection.scalar(sa.select(sa.func.count()).where(held)) or 0)


def same_claim(claim: Claim, owner: str) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions under which a cohort's row is that of a claim: the fence."""
    return (
        cohorts.c.study == claim.study,
        cohorts.c.stage == (TEST if claim.tests else claim.stage),
        cohorts.c.number == claim.number,
        cohorts.c.token == claim.token,
        cohorts.c.owner == owner,  # tokens of a study deleted and made again begin anew
    )


def start_cohort(
    transaction: Transaction, study: str, row: sa.RowMapping
) -> tuple[list[list[Any]], tuple[str, ...]]:
    """Set the trials of a cohort running, and let an adaptive sampler choose where it has to.

    Returns:
        The trials as `settle` does.
    """
    if row["stage"] == TEST:
        return [], ()
    stage_row = read_stage_row(transaction, study, row["stage"])
    check_points(row["trials"], stage_row.space)
    entries, replanned = settle(transaction, stage_row, row, begun=row["token"] > 0)
    if any(entry[2] is None for entry in entries):
        _sample(transaction, stage_row, entries)
    return entries, replanned


def take(
    transaction: Transaction,
    study: str,
    row: sa.RowMapping,
    lease: Mapping[str, Any],
    *,
    again: bool,
) -> Claim:
    """Give a cohort to a worker.

    Args:
        transaction: the transaction.
        study: its name.
        row: the cohort's row, which is locked.
        lease: the columns that say whose it is from now on, and for how long.
        again: whether a cohort that is leased already is taken from whoever has it, rather than
            claimed once more by the same worker, which never heard of its claim.
    """
    reclaimed = row["state"] == LEASED and again
    entries, replanned = start_cohort(transaction, study, row)
    # what was given back is recovered from nobody; a claim never heard of is the same claim
    whose = row["owner"] if reclaimed else row["taken_from"] if row["state"] == LEASED else None
    values = {
        **lease, "state": LEASED, "token": row["token"] + 1,
        "trials": entries, "takeovers": row["takeovers"] + reclaimed, "taken_from": whose,
        "recovered": None,
    }  # fmt: skip
    key = (cohorts.c.study == study, cohorts.c.stage == row["stage"],
           cohorts.c.number == row["number"])  # fmt: skip
    transaction.execute(sa.update(cohorts).where(*key).values(**values))
    return Claim(
        study=study,
        stage="final" if row["stage"] == TEST else row["stage"],
        tests=row["stage"] == TEST,
        number=row["number"],
        replicate=row["replicate"],
        token=row["token"] + 1,
        reclaimed=reclaimed,
        trials=tuple(LeasedTrial(trial=t, candidate=c, point=tuple(x)) for t, c, x in entries),
        replanned=replanned,
    )


def lost(transaction: Transaction, claim: Claim) -> LeaseLostError:
    """Return the error that says why a claim is no longer its worker's."""
    row = find_study_row(transaction, claim.study)
    title = f"{claim.stage} cohort {claim.number}"
    if row is not None and row["halted"] == CANCELLED:
        return StudyHaltedError(f"study: {claim.study!r} was cancelled", halted=CANCELLED)
    if row is not None and row["search_ended"] is not None and claim.stage in SEARCHING:
        return LeaseLostError(f"lease: {title} is no longer wanted: {row['search_ended']}")
    return LeaseLostError(f"lease: {title} was given to another worker")


def _sample(transaction: Transaction, stage_row: StageRow, entries: list[list[Any]]) -> None:
    """Let a sampler choose the points that are open; what splits cohorts is the first one's."""
    study = parse_study(planned_study_row(transaction, stage_row.study)["document"])
    splitting, dimensions = splitting_of(study), stage_row.space.dimensions
    apart = [index for index, one in enumerate(dimensions) if one.name in splitting]
    first = next((entry[2] for entry in entries if entry[2] is not None), None)
    for entry in entries:
        if entry[2] is not None:
            continue
        entropy = (study.seed, STAGES.index(stage_row.stage), entry[1])
        state = int(np.random.SeedSequence(entropy, spawn_key=(3,)).generate_state(1)[0])
        fixed = {index: first[index] for index in apart} if first is not None else {}
        entry[2] = list(sample(transaction, stage_row, entry[0], seed=state, fixed=fixed))
        first = first or entry[2]

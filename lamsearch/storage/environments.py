"""What a study's workers compute with: recorded when one joins, and compared with who was first.

Enters: the environment of a worker. Leaves: the number under which its trials name it, or a
refusal. Refuses to know how an environment is found out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from lamsearch.environment import Blas, Environment, differences
from lamsearch.errors import StudyStateError
from lamsearch.results import Joined
from lamsearch.storage.damage import believed, damage_is_said
from lamsearch.storage.engine import Database, Transaction
from lamsearch.storage.study_rows import planned_study_row
from lamsearch.storage.tables import environments


@damage_is_said()
def join(database: Database, study: str, environment: Environment, *, mixed: bool) -> int:
    """Record what a worker computes with, and return the number of that.

    Args:
        database: where the study is planned.
        study: its name.
        environment: the worker's.
        mixed: whether it is to be admitted though its numbers could differ.

    Raises:
        StudyStateError: They could, and it is not; or the study was deleted.
    """
    with database.write() as transaction:
        row = planned_study_row(transaction, study, lock=True)
        known = joined(transaction, row["id"])
        differing = differences(
            environment,
            planned=environment_from(row["environment"]),
            first=known[0].environment if known else None,
        )
        if differing and not mixed:
            raise _refusal(study, differing)
        for one in known:
            if one.environment == environment:
                return one.number
        number = max((one.number for one in known), default=0) + 1
        values = {
            "study_id": row["id"], "number": number, "facts": environment.document(),
            "mixed": int(bool(differing)), "joined": transaction.now(),
        }  # fmt: skip
        transaction.execute(sa.insert(environments).values(**values))
    return number


def joined(transaction: Transaction, study_id: str) -> tuple[Joined, ...]:
    """Return what the workers of a study have computed with, in the order in which they joined."""
    query = sa.select(environments).where(environments.c.study_id == study_id)
    return tuple(
        believed(
            Joined(
                number=row.number,
                environment=_environment(row.facts),
                mixed=bool(row.mixed),
            )
        )
        for row in transaction.execute(query.order_by(environments.c.number))
    )


def environment_from(value: Mapping[str, Any] | None) -> Environment | None:
    """Return an environment from its JSON form; None where none was recorded."""
    return None if value is None else believed(_environment(value))


def _environment(value: Mapping[str, Any]) -> Environment:
    blas = tuple(Blas(**one) for one in value["blas"])
    return Environment(**{**value, "blas": blas, "simd": tuple(value["simd"])})


def _refusal(study: str, differing: list[str]) -> StudyStateError:
    return StudyStateError(
        f"versions: a worker of {study!r} must have {'; '.join(differing)}: numbers could differ "
        "from those of the others in their last digits. Use the same, or admit it by "
        f"--mixed-versions, which the report then says, or start over: lamsearch delete {study}"
    )

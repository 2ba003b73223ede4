"""A study's row in our tables. Enters: its name. Leaves: the row as it is, or that there is none.

Refuses to know what the columns mean.
"""

from __future__ import annotations

import sqlalchemy as sa

from lamsearch.errors import UnknownStudyError
from lamsearch.storage.engine import Transaction
from lamsearch.storage.tables import studies

_NAMED = 10


def find_study_row(
    transaction: Transaction, name: str, *, lock: bool = False
) -> sa.RowMapping | None:
    """Return a study's row, None where there is none; ``lock`` keeps it until the end."""
    query = sa.select(studies).where(studies.c.name == name)
    return transaction.execute(query.with_for_update() if lock else query).mappings().first()


def study_row(transaction: Transaction, name: str, *, lock: bool = False) -> sa.RowMapping:
    """Return a study's row; ``lock`` keeps it until the end.

    Raises:
        UnknownStudyError: There is none of that name; the message has those that there are.
    """
    row = find_study_row(transaction, name, lock=lock)
    if row is None:
        raise UnknownStudyError(f"study: no study {name!r}; known: {_known(transaction)}")
    return row


def _known(transaction: Transaction) -> str:
    """The latest studies by name, as many as a sentence holds."""
    query = sa.select(studies.c.name).order_by(studies.c.created.desc()).limit(_NAMED + 1)
    names = [str(name) for name in transaction.connection.scalars(query)]
    return ", ".join([*names[:_NAMED], *["…"] * (len(names) > _NAMED)]) or "none"


def planned_study_row(transaction: Transaction, name: str, *, lock: bool = False) -> sa.RowMapping:
    """Return the row of a study that was there a moment ago; ``lock`` keeps it until the end.

    Raises:
        UnknownStudyError: It was deleted.
    """
    row = find_study_row(transaction, name, lock=lock)
    if row is None:
        raise deleted(name)
    return row


def deleted(name: str) -> UnknownStudyError:
    """Return the error that says that a study was there, and is no more."""
    return UnknownStudyError(f"study: no study {name!r}: it was deleted")

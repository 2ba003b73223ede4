"""Hosts that cannot serve a study: what their workers lack, for whoever wonders why nobody does.

Enters: a study's id, a host, a reason. Leaves: a sentence per host, until one serves it. Refuses to
decide who may try again.
"""

from __future__ import annotations

import sqlalchemy as sa

from lamsearch.storage.engine import Database, Transaction
from lamsearch.storage.retries import retried
from lamsearch.storage.tables import studies, unable

_MOST_HOSTS = 20
_LONGEST_HOST, _LONGEST_REASON = 200, 1_000


@retried
def write_unable(database: Database, study_id: str, host: str, reason: str) -> None:
    """Note why a host cannot serve a study; the latest reason stays."""
    host, reason = host[:_LONGEST_HOST], reason[:_LONGEST_REASON]
    with database.write() as transaction:
        there = sa.select(studies.c.id).where(studies.c.id == study_id).with_for_update()
        if transaction.execute(there).first() is None:
            return  # deleted
        mine = (unable.c.study_id == study_id, unable.c.host == host)
        values = {"reason": reason, "at": transaction.now()}
        if not transaction.execute(sa.update(unable).where(*mine).values(**values)).rowcount:
            row = {"study_id": study_id, "host": host, **values}
            transaction.execute(sa.insert(unable).values(**row))


@retried
def clear_unable(database: Database, study_id: str, host: str) -> None:
    """Forget why a host could not serve a study: it does now."""
    mine = (unable.c.study_id == study_id, unable.c.host == host)
    with database.write() as transaction:
        transaction.execute(sa.delete(unable).where(*mine))


def unable_of(transaction: Transaction, study_id: str) -> tuple[str, ...]:
    """Return a sentence for each host that cannot serve a study, the latest first."""
    query = sa.select(unable).where(unable.c.study_id == study_id)
    rows = transaction.execute(query.order_by(unable.c.at.desc()).limit(_MOST_HOSTS)).all()
    return tuple(sentence(row.host, row.reason) for row in rows)


def sentence(host: object, reason: object) -> str:
    """Say that a host cannot serve a study, and why."""
    return f"{host} cannot serve it: {reason}"

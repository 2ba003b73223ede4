"""Whose turn it is to make a stage's transition, which a thousand workers would begin at once.

Enters: a transaction, a study's name, the database's time. Leaves: a turn, or none. A turn that
runs out is another's, so that nobody waits long for one who died. It keeps work from being done
twice, no more: `transition` sees to it that what is done twice is written once.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from lamsearch.storage.engine import Transaction
from lamsearch.storage.tables import studies

TURN_SECONDS = 10.0  # a lease at most
_UNTIL = studies.c.transition_until


def free(now: Any) -> sa.ColumnElement[bool]:
    """Whether nobody has the turn; one that lasts longer than any is of a clock set back since."""
    return sa.or_(_UNTIL.is_(None), now >= _UNTIL, now + TURN_SECONDS + 1.0 < _UNTIL)


def is_free(until: float | None, now: float) -> bool:
    """Whether nobody has the turn, of a row that was read."""
    return until is None or not now < until <= now + TURN_SECONDS + 1.0


def take(transaction: Transaction, study: str, lease: float, own: float | None) -> float | None:
    """Take the turn, or keep one's own; return until when, None where another has it."""
    now = transaction.now()
    until = now + min(lease, TURN_SECONDS)
    mine = free(now) if own is None else sa.or_(free(now), _UNTIL.in_([own]))
    taken = sa.update(studies).where(studies.c.name == study, mine)
    found = transaction.execute(taken.values(transition_until=until))
    return until if found.rowcount == 1 else None

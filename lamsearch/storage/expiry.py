"""When a lease has run out. Enters: a cohort's row and the database's time. Leaves: yes or no.

A lease that ends later than it could if it were renewed just now was written by a clock that has
been set back since, or was wrong: it has run out too, for it would hold for as long as that was.
"""

from __future__ import annotations

import sqlalchemy as sa

from lamsearch.storage.tables import cohorts

_SLACK_SECONDS = 1.0  # what clocks are set back by every now and then
_LENGTH = sa.func.coalesce(cohorts.c.lease_seconds, cohorts.c.expires - cohorts.c.renewed)


def holds(now: float | sa.ColumnElement[float]) -> sa.ColumnElement[bool]:
    """Whether a lease holds at that time, as a condition of a query."""
    return sa.and_(cohorts.c.expires > now, cohorts.c.expires <= now + _LENGTH + _SLACK_SECONDS)


def lease_holds(row: sa.RowMapping, now: float) -> bool:
    """Whether the lease of a cohort that was read holds at that time."""
    length = row["lease_seconds"]
    if length is None:
        length = row["expires"] - row["renewed"]
    return bool(now < row["expires"] <= now + length + _SLACK_SECONDS)

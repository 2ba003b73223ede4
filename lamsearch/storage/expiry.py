"""When a lease has run out. Enters: a cohort's row and the database's time. Leaves: yes or no.

A lease that ends later than it could if it were renewed just now was written by a clock that has
been set back since, or was wrong: it has run out too, for it would hold for as long as that was.
"""

from __future__ import annotations

import sqlalchemy as sa

from lamsearch.storage.tables import cohorts

_SLACK_SECONDS = 1.0  # what clocks are set back by every now and then
_BEGUN = cohorts.c.expires - sa.func.coalesce(
    cohorts.c.lease_seconds, cohorts.c.expires - cohorts.c.renewed
)


def holds(now: float | sa.ColumnElement[float]) -> sa.ColumnElement[bool]:
    """Whether a lease holds at that time, as a condition of a query."""
    return sa.and_(cohorts.c.expires > now, sa.not_(is_ahead(now)))


def has_ended(now: float | sa.ColumnElement[float]) -> sa.ColumnElement[bool]:
    """Whether a lease has ended at that time, by a clock that was right."""
    return cohorts.c.expires <= now


def is_ahead(now: float | sa.ColumnElement[float]) -> sa.ColumnElement[bool]:
    """Whether a lease was written by a clock that was ahead, so that it does not hold either."""
    return now + _SLACK_SECONDS < _BEGUN


def lease_holds(row: sa.RowMapping, now: float) -> bool:
    """Whether the lease of a cohort that was read holds at that time."""
    length = row["lease_seconds"]
    if length is None:
        length = row["expires"] - row["renewed"]
    return bool(now < row["expires"] and row["expires"] - length <= now + _SLACK_SECONDS)

"""Limits of a search: whether its time is up, or its target reached.

Enters: a transaction, a study's name, its limits. Leaves: its search ended, and why. Whoever claims
or renews looks, so no process of its own has to. Refuses to know what is still to be trained.
"""

from __future__ import annotations

import sqlalchemy as sa

from lamsearch.results import SEARCHING
from lamsearch.storage.engine import Transaction
from lamsearch.storage.states import end_search
from lamsearch.storage.study_json import elapsed
from lamsearch.storage.study_rows import find_study_row
from lamsearch.storage.tables import DONE, cohorts
from lamsearch.study import Limits


def end_search_if_due(transaction: Transaction, study: str, limits: Limits) -> None:
    """End the search of an active study where a limit is reached that nobody has acted on yet."""
    if not is_due(transaction, study, limits):
        return
    row = find_study_row(transaction, study, lock=True)  # others may have been quicker
    reason = _due(transaction, row, limits)
    if row is not None and reason is not None:
        end_search(transaction, row, reason)


def is_due(transaction: Transaction, study: str, limits: Limits) -> bool:
    """Whether a limit is reached that nobody has acted on yet."""
    return (
        bool(limits) and _due(transaction, find_study_row(transaction, study), limits) is not None
    )


def _due(transaction: Transaction, row: sa.RowMapping | None, limits: Limits) -> str | None:
    """Why the search is to end; None where it is not, or has ended, or somebody paused it."""
    if row is None or any(
        row[name] is not None
        for name in ("search_ended", "selected", "halted", "finished", "failure")
    ):
        return None
    if limits.seconds is not None and row["started"] is not None:
        spent = elapsed(row["started"], transaction.now()) - row["paused_seconds"]
        if spent >= limits.seconds:
            return f"the time limit of {limits.time_limit} was reached"
    best = None if limits.target is None else _best(transaction, row["name"])
    if best is not None and limits.target is not None and best >= limits.target:
        return f"the target {limits.target:g} was reached by a score of {best:.6g}"
    return None


def _best(transaction: Transaction, study: str) -> float | None:
    """The best score of a cohort of the search that is complete."""
    query = sa.select(sa.func.max(cohorts.c.best)).where(
        cohorts.c.study == study, cohorts.c.stage.in_(SEARCHING), cohorts.c.state == DONE
    )
    found = transaction.connection.scalar(query)
    return None if found is None else float(found)

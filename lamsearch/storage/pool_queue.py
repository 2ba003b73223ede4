"""The queue of studies: which one a worker that serves several takes a cohort of next.

Enters: a database, and which studies a worker serves. Leaves: a study's name, or that there is
nothing to claim. Refuses to claim: what is found here may be another's a moment later.

A look is one statement, and while a worker waits it keeps its connection, which would have to be
found alive anew each time: hundreds of idle workers are no load.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lamsearch.storage.engine import Database
from lamsearch.storage.expiry import has_ended, is_ahead
from lamsearch.storage.states import CANCELLED
from lamsearch.storage.tables import ACTIVE, LEASED, OPEN, cohorts, studies
from lamsearch.storage.turns import free


@dataclass(frozen=True, slots=True)
class Claimable:
    """A study with something to claim. Its row may be damaged: nothing of it is checked here."""

    name: str
    id: object


class StudyQueue:
    """The studies that one worker serves.

    Args:
        database: where they are planned.
        names: which they are; all there are, and to come, unless given.
    """

    def __init__(self, database: Database, names: Collection[str] | None = None) -> None:
        self._database, self._names = database, names
        self._opened = ExitStack()
        self._connection: Connection | None = None

    def next(
        self, excluded: Collection[str] = (), excluded_ids: Collection[str] = ()
    ) -> Claimable | None:
        """Return the first study that has something to claim; None where none has.

        First is what has the highest priority, and of those what was submitted first. After None
        the connection is kept for the next look, until `release`.
        """
        query = self._active(excluded, excluded_ids).where(_claimable(self._database.clock))
        order = (studies.c.priority.desc(), studies.c.created, studies.c.name)
        row = self._look(query.order_by(*order).limit(1))
        if row is None:
            return None
        self.release()
        return Claimable(row.name, row.id)

    def has_active(
        self, excluded: Collection[str] = (), excluded_ids: Collection[str] = ()
    ) -> bool:
        """Whether any study is neither over nor paused, be there something to claim or not."""
        return self._look(self._active(excluded, excluded_ids).limit(1)) is not None

    def all_over(self) -> bool:
        """Whether every study that is served is done, failed, cancelled, or no longer there."""
        kept = sa.or_(studies.c.halted.is_(None), studies.c.halted != CANCELLED)
        query = sa.select(studies.c.name, studies.c.id).where(
            studies.c.finished.is_(None), studies.c.failure.is_(None), kept
        )
        return self._look(self._served(query).limit(1)) is None

    def release(self) -> None:
        """Give the connection back: the worker's other calls need it."""
        self._connection = None
        self._opened.close()

    def _look(self, query: sa.Select[Any]) -> sa.Row[Any] | None:
        try:
            with self._database.erring():
                if self._connection is None:
                    self._connection = self._opened.enter_context(self._database.looking())
                found = self._connection.execute(query).first()
                self._connection.rollback()
                if self._database.file is not None:  # opening it again costs nothing
                    self.release()
        except BaseException:
            self.release()
            raise
        return found

    def _active(self, excluded: Collection[str], excluded_ids: Collection[str]) -> sa.Select[Any]:
        query = self._served(sa.select(studies.c.name, studies.c.id).where(ACTIVE))
        if excluded:
            query = query.where(studies.c.name.not_in(list(excluded)))
        if excluded_ids:
            query = query.where(studies.c.id.not_in(list(excluded_ids)))
        return query

    def _served(self, query: sa.Select[Any]) -> sa.Select[Any]:
        return query if self._names is None else query.where(studies.c.name.in_(list(self._names)))


def next_study(
    database: Database, names: Collection[str] | None = None, excluded: Collection[str] = ()
) -> str | None:
    """Return the first study that has something to claim; None where none has.

    Args:
        database: where the studies are planned.
        names: those that are looked at; all unless given.
        excluded: those that are not.
    """
    queue = StudyQueue(database, names)
    try:
        found = queue.next(excluded)
    finally:
        queue.release()
    return None if found is None else found.name


def _claimable(now: sa.ColumnElement[float]) -> sa.ColumnElement[bool]:
    """Whether a study has a cohort to claim, or none left of its present stage.

    Each is found by the first rows of an index, whatever the number of cohorts.
    """
    now = sa.select(now).scalar_subquery()  # one time for all rows bounds an index
    of_it = sa.select(cohorts.c.number).where(cohorts.c.study == studies.c.name)
    leased = of_it.where(cohorts.c.state == LEASED)
    left = of_it.where(cohorts.c.state.in_((OPEN, LEASED)))
    return sa.or_(
        of_it.where(cohorts.c.state == OPEN).exists(), leased.where(has_ended(now)).exists(),
        leased.where(is_ahead(now)).exists(), sa.and_(sa.not_(left.exists()), free(now)),
    )  # fmt: skip

"""A worker's transactions: whether the database was away, and what may have got lost on the way.

Enters: a database, and how long a lease holds. Leaves: transactions, and how far leases are to be
believed after an outage. Refuses to know cohorts.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from lamsearch.errors import StorageBusyError
from lamsearch.storage.engine import Database, Transaction
from lamsearch.storage.failures import is_conflict, passes
from lamsearch.storage.retries import RETRIED


class Outages:
    """What a worker remembers of a database that was away, whichever study it asked for.

    Args:
        seconds: how long a lease holds without renewal.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._away, self._lenient_until = False, float("-inf")

    @property
    def recent(self) -> bool:
        """Whether the database is away, or has been for less than a lease."""
        return self._away or time.monotonic() < self._lenient_until

    @contextmanager
    def noticing(self) -> Iterator[None]:
        """Note when the database goes away, and when it is back: every call must pass here."""
        try:
            yield
        except RETRIED as error:
            self._away = self._away or _is_away(error)
            raise
        if self._away:
            self._away, self._lenient_until = False, time.monotonic() + self._seconds


class WorkerTransactions:
    """Transactions of one worker, who remembers how the last ones ended.

    Args:
        database: where the study is planned.
        seconds: how long a lease holds without renewal.
        outages: what the worker remembers of outages, where it works on several studies.
    """

    def __init__(self, database: Database, seconds: float, outages: Outages | None = None) -> None:
        self._database, self.seconds = database, seconds
        self._outages = outages or Outages(seconds)
        self._waiting = 0  # cohorts that others had leased when this worker last asked
        self._unacknowledged = False  # whether a claim may have been committed and never heard of

    @contextmanager
    def _write(self) -> Iterator[Transaction]:
        """A writing transaction of work; after an outage its answer may have got lost."""
        try:
            with self._outages.noticing(), self._database.write() as transaction:
                yield transaction
        except RETRIED as error:
            self._unacknowledged = self._unacknowledged or _is_away(error)
            self._waiting = 0  # so that it is tried again by writing, not by reading alone
            raise
        self._unacknowledged = False

    @contextmanager
    def _read(self) -> Iterator[Transaction]:
        """A transaction of work that only reads."""
        with self._outages.noticing(), self._database.read() as transaction:
            yield transaction

    def _lenient(self, transaction: Transaction, now: float) -> bool:
        """Whether no lease is taken to have run out.

        For one lease nobody's is after the server's start, and after this worker was cut off from
        it: others may have been unable to renew as long, and renew first when they are back.
        """
        if self._outages.recent:
            return True
        started = transaction.server_started()  # in the future where the clock was set back since
        return started <= now <= started + self.seconds


def _is_away(error: BaseException) -> bool:
    if isinstance(error, StorageBusyError):  # it is there, and what was asked of it not done
        return False
    return passes(error) and not is_conflict(error)

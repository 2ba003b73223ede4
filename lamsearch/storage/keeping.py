"""Keeping a lease that was given: renewed by whatever is written under it, looked at by reading.

Enters: a database, a study's name, an owner. Leaves: a lease that holds longer, or the reason why
it is lost. Whatever is written under a claim is written in a transaction that has first found its
token unchanged. Refuses to know what is claimed, and what is written.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict

import sqlalchemy as sa

from lamsearch.errors import StudyHaltedError
from lamsearch.storage.claims import Claim, Heartbeat
from lamsearch.storage.damage import damage_is_said
from lamsearch.storage.engine import Database, Transaction
from lamsearch.storage.limits import end_search_if_due, is_due
from lamsearch.storage.queue import at_work, lost, same_claim
from lamsearch.storage.states import PAUSED
from lamsearch.storage.tables import DONE, LEASED, cohorts, studies
from lamsearch.storage.worker_transactions import Outages, WorkerTransactions
from lamsearch.study import Limits

_NO_LIMITS = Limits()
_COUNTED_SECONDS = 10.0  # how long a count of who works is believed


class LeaseKeeping(WorkerTransactions):
    """What one worker does to keep the leases that it is given on cohorts of one study.

    Args:
        database: where the study is planned.
        study: its name.
        owner: a name for the worker that no other has.
        seconds: how long a lease holds without renewal.
        outages: what the worker remembers of outages, where it works on several studies.
        limits: what ends the study's search early.
    """

    def __init__(
        self,
        database: Database,
        study: str,
        *,
        owner: str,
        seconds: float,
        outages: Outages | None = None,
        limits: Limits = _NO_LIMITS,
    ) -> None:
        super().__init__(database, seconds, outages)
        self._study, self.owner, self._limits = study, owner, limits
        self._kept_at = self._counted_at = float("-inf")
        self.workers = 1  # how many work in this storage, as far as this one knows

    @property
    def unkept_seconds(self) -> float:
        """How long ago the lease was last known to last for its whole length."""
        return time.monotonic() - self._kept_at

    @damage_is_said()
    def renew(self, claim: Claim, heartbeat: Heartbeat) -> None:
        """Hold a claim for another lease.

        Raises:
            LeaseLostError: The cohort was given to another worker, or the study deleted.
            StudyHaltedError: The study is paused, and the lease holds; or was cancelled.
        """
        if self._limits:
            with self._write() as transaction:
                end_search_if_due(transaction, self._study, self._limits)
        begun = time.monotonic()
        with self._write() as transaction:
            self._hold(transaction, claim, heartbeat, transaction.now())
            halted = transaction.connection.scalar(
                sa.select(studies.c.halted).where(studies.c.name == self._study)
            )
            self._count(transaction)
        self._keep(begun)
        if halted == PAUSED:
            raise StudyHaltedError(f"study: {self._study!r} is paused", halted=PAUSED)

    @damage_is_said()
    def is_undisturbed(self, claim: Claim) -> bool:
        """Whether a claim is still this worker's, nobody has halted the study, no limit is reached.

        One statement that locks and writes nothing, more where there are limits; what has changed,
        `renew` says.
        """
        if self._limits:
            with self._read() as transaction:
                if is_due(transaction, self._study, self._limits):
                    return False
        mine = sa.select(cohorts.c.number).where(*self._mine(claim)).exists()
        query = sa.select(studies.c.name).where(
            studies.c.name == self._study, studies.c.halted.is_(None), mine
        )
        with (
            self._outages.noticing(),
            self._database.erring(),
            self._database.looking() as connection,
        ):
            return connection.execute(query).first() is not None

    def _hold(
        self, transaction: Transaction, claim: Claim, heartbeat: Heartbeat | None, now: float
    ) -> None:
        """Have a lease last for its whole length from now on, with progress if it is known."""
        progress = {} if heartbeat is None else asdict(heartbeat)
        held = sa.update(cohorts).where(*self._mine(claim))
        if transaction.execute(held.values(**progress, **self._until(now))).rowcount != 1:
            raise lost(transaction, claim)

    def _keep(self, begun: float) -> None:
        """Note that a transaction has held the lease that was begun at that time."""
        self._kept_at = max(self._kept_at, begun)

    def _count(self, transaction: Transaction) -> None:
        """Count who works, if that was some time ago."""
        now = time.monotonic()
        if now - self._counted_at > _COUNTED_SECONDS:
            # those who wait for the last cohorts of a stage are as many as worked before
            self.workers = max(1, at_work(transaction), self.workers // 2)
            self._counted_at = now

    def _until(self, now: float) -> dict[str, float]:
        """What a lease is from now on."""
        return {"renewed": now, "expires": now + self.seconds, "lease_seconds": self.seconds}

    def _fence(self, transaction: Transaction, claim: Claim) -> sa.RowMapping:
        """Lock the cohort's row and find the token unchanged, or refuse; return the row, and `now`.

        It is done where this very claim is complete: that was committed, and the answer lost.
        """
        query = sa.select(cohorts, transaction.clock.label("now"))
        query = query.where(*same_claim(claim, self.owner)).with_for_update()
        row = transaction.execute(query).mappings().first()
        if row is None or row["state"] not in (LEASED, DONE):
            raise lost(transaction, claim)
        return row

    def _mine(self, claim: Claim) -> Iterable[sa.ColumnElement[bool]]:
        return (*same_claim(claim, self.owner), cohorts.c.state == LEASED)

"""Leases on cohorts: claim, renew, report, complete, give back.

Enters: a database, a study's name, an owner. Leaves: claims, each with a fencing token that grows
with every claim of its cohort. Whatever a claim writes is written in a transaction that has first
found the token unchanged, so a worker that was given up can change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import sqlalchemy as sa

from lamsearch.errors import StudyHaltedError
from lamsearch.metrics import DEFAULT_METRIC
from lamsearch.results import FinalScore, TestOpening, Trained, TrialRecord
from lamsearch.space import Point, space_of
from lamsearch.storage.claims import Claim, Heartbeat, Wait
from lamsearch.storage.completion import end_trials, finite, write_curves
from lamsearch.storage.damage import check_cohort, damage_is_said
from lamsearch.storage.digests import write_digests
from lamsearch.storage.documents import chosen_point
from lamsearch.storage.engine import Database, Transaction
from lamsearch.storage.held_out import open_test, write_final
from lamsearch.storage.limits import end_search_if_due
from lamsearch.storage.optuna_rows import set_intermediate_values
from lamsearch.storage.planned import read_stage_row, settle
from lamsearch.storage.queue import (
    check_states,
    first_cohort,
    keep_active,
    lost,
    present,
    same_claim,
    take,
    unfinished,
)
from lamsearch.storage.reading import trained_final
from lamsearch.storage.states import PAUSED
from lamsearch.storage.study_rows import planned_study_row
from lamsearch.storage.tables import DONE, LEASED, OPEN, cohorts, studies
from lamsearch.storage.transition import advance
from lamsearch.storage.worker_transactions import Outages, WorkerTransactions
from lamsearch.study import Limits

_NO_MODELS: Mapping[int, str] = {}
_NO_SNAPSHOTS: Mapping[int, Mapping[int, str]] = {}
_NO_LIMITS = Limits()


class Leases(WorkerTransactions):
    """One worker's leases on the cohorts of one study; it has one of them at a time.

    Every call may be repeated where its answer was lost on the way: what is done stays done once.

    Args:
        database: where the study is planned.
        study: its name.
        owner: a name for the worker that no other has.
        seconds: how long a lease holds without renewal.
        environment: the number of what it computes with, where it has joined.
        metric: what the study's candidates are compared by.
        outages: what the worker remembers of outages, where it works on several studies.
        limits: what ends the study's search early.
        study_id: the study's id, where one of its name that is made anew is another's.
    """

    def __init__(
        self,
        database: Database,
        study: str,
        *,
        owner: str,
        seconds: float,
        environment: int | None = None,
        metric: str = DEFAULT_METRIC.name,
        outages: Outages | None = None,
        limits: Limits = _NO_LIMITS,
        study_id: str | None = None,
    ) -> None:
        super().__init__(database, seconds, outages)
        self._study, self._environment, self.owner = study, environment, owner
        self._metric, self._limits, self._paused = metric, limits, False
        self._study_id = study_id

    @damage_is_said()
    def claim(self) -> Claim | Wait | None:
        """Claim the next cohort; None when the study is over, or was cancelled.

        Where a stage has just ended, the transition to the next is made first. Who has to
        wait asks again without taking a lock, until there is something to take.
        """
        if self._waiting and not self._has_work():
            return Wait(cohorts=self._waiting, paused=self._paused)
        while True:
            with self._write() as transaction:
                study = present(transaction, self._study, self._study_id)
                if study.over:
                    return None
                self._paused = study.paused
                if study.paused:
                    self._waiting = max(1, unfinished(transaction, self._study))
                    return Wait(cohorts=self._waiting, paused=True)
                end_search_if_due(transaction, self._study, self._limits)
                if not keep_active(transaction, self._study, study):
                    continue
                row = self._first(transaction, study.now, lock=True)
                if row is not None:
                    self._waiting = 0
                    return self._take(transaction, row, study.now)
                self._waiting = unfinished(transaction, self._study)
                if not self._waiting:
                    check_states(transaction, self._study)
            if self._waiting:
                return Wait(cohorts=self._waiting)
            with self._outages.noticing():
                advance(self._database, self._study)

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
        with self._write() as transaction:
            now = transaction.now()
            values = {**asdict(heartbeat), **self._until(now)}
            renewed = sa.update(cohorts).where(*self._mine(claim)).values(**values)
            if transaction.execute(renewed).rowcount != 1:
                raise lost(transaction, claim)
            halted = transaction.connection.scalar(
                sa.select(studies.c.halted).where(studies.c.name == self._study)
            )
        if halted == PAUSED:
            raise StudyHaltedError(f"study: {self._study!r} is paused", halted=PAUSED)

    @damage_is_said()
    def give_back(self, claim: Claim) -> None:
        """Let others claim the cohort at once; its trials stay running, to be adopted."""
        with self._write() as transaction:
            values = {"state": OPEN, "owner": None, "expires": None}
            transaction.execute(sa.update(cohorts).where(*self._mine(claim)).values(**values))

    @damage_is_said()
    def report(self, claim: Claim, cycle: int, scores: Sequence[float]) -> tuple[str, ...]:
        """Report each trial's validation score at a cycle end; NaN for a model taken out.

        Returns:
            A sentence for each trial that another program has ended, and that was planned anew.

        Raises:
            LeaseLostError: The cohort was given to another worker.
        """
        with self._write() as transaction:
            row = self._fence(transaction, claim)
            if row["state"] == DONE:
                return ()
            _, entries, replanned = self._settle(transaction, claim, row)
            pairs = zip(entries, scores, strict=True)
            values = [(entry[0], cycle, float(one)) for entry, one in pairs if np.isfinite(one)]
            set_intermediate_values(transaction, values)
        return replanned

    @damage_is_said()
    def complete(
        self, claim: Claim, outcomes: Sequence[Trained], heartbeat: Heartbeat, seconds: float
    ) -> tuple[str, ...]:
        """Write the results of all trials of a claim, and that its cohort is done.

        Returns:
            A sentence for each trial that another program has ended, and that was planned anew.

        Raises:
            LeaseLostError: The cohort was given to another worker; nothing was written.
        """
        with self._write() as transaction:
            row = self._fence(transaction, claim)
            if row["state"] == DONE:
                return ()
            study_id, entries, replanned = self._settle(transaction, claim, row)
            results = [finite(trained, self._metric) for trained in outcomes]
            write_digests(transaction, entries, claim.replicate, results)
            facts = {"worker": self.owner, "environment": self._environment}
            share = round(seconds / len(outcomes), 3)
            ended = [(entry[0], one) for entry, one in zip(entries, results, strict=True)]
            end_trials(transaction, ended, self._metric, {"seconds": share, **facts})
            write_curves(transaction, (study_id, claim.stage, claim.replicate), entries, outcomes)
            self._finish(transaction, claim, {**asdict(heartbeat), "seconds": seconds})
        return replanned

    @damage_is_said()
    def open_test(self, claim: Claim, purpose: str) -> TestOpening:
        """Commit the record that the test set is opened, then return it.

        A second call, after a crash, returns the same record: the same evaluation again.
        """
        with self._write() as transaction:
            self._fence(transaction, claim)
            return open_test(transaction, self._study, purpose, owner=self.owner, tests=claim.tests)

    @damage_is_said()
    def complete_test(
        self,
        claim: Claim,
        final: FinalScore,
        models: Mapping[int, str] = _NO_MODELS,
        snapshots: Mapping[int, Mapping[int, str]] = _NO_SNAPSHOTS,
    ) -> None:
        """Write the test score, and that the work is done.

        ``models`` are by replicate the digests of what was evaluated, ``snapshots`` also by cycle.

        Raises:
            LeaseLostError: The work was given to another worker; nothing was written.
        """
        with self._write() as transaction:
            if self._fence(transaction, claim)["state"] == DONE:
                return
            write_final(transaction, self._study, final, models, snapshots)
            self._finish(transaction, claim, {})

    @damage_is_said()
    def chosen(self) -> Point:
        """Return the committed choice."""
        with self._read() as transaction:
            row = planned_study_row(transaction, self._study)
            return chosen_point(row["selected"] or {}, space_of(row["document"]))

    @damage_is_said()
    def trained(self) -> dict[int, TrialRecord]:
        """Return the final's complete trials by replicate, with their models' digests if known."""
        with self._read() as transaction:
            return trained_final(transaction, self._study)

    def _has_work(self) -> bool:
        """Whether there is something to take, a transition to make, or an end; asked by reading."""
        with self._read() as transaction:
            study = present(transaction, self._study, self._study_id)
            self._paused = study.paused
            if study.over or study.paused:
                return study.over
            return (
                not unfinished(transaction, self._study)
                or self._first(transaction, study.now) is not None
            )

    def _first(
        self, transaction: Transaction, now: float, *, lock: bool = False
    ) -> sa.RowMapping | None:
        """The first cohort that this worker may claim now.

        After an outage, one of its own is one whose claim was committed and never heard of.
        """
        own = self.owner if self._unacknowledged else None
        late = None if self._lenient(transaction, now) else now
        return first_cohort(transaction, self._study, now=late, own=own, lock=lock)

    def _until(self, now: float) -> dict[str, float]:
        """What a lease is from now on."""
        return {"renewed": now, "expires": now + self.seconds, "lease_seconds": self.seconds}

    def _take(self, transaction: Transaction, row: sa.RowMapping, now: float) -> Claim:
        check_cohort(row)
        unacknowledged = self._unacknowledged and row["owner"] == self.owner
        lease = {**self._until(now), "owner": self.owner}
        return take(transaction, self._study, row, lease, again=not unacknowledged)

    def _settle(
        self, transaction: Transaction, claim: Claim, row: sa.RowMapping
    ) -> tuple[str, list[list[Any]], tuple[str, ...]]:
        """The study's id, and the trials of a claim as they are now, fit to be written to."""
        stage_row = read_stage_row(transaction, self._study, claim.stage)
        entries, replanned = settle(transaction, stage_row, row, begun=True)
        return stage_row.study_id, entries, replanned

    def _fence(self, transaction: Transaction, claim: Claim) -> sa.RowMapping:
        """Lock the cohort's row and find the token unchanged, or refuse; return the row.

        It is done where this very claim is complete: that was committed, and the answer lost.
        """
        query = sa.select(cohorts).where(*same_claim(claim, self.owner)).with_for_update()
        row = transaction.execute(query).mappings().first()
        if row is None or row["state"] not in (LEASED, DONE):
            raise lost(transaction, claim)
        return row

    def _mine(self, claim: Claim) -> Iterable[sa.ColumnElement[bool]]:
        return (*same_claim(claim, self.owner), cohorts.c.state == LEASED)

    def _finish(self, transaction: Transaction, claim: Claim, values: dict[str, object]) -> None:
        done = {**values, "state": DONE, "owner": self.owner, "expires": None}
        transaction.execute(sa.update(cohorts).where(*self._mine(claim)).values(**done))

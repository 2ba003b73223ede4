"""Leases on cohorts: claim, report, complete, give back; `keeping` has what renews them.

Enters: a database, a study's name, an owner. Leaves: claims, each with a fencing token that grows
with every claim of its cohort. Whatever a claim writes is written in a transaction that has first
found the token unchanged, so a worker that was given up can change nothing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypedDict

import numpy as np
import sqlalchemy as sa

from lamsearch.metrics import DEFAULT_METRIC
from lamsearch.results import FinalScore, TestOpening, Trained, TrialRecord
from lamsearch.space import Point, space_of
from lamsearch.storage import turns
from lamsearch.storage.claims import Claim, Heartbeat, Wait
from lamsearch.storage.completion import end_trials, finite, write_curves
from lamsearch.storage.damage import check_cohort, damage_is_said
from lamsearch.storage.digests import write_digests
from lamsearch.storage.documents import chosen_point
from lamsearch.storage.engine import Database, Transaction
from lamsearch.storage.held_out import open_test, write_final
from lamsearch.storage.keeping import LeaseKeeping
from lamsearch.storage.limits import end_search_if_due
from lamsearch.storage.optuna_rows import set_intermediate_values
from lamsearch.storage.planned import read_stage_row, settle
from lamsearch.storage.queue import (
    Present,
    check_states,
    first_cohort,
    keep_active,
    present,
    standing,
    take,
    unfinished,
)
from lamsearch.storage.reading import trained_final
from lamsearch.storage.study_rows import planned_study_row
from lamsearch.storage.tables import DONE, OPEN, cohorts
from lamsearch.storage.transition import advance
from lamsearch.storage.worker_transactions import Outages
from lamsearch.study import Limits

_NO_MODELS: Mapping[int, str] = {}
_NO_SNAPSHOTS: Mapping[int, Mapping[int, str]] = {}
_NO_LIMITS = Limits()


class _Options(TypedDict):
    now: float | None
    own: str | None


class Leases(LeaseKeeping):
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
        super().__init__(
            database, study, owner=owner, seconds=seconds, outages=outages, limits=limits
        )
        self._environment, self._metric, self._study_id = environment, metric, study_id
        self._paused = False
        self._turn: float | None = None  # until when this worker makes the stage's transition

    @damage_is_said()
    def claim(self) -> Claim | Wait | None:
        """Claim the next cohort; None when the study is over, or was cancelled.

        Where a stage has just ended, the transition to the next is made first. Who has to
        wait asks again without taking a lock, until there is something to take.
        """
        if self._waiting and not self._has_work():
            return Wait(cohorts=self._waiting, paused=self._paused)
        while True:
            begun = time.monotonic()
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
                options = self._options(transaction, study.now)
                row = first_cohort(transaction, self._study, **options, lock=True)
                if row is not None:
                    self._waiting = 0
                    self._keep(begun)
                    return self._take(transaction, row, study.now)
                self._waiting = unfinished(transaction, self._study)
                if not self._waiting:
                    check_states(transaction, self._study)
            if not self._waiting and not self._has_turn(study):
                self._waiting = 1  # whatever another is planning now
            if self._waiting:
                return Wait(cohorts=self._waiting)
            with self._outages.noticing():
                advance(self._database, self._study)

    @damage_is_said()
    def give_back(self, claim: Claim) -> None:
        """Let others claim the cohort at once; its trials stay running, to be adopted."""
        with self._write() as transaction:
            values = {"state": OPEN, "owner": None, "expires": None}
            transaction.execute(sa.update(cohorts).where(*self._mine(claim)).values(**values))

    @damage_is_said()
    def report(
        self,
        claim: Claim,
        cycle: int,
        scores: Sequence[float],
        heartbeat: Heartbeat | None = None,
    ) -> tuple[str, ...]:
        """Report each trial's validation score at a cycle end; NaN for a model taken out.

        It renews the lease, and has the progress of a renewal where a heartbeat is given.

        Returns:
            A sentence for each trial that another program has ended, and that was planned anew.

        Raises:
            LeaseLostError: The cohort was given to another worker.
        """
        begun = time.monotonic()
        with self._write() as transaction:
            row = self._fence(transaction, claim)
            if row["state"] == DONE:
                return ()
            self._hold(transaction, claim, heartbeat, row["now"])
            _, entries, replanned = self._settle(transaction, claim, row)
            pairs = zip(entries, scores, strict=True)
            values = [(entry[0], cycle, float(one)) for entry, one in pairs if np.isfinite(one)]
            set_intermediate_values(transaction, values)
        self._keep(begun)
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
            self._count(transaction)
            if study.over or study.paused:
                return study.over
            options = self._options(transaction, study.now)
            left, found = standing(transaction, self._study, **options)
            return found if left else self._may_have_turn(study)

    def _may_have_turn(self, study: Present) -> bool:
        """Whether a transition is nobody's yet, or this worker's."""
        until = study.transition_until
        return turns.is_free(until, study.now) or until == self._turn

    def _has_turn(self, study: Present) -> bool:
        """Whether the transition is this worker's to make."""
        if not self._may_have_turn(study):
            return False
        with self._write() as transaction:
            found = turns.take(transaction, self._study, self.seconds, self._turn)
        self._turn = found or self._turn
        return found is not None

    def _options(self, transaction: Transaction, now: float) -> _Options:
        """By what time leases have run out for this worker, and whose do not count.

        After an outage, one of its own is one whose claim was committed and never heard of.
        """
        own = self.owner if self._unacknowledged else None
        return {"now": None if self._lenient(transaction, now) else now, "own": own}

    def _take(self, transaction: Transaction, row: sa.RowMapping, now: float) -> Claim:
        check_cohort(row)
        self._count(transaction)
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

    def _finish(self, transaction: Transaction, claim: Claim, values: dict[str, object]) -> None:
        done = {**values, "state": DONE, "owner": self.owner, "expires": None}
        transaction.execute(sa.update(cohorts).where(*self._mine(claim)).values(**done))

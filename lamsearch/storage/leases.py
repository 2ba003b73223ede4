"""Leases on cohorts: claim, renew, tell, give back.

Enters: a database, a study's name, an owner. Leaves: claims, each with a fencing token that grows
with every claim of its cohort. Whatever a claim writes is written in a transaction that has first
found the token unchanged, so a worker that was given up can change nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from optuna.trial import TrialState as OptunaState

from lamsearch.errors import LeaseLostError, StorageBusyError, StudyStateError
from lamsearch.results import STAGES, FinalScore, StageName, TestOpening, Trained, TrialState
from lamsearch.storage.curve_blobs import pack
from lamsearch.storage.damage import check_cohort, damage_is_said
from lamsearch.storage.digests import with_final, write_digests
from lamsearch.storage.engine import Database, Transaction
from lamsearch.storage.expiry import holds
from lamsearch.storage.failures import is_conflict, passes
from lamsearch.storage.optuna_rows import (
    end,
    insert_rows,
    set_attributes,
    set_intermediate_values,
)
from lamsearch.storage.planned import Place, place_of, sample, settle
from lamsearch.storage.reading import model_digests, read_stage
from lamsearch.storage.retries import RETRIED
from lamsearch.storage.tables import DONE, LEASED, OPEN, TEST, cohorts, curves, studies
from lamsearch.storage.transition import advance

_NO_MODELS: Mapping[int, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One trial of a claimed cohort: Optuna's id, the candidate, its log10 λ."""

    trial: int
    candidate: int
    log10_lambda: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A lease on a cohort. ``tests`` says that the work is to open the test set, not to train.

    ``replanned`` has a sentence for each trial that another program has had, and that was planned
    anew.
    """

    study: str
    stage: StageName
    tests: bool
    number: int
    replicate: int
    token: int
    taken_over: bool
    slots: tuple[Held, ...]
    replanned: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing to claim now: others hold all that is left of the stage."""

    cohorts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """What a renewal tells whoever watches: progress, and the best candidate so far.

    ``recovered`` is the update at which a cohort begun before was resumed; None where none was.
    """

    updates: int
    per_second: float
    recovered: int | None = None
    best: float | None = None
    best_at: float | None = None


class Leases:
    """One worker's door to the cohorts of one study; the worker holds one of them at a time.

    Every call may be repeated where its answer was lost on the way: what is done stays done once.

    Args:
        database: where the study is planned.
        study: its name.
        owner: a name for the worker that no other has.
        seconds: how long a lease holds without renewal.
        environment: the number of what it computes with, where it has joined.
    """

    def __init__(
        self,
        database: Database,
        study: str,
        *,
        owner: str,
        seconds: float,
        environment: int | None = None,
    ) -> None:
        self._database, self._study = database, study
        self._environment = environment
        self.owner, self.seconds = owner, seconds
        self._waiting = 0  # cohorts that others held when this worker last asked
        self._away, self._lenient_until = False, float("-inf")
        self._unacknowledged = False  # whether a claim may have been committed and never heard of

    @damage_is_said()
    def claim(self) -> Claim | Wait | None:
        """Claim the next cohort; None when the study is over.

        Where a stage has just ended, the transition to the next is made first. Who has been told
        to wait asks again without taking a lock, until there is something to take.
        """
        if self._waiting and not self._has_work():
            return Wait(cohorts=self._waiting)
        while True:
            with self._write() as transaction:
                now = self._unless_over(transaction)
                if now is None:
                    return None
                row = self._first(transaction, now, lock=True)
                if row is not None:
                    self._waiting = 0
                    return self._take(transaction, row, now)
                self._waiting = self._left(transaction)
                if not self._waiting:
                    self._check_states(transaction)
            if self._waiting:
                return Wait(cohorts=self._waiting)
            with self._noticing():
                advance(self._database, self._study)

    @damage_is_said()
    def renew(self, claim: Claim, heartbeat: Heartbeat) -> None:
        """Hold a claim for another lease.

        Raises:
            LeaseLostError: The cohort was given to another worker, or the study deleted.
        """
        with self._write() as transaction:
            now = transaction.now()
            values = {**asdict(heartbeat), **self._until(now)}
            renewed = transaction.execute(
                sa.update(cohorts).where(*self._mine(claim)).values(**values)
            )
            if renewed.rowcount != 1:
                raise self._lost(claim)

    @damage_is_said()
    def give_back(self, claim: Claim) -> None:
        """Let others claim the cohort at once; its trials stay running, to be adopted."""
        with self._write() as transaction:
            values = {"state": OPEN, "owner": None, "expires": None}
            transaction.execute(sa.update(cohorts).where(*self._mine(claim)).values(**values))

    @damage_is_said()
    def report(self, claim: Claim, cycle: int, accuracies: Sequence[float]) -> tuple[str, ...]:
        """Report each trial's validation accuracy at a cycle end; NaN for a net taken out.

        Returns:
            A sentence for each trial that another program has ended, and that was planned anew.

        Raises:
            LeaseLostError: The cohort was given to another worker.
        """
        with self._write() as transaction:
            row = self._fence(transaction, claim)
            if row["state"] == DONE:
                return ()
            _, slots, replanned = self._settle(transaction, claim, row)
            pairs = zip(slots, accuracies, strict=True)
            values = [(slot[0], cycle, float(one)) for slot, one in pairs if np.isfinite(one)]
            set_intermediate_values(transaction, values)
        return replanned

    @damage_is_said()
    def tell(
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
            study_id, slots, replanned = self._settle(transaction, claim, row)
            results = [_finite(trained) for trained in outcomes]
            write_digests(transaction, slots, claim.replicate, results)
            found = list(zip(slots, results, strict=True))
            self._complete(
                transaction, [(slot[0], one) for slot, one in found], seconds / len(outcomes)
            )
            insert_rows(transaction, curves, [
                {"study_id": study_id, "stage": claim.stage, "candidate": slot[1],
                 "replicate": claim.replicate, "arrays": blob, "model_sha256": one.model_sha256}
                for slot, one in zip(slots, outcomes, strict=True)
                if (blob := pack(one)) is not None
            ])  # fmt: skip
            self._finish(transaction, claim, {**asdict(heartbeat), "seconds": seconds})
        return replanned

    @damage_is_said()
    def open_test(self, claim: Claim, purpose: str) -> TestOpening:
        """Commit the record that the test set is opened, then return it.

        A second call, after a crash, returns the same record: the same evaluation again.
        """
        with self._write() as transaction:
            self._fence(transaction, claim)
            query = sa.select(studies).where(studies.c.name == self._study).with_for_update()
            row = transaction.execute(query).mappings().one()
            if row["openings"]:
                return TestOpening(**row["openings"][0])
            curves_wanted = row["document"].get("final", {}).get("test_curves", False)
            if row["selected"] is None or not (claim.tests or curves_wanted):
                raise StudyStateError("test: no winner is trained, so the test set stays sealed")
            opening = TestOpening(
                study=self._study,
                study_id=row["id"],
                purpose=purpose,
                at=datetime.fromtimestamp(transaction.now(), UTC).isoformat(timespec="seconds"),
                owner=self.owner,
            )
            self._update_study(transaction, openings=[asdict(opening)])
        return opening

    @damage_is_said()
    def tell_test(
        self, claim: Claim, final: FinalScore, models: Mapping[int, str] = _NO_MODELS
    ) -> None:
        """Write the test accuracy, and that the work is done.

        ``models`` are the SHA-256 digests, by replicate, of the models that were evaluated.

        Raises:
            LeaseLostError: The work was given to another worker; nothing was written.
        """
        with self._write() as transaction:
            if self._fence(transaction, claim)["state"] == DONE:
                return
            query = sa.select(studies).where(studies.c.name == self._study)
            row, written = transaction.execute(query).mappings().one(), asdict(final)
            self._update_study(transaction, final=written, selected=with_final(row, written))
            study_id = sa.select(studies.c.id).where(studies.c.name == self._study)
            ours = (curves.c.study_id == study_id.scalar_subquery(), curves.c.stage == "final")
            for replicate, digest in models.items():
                update = sa.update(curves).where(*ours, curves.c.replicate == replicate)
                transaction.execute(update.values(model_sha256=digest))
            self._finish(transaction, claim, {})

    def chosen(self) -> float:
        """Return log10 λ of the committed winner."""
        with self._read() as transaction:
            query = sa.select(studies.c.selected).where(studies.c.name == self._study)
            return float((transaction.connection.scalar(query) or {})["log10_lambda"])

    @damage_is_said()
    def trained(self) -> dict[int, str | None]:
        """Return the replicates of the final that are complete, with their models' SHA-256.

        Only they have a model; None where an earlier version wrote no digest down.
        """
        with self._read() as transaction:
            trials = read_stage(transaction, self._study, "final").trials
            digests = model_digests(transaction, self._study)
        done = [one.replicate for one in trials if one.state is TrialState.COMPLETE]
        return {replicate: digests.get(replicate) for replicate in done}

    @contextmanager
    def _write(self) -> Iterator[Transaction]:
        """A writing transaction of work; after an outage its answer may have got lost."""
        try:
            with self._noticing(), self._database.write() as transaction:
                yield transaction
        except RETRIED as error:
            self._unacknowledged = self._unacknowledged or _is_away(error)
            self._waiting = 0  # so that it is tried again by writing, not by reading alone
            raise
        self._unacknowledged = False

    @contextmanager
    def _read(self) -> Iterator[Transaction]:
        """A transaction of work that only reads."""
        with self._noticing(), self._database.read() as transaction:
            yield transaction

    @contextmanager
    def _noticing(self) -> Iterator[None]:
        """Note when the database goes away, and when it is back: every call must pass here."""
        try:
            yield
        except RETRIED as error:
            self._away = self._away or _is_away(error)
            raise
        if self._away:
            self._away, self._lenient_until = False, time.monotonic() + self.seconds

    def _unless_over(self, transaction: Transaction) -> float | None:
        """The database's time, or None where the study is over."""
        query = sa.select(studies.c.finished, studies.c.failure, transaction.clock.label("now"))
        row = transaction.execute(query.where(studies.c.name == self._study)).first()
        if row is None:
            raise StudyStateError(f"study: no study {self._study!r}: it was deleted")
        return float(row.now) if row.finished is None and row.failure is None else None

    def _has_work(self) -> bool:
        """Whether there is something to take, a transition to make, or an end; asked by reading."""
        with self._read() as transaction:
            now = self._unless_over(transaction)
            return (
                now is None
                or not self._left(transaction)
                or self._first(transaction, now) is not None
            )

    def _left(self, transaction: Transaction) -> int:
        unfinished = cohorts.c.state.in_((OPEN, LEASED))
        query = sa.select(sa.func.count()).where(cohorts.c.study == self._study, unfinished)
        return int(transaction.connection.scalar(query) or 0)

    def _check_states(self, transaction: Transaction) -> None:
        """Refuse cohorts that nobody could claim and nobody has done: they end no stage."""
        known = cohorts.c.state.in_((OPEN, LEASED, DONE))
        query = sa.select(cohorts.c.state).where(cohorts.c.study == self._study, sa.not_(known))
        for state in transaction.connection.scalars(query.limit(1)):
            raise ValueError(f"a cohort's state must be {OPEN}, {LEASED} or {DONE}, got {state!r}")

    def _first(
        self, transaction: Transaction, now: float, *, lock: bool = False
    ) -> sa.RowMapping | None:
        """The first cohort whose lease has run out, else the first that is open; locked on demand.

        Two queries: each walks an index no further than to its first row. After an outage, a
        cohort of this worker's is one whose claim was committed and never heard of.
        """
        late = sa.false() if self._lenient(transaction, now) else sa.not_(holds(now))
        if self._unacknowledged:
            late = sa.or_(late, cohorts.c.owner == self.owner)
        for where in (sa.and_(cohorts.c.state == LEASED, late), cohorts.c.state == OPEN):
            query = sa.select(cohorts).where(cohorts.c.study == self._study, where)
            query = query.order_by(cohorts.c.number).limit(1)
            if lock:
                query = query.with_for_update(skip_locked=True)
            if (row := transaction.execute(query).mappings().first()) is not None:
                return row
        return None

    def _lenient(self, transaction: Transaction, now: float) -> bool:
        """Whether no lease is taken to have run out.

        For one lease nobody's is after the server's start, and after this worker was cut off from
        it: others may have been unable to renew as long, and renew first when they are back.
        """
        if self._away or time.monotonic() < self._lenient_until:
            return True
        started = transaction.server_started()  # in the future where the clock was set back since
        return started <= now <= started + self.seconds

    def _until(self, now: float) -> dict[str, float]:
        """What a lease of this worker's is from now on."""
        return {"renewed": now, "expires": now + self.seconds, "lease_seconds": self.seconds}

    def _take(self, transaction: Transaction, row: sa.RowMapping, now: float) -> Claim:
        check_cohort(row)
        unacknowledged = self._unacknowledged and row["owner"] == self.owner
        again = row["state"] == LEASED and not unacknowledged
        slots, replanned = self._start(transaction, row)
        # what was given back is recovered from nobody; a claim never heard of is the same claim
        whose = row["owner"] if again else row["taken_from"] if row["state"] == LEASED else None
        values = {
            **self._until(now), "state": LEASED, "owner": self.owner, "token": row["token"] + 1,
            "slots": slots, "takeovers": row["takeovers"] + again, "taken_from": whose,
            "recovered": None,
        }  # fmt: skip
        key = (cohorts.c.study == self._study, cohorts.c.stage == row["stage"],
               cohorts.c.number == row["number"])  # fmt: skip
        transaction.execute(sa.update(cohorts).where(*key).values(**values))
        return Claim(
            study=self._study,
            stage="final" if row["stage"] == TEST else row["stage"],
            tests=row["stage"] == TEST,
            number=row["number"],
            replicate=row["replicate"],
            token=row["token"] + 1,
            taken_over=again,
            slots=tuple(Held(trial=t, candidate=c, log10_lambda=lam) for t, c, lam in slots),
            replanned=replanned,
        )

    def _start(
        self, transaction: Transaction, row: sa.RowMapping
    ) -> tuple[list[list[Any]], tuple[str, ...]]:
        """Set the trials running, and let an adaptive sampler choose where it has to."""
        if row["stage"] == TEST:
            return [], ()
        place = place_of(transaction, self._study, row["stage"])
        slots, replanned = settle(transaction, place, row, begun=row["token"] > 0)
        if any(slot[2] is None for slot in slots):
            self._sample(transaction, place, slots)
        return slots, replanned

    def _settle(
        self, transaction: Transaction, claim: Claim, row: sa.RowMapping
    ) -> tuple[str, list[list[Any]], tuple[str, ...]]:
        """The study's id, and the slots of a claim as they are now, fit to be written to."""
        place = place_of(transaction, self._study, claim.stage)
        slots, replanned = settle(transaction, place, row, begun=True)
        return place.study_id, slots, replanned

    def _sample(self, transaction: Transaction, place: Place, slots: list[list[Any]]) -> None:
        query = sa.select(studies.c.document).where(studies.c.name == self._study)
        seed = transaction.connection.execute(query).scalar_one()["seed"]
        for slot in slots:
            entropy = (seed, STAGES.index(place.stage), slot[1])
            state = int(np.random.SeedSequence(entropy, spawn_key=(3,)).generate_state(1)[0])
            slot[2] = sample(transaction, place, slot[0], seed=state)

    def _complete(
        self, transaction: Transaction, found: Sequence[tuple[int, Trained]], seconds: float
    ) -> None:
        """End trials, given as Optuna's id and what came of each, with all that is known of it."""
        set_attributes(
            transaction, [(trial, self._attributes(one, seconds)) for trial, one in found]
        )
        set_intermediate_values(transaction, [
            (trial, cycle, accuracy)
            for trial, one in found for cycle, accuracy in enumerate(one.cycle_accuracies, start=1)
        ])  # fmt: skip
        end(transaction, [(trial, *_ending(one)) for trial, one in found])

    def _attributes(self, trained: Trained, seconds: float) -> dict[str, object]:
        attributes: dict[str, object] = {
            "validation_accuracy": trained.validation_accuracy,
            "validation_loss": trained.validation_loss,
            "train_accuracy": trained.train_accuracy,
            "reason": trained.reason,
            "updates": trained.updates,
            "seconds": round(seconds, 3),
            "worker": self.owner,
            "environment": self._environment,
        }
        return {key: value for key, value in attributes.items() if value is not None}

    def _fence(self, transaction: Transaction, claim: Claim) -> sa.RowMapping:
        """Lock the cohort's row and find the token unchanged, or refuse; return the row.

        It is done where this very claim is told already: that was committed, and the answer lost.
        """
        query = sa.select(cohorts).where(*self._claimed(claim)).with_for_update()
        row = transaction.execute(query).mappings().first()
        if row is None or row["state"] not in (LEASED, DONE):
            raise self._lost(claim)
        return row

    def _mine(self, claim: Claim) -> Iterable[sa.ColumnElement[bool]]:
        return (*self._claimed(claim), cohorts.c.state == LEASED)

    def _claimed(self, claim: Claim) -> Iterable[sa.ColumnElement[bool]]:
        return (
            cohorts.c.study == claim.study,
            cohorts.c.stage == (TEST if claim.tests else claim.stage),
            cohorts.c.number == claim.number,
            cohorts.c.token == claim.token,
            cohorts.c.owner == self.owner,  # tokens of a study deleted and made again begin anew
        )

    def _finish(self, transaction: Transaction, claim: Claim, values: dict[str, object]) -> None:
        done = {**values, "state": DONE, "owner": self.owner, "expires": None}
        transaction.execute(sa.update(cohorts).where(*self._mine(claim)).values(**done))

    def _update_study(self, transaction: Transaction, **values: object) -> None:
        transaction.execute(
            sa.update(studies).where(studies.c.name == self._study).values(**values)
        )

    def _lost(self, claim: Claim) -> LeaseLostError:
        return LeaseLostError(
            f"lease: {claim.stage} cohort {claim.number} was given to another worker"
        )


def _is_away(error: BaseException) -> bool:
    if isinstance(error, StorageBusyError):  # it is there, and what was asked of it not done
        return False
    return passes(error) and not is_conflict(error)


def _ending(trained: Trained) -> tuple[OptunaState, float | None]:
    if trained.state is TrialState.FAIL or trained.validation_accuracy is None:
        return OptunaState.FAIL, None
    return OptunaState[trained.state.name], trained.validation_accuracy


def _finite(trained: Trained) -> Trained:
    """The same, or a failure where a score is no number: Optuna would complete it as it is."""
    for name in ("validation_accuracy", "validation_loss"):
        value = getattr(trained, name)
        if value is not None and not np.isfinite(value):
            reason = f"{name.replace('_', ' ')} is {value}"
            return Trained(state=TrialState.FAIL, reason=reason, updates=trained.updates)
    return trained

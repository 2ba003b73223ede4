"""Leases on cohorts: claim, renew, tell, give back.

Enters: a database, a study's name, an owner. Leaves: claims, each with a fencing token that grows
with every claim of its cohort. Whatever a claim writes is written in a transaction that has first
found the token unchanged, so a worker that was given up can change nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import optuna
import sqlalchemy as sa
from optuna.trial import TrialState as OptunaState

from lamsearch.errors import LeaseLostError, StudyStateError
from lamsearch.results import STAGES, FinalScore, StageName, TestOpening, Trained, TrialState
from lamsearch.trials.engine import Database, Unit
from lamsearch.trials.failures import DATABASE_ERRORS, is_outage
from lamsearch.trials.reading import pack_arrays
from lamsearch.trials.studies import advance
from lamsearch.trials.tables import DONE, LEASED, OPEN, TEST, cohorts, curves, studies


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One trial of a claimed cohort: Optuna's id, the candidate, its log10 λ."""

    trial: int
    candidate: int
    log10_lambda: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A lease on a cohort. ``tests`` says that the work is to open the test set, not to train."""

    study: str
    stage: StageName
    tests: bool
    number: int
    replicate: int
    token: int
    taken_over: bool
    slots: tuple[Held, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing to claim now: others hold all that is left of the stage."""

    cohorts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
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
    """

    def __init__(self, database: Database, study: str, *, owner: str, seconds: float) -> None:
        self._database, self._study = database, study
        self.owner, self.seconds = owner, seconds
        self._waiting = 0  # cohorts that others held when this worker last asked
        self._away, self._lenient_until = False, float("-inf")

    def claim(self) -> Claim | Wait | None:
        """Claim the next cohort; None when the study is over.

        Where a stage has just ended, the passage to the next is made on the way. Who has been told
        to wait asks again without taking a lock, until there is something to take.
        """
        if self._waiting and not self._stirs():
            return Wait(cohorts=self._waiting)
        while True:
            with self._write() as unit:
                now = self._unless_over(unit)
                if now is None:
                    return None
                row = self._first(unit, now, lock=True)
                if row is not None:
                    self._waiting = 0
                    return self._take(unit, row, now)
                self._waiting = self._left(unit)
            if self._waiting:
                return Wait(cohorts=self._waiting)
            advance(self._database, self._study)

    def renew(self, claim: Claim, beat: Beat) -> None:
        """Hold a claim for another lease.

        Raises:
            LeaseLostError: The cohort was given to another worker, or the study deleted.
        """
        with self._write() as unit:
            now = unit.now()
            values = {**asdict(beat), "renewed": now, "expires": now + self.seconds}
            renewed = unit.execute(sa.update(cohorts).where(*self._mine(claim)).values(**values))
            if renewed.rowcount != 1:
                raise self._lost(claim)

    def give_back(self, claim: Claim) -> None:
        """Let others claim the cohort at once; its trials stay running, to be adopted."""
        with self._write() as unit:
            values = {"state": OPEN, "owner": None, "expires": None}
            unit.execute(sa.update(cohorts).where(*self._mine(claim)).values(**values))

    def report(self, claim: Claim, cycle: int, accuracies: Sequence[float]) -> None:
        """Report each trial's validation accuracy at a cycle end; NaN for a net taken out.

        Raises:
            LeaseLostError: The cohort was given to another worker.
        """
        with self._write() as unit:
            if self._fence(unit, claim):
                return
            for held, accuracy in zip(claim.slots, accuracies, strict=True):
                if np.isfinite(accuracy):
                    unit.optuna.set_trial_intermediate_value(held.trial, cycle, float(accuracy))

    def tell(self, claim: Claim, outcomes: Sequence[Trained], beat: Beat, seconds: float) -> None:
        """Write the results of all trials of a claim, and that its cohort is done.

        Raises:
            LeaseLostError: The cohort was given to another worker; nothing was written.
        """
        with self._write() as unit:
            if self._fence(unit, claim):
                return
            for held, trained in zip(claim.slots, outcomes, strict=True):
                self._tell_one(unit, held, trained, seconds / len(outcomes))
            self._finish(unit, claim, {**asdict(beat), "seconds": seconds})

    def open_test(self, claim: Claim, purpose: str) -> TestOpening:
        """Commit the record that the test set is opened, then return it.

        A second call, after a crash, returns the same record: the same evaluation again.
        """
        with self._write() as unit:
            self._fence(unit, claim)
            query = sa.select(studies).where(studies.c.name == self._study).with_for_update()
            row = unit.execute(query).mappings().one()
            if row["openings"]:
                return TestOpening(**row["openings"][0])
            curves_wanted = row["document"].get("final", {}).get("test_curves", False)
            if row["selected"] is None or not (claim.tests or curves_wanted):
                raise StudyStateError("test: no winner is trained, so the test set stays sealed")
            opening = TestOpening(
                study=self._study,
                study_id=row["id"],
                purpose=purpose,
                at=datetime.fromtimestamp(unit.now(), UTC).isoformat(timespec="seconds"),
                owner=self.owner,
            )
            self._update_study(unit, openings=[asdict(opening)])
        return opening

    def tell_test(self, claim: Claim, final: FinalScore) -> None:
        """Write the test accuracy, and that the work is done.

        Raises:
            LeaseLostError: The work was given to another worker; nothing was written.
        """
        with self._write() as unit:
            if self._fence(unit, claim):
                return
            self._update_study(unit, final=asdict(final))
            self._finish(unit, claim, {})

    def chosen(self) -> float:
        """Return log10 λ of the committed winner."""
        with self._database.read() as unit:
            query = sa.select(studies.c.selected).where(studies.c.name == self._study)
            return float((unit.connection.scalar(query) or {})["log10_lambda"])

    @contextmanager
    def _write(self) -> Iterator[Unit]:
        """A writing unit of work; notes when the database goes away, and when it is back."""
        try:
            with self._database.write() as unit:
                yield unit
        except DATABASE_ERRORS as error:
            self._away = self._away or is_outage(error)
            raise
        if self._away:
            self._away, self._lenient_until = False, time.monotonic() + self.seconds

    def _unless_over(self, unit: Unit) -> float | None:
        """The database's time, or None where the study is over."""
        query = sa.select(studies.c.finished, studies.c.failure, unit.clock.label("now"))
        row = unit.execute(query.where(studies.c.name == self._study)).first()
        if row is None:
            raise StudyStateError(f"study: no study {self._study!r}: it was deleted")
        return float(row.now) if row.finished is None and row.failure is None else None

    def _stirs(self) -> bool:
        """Whether there is something to take, a passage to make, or an end; asked by reading."""
        with self._database.read() as unit:
            now = self._unless_over(unit)
            return now is None or not self._left(unit) or self._first(unit, now) is not None

    def _left(self, unit: Unit) -> int:
        unfinished = cohorts.c.state.in_((OPEN, LEASED))
        query = sa.select(sa.func.count()).where(cohorts.c.study == self._study, unfinished)
        return int(unit.connection.scalar(query) or 0)

    def _first(self, unit: Unit, now: float, *, lock: bool = False) -> sa.RowMapping | None:
        """The first cohort whose lease has run out, else the first that is open; locked on demand.

        Two queries: each walks an index no further than to its first row. After an outage, a
        cohort of this worker's is one whose claim was committed and never heard of.
        """
        late = cohorts.c.expires < self._horizon(unit, now)
        if self._away:
            late = sa.or_(late, cohorts.c.owner == self.owner)
        for where in (sa.and_(cohorts.c.state == LEASED, late), cohorts.c.state == OPEN):
            query = sa.select(cohorts).where(cohorts.c.study == self._study, where)
            query = query.order_by(cohorts.c.number).limit(1)
            if lock:
                query = query.with_for_update(skip_locked=True)
            if (row := unit.execute(query).mappings().first()) is not None:
                return row
        return None

    def _horizon(self, unit: Unit, now: float) -> float:
        """Leases that ended before this are expired.

        For one lease nobody's is after the server's start, and after this worker was cut off from
        it: others may have been unable to renew as long, and renew first when they are back.
        """
        if self._away or time.monotonic() < self._lenient_until:
            return 0.0
        return now if now > unit.server_started() + self.seconds else 0.0

    def _take(self, unit: Unit, row: sa.RowMapping, now: float) -> Claim:
        unheard = self._away and row["owner"] == self.owner
        again = row["state"] == LEASED and not unheard
        slots = [list(slot) for slot in row["slots"]]
        stage: StageName = "final" if row["stage"] == TEST else row["stage"]
        if row["token"] == 0:
            self._start(unit, stage, slots)
        values = {
            "state": LEASED, "owner": self.owner, "token": row["token"] + 1, "slots": slots,
            "expires": now + self.seconds, "renewed": now, "takeovers": row["takeovers"] + again,
            "taken_from": row["owner"] if again else row["taken_from"],
        }  # fmt: skip
        key = (cohorts.c.study == self._study, cohorts.c.stage == row["stage"],
               cohorts.c.number == row["number"])  # fmt: skip
        unit.execute(sa.update(cohorts).where(*key).values(**values))
        return Claim(
            study=self._study,
            stage=stage,
            tests=row["stage"] == TEST,
            number=row["number"],
            replicate=row["replicate"],
            token=row["token"] + 1,
            taken_over=again,
            slots=tuple(Held(trial=t, candidate=c, log10_lambda=lam) for t, c, lam in slots),
        )

    def _start(self, unit: Unit, stage: StageName, slots: list[list[Any]]) -> None:
        """Set the waiting trials running, and let an adaptive sampler choose where it has to."""
        for slot in slots:
            unit.optuna.set_trial_state_values(slot[0], OptunaState.RUNNING)
        if any(slot[2] is None for slot in slots):
            self._sample(unit, stage, slots)

    def _sample(self, unit: Unit, stage: StageName, slots: list[list[Any]]) -> None:
        query = sa.select(studies.c.document).where(studies.c.name == self._study)
        seed = unit.connection.execute(query).scalar_one()["seed"]
        for slot in slots:
            entropy = (seed, STAGES.index(stage), slot[1])
            state = int(np.random.SeedSequence(entropy, spawn_key=(3,)).generate_state(1)[0])
            sampler = optuna.samplers.TPESampler(seed=state)
            study = optuna.load_study(
                study_name=f"{self._study}/{stage}", storage=unit.optuna, sampler=sampler
            )
            study.get_trials(deepcopy=False)  # the cache must know a trial before it is asked for
            trial = optuna.trial.Trial(study, slot[0])
            slot[2] = trial.suggest_float("log10_lambda", *trial.user_attrs["interval"])
            trial.set_user_attr("lambda", 10.0 ** slot[2])

    def _tell_one(self, unit: Unit, held: Held, trained: Trained, seconds: float) -> None:
        storage, trained = unit.optuna, _finite(trained)
        attributes: dict[str, object] = {
            "validation_accuracy": trained.validation_accuracy,
            "validation_loss": trained.validation_loss,
            "train_accuracy": trained.train_accuracy,
            "reason": trained.reason,
            "updates": trained.updates,
            "seconds": round(seconds, 3),
            "worker": self.owner,
        }
        for key, value in attributes.items():
            if value is not None:
                storage.set_trial_user_attr(held.trial, key, value)
        for cycle, accuracy in enumerate(trained.cycle_accuracies, start=1):
            storage.set_trial_intermediate_value(held.trial, cycle, accuracy)
        blob = pack_arrays(trained)
        if blob is not None:
            values = {"trial": held.trial, "study": self._study, "arrays": blob}
            unit.execute(sa.insert(curves).values(**values))
        if trained.state is TrialState.FAIL or trained.validation_accuracy is None:
            storage.set_trial_state_values(held.trial, OptunaState.FAIL)
        else:
            state = OptunaState[trained.state.name]
            storage.set_trial_state_values(held.trial, state, [trained.validation_accuracy])

    def _fence(self, unit: Unit, claim: Claim) -> bool:
        """Lock the cohort's row and find the token unchanged, or refuse.

        True where this very claim is told already: it was committed, and the answer got lost.
        """
        query = sa.select(cohorts.c.state).where(*self._claimed(claim)).with_for_update()
        state = unit.connection.scalar(query)
        if state not in (LEASED, DONE):
            raise self._lost(claim)
        return bool(state == DONE)

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

    def _finish(self, unit: Unit, claim: Claim, values: dict[str, object]) -> None:
        done = {**values, "state": DONE, "owner": self.owner, "expires": None}
        unit.execute(sa.update(cohorts).where(*self._mine(claim)).values(**done))

    def _update_study(self, unit: Unit, **values: object) -> None:
        unit.execute(sa.update(studies).where(studies.c.name == self._study).values(**values))

    def _lost(self, claim: Claim) -> LeaseLostError:
        return LeaseLostError(
            f"lease: {claim.stage} cohort {claim.number} was given to another worker"
        )


def _finite(trained: Trained) -> Trained:
    """The same, or a failure where a score is no number: Optuna would complete it as it is."""
    for name in ("validation_accuracy", "validation_loss"):
        value = getattr(trained, name)
        if value is not None and not np.isfinite(value):
            reason = f"{name.replace('_', ' ')} is {value}"
            return Trained(
                state=TrialState.FAIL, reason=reason, updates=trained.updates, curve=trained.curve
            )
    return trained

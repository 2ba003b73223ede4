from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from storage_stub import (
    BEAT,
    FINAL,
    Window,
    accuracy,
    claimed,
    death_at,
    failed,
    finish,
    outcomes,
    planned,
    trained,
    work,
)

from lamsearch.errors import LeaseLostError, StorageError, StudyStateError
from lamsearch.results import TrialState
from lamsearch.storage import (
    Claim,
    Database,
    Leases,
    Wait,
    advance,
    create,
    delete,
    engine,
    read_status,
    read_study,
)
from lamsearch.study import Study

Build = Callable[..., Study]
Open = Callable[[str], Database]


@pytest.fixture
def worker(database: Database, small_study: Build) -> Callable[..., Leases]:
    """Return doors to the small study, planned, one per owner."""
    planned(database, small_study())

    def leases_of(owner: str, *, seconds: float = 60.0, name: str = "small") -> Leases:
        return Leases(database, name, owner=owner, seconds=seconds)

    return leases_of


Worker = Callable[..., Leases]


@contextmanager
def lost_without_a_trace(window: Window) -> Iterator[None]:
    """Expect a refusal that changes no row."""
    before = window.tables()
    with pytest.raises(LeaseLostError):
        yield
    assert window.tables() == before


def test_claims_are_disjoint_in_order_and_then_there_is_only_waiting(
    worker: Worker, window: Window
) -> None:
    """Workers get the cohorts in their order, each once; after the last they are told to wait."""
    first, second = claimed(worker("a")), claimed(worker("b"))
    assert (first.stage, first.number, second.number) == ("coarse", 0, 1)
    assert (first.token, first.reclaimed, first.tests, first.replicate) == (1, False, False, 0)
    assert [leased.candidate for leased in first.trials] == [0, 1, 2]
    assert [leased.candidate for leased in second.trials] == [3, 4]
    assert worker("c").claim() == Wait(cohorts=2)
    finish(worker("a"), first)
    assert worker("c").claim() == Wait(cohorts=1)
    assert window.column("owner") == ["a", "b"]


def test_claimed_trials_run_with_their_lambda(worker: Worker, window: Window) -> None:
    """A claim sets its trials, and no others, running; each has the λ that the claim says."""
    claim = claimed(worker("a"))
    trials = {trial._trial_id: trial for trial in window.trials()["small/coarse"]}
    for leased in claim.trials:
        trial = trials[leased.trial]
        assert trial.state.name == "RUNNING"
        assert trial.params == {"log10_lambda": leased.point[0]}
        assert trial.user_attrs["candidate"] == leased.candidate
    assert window.states() == {"small/coarse": {"RUNNING": 3, "WAITING": 2}}


def test_a_live_lease_is_not_taken(worker: Worker, window: Window) -> None:
    """While a lease holds, nobody else gets the cohort and no row changes."""
    claimed(worker("a"))
    claimed(worker("a"))
    before = window.tables()
    assert isinstance(worker("b").claim(), Wait)
    assert window.tables() == before


@pytest.mark.usefixtures("long_up")
def test_an_expired_lease_is_taken_over_with_the_same_trials(
    worker: Worker, window: Window
) -> None:
    """Whoever takes a cohort over adopts the same running trials under a larger token, and the
    old owner can do nothing any more."""
    old = worker("a")
    first = claimed(old)
    old.report(first, 1, [0.5, 0.5, 0.5])
    claimed(old)  # whose lease runs out later
    window.expire()
    new = claimed(worker("b"))
    assert new == replace(first, token=2, reclaimed=True)
    assert window.column("takeovers") == [1, 0]
    assert window.states() == {"small/coarse": {"RUNNING": 5}}
    with lost_without_a_trace(window):
        old.renew(first, BEAT)
    with lost_without_a_trace(window):
        old.report(first, 2, [0.6, 0.6, 0.6])
    with lost_without_a_trace(window):
        old.complete(first, outcomes(first), BEAT, 1.0)
    with lost_without_a_trace(window):
        old.open_test(first, "too early")
    before = window.tables()
    old.give_back(first)
    assert window.tables() == before
    worker("b").complete(new, outcomes(new), BEAT, 1.0)
    with lost_without_a_trace(window):
        old.complete(first, outcomes(first), BEAT, 1.0)
    assert window.states() == {"small/coarse": {"COMPLETE": 3, "RUNNING": 2}}


@pytest.mark.usefixtures("long_up")
def test_every_reclaim_raises_the_token(worker: Worker, window: Window) -> None:
    """A cohort that changes hands again and again keeps its trials and counts its tokens."""
    claims = []
    for owner in "abcd":
        claims.append(claimed(worker(owner)))
        window.expire()
    assert [claim.token for claim in claims] == [1, 2, 3, 4]
    assert len({claim.trials for claim in claims}) == 1
    assert window.column("takeovers") == [3, 0]
    again = claimed(worker("a"))
    with lost_without_a_trace(window):  # the same worker's own first claim is no longer one
        worker("a").complete(claims[0], outcomes(claims[0]), BEAT, 1.0)
    worker("a").renew(again, BEAT)


def test_a_renewed_lease_holds_and_shows_its_progress(worker: Worker, window: Window) -> None:
    """Renewing moves the expiry on by one lease from now and writes progress beside it."""
    leases = worker("a", seconds=20.0)
    claim = claimed(leases)
    window.execute("UPDATE lamsearch_cohort SET expires = 5, renewed = 5 WHERE number = 0")
    leases.renew(claim, BEAT)
    expires, renewed = window.column("expires")[0], window.column("renewed")[0]
    assert expires == renewed + 20.0
    assert (window.column("updates")[0], window.column("per_second")[0]) == (30, 12.5)
    assert (window.column("best")[0], window.json("best_point")[0]) == (0.8, [-3.0])
    assert isinstance(claimed(worker("b")), Claim)
    assert isinstance(worker("c").claim(), Wait)


def test_what_is_given_back_goes_to_the_next_at_once(worker: Worker, window: Window) -> None:
    """A cohort given back is claimed by another without waiting, with the same running trials,
    and nobody calls it a takeover."""
    old = worker("a")
    first = claimed(old)
    old.give_back(first)
    assert window.column("owner") == [None, None]
    new = claimed(worker("b"))
    assert new == replace(first, token=2)
    with lost_without_a_trace(window):
        old.renew(first, BEAT)
    assert window.column("takeovers") == [0, 0]
    assert window.states() == {"small/coarse": {"RUNNING": 3, "WAITING": 2}}


@pytest.mark.usefixtures("long_up")
def test_a_study_made_again_takes_nothing_from_workers_of_the_deleted_one(
    worker: Worker, window: Window, database: Database, small_study: Build
) -> None:
    """A worker that slept through delete and create cannot write into the new study."""
    old = worker("a")
    first = claimed(old)
    window.expire()
    delete(database, "small")
    planned(database, small_study())
    assert claimed(worker("b")).token == first.token
    with lost_without_a_trace(window):
        old.renew(first, BEAT)
    with lost_without_a_trace(window):
        old.complete(first, outcomes(first), BEAT, 1.0)


@pytest.mark.parametrize(
    "statement",
    ["INSERT INTO trial_user_attributes ", "INSERT INTO trial_values ", "UPDATE trials ",
     "INSERT INTO lamsearch_curve ", "UPDATE lamsearch_cohort "],
)  # fmt: skip
def test_completion_is_all_or_nothing(statement: str, worker: Worker, window: Window) -> None:
    """A death in the middle of telling leaves all trials running and the lease in place, and
    telling again writes everything."""
    leases = worker("a")
    claim = claimed(leases)
    before = window.tables()
    with pytest.raises(KeyboardInterrupt), death_at(statement):
        leases.complete(claim, outcomes(claim), BEAT, 1.0)
    assert window.tables() == before
    leases.complete(claim, outcomes(claim), BEAT, 1.0)
    assert window.states() == {"small/coarse": {"COMPLETE": 3, "WAITING": 2}}


def test_completed_trials_are_complete_with_their_values(worker: Worker, window: Window) -> None:
    """A told trial has its validation accuracy as its value, and as intermediate values those of
    its cycle ends; its scores and worker stand beside it."""
    leases = worker("a")
    claim = claimed(leases)
    leases.report(claim, 1, [accuracy(leased.point[0]) - 0.1 for leased in claim.trials])
    assert all(
        list(t.intermediate_values) == [1]
        for t in window.trials()["small/coarse"] if t.state.name == "RUNNING"
    )  # fmt: skip
    leases.complete(claim, outcomes(claim), BEAT, 3.0)
    trials = {trial._trial_id: trial for trial in window.trials()["small/coarse"]}
    for leased in claim.trials:
        trial, score = trials[leased.trial], accuracy(leased.point[0])
        assert (trial.state.name, trial.value) == ("COMPLETE", score)
        assert trial.intermediate_values == {1: score - 0.1, 2: score}
        assert trial.user_attrs["validation_loss"] == 1.0 - score
        assert trial.user_attrs["train_accuracy"] == score + 0.05
        assert (trial.user_attrs["worker"], trial.user_attrs["seconds"]) == ("a", 1.0)
        assert None not in (trial.datetime_start, trial.datetime_complete)
    assert window.column("state") == [2, 0]
    assert window.column("expires") == [None, None]


def test_reports_leave_out_trials_that_were_taken_out(worker: Worker, window: Window) -> None:
    """At a cycle end a net without an accuracy reports nothing, the others theirs."""
    leases = worker("a")
    claim = claimed(leases)
    leases.report(claim, 1, [0.5, math.nan, 0.75])
    found = [t.intermediate_values for t in window.trials()["small/coarse"][:3]]
    assert found == [{1: 0.5}, {}, {1: 0.75}]


def test_a_failed_trial_ends_with_its_reason(worker: Worker, window: Window) -> None:
    """A net that was taken out is FAIL at once with the reason; its cohort's others complete."""
    leases = worker("a")
    claim = claimed(leases)
    leases.complete(claim, [failed("why"), *outcomes(claim)[1:]], BEAT, 1.0)
    trials = window.trials()["small/coarse"]
    assert [t.state.name for t in trials[:3]] == ["FAIL", "COMPLETE", "COMPLETE"]
    assert (trials[0].user_attrs["reason"], trials[0].values) == ("why", None)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_never_completes(
    bad: float, worker: Worker, window: Window, database: Database
) -> None:
    """A score that is not finite ends its trial as FAIL with a reason, whatever state is told."""
    leases = worker("a")
    claim = claimed(leases)
    completed = [
        trained(claim.trials[0], score=bad),
        trained(claim.trials[1], validation_loss=bad),
        trained(claim.trials[2]),
    ]
    leases.complete(claim, completed, BEAT, 1.0)
    states = [(t.state.name, t.values is None) for t in window.trials()["small/coarse"][:3]]
    assert states == [("FAIL", True), ("FAIL", True), ("COMPLETE", False)]
    first, second, _, *_ = read_study(database, "small").stages["coarse"].trials
    assert (first.state, first.score) == (TrialState.FAIL, None)
    assert first.reason == f"validation accuracy is {bad}"
    assert second.reason == f"validation loss is {bad}"


def test_the_test_set_stays_held_out_until_a_winner_is_committed(
    worker: Worker, window: Window, database: Database, small_study: Build
) -> None:
    """Whoever asks before the winner is committed is refused, and no record is left."""
    leases = worker("a")
    claim = claimed(leases)
    before = window.tables()
    with pytest.raises(StudyStateError, match="no winner is trained"):
        leases.open_test(claim, "to peek")
    assert window.tables() == before
    assert read_study(database, "small").openings == ()


def test_a_training_claim_cannot_open_the_test_set(
    worker: Worker, window: Window, database: Database
) -> None:
    """The final's own cohorts are refused, winner committed or not, in a study that selects."""
    leases = worker("a")
    work(leases, until="final")
    claim = claimed(leases)
    assert (claim.stage, claim.tests) == ("final", False)
    before = window.tables()
    with pytest.raises(StudyStateError, match="no winner is trained"):
        leases.open_test(claim, "to peek")
    assert window.tables() == before


@pytest.mark.usefixtures("long_up")
def test_the_test_set_is_opened_once(worker: Worker, window: Window, database: Database) -> None:
    """Opening again, by the same worker or by one that takes over, returns the very same record,
    and the old owner can neither open nor tell any more."""
    leases = worker("a")
    work(leases, until="test")
    claim = claimed(leases)
    assert (claim.stage, claim.tests, claim.trials) == ("final", True, ())
    opening = leases.open_test(claim, "the first purpose")
    assert (opening.study, opening.owner) == ("small", "a")
    assert read_study(database, "small").openings == (opening,)
    before = window.tables()
    assert leases.open_test(claim, "another purpose") == opening
    assert window.tables() == before
    window.expire()
    again = claimed(worker("b"))
    assert (again.tests, again.reclaimed) == (True, True)
    assert worker("b").open_test(again, "a third purpose") == opening
    with lost_without_a_trace(window):
        leases.open_test(claim, "too late")
    with lost_without_a_trace(window):
        leases.complete_test(claim, FINAL)
    worker("b").complete_test(again, FINAL)
    assert worker("b").claim() is None
    assert read_study(database, "small").openings == (opening,)


def test_a_crash_in_completing_the_test_leaves_it_to_be_completed(
    worker: Worker, window: Window, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A death between the score and the end of the work undoes both; telling again writes both."""
    leases = worker("a")
    work(leases, until="test")
    claim = claimed(leases)
    leases.open_test(claim, "a test")
    before = window.tables()

    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Leases, "_finish", broken)
        with pytest.raises(KeyboardInterrupt):
            leases.complete_test(claim, FINAL)
    assert window.tables() == before
    leases.complete_test(claim, FINAL)
    assert leases.claim() is None
    assert read_study(database, "small").final == FINAL


@pytest.fixture
def tpe(database: Database, small_study: Build) -> Study:
    """A study of one stage whose λs a sampler chooses, planned."""
    study = small_study(coarse={"sampler": "tpe", "trials": 14}, fine=None, finalists=None)
    planned(database, study)
    return study


@pytest.mark.usefixtures("tpe", "long_up")
def test_an_adaptive_sampler_chooses_at_the_claim_and_never_again(
    database: Database, window: Window
) -> None:
    """TPE's candidates have no λ until they are claimed, then one inside the interval that a
    takeover adopts unchanged."""
    assert all(trial.params == {} for trial in window.trials()["small/coarse"])
    claim = claimed(Leases(database, "small", owner="a", seconds=60.0))
    chosen = [leased.point[0] for leased in claim.trials]
    assert all(-5.0 <= value <= -1.0 for value in chosen)
    assert len(set(chosen)) == 3
    found = {t._trial_id: t for t in window.trials()["small/coarse"]}
    for leased in claim.trials:
        assert found[leased.trial].params == {"log10_lambda": leased.point[0]}
        assert found[leased.trial].user_attrs["lambda"] == 10.0 ** leased.point[0]
    assert sum(trial.params == {} for trial in found.values()) == 11
    window.expire()
    again = claimed(Leases(database, "small", owner="b", seconds=60.0))
    assert again.trials == claim.trials


@pytest.mark.usefixtures("tpe")
def test_an_adaptive_sampler_learns_from_what_was_completed(
    database: Database, window: Window
) -> None:
    """TPE's later candidates, drawn after ten were told, lie nearer the top than the first ten."""
    work(Leases(database, "small", owner="a", seconds=60.0))
    record = read_study(database, "small").stages["coarse"]
    off = [abs((trial.point[0] or 0.0) + 3.0) for trial in record.trials]
    assert sum(off[10:]) / 4 < sum(off[:10]) / 10
    assert window.states()["small/coarse"] == {"COMPLETE": 14}


def test_leases_run_by_the_database_s_clock(
    worker: Worker, window: Window, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker whose own clock is a day ahead neither takes a live lease nor holds one longer."""
    claimed(worker("a"))
    with database.read() as transaction:
        before = transaction.now()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 86400.0)
    claimed(worker("b", seconds=20.0))
    assert isinstance(worker("c").claim(), Wait)
    monkeypatch.undo()
    assert before + 20.0 <= window.column("expires")[1] <= before + 20.0 + 30.0
    with database.read() as transaction:
        at_first, retry = transaction.now(), time.monotonic() + 10.0
        while transaction.now() == at_first:  # the clock goes on within a transaction
            assert time.monotonic() < retry


@pytest.mark.parametrize(("up", "taken"), [(19.0, False), (21.0, True)])
def test_after_the_server_s_start_nobody_is_expired_for_one_lease(
    up: float, taken: bool, worker: Worker, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No one could renew while the server was down, so for one lease nothing is taken over."""
    claimed(worker("a"))
    claimed(worker("a"))
    window.expire()
    monkeypatch.setattr(
        engine.Transaction, "server_started", lambda transaction: transaction.now() - up
    )
    assert isinstance(worker("b", seconds=20.0).claim(), Claim) == taken


def test_the_server_s_start_is_known_where_there_is_a_server(database: Database) -> None:
    """PostgreSQL says when it started, by the clock it counts leases with; SQLite has no server."""
    with database.read() as transaction:
        if transaction.connection.dialect.name == "sqlite":
            assert transaction.server_started() == 0.0
        else:
            assert transaction.now() - 7 * 86400 < transaction.server_started() < transaction.now()


def test_open_cohorts_are_claimed_right_after_the_server_s_start(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time of grace is for leases only: what nobody holds is claimed at once."""
    monkeypatch.setattr(
        engine.Transaction, "server_started", lambda transaction: transaction.now() - 0.1
    )
    leases = worker("a")
    leases.give_back(claimed(leases))
    assert claimed(worker("b")).token == 2


def test_readers_do_not_hold_up_claims(
    url: str, worker: Worker, open_database: Open, window: Window
) -> None:
    """While a reader keeps its transaction open, others claim and tell; the reader goes on seeing
    what it saw or what is committed, never half of it."""
    reader = open_database(url)
    with reader.read() as transaction:
        before = transaction.connection.exec_driver_sql("SELECT count(*) FROM trials").scalar()
        begun = time.monotonic()
        leases = worker("a")
        finish(leases, claimed(leases))
        claimed(worker("b"))
        assert time.monotonic() - begun < 10.0  # far below the minute that a lock is waited for
        assert (
            transaction.connection.exec_driver_sql("SELECT count(*) FROM trials").scalar() == before
        )
    assert window.states() == {"small/coarse": {"COMPLETE": 3, "RUNNING": 2}}


def test_a_claim_reads_nothing_that_grows(database: Database, small_study: Build) -> None:
    """Claiming takes as many statements in a study of 60 trials as in one of 6."""
    counts = []
    with database.read() as transaction:
        transaction.server_started()  # asked once per connection
    for trials in (6, 60):
        name = f"of-{trials}"
        create(
            database, small_study(name=name, coarse={"trials": trials}), data_fingerprint="d",
            validation_images={}, classes=("a", "b"), origin="", files="",
        )  # fmt: skip
        statements: list[str] = []

        def note(*arguments: Any, seen: list[str] = statements) -> None:
            seen.append(arguments[2])

        sa.event.listen(database.engine, "before_cursor_execute", note)
        claimed(Leases(database, name, owner="a", seconds=60.0))
        sa.event.remove(database.engine, "before_cursor_execute", note)
        counts.append(len(statements))
    assert counts[0] == counts[1]


class Unheard:
    """A database whose next answer is lost: what was asked is committed, then comes an error."""

    def __init__(self, database: Database) -> None:
        self._database, self.deaf = database, True

    @contextmanager
    def write(self) -> Iterator[engine.Transaction]:
        """Commit, then lose the connection once."""
        with self._database.write() as transaction:
            yield transaction
        if self.deaf:
            self.deaf = False
            raise OperationalError("COMMIT", {}, Exception("server closed the connection"))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


def unacknowledged(leases: Leases) -> None:
    """Let the answer to the next call get lost."""
    leases._database = Unheard(leases._database)  # type: ignore[assignment]


def test_a_claim_whose_answer_was_lost_is_claimed_again_at_once(
    worker: Worker, window: Window
) -> None:
    """A worker that never heard of its claim gets the same cohort when it asks again, and nobody
    counts it as taken over."""
    leases = worker("a")
    unacknowledged(leases)
    with pytest.raises(OperationalError):
        leases.claim()
    again = claimed(leases)
    assert (again.number, again.token, again.reclaimed) == (0, 2, False)
    assert window.column("takeovers") == [0, 0]
    assert window.states() == {"small/coarse": {"RUNNING": 3, "WAITING": 2}}
    finish(leases, again)
    assert claimed(leases).number == 1


@pytest.mark.parametrize("last", [False, True])
def test_a_completion_whose_answer_was_lost_may_be_repeated(
    last: bool, worker: Worker, window: Window
) -> None:
    """Telling again what was told already changes nothing and is no loss, for trials and test."""
    leases = worker("a")
    if last:
        work(leases, until="test")
    claim = claimed(leases)
    if last:
        leases.open_test(claim, "a test")
    unacknowledged(leases)
    with pytest.raises(OperationalError):
        leases.complete_test(claim, FINAL) if last else leases.complete(
            claim, outcomes(claim), BEAT, 1.5
        )
    completed = window.tables()
    leases.complete_test(claim, FINAL) if last else leases.complete(
        claim, outcomes(claim), BEAT, 1.5
    )
    assert window.tables() == completed


@pytest.mark.usefixtures("long_up")
def test_who_was_cut_off_takes_nothing_over_for_one_lease(
    worker: Worker, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an outage a worker leaves expired leases alone for one lease: their holders may have
    been cut off as well. What is open it takes at once."""
    claimed(worker("a"))
    back = worker("b", seconds=30.0)
    unacknowledged(back)
    with pytest.raises(OperationalError):
        back.claim()
    finish(back, claimed(back))
    window.expire()
    assert isinstance(back.claim(), Wait)
    real = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + 31.0)
    taken = claimed(back)
    assert (taken.number, taken.reclaimed) == (0, True)


def test_waiting_takes_no_lock(url: str, worker: Worker, open_database: Open) -> None:
    """Who was told to wait asks again while another holds the write lock, and is answered."""
    claimed(worker("a"))
    claimed(worker("b"))
    waiting = worker("c")
    assert waiting.claim() == Wait(cohorts=2)
    with open_database(url).write() as transaction:
        transaction.execute(sa.select(sa.text("1")))
        begun = time.monotonic()
        assert waiting.claim() == Wait(cohorts=2)
        assert time.monotonic() - begun < 10.0  # far below the minute that a lock is waited for


@pytest.mark.usefixtures("long_up")
@pytest.mark.parametrize("seconds", [20.0, 3600.0])
def test_a_lease_that_ends_later_than_it_lasts_has_run_out(
    seconds: float, worker: Worker, window: Window, database: Database
) -> None:
    """A lease written by a clock that has been set back since is taken over at once, is nobody's
    to status and stops no delete, whatever the length of one's own leases; one that is merely
    longer than one's own holds."""
    claimed(worker("a", seconds=3600.0))
    claimed(worker("a", seconds=3600.0))
    other = worker("b", seconds=seconds)
    assert isinstance(other.claim(), Wait)
    with pytest.raises(StudyStateError, match="is being worked on by a"):
        delete(database, "small")
    window.execute(
        "UPDATE lamsearch_cohort SET expires = expires + 7200, renewed = renewed + 7200"
        " WHERE number = 0"
    )
    assert [one.expired for one in read_status(database, "small").workers] == [True, False]
    assert isinstance(worker("c", seconds=seconds).claim(), Claim)
    assert isinstance(other.claim(), Wait)
    window.execute("UPDATE lamsearch_cohort SET expires = expires + 7200, renewed = renewed + 7200")
    assert read_status(database, "small").state == "queued"
    delete(database, "small")


@pytest.mark.usefixtures("long_up")
def test_an_expiry_far_ahead_alone_holds_nothing(worker: Worker, window: Window) -> None:
    """What counts is how long the lease was to last, not when its row says it was renewed."""
    claimed(worker("a"))
    window.execute("UPDATE lamsearch_cohort SET expires = expires + 7200 WHERE number = 0")
    assert not claimed(worker("b")).reclaimed  # what nobody has begun is first
    assert claimed(worker("c")).reclaimed


def test_a_server_that_started_in_the_future_spares_nobody(
    worker: Worker, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the clock was set back since the server's start, leases still run out."""
    claimed(worker("a"))
    window.expire()
    monkeypatch.setattr(
        engine.Transaction, "server_started", lambda transaction: transaction.now() + 7200.0
    )
    assert claimed(worker("b")).reclaimed


class Away:
    """A database that cannot be reached for as long as it is told to be away."""

    def __init__(self, database: Database) -> None:
        self._database, self.away = database, True

    @contextmanager
    def _opened(self, name: str) -> Iterator[engine.Transaction]:
        if self.away:
            raise OperationalError("SELECT", {}, Exception("connection refused"))
        with getattr(self._database, name)() as transaction:
            yield transaction

    def write(self) -> Any:
        """Open a transaction, unless away."""
        return self._opened("write")

    def read(self) -> Any:
        """Open a transaction, unless away."""
        return self._opened("read")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


@pytest.mark.usefixtures("long_up")
@pytest.mark.parametrize("call", ["waiting", "chosen", "trained", "advance"])
def test_every_access_notices_an_outage(
    call: str, worker: Worker, window: Window, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a worker was asking when the database went away, for one lease after that it takes
    nothing over."""
    back = worker("b", seconds=30.0)
    if call in ("chosen", "trained"):
        work(worker("a"), until="test")
        claimed(worker("a"))
    else:
        claimed(worker("a"))
        claimed(worker("a"))
    ask: Callable[[], object] = back.claim
    if call in ("chosen", "trained"):
        ask = getattr(back, call)
    elif call == "waiting":
        assert isinstance(back.claim(), Wait)
    away = Away(database)
    if call == "advance":
        real: Callable[..., None] = advance
        monkeypatch.setattr("lamsearch.storage.leases.advance", lambda _, name: real(away, name))
        monkeypatch.setattr("lamsearch.storage.leases.unfinished", lambda *_: 0)
    else:
        back._database = away  # type: ignore[assignment]
    with pytest.raises(OperationalError):
        ask()
    away.away = False
    monkeypatch.undo()
    monkeypatch.setattr(engine.Transaction, "server_started", lambda _: 0.0)
    window.expire()
    assert isinstance(back.claim(), Wait)
    now = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: now() + 31.0)
    assert claimed(back).reclaimed


@pytest.mark.usefixtures("long_up")
def test_a_claim_never_heard_of_is_the_worker_s_own_though_it_only_read_since(
    worker: Worker, window: Window
) -> None:
    """Reading after an outage does not forget that a claim may be committed unacknowledged."""
    leases = worker("a")
    unacknowledged(leases)
    with pytest.raises(OperationalError):
        leases.claim()
    with pytest.raises(StorageError):
        leases.chosen()  # a read that gets through, though there is no winner yet
    again = claimed(leases)
    assert (again.number, again.token, again.reclaimed) == (0, 2, False)
    assert window.column("takeovers") == [0, 0]

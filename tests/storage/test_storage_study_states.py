"""The states of a study: what people may ask of it, and what becomes of its trials then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from storage_stub import BEAT, Window, claimed, failed, finish, flat, outcomes, planned, work

from lamsearch import storage as store
from lamsearch.errors import (
    InputError,
    LeaseLostError,
    StudyHaltedError,
    StudyStateError,
    UnknownStudyError,
)
from lamsearch.results import StudyState, TrialState
from lamsearch.storage import Database, Leases, Wait, read_status, read_study
from lamsearch.study import Study

Build = Callable[..., Study]
MOVES: dict[str, Callable[[Database], None]] = {
    "pause": lambda database: store.pause(database, "small"),
    "resume": lambda database: store.resume(database, "small"),
    "cancel": lambda database: store.cancel(database, "small"),
    "finish": lambda database: store.finish(database, "small"),
    "prioritize": lambda database: store.prioritize(database, "small", 4),
}
OVER = ("has failed", "is done", "was cancelled")


def worker(database: Database, study: Study, owner: str = "a", seconds: float = 60.0) -> Leases:
    """A worker's leases, which know the study's limits."""
    return Leases(database, study.name, owner=owner, seconds=seconds, limits=study.limits)


def state(database: Database) -> StudyState:
    """The state of the small study."""
    return read_status(database, "small").state


def test_a_study_goes_from_queued_to_running_to_done(
    database: Database, small_study: Build
) -> None:
    """Nobody has a lease: queued; somebody has: running; given back: queued again; then done."""
    study = small_study()
    planned(database, study)
    leases = worker(database, study)
    assert state(database) is StudyState.QUEUED
    claim = claimed(leases)
    assert state(database) is StudyState.RUNNING
    assert read_study(database, "small").state is StudyState.RUNNING
    leases.give_back(claim)
    assert state(database) is StudyState.QUEUED
    work(leases)
    assert state(database) is StudyState.DONE


def test_a_paused_study_gives_nothing_out_until_it_is_resumed(
    database: Database, small_study: Build
) -> None:
    """Who holds a lease hears of the pause at the next renewal, and still holds it; who asks for
    work has to wait; after resume the cohort that was given back comes first."""
    study = small_study()
    planned(database, study)
    one, other = worker(database, study), worker(database, study, "b")
    claim = claimed(one)
    store.pause(database, "small")
    assert state(database) is StudyState.PAUSED
    with pytest.raises(StudyHaltedError) as caught:
        one.renew(claim, BEAT)
    assert (caught.value.halted, str(caught.value)) == ("paused", "study: 'small' is paused")
    one.give_back(claim)  # the lease held
    for _ in range(3):  # the first asks by writing, the others by reading
        waiting = other.claim()
        assert isinstance(waiting, Wait)
        assert waiting.paused
    store.resume(database, "small")
    again = claimed(other)
    assert (again.stage, again.number) == (claim.stage, claim.number)
    assert not again.reclaimed


def test_what_was_trained_when_a_study_was_paused_may_be_completed(
    database: Database, small_study: Build
) -> None:
    """A cohort that ends at the moment of a pause is complete, and the next stage is not planned
    before the study goes on."""
    study = small_study()
    planned(database, study)
    leases = worker(database, study)
    finish(leases, claimed(leases))
    claim = claimed(leases)
    store.pause(database, "small")
    finish(leases, claim)
    store.advance(database, "small")
    assert set(read_study(database, "small").stages) == {"coarse"}
    store.resume(database, "small")
    assert claimed(leases).stage == "fine"


def test_the_time_of_a_pause_is_none_of_the_time_limit(
    database: Database, window: Window, small_study: Build
) -> None:
    """The clock of a time limit stands still while a study is paused."""
    study = small_study(time_limit="1h")
    planned(database, study)
    leases = worker(database, study)
    leases.give_back(claimed(leases))
    store.pause(database, "small")
    window.execute("UPDATE lamsearch_study SET started = started - 90000, "
                   "paused_at = paused_at - 89000")  # fmt: skip
    store.resume(database, "small")
    assert 88_990 < window.column("paused_seconds", "lamsearch_study")[0] < 89_010
    assert claimed(leases).stage == "coarse"
    assert read_study(database, "small").search_ended is None


def test_a_cancelled_study_keeps_what_it_has_and_starts_nothing(
    database: Database, window: Window, small_study: Build
) -> None:
    """Complete trials stay complete, those that had begun fail with the reason, those that had
    not are left; the worker hears of it, can write nothing more, and has nothing more to do."""
    study = small_study(cohort=2)
    planned(database, study)
    leases = worker(database, study)
    finish(leases, claimed(leases))
    claim = claimed(leases)
    store.cancel(database, "small")
    assert window.states()["small/coarse"] == Counter(COMPLETE=2, FAIL=2, WAITING=1)
    before = window.tables()
    for call in (
        lambda: leases.renew(claim, BEAT),
        lambda: leases.report(claim, 1, [0.5, 0.5]),
        lambda: leases.complete(claim, outcomes(claim), BEAT, 1.0),
    ):
        with pytest.raises(StudyHaltedError, match="study: 'small' was cancelled") as caught:
            call()
        assert caught.value.halted == "cancelled"
    leases.give_back(claim)
    assert leases.claim() is None
    store.advance(database, "small")
    assert window.tables() == before
    record = read_study(database, "small")
    assert (record.state, record.done) == (StudyState.CANCELLED, True)
    reasons = [one.reason for one in record.stages["coarse"].trials if one.reason]
    assert reasons == ["the study was cancelled"] * 2


def test_a_study_cancelled_in_its_test_evaluates_nothing(
    database: Database, small_study: Build
) -> None:
    """Who was to evaluate the final's models hears of it, and the test set is not opened."""
    study = small_study()
    planned(database, study)
    leases = worker(database, study)
    work(leases, until="test")
    claim = claimed(leases)
    assert claim.tests
    store.cancel(database, "small")
    with pytest.raises(StudyHaltedError):
        leases.open_test(claim, "a test")
    assert read_study(database, "small").openings == ()
    assert read_study(database, "small").stages["final"].count(TrialState.COMPLETE) == 2
    assert leases.claim() is None


def test_a_cancelled_study_is_not_planned_again(database: Database, small_study: Build) -> None:
    """The same study file is refused while its cancelled study is there, with what to do."""
    planned(database, small_study())
    store.cancel(database, "small")
    with pytest.raises(StudyStateError) as caught:
        planned(database, small_study())
    assert str(caught.value) == (
        "study: 'small' was cancelled; start over with: lamsearch delete small"
    )
    store.delete(database, "small")
    planned(database, small_study())
    assert state(database) is StudyState.QUEUED


def test_a_study_made_again_is_not_claimed_for_the_one_before(
    database: Database, small_study: Build
) -> None:
    """Who was to work on a study that was deleted, and another planned by its name, is told so."""
    study = small_study()
    stored = planned(database, study)
    leases = Leases(database, "small", owner="a", seconds=60.0, study_id=stored.id)
    store.delete(database, "small")
    again = planned(database, small_study(seed=8))
    with pytest.raises(UnknownStudyError, match="no study 'small': it was deleted"):
        leases.claim()
    claimed(Leases(database, "small", owner="a", seconds=60.0, study_id=again.id))


def test_finish_goes_on_with_what_is_there(
    database: Database, window: Window, small_study: Build
) -> None:
    """Trials of the search that were not trained are PRUNED with the reason, fine is left out,
    and finalists and final follow, with exactly their planned trials."""
    study = small_study(cohort=2)
    planned(database, study)
    leases = worker(database, study)
    finish(leases, claimed(leases))
    claim = claimed(leases)
    leases.renew(claim, BEAT)
    store.finish(database, "small")
    with pytest.raises(LeaseLostError) as caught:
        leases.renew(claim, BEAT)
    assert str(caught.value) == ("lease: coarse cohort 1 is no longer wanted: finish was asked for")
    assert not isinstance(caught.value, StudyHaltedError)
    done = flat(work(leases))
    assert {stage for stage, _ in done} == {"finalists", "final", "test"}
    record = read_study(database, "small")
    assert record.search_ended == "finish was asked for"
    assert (record.state, set(record.stages)) == (StudyState.DONE, {"coarse", "finalists", "final"})
    coarse = record.stages["coarse"]
    assert (coarse.count(TrialState.COMPLETE), coarse.count(TrialState.PRUNED)) == (2, 3)
    left = [one for one in coarse.trials if one.cut_short]
    assert [one.updates for one in left] == [30, 30, 0]  # as far as the worker had said
    assert {one.reason for one in left} == {"searching ended early: finish was asked for"}
    assert window.states() == {
        "small/coarse": Counter(COMPLETE=2, PRUNED=3),
        "small/finalists": Counter(COMPLETE=record.stages["finalists"].planned),
        "small/final": Counter(COMPLETE=2),
    }


def test_finish_in_finalists_extends_nothing(database: Database, small_study: Build) -> None:
    """Finalists that run go on, and those that would have followed do not."""
    study = small_study(finalists={"keep": 2, "replicates": 2, "rounds": 3, "extend": True})
    planned(database, study)
    leases = worker(database, study)
    work(leases, until="finalists")
    store.finish(database, "small")
    work(leases)
    record = read_study(database, "small")
    assert record.stages["finalists"].planned == 4
    assert record.stages["finalists"].count(TrialState.COMPLETE) == 4
    assert record.final is not None


def test_a_search_that_ended_with_nothing_fails(database: Database, small_study: Build) -> None:
    """Where no trial was complete when searching ended, the study fails and says why."""
    study = small_study()
    planned(database, study)
    leases = worker(database, study)
    claim = claimed(leases)
    leases.complete(claim, [failed()] * len(claim.trials), BEAT, 1.0)
    store.finish(database, "small")
    assert leases.claim() is None
    record = read_study(database, "small")
    assert record.state is StudyState.FAILED
    assert record.failure == (
        "search: nothing to select from, no trial was complete when searching ended: "
        "finish was asked for"
    )


def test_a_time_limit_ends_the_search(
    database: Database, window: Window, small_study: Build
) -> None:
    """Once it is reached the next renewal finds its cohort no longer wanted, and the next claim is
    of the finalists."""
    study = small_study(time_limit="2h", cohort=2)
    planned(database, study)
    leases = worker(database, study)
    finish(leases, claimed(leases))
    claim = claimed(leases)
    leases.renew(claim, BEAT)
    window.execute("UPDATE lamsearch_study SET started = started - 7201")
    with pytest.raises(LeaseLostError, match="no longer wanted: the time limit of 2h was reached"):
        leases.renew(claim, BEAT)
    assert claimed(leases).stage == "finalists"
    record = read_study(database, "small")
    assert record.search_ended == "the time limit of 2h was reached"
    assert record.stages["coarse"].count(TrialState.PRUNED) == 3


def test_a_target_ends_the_search_once_a_trial_has_it(
    database: Database, small_study: Build
) -> None:
    """What the best complete cohort has decides, not what one has half-way."""
    study = small_study(target=0.75, cohort=2)
    planned(database, study)
    one, other = worker(database, study), worker(database, study, "b")
    first, second = claimed(one), claimed(other)
    one.renew(first, BEAT)  # 0.8 half-way
    other.renew(second, BEAT)
    assert read_study(database, "small").search_ended is None
    finish(one, first)
    with pytest.raises(LeaseLostError, match="no longer wanted"):
        other.renew(second, BEAT)
    assert claimed(one).stage == "finalists"
    record = read_study(database, "small")
    assert record.search_ended == "the target 0.75 was reached by a score of 0.8"


def test_a_target_that_is_not_reached_ends_nothing(database: Database, small_study: Build) -> None:
    """A study whose scores stay below its target is searched to its end."""
    study = small_study(target=0.95)
    planned(database, study)
    work(worker(database, study))
    record = read_study(database, "small")
    assert record.search_ended is None
    assert record.stages["fine"].count(TrialState.COMPLETE) == 4


@pytest.mark.parametrize("move", ["pause", "resume", "cancel", "finish", "prioritize"])
@pytest.mark.parametrize("ended", OVER)
def test_a_study_that_is_over_is_not_moved(
    database: Database, window: Window, small_study: Build, move: str, ended: str
) -> None:
    """Each move of a study that has failed, is done or was cancelled is one sentence, and changes
    nothing."""
    planned(database, small_study())
    change = {"has failed": "failure = 'no'", "is done": "finished = 1.0",
              "was cancelled": "halted = 'cancelled'"}[ended]  # fmt: skip
    window.execute(f"UPDATE lamsearch_study SET {change}")  # noqa: S608 - constants
    before = window.tables()
    with pytest.raises(StudyStateError, match=f"^study: 'small' {ended} and cannot be "):
        MOVES[move](database)
    assert window.tables() == before


@pytest.mark.parametrize(
    ("first", "second", "rule"),
    [
        ("pause", "pause", "is paused already"),
        ("finish", "finish", "has ended: finish was asked for"),
        ("prioritize", "resume", "is not paused"),
    ],
)
def test_a_move_that_makes_no_sense_is_said(
    database: Database, window: Window, small_study: Build, first: str, second: str, rule: str
) -> None:
    """A second pause or finish, and a resume of what is not paused, are refused."""
    planned(database, small_study())
    MOVES[first](database)
    before = window.tables()
    with pytest.raises(StudyStateError, match=rule):
        MOVES[second](database)
    assert window.tables() == before


def test_finish_after_the_choice_is_said(database: Database, small_study: Build) -> None:
    """Once λ is chosen there is no search to end."""
    study = small_study()
    planned(database, study)
    work(worker(database, study), until="final")
    with pytest.raises(StudyStateError, match="has ended: λ is chosen"):
        store.finish(database, "small")


@pytest.mark.parametrize("move", sorted(MOVES))
def test_a_move_of_no_study_is_said(database: Database, move: str) -> None:
    """A name that no study has is one sentence, by which callers can tell it from others."""
    with pytest.raises(UnknownStudyError, match=r"^study: no study 'small'; known: none$"):
        MOVES[move](database)


def test_a_paused_study_can_be_cancelled_and_finished(
    database: Database, small_study: Build
) -> None:
    """The end of the search waits for resume; cancelling does not."""
    study = small_study()
    planned(database, study)
    leases = worker(database, study)
    finish(leases, claimed(leases))
    store.pause(database, "small")
    store.finish(database, "small")
    waiting = leases.claim()
    assert isinstance(waiting, Wait)
    store.resume(database, "small")
    assert claimed(leases).stage == "finalists"
    store.pause(database, "small")
    store.cancel(database, "small")
    assert state(database) is StudyState.CANCELLED


@pytest.mark.parametrize("priority", [1_000_001, -1_000_001, 2**70])
def test_a_priority_beyond_all_bounds_is_refused(
    database: Database, small_study: Build, priority: int
) -> None:
    """Priorities are what a database's whole numbers hold, and people can read."""
    with pytest.raises(InputError, match=r"^priority: must be between"):
        planned(database, small_study(), priority=priority)
    assert store.names(database) == []
    planned(database, small_study())
    with pytest.raises(InputError, match=r"^priority: must be between"):
        store.prioritize(database, "small", priority)


def test_the_end_of_a_search_is_under_the_digest_of_the_choice(
    database: Database, window: Window, small_study: Build
) -> None:
    """That a search ended early cannot be taken back unnoticed."""
    study = small_study(cohort=2)
    planned(database, study)
    leases = worker(database, study)
    finish(leases, claimed(leases))
    store.finish(database, "small")
    work(leases)
    window.execute("UPDATE lamsearch_study SET search_ended = NULL")
    with pytest.raises(InputError, match="must be as written, and is not"):
        read_study(database, "small")


HOSTILE: dict[str, Any] = {
    "halted": ["'gone'", "''"], "search_ended": ["x'00'"], "priority": ["'x'"], "started": ["'x'"],
    "paused_seconds": ["'x'"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("column", "value"), [(name, one) for name, values in HOSTILE.items() for one in values]
)
def test_a_damaged_state_is_said(
    sqlite_url: str, open_database: Callable[[str], Database], small_study: Build,
    column: str, value: str,
) -> None:  # fmt: skip
    """What is no state of lamsearch's is one sentence to whoever works on the study or reads it,
    and the queue has the study among the others."""
    database = open_database(sqlite_url)
    planned(database, small_study())
    planned(database, small_study(name="other"))
    Window(sqlite_url).execute(
        f"UPDATE lamsearch_study SET {column} = {value} WHERE name = 'small'"  # noqa: S608
    )
    with pytest.raises(InputError, match="the tables hold what lamsearch did not write"):
        store.load(database, "small")
    found = {one.name: one for one in store.read_queue(database)}
    assert found["other"].failure is None
    assert set(found) == {"small", "other"}


def test_a_state_that_is_damaged_meanwhile_ends_a_claim(
    database: Database, window: Window, small_study: Build
) -> None:
    """A worker that has joined is told; it does not look again and again."""
    planned(database, small_study())
    leases = Leases(database, "small", owner="a", seconds=60.0)
    window.execute("UPDATE lamsearch_study SET halted = 'resting' WHERE name = 'small'")
    with pytest.raises(InputError, match="the tables hold what lamsearch did not write"):
        leases.claim()

"""Moves of a study while workers are at work on it: whoever comes first, nothing is lost."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest
from storage_stub import BEAT, Window, finish, planned

from lamsearch import storage as store
from lamsearch.errors import LeaseLostError, StudyHaltedError, StudyStateError
from lamsearch.results import StudyState, TrialState
from lamsearch.storage import Claim, Database, Leases, Wait, read_study
from lamsearch.study import Study

Open = Callable[[str], Database]
Build = Callable[..., Study]

# Cohorts that are worked on from one pause to the next, or at most until a move; and all.
_EACH, _ALL = 6, 1000


class Hand(threading.Thread):
    """A worker that trains nothing, and gives back what is paused; it notes how it was stopped.

    It takes one of the ``permits`` for each cohort that it works on: however busy a machine is, no
    study outruns whoever moves it.
    """

    def __init__(
        self, database: Database, study: Study, owner: str, *, seed: int,
        permits: threading.Semaphore,
    ) -> None:  # fmt: skip
        super().__init__(daemon=True)
        self._leases = Leases(database, study.name, owner=owner, seconds=60.0)
        self._random = random.Random(seed)  # noqa: S311 - no secret
        self._permits = permits
        self.lost: Counter[str] = Counter()
        self.error: BaseException | None = None

    def run(self) -> None:
        """Work until the study is over."""
        try:
            while (claim := store.retry(self._leases.claim, heed=_heed)) is not None:
                if isinstance(claim, Wait):
                    time.sleep(0.01)  # what a worker does
                else:
                    self._work(claim)
        except BaseException as error:
            self.error = error

    def _work(self, claim: Claim) -> None:
        self._permits.acquire()
        time.sleep(self._random.uniform(0, 0.02))
        try:
            store.retry(lambda: self._leases.renew(claim, BEAT), heed=_heed)
            store.retry(lambda: finish(self._leases, claim), heed=_heed)
        except StudyHaltedError as halted:
            self.lost[halted.halted] += 1
            if halted.halted == "paused":
                store.retry(lambda: self._leases.give_back(claim), heed=_heed)
        except LeaseLostError:
            self.lost["lost"] += 1


def _heed(error: Exception) -> None:
    if not store.passes(error):
        raise error


def at_work(
    url: str, open_database: Open, study: Study, permits: threading.Semaphore
) -> list[Hand]:
    """Start three workers."""
    hands = [
        Hand(open_database(url), study, f"hand-{n}", seed=n, permits=permits) for n in range(3)
    ]
    for hand in hands:
        hand.start()
    return hands


def gone(hands: list[Hand]) -> None:
    """Wait until the workers have left by themselves, without an error."""
    for hand in hands:
        hand.join(90)
        assert not hand.is_alive()
        assert hand.error is None, repr(hand.error)


@pytest.mark.timeout(200)
def test_a_study_that_is_paused_again_and_again_has_its_exact_trials(
    url: str, open_database: Open, small_study: Build
) -> None:
    """Forty pauses at moments that nobody chose: each planned trial is complete, once."""
    study = small_study(cohort=1, coarse={"trials": 20}, fine={"trials": 10},
                        finalists={"keep": 3, "replicates": 4})  # fmt: skip
    database = open_database(url)
    planned(database, study)
    permits = threading.Semaphore(_EACH)
    hands = at_work(url, open_database, study, permits)
    chance = random.Random(5)  # noqa: S311 - no secret
    pauses = 0
    while pauses < 40 and store.read_status(database, "small").state is not StudyState.DONE:
        time.sleep(chance.uniform(0, 0.03))
        try:
            store.pause(database, "small")
        except StudyStateError:
            break  # it was done before
        pauses += 1
        time.sleep(chance.uniform(0, 0.02))
        store.resume(database, "small")
        permits.release(_EACH)
    permits.release(_ALL)
    gone(hands)
    record = read_study(database, "small")
    assert record.state is StudyState.DONE
    assert pauses > 3
    counts = {name: stage.count(TrialState.COMPLETE) for name, stage in record.stages.items()}
    assert counts == {name: stage.planned for name, stage in record.stages.items()}
    assert Window(url).states() == {
        f"small/{name}": Counter(COMPLETE=count) for name, count in counts.items()
    }


@pytest.mark.timeout(200)
@pytest.mark.parametrize("seed", range(4))
def test_a_study_that_is_cancelled_at_any_moment_is_at_rest(
    url: str, open_database: Open, small_study: Build, seed: int
) -> None:
    """Whoever completes at that moment has either done so, or was told: no trial is running, none
    ended twice, and nothing changes any more."""
    study = small_study(cohort=1, coarse={"trials": 20})
    database = open_database(url)
    planned(database, study)
    permits = threading.Semaphore(20)
    hands = at_work(url, open_database, study, permits)
    time.sleep(random.Random(seed).uniform(0.05, 0.6))  # noqa: S311 - no secret
    store.cancel(database, "small")
    permits.release(_ALL)
    gone(hands)
    states = sum(Window(url).states().values(), Counter())
    assert states["RUNNING"] == 0
    assert states["FAIL"] <= 3
    record = read_study(database, "small")
    assert record.state is StudyState.CANCELLED
    ended = sum(stage.count(TrialState.COMPLETE) for stage in record.stages.values())
    assert ended == states["COMPLETE"]


@pytest.mark.timeout(200)
@pytest.mark.parametrize("seed", range(4))
def test_a_search_that_ends_at_any_moment_ends_each_trial_once(
    url: str, open_database: Open, small_study: Build, seed: int
) -> None:
    """Complete or pruned, whichever came first, and finalists and final are all complete."""
    study = small_study(cohort=1, coarse={"trials": 20}, fine={"trials": 20})
    database = open_database(url)
    planned(database, study)
    first = 1 + 3 * seed  # of twenty: the search is far from its end
    permits = threading.Semaphore(first + _EACH)
    hands = at_work(url, open_database, study, permits)
    while _complete(database) < first:
        time.sleep(0.01)
    store.finish(database, "small")
    permits.release(_ALL)
    gone(hands)
    record = read_study(database, "small")
    assert record.state is StudyState.DONE
    for name, stage in record.stages.items():
        pruned = stage.count(TrialState.PRUNED)
        assert stage.count(TrialState.COMPLETE) + pruned == stage.planned
        assert pruned == 0 or name in ("coarse", "fine")


def _complete(database: Database) -> int:
    return store.read_status(database, "small").stages[0].finished

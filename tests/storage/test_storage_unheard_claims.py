"""A claim that was committed and never heard of, beside what else stands in the table then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from storage_stub import Window, claimed, finish, planned, work

from lamsearch.storage import Database, Leases
from lamsearch.study import Study

Worker = Callable[[str], Leases]
pytestmark = pytest.mark.usefixtures("long_up")


class Deaf:
    """A database that commits, and whose answer is lost, for as many writes as are asked for."""

    def __init__(self, database: Database) -> None:
        self._database, self.lost = database, 0

    @contextmanager
    def write(self) -> Iterator[Any]:
        """Commit, then lose the connection."""
        with self._database.write() as transaction:
            yield transaction
        if self.lost:
            self.lost -= 1
            raise OperationalError("COMMIT", {}, Exception("server closed the connection"))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


@pytest.fixture
def deaf(database: Database, small_study: Callable[..., Study]) -> Deaf:
    """The storage, with a study of two cohorts planned in it."""
    planned(database, small_study())
    return Deaf(database)


def worker(database: Any, owner: str) -> Leases:
    """A worker of that study."""
    return Leases(database, "small", owner=owner, seconds=60.0)


def lose_a_claim(deaf: Deaf, leases: Leases) -> None:
    """Let a claim be committed and its answer be lost."""
    deaf.lost = 1
    with pytest.raises(OperationalError):
        leases.claim()


def test_another_s_expired_lease_is_reclaimed_beside_a_claim_never_heard_of(
    deaf: Deaf, database: Database, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who never heard of a claim, and has been back for longer than a lease, reclaims the expired
    cohort of another that comes before its own, and counts it as reclaimed."""
    other = worker(database, "b")
    work(other, until="final")
    claimed(other)
    leases = worker(deaf, "a")
    lose_a_claim(deaf, leases)
    assert leases.trained() == {}  # it only reads, and is back with that
    now = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: now() + 61.0)
    window.expire()
    found = claimed(leases)
    assert (found.stage, found.number, found.reclaimed) == ("final", 0, True)
    query = "SELECT owner, taken_from FROM lamsearch_cohort WHERE stage = 'final' ORDER BY number"
    assert window.rows(query) == [("a", "b"), ("a", None)]


def test_what_is_done_is_not_claimed_for_a_claim_never_heard_of(deaf: Deaf, window: Window) -> None:
    """Who never heard of its second claim gets that cohort, not the first, which it has done."""
    leases = worker(deaf, "a")
    finish(leases, claimed(leases))
    lose_a_claim(deaf, leases)
    again = claimed(leases)
    assert (again.number, again.token, again.reclaimed) == (1, 2, False)
    assert window.states() == {"small/coarse": {"COMPLETE": 3, "RUNNING": 2}}


def test_whose_work_a_claim_never_heard_of_goes_on_with_is_remembered(
    deaf: Deaf, database: Database, window: Window
) -> None:
    """A cohort that was reclaimed from another by a claim never heard of is still that other's
    work, reclaimed once, when it is claimed again."""
    claimed(worker(database, "b"))
    window.expire()
    leases = worker(deaf, "a")
    lose_a_claim(deaf, leases)
    assert window.column("taken_from") == ["b", None]
    again = claimed(leases)
    assert (again.number, again.token, again.reclaimed) == (0, 3, False)
    assert window.column("taken_from") == ["b", None]
    assert window.column("takeovers") == [1, 0]

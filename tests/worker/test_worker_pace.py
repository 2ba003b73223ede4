"""How often workers ask the database: live where few work, no oftener where many do."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from lamsearch.errors import StudyHaltedError
from lamsearch.worker import pace
from lamsearch.worker.idling import Idling
from lamsearch.worker.renewer import LeaseRenewer, Retry


@pytest.mark.parametrize(
    ("lease", "workers", "heartbeat", "look"),
    [
        (20.0, 1, 2.0, 2.0),  # as whoever watches takes for live
        (2.0, 8, 0.5, 0.5),  # a quarter of a short lease
        (20.0, 64, 3.2, 2.0),
        (60.0, 1_000, 50.0, 10.0),
        (60.0, 10_000, 50.0, 100.0),  # a lease is renewed before it ends, whoever else works
        (20.0, 10_000, 15.0, 100.0),
        (1.0, 1_000, 0.75, 10.0),
    ],
)
def test_the_pace_follows_the_lease_and_the_number_of_workers(
    lease: float, workers: int, heartbeat: float, look: float
) -> None:
    """Few renew every 2 s, a thousand 20 times per second together, all within their leases."""
    assert pace.heartbeat_seconds(lease, workers) == heartbeat
    assert pace.look_seconds(lease, workers) == look


@pytest.mark.parametrize("workers", [1, 40, 100, 333, 1_000, 10_000])
@pytest.mark.parametrize("lease", [1.0, 20.0, 60.0, 600.0, 3600.0])
def test_together_they_ask_no_oftener_than_is_said(lease: float, workers: int) -> None:
    """Unless leases are too short for as many, all together renew 20 times per second; nobody
    renews later than a quarter of a lease, or ten seconds, before it ends."""
    seconds = pace.heartbeat_seconds(lease, workers)
    margin = min(lease / 4, 10.0)
    assert seconds <= max(lease - margin, min(lease / 4, 2.0))
    if workers / 20.0 <= lease - margin and lease >= 8.0:
        assert workers / seconds <= 20.0 + 1e-9
    assert workers / pace.look_seconds(lease, workers) <= max(100.0, 4 * workers / lease)


class _Noted:
    """Leases that note what is asked of them, and when they were last kept."""

    def __init__(self, *, seconds: float, workers: int, halted_at: int | None = None) -> None:
        self.seconds, self.workers, self._halted_at = seconds, workers, halted_at
        self.asked: list[tuple[str, float]] = []
        self.enough, self._most = threading.Event(), 6
        self.kept_at = time.monotonic()

    @property
    def unkept_seconds(self) -> float:
        return time.monotonic() - self.kept_at

    def renew(self, *_: object) -> None:
        self._note("renew")
        self.kept_at = time.monotonic()
        if self._halted_at is not None and len(self.asked) > self._halted_at:
            raise StudyHaltedError("study: 'one' was cancelled", halted="cancelled")

    def is_undisturbed(self, _: object) -> bool:
        self._note("look")
        return self._halted_at is None or len(self.asked) <= self._halted_at

    def _note(self, what: str) -> None:
        self.asked.append((what, self.unkept_seconds))
        if len(self.asked) >= self._most:
            self.enough.set()


def _renewer(leases: _Noted) -> LeaseRenewer:
    any_leases: Any = leases
    any_claim: Any = "a claim"
    return LeaseRenewer(any_leases, any_claim, Retry(threading.Event(), lambda line: None))


def test_among_many_a_lease_is_looked_at_and_renewed_when_it_is_time() -> None:
    """Among ten workers a lease of 0.4 s is renewed 0.3 s after it was last written, not before,
    and looked at by reading in between."""
    leases = _Noted(seconds=0.4, workers=10)
    with _renewer(leases):
        assert leases.enough.wait(60.0)
    found = leases.asked
    assert found[0][0] == "look"
    assert {what for what, _ in found} == {"look", "renew"}
    assert all(ago >= 0.3 for what, ago in found if what == "renew")
    assert all(ago < 0.3 for what, ago in found if what == "look")


def test_alone_a_worker_shows_itself_at_once_and_then_by_renewals() -> None:
    """One worker renews as soon as it has a cohort, and never only looks."""
    leases = _Noted(seconds=0.4, workers=1)
    with _renewer(leases):
        assert leases.enough.wait(60.0)
    assert [what for what, _ in leases.asked[:1]] == ["renew"]
    assert leases.asked[0][1] < 0.1


def test_what_is_written_under_the_lease_puts_its_renewal_off() -> None:
    """A lease that a report keeps is not renewed as long as it does."""
    leases = _Noted(seconds=0.4, workers=10)
    ended = threading.Event()

    def reporting() -> None:
        while not ended.wait(0.01):
            leases.kept_at = time.monotonic()

    reports = threading.Thread(target=reporting)
    reports.start()
    try:
        with _renewer(leases):
            assert leases.enough.wait(60.0)
    finally:
        ended.set()
        reports.join()
    assert [what for what, _ in leases.asked[:5]] == ["look"] * 5


def test_a_halt_that_a_look_finds_is_told_by_a_renewal() -> None:
    """Once a look finds something changed, a renewal says what, whether it was due or not."""
    leases = _Noted(seconds=0.4, workers=10, halted_at=1)
    with _renewer(leases) as renewer:
        for _ in range(600):
            if renewer.halted is not None:
                break
            threading.Event().wait(0.1)
        assert renewer.halted is not None
        assert renewer.halted.halted == "cancelled"
    assert [what for what, _ in leases.asked] == ["look", "look", "renew"]


def test_workers_that_wait_ask_less_often_the_more_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Waits grow to 1.8 s among few, and to five seconds among a thousand."""
    waited: list[float] = []
    stop = threading.Event()
    monkeypatch.setattr(stop, "wait", waited.append)
    for workers, longest in ((1, 1.8), (64, 1.8), (1_000, 5.0)):
        waited.clear()
        idling = Idling(stop)
        for _ in range(20):
            idling.wait(workers)
        assert 0.95 * longest <= waited[-1] <= longest
        assert waited[0] <= 0.05

"""How long a worker waits while there is nothing to claim."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import chain, repeat

import pytest
from worker_bench import Bench

from lamsearch.statistics import model
from lamsearch.storage import Claim, Leases, Wait
from lamsearch.worker import study_worker
from lamsearch.worker.idling import Idling


class _Recorded(threading.Event):
    """Waits that are noted and take no time."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Note a wait."""
        assert timeout is not None
        self.waits.append(timeout)
        return False


class _Left(_Recorded):
    """Is set when somebody waits for it."""

    def wait(self, timeout: float | None = None) -> bool:
        """Note a wait, and end it."""
        super().wait(timeout)
        return True


def test_waits_grow_to_the_longest_that_was_given_and_begin_anew() -> None:
    """Each wait is longer than the one before until the longest, 1.8 s unless another is given."""
    for given, longest in (((), 1.8), ((0.3,), 0.3)):
        stop = _Recorded()
        idling = Idling(stop, *given)
        for _ in range(20):
            idling.wait()
        assert 0.95 * longest <= stop.waits[-1] <= longest
        assert max(stop.waits) <= longest
        growing = [one for one in stop.waits if one < 0.9 * longest]
        assert growing == sorted(growing)
        assert len(growing) > 2
        idling.reset()
        idling.wait()
        assert stop.waits[-1] <= 0.05


def test_a_wait_ends_when_somebody_has_written() -> None:
    """A long wait ends at a glance that finds another number than before."""
    numbers = chain([7, 7, 7, 7], repeat(8))
    idling = Idling(threading.Event(), 60.0, lambda: next(numbers))
    idling._seconds = 60.0
    begun = time.monotonic()
    idling.wait(2)
    assert time.monotonic() - begun < 30.0
    assert idling._seen == 8


def test_what_is_written_while_a_worker_asks_is_not_missed() -> None:
    """A number that changed between the end of a wait and the next one ends the next one."""
    number = [8]
    idling = Idling(threading.Event(), 60.0, lambda: number[0])
    idling._seconds = 60.0
    number[0] = 9  # while it asked
    begun = time.monotonic()
    idling.wait(2)
    assert time.monotonic() - begun < 30.0


def test_glances_grow_rare() -> None:
    """Who has waited for an hour glances as seldom as it asks: a paused study costs nothing."""
    stop = _Left()
    idling = Idling(stop, 1.8, lambda: 7)
    idling._seconds = 1.8
    idling.wait()
    assert stop.waits.pop() <= 0.01
    idling._begun -= 3600.0
    idling._seconds = 1.8
    idling.wait()
    assert stop.waits.pop() > 1.5


@pytest.mark.parametrize(("rule", "most", "expected"), [("model", 8, 1), ("best", 8, 0),
                                                        ("model", 0, 0)])  # fmt: skip
def test_who_waits_loads_the_model_that_may_choose(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch, rule: str, most: int,
    expected: int,
) -> None:  # fmt: skip
    """Once, where a model chooses and few work; work that comes meanwhile does not wait for it."""
    one = bench(finalists={"keep": 2, "replicates": 3, "rule": rule})
    loaded, goes_on = list[str](), threading.Event()

    def load() -> None:
        loaded.append(threading.current_thread().name)
        goes_on.wait(60)

    monkeypatch.setattr(model, "load", load)
    monkeypatch.setattr(study_worker, "_FEW", most)
    other = Leases(one.database, one.study.name, owner="other", seconds=60.0)
    while isinstance(other.claim(), Claim):
        pass
    worker = one.worker()
    assert [type(worker.step()) for _ in range(3)] == [Wait] * 3
    goes_on.set()
    for thread in threading.enumerate():
        if thread.name == "load":
            thread.join()
    assert loaded == ["load"] * expected

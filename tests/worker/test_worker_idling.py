"""How long a worker waits while there is nothing to claim."""

from __future__ import annotations

import threading

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

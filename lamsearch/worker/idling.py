"""Waiting while there is nothing to claim: short at first, then longer, until somebody leaves.

Where it can be told that nothing was written to the database, a long wait ends when something was.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from lamsearch.worker import pace

# seconds; the longest is what a study waits for that is submitted while nobody works
_FIRST, _GROWTH, LONGEST_WAIT = 0.05, 1.5, 1.8
_GLANCE = 1 / 200  # of what was waited so far: who waits for hours hardly looks up


class Idling:
    """Waits that grow from one to the next.

    Args:
        stop: set when the worker is to leave; a wait ends at once then.
        longest: the most seconds of one.
        changes: returns another number once somebody else has written to the database; None where
            that cannot be told.
    """

    def __init__(
        self,
        stop: threading.Event,
        longest: float = LONGEST_WAIT,
        changes: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._stop, self._seconds, self._longest = stop, _FIRST, longest
        self._changes, self._seen, self._begun = changes, changes(), time.monotonic()

    def wait(self, workers: int = 1) -> None:
        """Wait a little longer than last time, and the longer the more workers there are."""
        # apart from each other: workers that began to wait at once would all ask at once
        self._wait(self._seconds * random.uniform(0.95, 1.0), workers)  # noqa: S311 - no secret
        # never longer than half of what has been waited already
        longest = max(self._longest, pace.wait_seconds(workers))
        self._seconds = min(_GROWTH * self._seconds, longest)

    def _wait(self, seconds: float, workers: int) -> None:
        """Wait so long, but no longer than until something is written."""
        # what was seen is older than the last question, so that nothing slips in between
        seen, self._seen = self._seen, self._changes()
        if seen is None or self._seen is None:
            self._stop.wait(seconds)
            return
        begun = time.monotonic()
        glance = max(pace.glance_seconds(workers), _GLANCE * (begun - self._begun))
        while (left := begun + seconds - time.monotonic()) > 0:
            # not at once: of those who wait together each would ask at each write of the others
            if self._seen != seen and left < seconds - pace.wait_seconds(workers):
                return
            if self._stop.wait(min(glance, left)):
                return
            self._seen = self._changes()

    def reset(self) -> None:
        """Begin with short waits again."""
        self._seconds, self._begun = _FIRST, time.monotonic()

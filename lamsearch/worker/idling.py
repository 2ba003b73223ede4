"""Waiting while there is nothing to claim: short at first, then longer, until somebody leaves."""

from __future__ import annotations

import random
import threading

from lamsearch.worker import pace

# seconds; the longest is what a study waits for that is submitted while nobody works
_FIRST, _GROWTH, LONGEST_WAIT = 0.05, 1.5, 1.8


class Idling:
    """Waits that grow from one to the next.

    Args:
        stop: set when the worker is to leave; a wait ends at once then.
        longest: the most seconds of one.
    """

    def __init__(self, stop: threading.Event, longest: float = LONGEST_WAIT) -> None:
        self._stop, self._seconds, self._longest = stop, _FIRST, longest

    def wait(self, workers: int = 1) -> None:
        """Wait a little longer than last time, and the longer the more workers there are."""
        # apart from each other: workers that began to wait at once would all ask at once
        self._stop.wait(self._seconds * random.uniform(0.95, 1.0))  # noqa: S311 - no secret
        # never longer than half of what has been waited already
        longest = max(self._longest, pace.wait_seconds(workers))
        self._seconds = min(_GROWTH * self._seconds, longest)

    def reset(self) -> None:
        """Begin with short waits again."""
        self._seconds = _FIRST

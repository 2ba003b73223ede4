"""The studies that a worker has opened: few, so that a hundred take no more memory than two.

Enters: a study that is wanted. Leaves: its worker, with data, files and leases. What was not wanted
for longest is let go of before another is opened. Refuses to know how one is opened.
"""

from __future__ import annotations

from collections.abc import Callable

from lamsearch.storage import Claimable
from lamsearch.worker.study_worker import StudyWorker

_MOST = 2  # one that waits for others to end its stage, and the next one in the queue


class Opened:
    """Opened studies, by name.

    Args:
        open_: opens one.
        most: how many are kept.
    """

    def __init__(self, open_: Callable[[str], StudyWorker], most: int = _MOST) -> None:
        self._open, self._most = open_, most
        self._workers: dict[str, StudyWorker] = {}  # the last one wanted is the last one here

    def get(self, study: Claimable) -> StudyWorker:
        """Return the worker of a study; of one that was deleted and made again, a new one."""
        worker = self._workers.pop(study.name, None)
        if worker is None or worker.study_id != study.id:
            worker = None  # lets go of the old one before the new one is made
            while len(self._workers) >= self._most:
                self._workers.pop(next(iter(self._workers)))
            worker = self._open(study.name)
        self._workers[study.name] = worker
        return worker

    @property
    def workers(self) -> int:
        """How many work in the storage, as far as those that are opened know."""
        return max((one.workers for one in self._workers.values()), default=1)

    def drop(self, name: str) -> None:
        """Let go of a study."""
        self._workers.pop(name, None)

"""What keeps a claim while the trainer works: patience with the database, and a renewing thread."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TypeVar

from lamsearch.errors import (
    InterruptedWorkError,
    LeaseLostError,
    StorageAwayError,
    StorageBusyError,
    StorageFailedError,
    StorageGoneError,
)
from lamsearch.trials import DATABASE_ERRORS, Beat, Claim, Leases, is_outage

T = TypeVar("T")
_log = logging.getLogger(__name__)
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 5.0
_LONGEST_BEAT, _RETRY_SECONDS = 2.0, 0.25


class Patience:
    """Repeats what the database refused while it was away, or while somebody held a lock for long;
    one line when that begins, one when it is over.

    Args:
        stop: set when the user wants to leave; waiting ends at once then.
        say: takes the lines.
    """

    def __init__(self, stop: threading.Event, say: Callable[[str], None]) -> None:
        self._stop, self._say = stop, say
        self._away, self._lock = False, threading.Lock()
        self._waits = threading.local()  # for each thread waits for locks of its own

    def __call__(self, action: Callable[[], T]) -> T:
        """Return what ``action`` returns once it gets through.

        Raises:
            InterruptedWorkError: The user wanted to leave while the database was away.
        """
        wait = _FIRST_WAIT
        while True:
            with self.noticing():
                return action()
            # apart from each other, for a database that is back is asked by all at once
            if self._stop.wait(wait * random.uniform(0.5, 1.0)):  # noqa: S311 - no secret
                raise InterruptedWorkError("interrupted while the database was away")
            wait = min(2 * wait, _LONGEST_WAIT)

    @contextmanager
    def noticing(self) -> Iterator[None]:
        """Swallow an outage and tell of it once; a block that gets through tells of its end."""
        try:
            yield
        except StorageBusyError as error:
            self._tell(False, "database back")
            if not self._waiting:
                self._say(f"waiting: {error}")
            self._waits.on = True
        except (*DATABASE_ERRORS, StorageAwayError) as error:
            if not isinstance(error, StorageAwayError) and not is_outage(error):
                raise
            self._tell(True, f"database away ({type(error).__name__}); work goes on, trying again")
        else:
            self._tell(False, "database back")
            if self._waiting:
                self._say("the lock is free again")
            self._waits.on = False

    @property
    def _waiting(self) -> bool:
        return getattr(self._waits, "on", False)

    def _tell(self, away: bool, line: str) -> None:
        with self._lock:
            changed, self._away = self._away != away, away
        if changed:
            self._say(line)


class Keeper:
    """Renews one claim from a thread of its own until the block ends.

    A renewal that fails is tried again soon: it is the first thing that a database hears when it
    is back. Nobody else takes the cohort for one lease then, and if somebody does, the fence
    decides.
    """

    def __init__(self, leases: Leases, claim: Claim, patience: Patience) -> None:
        self._leases, self._claim, self._patience = leases, claim, patience
        self._ended, self._lost = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self.beat = Beat(updates=0, per_second=0.0)
        self.gone: StorageGoneError | None = None

    @property
    def lost(self) -> bool:
        """Whether the cohort was given to another worker."""
        return self._lost.is_set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _renew(self) -> None:
        # a beat at once shows whoever watches what this worker has begun
        wait = 0.0
        while not self._ended.wait(wait):
            wait = _RETRY_SECONDS
            try:
                with self._patience.noticing():
                    self._leases.renew(self._claim, self.beat)
                    wait = min(self._leases.seconds / 4, _LONGEST_BEAT)
            except LeaseLostError:
                self._lost.set()
                return
            except StorageGoneError as error:
                self.gone = error  # nothing that is trained from here on could be kept
                return
            except (*DATABASE_ERRORS, StorageFailedError) as error:
                # what waiting cannot mend, the worker's own calls say
                _log.debug("a renewal failed: %s", type(error).__name__)

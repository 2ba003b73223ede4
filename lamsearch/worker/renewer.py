"""What keeps a claim while the trainer works: retry with the database, and a renewing thread."""

from __future__ import annotations

import contextvars
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TypeVar

from lamsearch.errors import (
    InterruptedWorkError,
    LeaseLostError,
    StorageBusyError,
    StorageFailedError,
    StorageGoneError,
    StorageReadOnlyError,
    StudyHaltedError,
)
from lamsearch.storage import (
    RETRIED,
    Claim,
    Heartbeat,
    Leases,
    is_conflict,
    is_read_only,
    passes,
    retry,
)
from lamsearch.worker import pace

T = TypeVar("T")
_log = logging.getLogger(__name__)
_READ_ONLY_SECONDS = 120.0  # longer than a failover takes
_QUIET_CONFLICTS = 5  # in a row; one is nothing that anybody has to know of
_RETRY_SECONDS = 0.25


class Retry:
    """Repeats what the database refused while it was away, or while somebody held a lock for long;
    one line when that begins, one when it is over.

    A database that is read-only is waited for like one that is away, but not for ever: it may be
    failing over, or meant to stay so.

    Args:
        stop: set when the user wants to leave; waiting ends at once then.
        say: takes the lines.
    """

    def __init__(self, stop: threading.Event, say: Callable[[str], None]) -> None:
        self._stop, self._say = stop, say
        self._lock = threading.Lock()
        self._state: str | None = None  # what is told of the database, None while all is well
        self._conflicts, self._read_only_since = 0, float("inf")
        self._waits = threading.local()  # for each thread waits for locks of its own

    def __call__(self, action: Callable[[], T]) -> T:
        """Return what ``action`` returns once it gets through.

        Raises:
            InterruptedWorkError: The user wanted to leave while the database was away.
            StorageFailedError: The database has been read-only for longer than a failover takes.
        """
        result = retry(action, heed=self._heed, pause=self._pause)
        self._through()
        return result

    @contextmanager
    def noticing(self) -> Iterator[None]:
        """Swallow an outage and tell of it once; a block that gets through tells of its end."""
        try:
            yield
        except RETRIED as error:
            self._heed(error)
        else:
            self._through()

    @property
    def _waiting(self) -> bool:
        return getattr(self._waits, "on", False)

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise InterruptedWorkError("interrupted while the database was away")

    def _heed(self, error: Exception) -> None:
        """Tell of an error that passes by itself; raise one that does not."""
        if isinstance(error, StorageBusyError):
            self._wait_for_a_lock(error)
            return
        if not passes(error):
            raise error
        conflict, read_only = is_conflict(error), is_read_only(error)
        with self._lock:
            self._conflicts = self._conflicts + 1 if conflict else 0
            quiet = conflict and self._conflicts <= _QUIET_CONFLICTS
            since = min(self._read_only_since, time.monotonic()) if read_only else float("inf")
            self._read_only_since = since
        if time.monotonic() - since > _READ_ONLY_SECONDS:
            raise _for_good(error) from error
        if not quiet:
            state = "busy" if conflict else "read-only" if read_only else "away"
            self._tell(
                state, f"database {state} ({type(error).__name__}); work goes on, trying again"
            )

    def _through(self) -> None:
        with self._lock:
            self._conflicts, self._read_only_since = 0, float("inf")
        self._tell(None, "database back")
        if self._waiting:
            self._say("the lock is free again")
        self._waits.on = False

    def _wait_for_a_lock(self, error: StorageBusyError) -> None:
        self._tell(None, "database back")
        if not self._waiting:
            self._say(f"waiting: {error}")
        self._waits.on = True

    def _tell(self, state: str | None, line: str) -> None:
        with self._lock:
            changed, self._state = self._state != state, state
        if changed:
            self._say(line)


def _for_good(error: Exception) -> Exception:
    """What ends a worker whose database stays read-only; at its start, that is bad input."""
    if isinstance(error, StorageReadOnlyError):
        return error
    return StorageFailedError(
        f"storage: the database has been read-only for {_READ_ONLY_SECONDS:.0f} s: a standby, or "
        "default_transaction_read_only for the role or the database; what is committed is safe: "
        "mend it and start again"
    )


class LeaseRenewer:
    """Renews one claim from a thread of its own until the block ends.

    Whatever is written under the lease renews it too; in between the thread looks by reading alone
    whether the lease is lost or the study halted. A renewal that fails is tried again soon: it is
    the first thing that a database hears when it is back. Nobody else takes the cohort for one
    lease then, and if somebody does, the fence decides.
    """

    def __init__(self, leases: Leases, claim: Claim, retry: Retry) -> None:
        self._leases, self._claim, self._retry = leases, claim, retry
        self._ended = threading.Event()
        # what it logs is about the same study and cohort
        about = contextvars.copy_context()
        self._thread = threading.Thread(
            target=about.run, args=(self._renew,), name="lease", daemon=True
        )
        self._overdue = False  # whether a renewal comes before any look
        self.heartbeat = Heartbeat(updates=0, per_second=0.0)
        self.gone: StorageGoneError | None = None
        self.loss: LeaseLostError | None = None  # why the cohort is no longer this worker's
        self.halted: StudyHaltedError | None = None  # while somebody has paused or cancelled it

    @property
    def lost(self) -> bool:
        """Whether the cohort is no longer this worker's."""
        return self.loss is not None

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

    @property
    def _heartbeat_seconds(self) -> float:
        return pace.heartbeat_seconds(self._leases.seconds, self._leases.workers)

    @property
    def _seconds(self) -> float:
        """Until the next heartbeat or look."""
        look = pace.look_seconds(self._leases.seconds, self._leases.workers)
        due = self._heartbeat_seconds - self._leases.unkept_seconds
        return look if due <= 0 else min(look, due)

    def _look(self) -> None:
        """Renew the lease if it is time to, or if it is not what it was."""
        due = self._overdue or self._leases.unkept_seconds >= self._heartbeat_seconds
        self._overdue = True  # unless this gets through
        if due or not self._leases.is_undisturbed(self._claim):
            self._leases.renew(self._claim, self.heartbeat)
        self._overdue = False

    def _renew(self) -> None:
        lease = self._leases.seconds
        # where few work, a heartbeat at once shows whoever watches what this worker has begun
        self._overdue = self._heartbeat_seconds == pace.usual_seconds(lease)
        wait = 0.0 if self._overdue else self._seconds
        while not self._ended.wait(wait):
            # apart from each other, for a database that is back is asked by all at once
            apart = random.uniform(0.5, 1.0)  # noqa: S311 - no secret
            wait = apart * pace.retry_seconds(_RETRY_SECONDS, self._leases.workers)
            try:
                with self._retry.noticing():
                    self._look()
                    wait, self.halted = self._seconds, None
            except StudyHaltedError as error:
                self._overdue = False
                wait, self.halted = self._seconds, error
                if error.halted != "paused":  # the lease of a paused study goes on
                    return
            except LeaseLostError as error:
                self.loss = error
                return
            except StorageGoneError as error:
                self.gone = error  # nothing that is trained from here on could be kept
                return
            except (*RETRIED, StorageFailedError) as error:
                # what waiting cannot mend, the worker's own calls say
                _log.debug("a renewal failed: %s", type(error).__name__)

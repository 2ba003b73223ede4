"""What keeps a claim while the trainer works: patience with the database, and a renewing thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from lamsearch.errors import InterruptedWorkError, LeaseLostError
from lamsearch.trials import DATABASE_ERRORS, Beat, Claim, Leases, is_outage

T = TypeVar("T")
_log = logging.getLogger(__name__)
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 5.0


class Patience:
    """Repeats what the database refused while it was away; one line when it goes, one when back.

    Args:
        stop: set when the user wants to leave; waiting ends at once then.
        say: takes the lines.
    """

    def __init__(self, stop: threading.Event, say: Callable[[str], None]) -> None:
        self._stop, self._say = stop, say

    def __call__(self, action: Callable[[], T]) -> T:
        """Return what ``action`` returns once it gets through.

        Raises:
            InterruptedWorkError: The user wanted to leave while the database was away.
        """
        wait, told = _FIRST_WAIT, False
        while True:
            try:
                result = action()
            except DATABASE_ERRORS as error:
                if not is_outage(error):
                    raise
                if not told:
                    self._say(f"database away ({type(error).__name__}); work goes on, trying again")
                    told = True
                if self._stop.wait(wait):
                    raise InterruptedWorkError("interrupted while the database was away") from None
                wait = min(2 * wait, _LONGEST_WAIT)
            else:
                if told:
                    self._say("database back")
                return result


class Keeper:
    """Renews one claim from a thread of its own until the block ends.

    A renewal that fails is tried again at the next beat: the lease may outlast an outage, and
    where it does not, the fence decides.
    """

    def __init__(self, leases: Leases, claim: Claim) -> None:
        self._leases, self._claim = leases, claim
        self._ended, self._lost = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self.beat = Beat(updates=0, per_second=0.0)

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
        while True:
            try:
                self._leases.renew(self._claim, self.beat)
            except LeaseLostError:
                self._lost.set()
                return
            except DATABASE_ERRORS as error:
                # the next beat tries again; what waiting cannot mend, the worker's own calls say
                _log.debug("a renewal failed: %s", type(error).__name__)
            if self._ended.wait(min(self._leases.seconds / 4, 2.0)):
                return

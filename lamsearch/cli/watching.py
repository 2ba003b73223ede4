"""Watching: studies shown until they are over, through outages of their database.

Enters: a storage, and a study's name or none for the queue. Leaves: what was seen last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from lamsearch import storage as store
from lamsearch.cli.signals import leaving
from lamsearch.errors import InterruptedWorkError
from lamsearch.results import QueuedStudy, StudyState
from lamsearch.storage import Database, Status
from lamsearch.terminal import Screen
from lamsearch.worker import Retry

_SECONDS = 1.0  # between two looks
_LEAVE_SECONDS = 0.5  # a database that does not answer keeps nobody here


class _Stated(Protocol):
    @property
    def state(self) -> StudyState: ...


T = TypeVar("T", bound=_Stated)


def watch_study(database: Database, name: str) -> Status:
    """Show a study until it is over.

    Raises:
        InterruptedWorkError: The user left.
        StudyStateError: It is not there, or not any more.
    """
    with Screen() as screen:
        (found,) = _watched(
            screen,
            lambda: [store.read_status(database, name)],
            lambda statuses: screen.show(statuses[0]),
        )
    return found


def watch_queue(database: Database) -> Sequence[QueuedStudy]:
    """Show all studies there are until they are over.

    Raises:
        InterruptedWorkError: The user left.
    """
    with Screen() as screen:
        return _watched(screen, lambda: store.read_queue(database), screen.show_queue)


def _watched(
    screen: Screen, read: Callable[[], Sequence[T]], show: Callable[[Sequence[T]], None]
) -> Sequence[T]:
    with leaving(screen.say, within=_LEAVE_SECONDS, at_once=screen.close, saves=False) as stop:
        retry = Retry(stop, screen.say)
        while True:
            found = retry(read)
            show(found)
            if all(one.state.over for one in found):
                return found
            if stop.wait(_SECONDS):
                raise InterruptedWorkError("interrupted")

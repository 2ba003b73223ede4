"""Watching: studies shown until they are over, through outages of their database.

Enters: a storage, a study's name or none for all. Leaves: their last statuses.
"""

from __future__ import annotations

from contextlib import suppress

from lamsearch import storage as store
from lamsearch.cli.signals import leaving
from lamsearch.errors import InterruptedWorkError, StudyStateError
from lamsearch.storage import Database, Status
from lamsearch.terminal import Screen
from lamsearch.worker import Retry

_SECONDS = 1.0  # between two looks
_LEAVE_SECONDS = 0.5  # a database that does not answer keeps nobody here


def watch(database: Database, name: str | None) -> list[Status]:
    """Show a study, or all there are, until they are over.

    Raises:
        InterruptedWorkError: The user left.
        StudyStateError: The named study is not there, or not any more.
    """
    with (
        Screen() as screen,
        leaving(screen.say, within=_LEAVE_SECONDS, at_once=screen.close, saves=False) as stop,
    ):
        retry = Retry(stop, screen.say)
        while True:
            found = retry(lambda: read(database, name))
            if name:
                screen.show(found[0])
            else:
                screen.show_all(found)
            if all(one.over for one in found):
                return found
            if stop.wait(_SECONDS):
                raise InterruptedWorkError("interrupted")


def read(database: Database, name: str | None) -> list[Status]:
    """Return the status of a study, or of all that are there."""
    if name:
        return [store.read_status(database, name)]
    found = []
    for one in store.names(database):
        with suppress(StudyStateError):  # deleted since its name was read
            found.append(store.read_status(database, one))
    return found

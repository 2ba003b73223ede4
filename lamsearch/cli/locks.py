"""Waiting for a lock that another transaction holds, in verbs that make one change and end.

Enters: what is to be done. Leaves: its result, and one line when a wait begins and when it is over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from lamsearch.cli.echo import echo
from lamsearch.errors import StorageBusyError
from lamsearch.storage import retry

T = TypeVar("T")

_PAUSE_SECONDS = 0.1  # the database has waited already


def until_free(action: Callable[[], T]) -> T:
    """Return what ``action`` returns once no other transaction holds a lock that it needs."""
    waited = False

    def heed(error: Exception) -> None:
        nonlocal waited
        if not isinstance(error, StorageBusyError):
            raise error
        if not waited:
            echo(f"waiting: {error}", err=True)
        waited = True

    result = retry(action, heed=heed, longest=_PAUSE_SECONDS)
    if waited:
        echo("the lock is free again", err=True)
    return result

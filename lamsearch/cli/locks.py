"""Waiting for a lock that another transaction holds, in verbs that make one change and end.

Enters: what is to be done. Leaves: its result, and one line when a wait begins and when it is over.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from lamsearch.cli.echo import echo
from lamsearch.errors import StorageBusyError

T = TypeVar("T")

_PAUSE_SECONDS = 0.1  # the database has waited already


def until_free(action: Callable[[], T]) -> T:
    """Return what ``action`` returns once no other transaction holds a lock that it needs."""
    waited = False
    while True:
        try:
            result = action()
        except StorageBusyError as error:
            if not waited:
                echo(f"waiting: {error}", err=True)
            waited = True
            time.sleep(_PAUSE_SECONDS)
        else:
            if waited:
                echo("the lock is free again", err=True)
            return result

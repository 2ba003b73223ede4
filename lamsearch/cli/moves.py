"""Moves of a study in the queue, for the verbs that ask for one.

Enters: a storage and what is asked of it. Leaves: one line, or a sentence why that makes no sense.
"""

from __future__ import annotations

from collections.abc import Callable

from lamsearch.cli import options
from lamsearch.cli.echo import echo
from lamsearch.cli.locks import until_free
from lamsearch.storage import Database, Mode


def moved(storage: str | None, move: Callable[[Database], None], said: str) -> None:
    """Make a move, and say it."""
    database = options.open_storage(storage, Mode.WORK)
    until_free(lambda: move(database))
    echo(said)

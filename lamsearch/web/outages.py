"""Outages of the database as this process sees them: counted, and said once each.

Enters: failures and answers. Leaves: whether it is there, and how often it was not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from lamsearch.storage import Database


class Outages:
    """When the database was away.

    Args:
        database: the storage, for sentences without its password.
        say: where whoever runs the server reads of it.
    """

    def __init__(self, database: Database, say: Callable[[str], None]) -> None:
        self._database, self._say = database, say
        self._lock = threading.Lock()
        self._away, self.count = False, 0

    def failed(self, sentence: str) -> None:
        """Count an outage, unless it is the one that is known of."""
        with self._lock:
            known, self._away = self._away, True
            self.count += not known
        if not known:
            self._say(sentence)

    def answered(self) -> None:
        """Note that the database is there."""
        with self._lock:
            known, self._away = self._away, False
        if known:
            self._say("storage: the database answers again")

    def sentence(self, error: BaseException) -> str:
        """Return a database's error as one sentence, without its password."""
        return self._database.say(error)

"""Where a database is, and what is said of it: no sentence holds a password or a statement.

Enters: a storage URL. Leaves: a look at what is there, and sentences. Refuses to write.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from optuna.exceptions import StorageInternalError
from sqlalchemy.engine import Connection

from lamsearch.redaction import scrub, shown
from lamsearch.storage.connections import engine_options, prepare
from lamsearch.storage.failures import DATABASE_ERRORS
from lamsearch.storage.urls import parse_url, sqlite_file
from lamsearch.storage.waits import holder


class Address:
    """A storage URL, read.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql://…`` as people write it.

    Raises:
        StorageError: It is none.
    """

    def __init__(self, url: str) -> None:
        self.url = parse_url(url)
        self._secret = self.url.render_as_string(hide_password=False)
        self.redacted = shown(self._secret)
        self.file = sqlite_file(self.url)

    @contextmanager
    def looking(self) -> Iterator[Connection]:
        """Open a connection of its own that cannot write."""
        text, options = engine_options(self.url, write=False)
        engine = sa.create_engine(text, **options)
        prepare(engine, write=False)
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()

    def say(self, error: BaseException) -> str:
        """Return a database error as one sentence, without statement or password."""
        cause = error.__cause__ if isinstance(error, StorageInternalError) else error
        return f"storage: {self.redacted} cannot be used: {self._words(cause or error)}"

    def say_lock(self) -> str:
        """Say who holds a lock that was not to be had."""
        try:
            with self.looking() as connection:
                whose = holder(connection)
        except DATABASE_ERRORS:  # who waits will hear of that when trying again
            whose = "another transaction"
        return f"storage: a lock is held by {whose}"

    def scrub(self, text: str) -> str:
        """Return a text without the URL's secrets."""
        return scrub(text, self._secret)

    def _words(self, error: BaseException) -> str:
        """The driver's own first lines, without the statement that it answers."""
        origin = getattr(error, "orig", None) or error
        diagnosis = getattr(getattr(origin, "diag", None), "message_primary", None)
        if diagnosis:  # a server's answer
            return self.scrub(diagnosis)
        lines = [line.strip() for line in str(origin).splitlines() if line.strip()]
        return self.scrub(" ".join(lines[:2]))

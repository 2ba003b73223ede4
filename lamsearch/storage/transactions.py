"""A transaction is whole or has failed: nobody goes on in one that the database has ended.

Enters: an engine, a connection. Leaves: a transaction that is committed, or the error that ended
it. Optuna repeats some calls by itself, takes some errors for another's doing, and turns others
into its own; in a transaction that it shares with us nothing of that helps: what it repeats meets
a transaction that is over. So what ends a transaction passes Optuna by, as an error of no family
that it catches, and leaves as what the driver said.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from optuna.exceptions import StorageInternalError
from sqlalchemy.engine import Connection, Engine, ExceptionContext
from sqlalchemy.exc import DBAPIError, InvalidRequestError, PendingRollbackError

from lamsearch.storage.failures import is_outage, lasts

SHARED = "lamsearch_write"  # the execution option of our transactions: whether they write
ALONE = "lamsearch_alone"  # … of a connection whose statements are each a transaction of its own
_ENDED = "the transaction was ended before its end"


class _EndedError(Exception):
    """A transaction that is over; ``error`` is what ended it."""

    def __init__(self, error: DBAPIError) -> None:
        super().__init__(_ENDED)
        self.error = error


def end_at_once(engine: Engine) -> None:
    """Let what ends a transaction of this engine's pass whoever would catch it on its way."""

    @sa.event.listens_for(engine, "handle_error")
    def _handle(context: ExceptionContext) -> BaseException | None:
        error, connection = context.sqlalchemy_exception, context.connection
        if connection is None or SHARED not in connection.get_execution_options():
            return None
        if not isinstance(error, DBAPIError):
            return None
        return _EndedError(error) if is_outage(error) or lasts(error) else None


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Begin a transaction; at its end it is committed, or the error leaves that ended it.

    Raises:
        SQLAlchemyError: What ended it, from the driver; PendingRollbackError where whoever worked
            in it rolled it back and kept that to himself.
    """
    try:
        with connection.begin() as begun:
            try:
                yield
            except (InvalidRequestError, StorageInternalError) as error:
                if begun.is_active:
                    raise
                raise PendingRollbackError(_ENDED) from error
            if not begun.is_active:
                raise PendingRollbackError(_ENDED)
    except _EndedError as ended:
        raise ended.error from ended.error.orig

"""Again, from the start: what a database refused for now is done anew, with new transactions.

Enters: an action that opens its transactions itself, and that done twice is done once. Leaves: its
result, or the error that does not pass. How long that may take, and what is said meanwhile, whoever
calls decides. Refuses to go on in the middle of a transaction: what it held is gone.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from lamsearch.errors import StorageAwayError
from lamsearch.storage.failures import DATABASE_ERRORS, is_answer, passes

P = ParamSpec("P")
T = TypeVar("T")
RETRIED = (*DATABASE_ERRORS, StorageAwayError)
SHORT_WAIT = 0.5  # between attempts that somebody waits for
_FIRST_WAIT, _SHORT_SECONDS = 0.1, 5.0


def retry(
    action: Callable[[], T],
    *,
    heed: Callable[[Exception], None],
    pause: Callable[[float], object] = time.sleep,
    longest: float = 5.0,
) -> T:
    """Return what ``action`` returns once it gets through.

    Args:
        action: what is done, each time from its start.
        heed: hears of each error, and raises it where it is not to be done again.
        pause: waits for so many seconds, or raises.
        longest: seconds of a pause; the first ones are shorter.
    """
    wait = _FIRST_WAIT
    while True:
        try:
            return action()
        except RETRIED as error:
            heed(error)
        # apart from each other, for a database that is back is asked by all at once
        pause(wait * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
        wait = min(2 * wait, longest)


def retried(function: Callable[P, T]) -> Callable[P, T]:
    """Do again for a few seconds what a server that is there has broken off.

    For calls without a worker's retry, such as the command line's.
    """

    @wraps(function)
    def call(*arguments: P.args, **options: P.kwargs) -> T:
        deadline = time.monotonic() + _SHORT_SECONDS

        def heed(error: Exception) -> None:
            if not (passes(error) and is_answer(error)) or time.monotonic() > deadline:
                raise error

        return retry(lambda: function(*arguments, **options), heed=heed, longest=SHORT_WAIT)

    return call

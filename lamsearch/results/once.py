"""What is worked out of a study's record once, however many forms of a report ask for it.

Enters: a function of a record. Leaves: one that remembers what it returned as long as that record
lives. Records are frozen, so what follows from one does not change.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from lamsearch.results.study import StudyRecord

P = ParamSpec("P")
T = TypeVar("T")
# By a record's identity: two that are equal are compared nowhere, which would read all trials.
_FOUND: dict[int, dict[Any, Any]] = {}


def once_per_record(
    function: Callable[Concatenate[StudyRecord, P], T],
) -> Callable[Concatenate[StudyRecord, P], T]:
    """Have ``function`` called once for each record, and for each of its further arguments.

    They must be hashable, and nobody may change what is returned.
    """

    @wraps(function)
    def remembering(record: StudyRecord, /, *rest: P.args, **named: P.kwargs) -> T:
        known = _FOUND.get(id(record))
        if known is None:
            known = _FOUND[id(record)] = {}
            weakref.finalize(record, _FOUND.pop, id(record), None).atexit = False
        key = (function, rest, tuple(sorted(named.items())))
        if key not in known:
            known[key] = function(record, *rest, **named)
        found: T = known[key]
        return found

    return remembering

"""The further parameters that a stage's table searches, and the rules between them and its keys.

Enters: the tables of a [coarse] or [fine]. Leaves: bounds, or issues. Refuses to know which
parameters a trainer has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lamsearch.axes import axis_of
from lamsearch.errors import Issue
from lamsearch.space import MOST_FURTHER, Bounds


def bounds_of(space: Mapping[str, Mapping[str, Any]]) -> Bounds:
    """Return the bounds of a table's parameters, in the order of their names."""
    return tuple(axis_of(name, space[name])[1] for name in sorted(space))


def space_issues(where: str, space: Mapping[str, Mapping[str, Any]]) -> Iterator[Issue]:
    """Yield what is wrong with each of a table's parameters; ``where`` is the table."""
    if len(space) > MOST_FURTHER:
        yield Issue(
            where=where, rule=f"must have at most {MOST_FURTHER} parameters", value=len(space)
        )
    for name, entry in space.items():
        try:
            axis_of(name, entry)
        except ValueError as error:
            given = next(iter(entry.values())) if len(entry) == 1 else dict(entry)
            key = next(iter(entry)) if len(entry) == 1 else ""
            place = ".".join(filter(None, (where, name, key)))
            yield Issue(where=place, rule=str(error), value=given)

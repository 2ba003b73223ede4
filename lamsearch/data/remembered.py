"""What is remembered of a source's data while its files do not change.

Enters: a cache, if any, the source's files and a way to find out. Leaves: plain values, whose form
is checked, for other programs can write a cache. Refuses to know a study.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from lamsearch.data.cache import Cache, Signature
from lamsearch.results import DataFacts


def remembered(
    cache: Cache | None,
    signature: Signature | None,
    about: object,
    make: Callable[[], dict[str, Any]],
    are_such: Callable[[Mapping[str, Any]], bool],
) -> dict[str, Any]:
    """Return what was found out before, or what ``make`` finds out now.

    ``signature`` is the files', None where they are not to be had; ``about`` is what it follows
    from besides these; ``are_such`` says whether it has its form.
    """
    if cache is None or signature is None:
        return make()
    found = cache.facts(signature, about)
    if found is None or not are_such(found):
        found = make()
        cache.remember(signature, found, about)
    return found


def are_seen(found: Mapping[str, Any]) -> bool:
    """Whether what a cache remembers has the form of `DataFacts`."""
    if found.keys() != {one.name for one in fields(DataFacts)} - {"columns"}:
        return False
    baseline, warnings = found["baseline"], found["warnings"]
    return (
        isinstance(found["majority"], str)
        and isinstance(baseline, dict)
        and all(type(value) is float for value in baseline.values())
        and _lists(found["constants"], float)
        and _lists(found["per_example"], str)
        and isinstance(warnings, list)
        and all(isinstance(line, str) for line in warnings)
    )


def _lists(found: object, kind: type) -> bool:
    """Whether it is a table of lists of one type."""
    return isinstance(found, dict) and all(
        isinstance(some, list) and all(type(one) is kind for one in some) for some in found.values()
    )

"""What is remembered of a source's data while its files do not change.

Enters: a cache, if any, the source's files and a way to find out. Leaves: plain values, whose form
is checked, for other programs can write a cache. Refuses to know a study.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from lamsearch.data.cache import Cache
from lamsearch.data.images import Contents
from lamsearch.results import DataFacts
from lamsearch.study import ImageShape


def remembered(
    cache: Cache | None,
    places: Sequence[Path],
    about: object,
    make: Callable[[], dict[str, Any]],
    are_such: Callable[[Mapping[str, Any]], bool],
) -> dict[str, Any]:
    """Return what was found out before, or what ``make`` finds out now.

    ``about`` is what it follows from besides the files; ``are_such`` says whether it has its form.
    """
    found = None if cache is None else cache.facts(places, about)
    if found is None or not are_such(found):
        found = make()
        if cache is not None:
            cache.remember(places, found, about)
    return found


def facts_of(contents: Contents) -> dict[str, Any]:
    """Return what there is to know of all that a source holds, whatever the study."""
    return {
        "name": contents.name,
        "fingerprint": contents.fingerprint(),
        "classes": list(contents.classes),
        "features": int(contents.pool.x.shape[1]),
        "images": len(contents.pool),
        "test": None if contents.test is None else len(contents.test),
        "image": None if contents.image is None else asdict(contents.image),
    }


def are_facts(found: Mapping[str, Any]) -> bool:
    """Whether what a cache remembers has the form of `facts_of`."""
    kinds = {"name": str, "fingerprint": str, "classes": list, "features": int, "images": int}
    return (
        found.keys() == {*kinds, "test", "image"}
        and all(type(found[key]) is kind for key, kind in kinds.items())
        and all(isinstance(name, str) for name in found["classes"])
        and (found["test"] is None or type(found["test"]) is int)
        and (found["image"] is None or _is_image(found["image"], found["features"]))
    )


def are_seen(found: Mapping[str, Any]) -> bool:
    """Whether what a cache remembers has the form of `DataFacts`."""
    if found.keys() != {one.name for one in fields(DataFacts)}:
        return False
    baseline, warnings = found["baseline"], found["warnings"]
    return (
        isinstance(found["majority"], str)
        and isinstance(baseline, dict)
        and all(type(value) is float for value in baseline.values())
        and isinstance(warnings, list)
        and all(isinstance(line, str) for line in warnings)
    )


def _is_image(found: object, features: int) -> bool:
    kinds = {"height": int, "width": int, "channels": int, "planar": bool}
    if not isinstance(found, dict) or found.keys() != kinds.keys():
        return False
    if any(type(found[key]) is not kind for key, kind in kinds.items()):
        return False
    return math.prod(ImageShape(**found).axes) == features

"""The outline of a source: all that is remembered of it besides its examples.

Enters: its contents, or what a cache remembers. Leaves: plain JSON values, or whether they are
such. Refuses to know files and splits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from lamsearch.data.images import Contents
from lamsearch.results import columns_document, columns_from
from lamsearch.study import ImageShape


def outline(contents: Contents) -> dict[str, Any]:
    """Return what there is to remember of a source besides its examples, as plain JSON values."""
    return {
        "name": contents.name,
        "fingerprint": contents.fingerprint(),
        "classes": list(contents.classes),
        "features": int(contents.pool.x.shape[1]),
        "images": len(contents.pool),
        "test": None if contents.test is None else len(contents.test),
        "image": None if contents.image is None else asdict(contents.image),
        "columns": columns_document(contents.columns),
        "bytes": contents.pool.x.dtype == np.uint8,
    }


def is_outline(found: Mapping[str, Any]) -> bool:
    """Whether what a cache remembers has the form of `outline`."""
    kinds = {"name": str, "fingerprint": str, "classes": list, "features": int, "images": int,
             "bytes": bool}  # fmt: skip
    return (
        found.keys() == {*kinds, "test", "image", "columns"}
        and all(type(found[key]) is kind for key, kind in kinds.items())
        and all(isinstance(name, str) for name in found["classes"])
        and (found["test"] is None or type(found["test"]) is int)
        and (found["image"] is None or _is_image(found["image"], found["features"]))
        and _are_columns(found["columns"], found["features"])
    )


def _are_columns(found: object, features: int) -> bool:
    try:
        return sum(one.width for one in columns_from(found)) == features or found == []
    except ValueError:
        return False


def _is_image(found: object, features: int) -> bool:
    kinds = {"height": int, "width": int, "channels": int, "planar": bool}
    if not isinstance(found, dict) or found.keys() != kinds.keys():
        return False
    if any(type(found[key]) is not kind for key, kind in kinds.items()):
        return False
    return math.prod(ImageShape(**found).axes) == features

"""What people write as labels, as classes 0, 1, 2, … and their names.

Enters: an array of labels as it stood in a file. Leaves: class numbers, class names, and a
sentence where the two differ. Refuses to guess: what could be a quantity is no label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.data.images import Labels
from lamsearch.errors import Issue

MOST_CLASSES = 65_536  # a column of identifiers must not ask for a network of that width
LONGEST = 100  # characters of a name
_SHOWN = 8
_EXACT = 2.0**53  # whole numbers below it are float64

Found = list[Issue]


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Labels y (n,) as classes 0..k-1; class c was written ``labels[c]``, its name is the text.

    ``note`` says so where it is not what anybody would expect.
    """

    y: Labels = field(repr=False)
    labels: npt.NDArray[Any]
    classes: tuple[str, ...]
    note: str | None


def named(array: npt.NDArray[Any] | None, key: str, found: Found) -> Named | None:
    """Return what the training labels are; None, and why in ``found``, where they are none.

    Whole numbers without a gap from 0, of whatever type, are the classes themselves. Others, texts
    and truth values are numbered in their order.
    """
    array = _whole(array, key, found)
    if array is None or not _are_labels(array, key, found):
        return None
    labels, y = np.unique(array, return_inverse=True)
    if len(labels) > MOST_CLASSES:
        rule = f"must have at most {MOST_CLASSES} different labels"
        found.append(Issue(where=key, rule=rule, value=len(labels)))
        return None
    classes = tuple(_text(label) for label in labels)
    note = None
    if array.dtype.kind in "iu" and labels[-1] != len(labels) - 1:
        note = (
            f"the {len(labels)} different labels of {key}, {_listed(classes)}, are the classes, "
            "named as they are written; there is no class for a number that does not occur"
        )
    return Named(y=y.reshape(-1).astype(np.int64), labels=labels, classes=classes, note=note)


def encoded(array: npt.NDArray[Any] | None, key: str, known: Named, found: Found) -> Labels | None:
    """Return further labels as the classes of those ``known``; all of them must be among these."""
    array = _whole(array, key, found)
    if array is None or not _are_labels(array, key, found):
        return None
    if _kind(array) != _kind(known.labels):
        rule = f"must be labels of the kind that y has ({known.labels.dtype})"
        found.append(Issue(where=key, rule=rule, value=str(array.dtype)))
        return None
    place = np.searchsorted(known.labels, array).clip(max=len(known.labels) - 1)
    strange = np.flatnonzero(known.labels[place] != array)
    if strange.size:
        row, names = strange[0], _listed(known.classes)
        rule = f"must be a label that y has ({names}): training sees no other"
        value = _plain(array[row])
        found.append(Issue(where=f"{key}: row {row}", rule=rule, value=value))
        return None
    return place.astype(np.int64)


def _whole(array: npt.NDArray[Any] | None, key: str, found: Found) -> npt.NDArray[Any] | None:
    """Labels that were written as floats, as the whole numbers that they are."""
    if array is None or array.dtype.kind != "f":
        return array
    bad = np.argwhere(~((array == np.floor(array)) & (np.abs(array) < _EXACT)))
    if not len(bad):
        return array.astype(np.int64)
    row, value = bad[0][0] if array.ndim else 0, float(array[tuple(bad[0])])
    rule = "must be a whole number, as labels are; a quantity is predicted under another metric"
    found.append(Issue(where=f"{key}: row {row}", rule=rule, value=value))
    return None


def _are_labels(array: npt.NDArray[Any], key: str, found: Found) -> bool:
    if array.dtype.kind not in "iubU":
        rule = "must be whole numbers"
        found.append(Issue(where=key, rule=rule, value=str(array.dtype)))
        return False
    if array.ndim != 1 or not len(array):
        rule = "must have one dimension and at least one label"
        found.append(Issue(where=key, rule=rule, value=array.shape))
        return False
    if array.dtype.kind == "U":
        bad = [row for row, label in enumerate(array) if not is_name(str(label))]
        rule = f"must be 1 to {LONGEST} printable characters, not all of them blank"
    elif array.dtype.kind == "b":
        return True
    else:
        bad = np.flatnonzero((array < 0) | (array >= MOST_CLASSES)).tolist()
        rule = f"must be a label in 0..{MOST_CLASSES - 1}"
    if bad:
        value = _plain(array[bad[0]])
        found.append(Issue(where=f"{key}: row {bad[0]}", rule=rule, value=value))
    return not bad


def _kind(array: npt.NDArray[Any]) -> str:
    return "i" if array.dtype.kind == "u" else array.dtype.kind


def is_name(text: str) -> bool:
    """Whether a text can be shown as a name."""
    return 0 < len(text) <= LONGEST and text.isprintable() and not text.isspace()


def _text(label: Any) -> str:
    return str(_plain(label))


def _plain(label: Any) -> int | str | bool:
    value: int | str | bool = label.item()
    return value


def _listed(names: Sequence[str]) -> str:
    """The names, or the first and the last of many."""
    if len(names) <= _SHOWN:
        return ", ".join(names)
    return f"{', '.join(names[: _SHOWN - 2])}, …, {names[-1]}"

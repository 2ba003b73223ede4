"""People's own arrays: an .npz file with X, y and perhaps X_test, y_test.

Enters: a path. Leaves: flat examples, uint8, float32 or where that is too coarse float64, and
classes 0, 1, 2, …; or one error with every issue in the file. Refuses pickled objects.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.data.images import Contents, Groups, LabelledImages, Raw, Targets
from lamsearch.data.labels import Named, encoded, named
from lamsearch.data.moments import LARGEST, needs_float64
from lamsearch.data.quantities import quantities
from lamsearch.errors import DataError, Issue
from lamsearch.metrics import Task
from lamsearch.study import ImageShape

KEYS = ("X", "y", "X_test", "y_test")

_FINITE = np.finfo(np.longdouble).max
_SINGLE = float(np.finfo(np.float32).max)
_TOO_FAR = 1e10  # times its range from zero, float64 moves a value by a millionth of the range

Found = list[Issue]


def read(path: Path, groups: str | None = None, *, task: Task = "classification") -> Contents:
    """Read and check an .npz file; ``groups`` names an array of it with a group per example of X.

    The ``task`` says whether y are classes or quantities.

    Raises:
        DataError: Every issue in the file, one per line, as ``file: key: rule, got value``.
    """
    found: Found = []
    return contents_of(_arrays(path, found, groups), path, found, groups, task=task)


def contents_of(
    arrays: dict[str, npt.NDArray[Any]],
    path: object,
    found: Found | None = None,
    groups: str | None = None,
    *,
    task: Task = "classification",
) -> Contents:
    """Check arrays by their keys, as those of an .npz file; ``path`` is what sentences call them.

    Raises:
        DataError: Every issue in them, ``found`` ones first.
    """
    found = [] if found is None else found
    x = _examples(arrays, "X", found)
    double = x is not None and x.dtype == np.float64
    test_x = _examples(arrays, "X_test", found, double=double)
    _agreement(arrays, found)
    numbers = None if groups is None else _groups(arrays, groups, found)
    y, test_y, labels = _targets(arrays, task, found)
    if found or x is None or y is None:
        raise _error(path, found)
    test = None
    if test_x is not None and test_y is not None:
        test = LabelledImages(x=test_x, y=test_y)
    return Contents(
        name=str(path),
        classes=() if labels is None else labels.classes,
        pool=LabelledImages(x=x, y=y, groups=numbers),
        test=test,
        notes=_notes(arrays, labels),
        image=ImageShape.of(arrays["X"].shape[1:]),
    )


def _targets(
    arrays: dict[str, npt.NDArray[Any]], task: Task, found: Found
) -> tuple[Targets | None, Targets | None, Named | None]:
    """The targets of the pool and of the test set, and where they are classes, these."""
    if task == "regression":
        y, test_y = (quantities(arrays.get(key), key, found) for key in ("y", "y_test"))
        return y, test_y, None
    labels = named(arrays.get("y"), "y", found)
    if labels is None:
        return None, None, None
    return labels.y, encoded(arrays.get("y_test"), "y_test", labels, found), labels


def _error(path: object, found: Found) -> DataError:
    lines = (Issue(where=f"{path}: {m.where}", rule=m.rule, value=m.value) for m in found)
    return DataError("\n".join(str(line) for line in lines))


def _notes(arrays: dict[str, npt.NDArray[Any]], labels: Named | None = None) -> tuple[str, ...]:
    notes = [] if labels is None or labels.note is None else [labels.note]
    if arrays["X"].dtype == np.int8 and (arrays["X"] < 0).any():
        notes.append(
            "X is int8 with negative values: they are right only where pixels were shifted to "
            "-128..127, not where bytes above 127 were wrapped around"
        )
    return tuple(notes)


def _groups(arrays: dict[str, npt.NDArray[Any]], key: str, found: Found) -> Groups | None:
    """Return a number for each different value of an array, one per example."""
    array, x = arrays.get(key), arrays.get("X")
    if array is None or x is None or not x.ndim:
        return None  # an issue of its own
    if array.dtype.kind not in "iubU":
        rule = "must be whole numbers or texts, where they are data.groups"
        found.append(Issue(where=key, rule=rule, value=str(array.dtype)))
    elif array.shape != x.shape[:1]:
        rule = f"must have one group for each of the {len(x)} examples of X"
        found.append(Issue(where=key, rule=rule, value=array.shape))
    else:
        return np.unique(array, return_inverse=True)[1].astype(np.int64)
    return None


def _arrays(path: Path, found: Found, groups: str | None) -> dict[str, npt.NDArray[Any]]:
    try:
        # np.load by path would leave the file open where it is no zip.
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.lib.npyio.NpzFile):
                return _members(loaded, found, groups)
    except Exception as error:  # zipfile, zlib and NumPy have a dozen ways to say "not readable"
        raise DataError(f"{path}: must be a whole .npz file without pickles: {error}") from error
    raise DataError(f"{path}: must be an .npz archive, got a single array")


def _members(loaded: Any, found: Found, groups: str | None) -> dict[str, npt.NDArray[Any]]:
    arrays: dict[str, npt.NDArray[Any]] = {}
    own = () if groups is None else (groups,)
    for key in loaded.files:
        if key not in (*KEYS, *own):
            rule = f"unknown key; known are {', '.join((*KEYS, *own))}"
            found.append(Issue(where=key, rule=rule))
            continue
        array = _array(loaded, key, found)
        if array is not None:
            arrays[key] = array
    needed = KEYS if {"X_test", "y_test"} & set(loaded.files) else ("X", "y")
    missing = [key for key in needed if key not in loaded.files]
    found += [Issue(where=key, rule=_required(key)) for key in missing]
    found += [
        Issue(where=key, rule="is required, as data.groups names it")
        for key in own
        if key not in loaded.files
    ]
    return arrays


def _required(key: str) -> str:
    return "is required where the other of X_test, y_test is" if "_" in key else "is required"


def _array(loaded: Any, key: str, found: Found) -> npt.NDArray[Any] | None:
    try:
        array = loaded[key]
    except Exception as error:  # as above, for one member; MemoryError for an absurd shape
        rule = f"must be a whole array without pickled objects: {error}"
        found.append(Issue(where=key, rule=rule))
        return None
    if isinstance(array, np.ndarray):
        return array
    found.append(Issue(where=key, rule="must be an array in NumPy's format"))
    return None


def _examples(
    arrays: dict[str, npt.NDArray[Any]], key: str, found: Found, *, double: bool | None = None
) -> Raw | None:
    """Return an array as rows; ``double`` says whether they are float64, None: their values do."""
    array = arrays.get(key)
    if array is None:
        return None
    if array.dtype.kind not in "fiu":
        rule = "must be of type uint8 or float"
        found.append(Issue(where=key, rule=rule, value=str(array.dtype)))
        return None
    if array.ndim < 2 or 0 in array.shape:
        rule = "must have two or more dimensions, images first, none of them empty"
        found.append(Issue(where=key, rule=rule, value=array.shape))
        return None
    flat = array.reshape(len(array), -1)
    if flat.dtype == np.uint8:
        return np.ascontiguousarray(flat, np.uint8)
    low, high = _bounds(flat)
    if double is None:
        whole = flat.dtype.kind != "f"
        double = bool(np.isfinite(low + high).all()) and needs_float64(low, high, whole=whole)
    room, bound = ("lie within ±1e300", LARGEST) if double else ("fit into float32", _SINGLE)
    for rule, most in (("be finite", _FINITE), (room, bound)):
        if not _within(flat, np.maximum(abs(low), abs(high)), rule, most, key, found):
            return None
    if not double:
        return np.ascontiguousarray(flat, np.float32)
    kept = _is_told_apart(flat, low, high, key, found)
    return np.ascontiguousarray(flat, np.float64) if kept else None


def _bounds(flat: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The least and the greatest value of every feature, in at least double precision."""
    with np.errstate(invalid="ignore"):
        low, high = flat.min(axis=0), flat.max(axis=0)
    return low.astype(np.longdouble), high.astype(np.longdouble)


def _within(
    flat: npt.NDArray[Any],
    size: npt.NDArray[Any],
    rule: str,
    most: np.longdouble | float,
    key: str,
    found: Found,
) -> bool:
    good = size <= most  # not so for NaN
    if good.all():
        return True
    feature = int(np.argmin(good))
    row = int(np.argmin(abs(flat[:, feature].astype(np.longdouble)) <= most))
    value = float(flat[row, feature])
    found.append(Issue(where=f"{key}: row {row}", rule=f"must {rule}", value=value))
    return False


def _is_told_apart(
    flat: npt.NDArray[Any],
    low: npt.NDArray[Any],
    high: npt.NDArray[Any],
    key: str,
    found: Found,
) -> bool:
    """Whether float64 keeps whole numbers apart, which have 64 bits where it has 53."""
    if flat.dtype.kind not in "iu":
        return True
    size, spread = np.maximum(abs(low), abs(high)), high - low
    lost = (size > 2.0**53) & (spread > 0) & (size > _TOO_FAR * spread)
    if not lost.any():
        return True
    feature = int(np.argmax(lost))
    rule = "must vary by more than float64 rounds such whole numbers: subtract their least one"
    value = int(flat[:, feature].max())
    found.append(Issue(where=f"{key}: feature {feature}", rule=rule, value=value))
    return False


def _agreement(arrays: dict[str, npt.NDArray[Any]], found: Found) -> None:
    for images, labels in (("X", "y"), ("X_test", "y_test")):
        if images in arrays and labels in arrays:
            wanted, got = (np.atleast_1d(arrays[key]).shape[0] for key in (images, labels))
            if wanted != got:
                rule = f"must have one label for each of the {wanted} images of {images}"
                found.append(Issue(where=labels, rule=rule, value=got))
    if "X" in arrays and "X_test" in arrays:
        x, test = arrays["X"], arrays["X_test"]
        if x.shape[1:] != test.shape[1:]:
            rule = f"must have images of the shape {x.shape[1:]}, as X"
            found.append(Issue(where="X_test", rule=rule, value=test.shape[1:]))
        if (x.dtype == np.uint8) != (test.dtype == np.uint8):
            rule = f"must be uint8 where X is and only there (X is {x.dtype})"
            found.append(Issue(where="X_test", rule=rule, value=str(test.dtype)))

"""People's own arrays: an .npz file with X, y and perhaps X_test, y_test.

Enters: a path. Leaves: flat uint8 or float32 images and int64 labels, or one error with every
mistake in the file. Refuses pickled objects.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.dataset.images import Contents, LabelledImages, Labels, Raw
from lamsearch.errors import DataError, Mistake

KEYS = ("X", "y", "X_test", "y_test")
MOST_CLASSES = 65_536  # one wild label must not ask for a network of that width

Found = list[Mistake]


def resolved(path: str, folder: Path, origin: Path | None) -> Path:
    """Return where a path of a study file leads: as it is, below ``folder``, beside the file.

    Raises:
        DataError: There is no such file; the sentence names every place that was tried.
    """
    places = [base / path for base in (folder, origin) if base is not None]
    if Path(path).is_absolute():
        places = [Path(path)]
    for place in places:
        if place.is_file():
            return place
    tried = " nor ".join(str(place) for place in dict.fromkeys(places))
    raise DataError(f"data: the arrays must be a file, but there is none at {tried}")


def read(path: Path) -> Contents:
    """Read and check an .npz file.

    Raises:
        DataError: Every mistake in the file, one per line, as ``file: key: law, got value``.
    """
    found: Found = []
    arrays = _arrays(path, found)
    x, y = _images(arrays, "X", found), _labels(arrays, "y", found)
    test_x, test_y = _images(arrays, "X_test", found), _labels(arrays, "y_test", found)
    _agreement(arrays, found)
    if found or x is None or y is None:
        lines = (Mistake(where=f"{path}: {m.where}", law=m.law, value=m.value) for m in found)
        raise DataError("\n".join(str(line) for line in lines))
    test = None
    if test_x is not None and test_y is not None:
        test = LabelledImages(x=test_x, y=test_y)
    top = max(int(labels.max()) for labels in (y, test_y) if labels is not None)
    classes = tuple(str(label) for label in range(top + 1))
    return Contents(name=str(path), classes=classes, pool=LabelledImages(x=x, y=y), test=test)


def _arrays(path: Path, found: Found) -> dict[str, npt.NDArray[Any]]:
    try:
        # np.load by path would leave the file open where it is no zip.
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.lib.npyio.NpzFile):
                return _members(loaded, found)
    except Exception as error:  # zipfile, zlib and NumPy have a dozen ways to say "not readable"
        raise DataError(f"{path}: must be a whole .npz file without pickles: {error}") from error
    raise DataError(f"{path}: must be an .npz archive, got a single array")


def _members(loaded: Any, found: Found) -> dict[str, npt.NDArray[Any]]:
    arrays: dict[str, npt.NDArray[Any]] = {}
    for key in loaded.files:
        if key not in KEYS:
            found.append(Mistake(where=key, law=f"unknown key; known are {', '.join(KEYS)}"))
            continue
        array = _array(loaded, key, found)
        if array is not None:
            arrays[key] = array
    needed = KEYS if {"X_test", "y_test"} & set(loaded.files) else ("X", "y")
    missing = [key for key in needed if key not in loaded.files]
    found += [Mistake(where=key, law=_required(key)) for key in missing]
    return arrays


def _required(key: str) -> str:
    return "is required where the other of X_test, y_test is" if "_" in key else "is required"


def _array(loaded: Any, key: str, found: Found) -> npt.NDArray[Any] | None:
    try:
        array = loaded[key]
    except Exception as error:  # as above, for one member; MemoryError for an absurd shape
        law = f"must be a whole array without pickled objects: {error}"
        found.append(Mistake(where=key, law=law))
        return None
    if isinstance(array, np.ndarray):
        return array
    found.append(Mistake(where=key, law="must be an array in NumPy's format"))
    return None


def _images(arrays: dict[str, npt.NDArray[Any]], key: str, found: Found) -> Raw | None:
    array = arrays.get(key)
    if array is None:
        return None
    if array.dtype.kind not in "fiu":
        law = "must be of type uint8 or float"
        found.append(Mistake(where=key, law=law, value=str(array.dtype)))
        return None
    if array.ndim < 2 or 0 in array.shape:
        law = "must have two or more dimensions, images first, none of them empty"
        found.append(Mistake(where=key, law=law, value=array.shape))
        return None
    flat = array.reshape(len(array), -1)
    if flat.dtype == np.uint8:
        return np.ascontiguousarray(flat, np.uint8)
    with np.errstate(over="ignore"):  # what overflows is reported below
        single = np.ascontiguousarray(flat, np.float32)
    for law, values in (("must be finite", flat), ("must fit into float32", single)):
        good = np.isfinite(values)
        if not good.all():
            row = int(np.argmin(good.all(axis=1)))
            value = float(flat[row, np.argmin(good[row])])
            found.append(Mistake(where=f"{key}: row {row}", law=law, value=value))
            return None
    return single


def _labels(arrays: dict[str, npt.NDArray[Any]], key: str, found: Found) -> Labels | None:
    array = arrays.get(key)
    if array is None:
        return None
    if array.dtype.kind not in "iu":
        law = "must be whole numbers"
        found.append(Mistake(where=key, law=law, value=str(array.dtype)))
        return None
    if array.ndim != 1 or not len(array):
        law = "must have one dimension and at least one label"
        found.append(Mistake(where=key, law=law, value=array.shape))
        return None
    bad = np.flatnonzero((array < 0) | (array >= MOST_CLASSES))
    if bad.size:
        law = f"must be a label in 0..{MOST_CLASSES - 1}"
        found.append(Mistake(where=f"{key}: row {bad[0]}", law=law, value=int(array[bad[0]])))
        return None
    return array.astype(np.int64)


def _agreement(arrays: dict[str, npt.NDArray[Any]], found: Found) -> None:
    for images, labels in (("X", "y"), ("X_test", "y_test")):
        if images in arrays and labels in arrays:
            wanted, got = (np.atleast_1d(arrays[key]).shape[0] for key in (images, labels))
            if wanted != got:
                law = f"must have one label for each of the {wanted} images of {images}"
                found.append(Mistake(where=labels, law=law, value=got))
    if "X" in arrays and "X_test" in arrays:
        x, test = arrays["X"], arrays["X_test"]
        if x.shape[1:] != test.shape[1:]:
            law = f"must have images of the shape {x.shape[1:]}, as X"
            found.append(Mistake(where="X_test", law=law, value=test.shape[1:]))
        if (x.dtype == np.uint8) != (test.dtype == np.uint8):
            law = f"must be uint8 where X is and only there (X is {x.dtype})"
            found.append(Mistake(where="X_test", law=law, value=str(test.dtype)))

"""A program's own arrays as the examples of a study.

Enters: arrays, lists, data frames. Leaves: the contents of a data source in memory, or an .npz file
of them, and the [data] table that names it. Refuses to change, or to keep, what was given.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.data import Contents
from lamsearch.data.arrays import KEYS, contents_of
from lamsearch.errors import DataError, InputError
from lamsearch.local_files import write_whole
from lamsearch.metrics import Task
from lamsearch.study import Data

Examples = Sequence[Any] | Mapping[str, Any]
Arrays = dict[str, npt.NDArray[Any]]
_RULE = "must be (X, y), (X, y, X_test, y_test), or a mapping of those names"


def arrays_of(data: Examples) -> Arrays:
    """Return what was given as arrays by name: X and y, perhaps X_test and y_test.

    Raises:
        DataError: Something else was given.
    """
    if not isinstance(data, Mapping):
        if not isinstance(data, (tuple, list)) or len(data) not in (2, 4):
            raise DataError(f"data: {_RULE}, got {type(data).__name__}")
        data = dict(zip(KEYS, data, strict=False))
    found = {key: value for key, value in data.items() if value is not None}
    unknown = [key for key in found if key not in KEYS]
    needed = KEYS if {"X_test", "y_test"} & found.keys() else KEYS[:2]
    missing = [key for key in needed if key not in found]
    if unknown or missing:
        raise DataError(f"data: {_RULE}, got {', '.join(map(str, found)) or 'nothing'}")
    return {
        key: _labels(found[key], key) if key.startswith("y") else _numbers(found[key], key)
        for key in KEYS
        if key in found
    }


def contents(arrays: Arrays, task: Task) -> Contents:
    """Return arrays as a source has them, copied.

    Raises:
        DataError: They are no examples; every issue in one error.
    """
    return contents_of({key: np.array(one) for key, one in arrays.items()}, "the data", task=task)


def validation_share(fraction: float, examples: int) -> int:
    """Return how many examples, two or more, a share of them is: at least one, and not all.

    Raises:
        InputError: It is no share.
    """
    if not 0 < fraction < 1:
        rule = "must lie between 0 and 1, both excluded"
        raise InputError(f"validation_fraction: {rule}, got {fraction!r}")
    return min(max(1, round(fraction * examples)), max(1, examples - 1))


def saved(arrays: Arrays, directory: Path, fingerprint: str) -> str:
    """Write arrays into a directory as an .npz file named by what is in it; return that name.

    Raises:
        InputError: It cannot be written.
    """
    image = arrays["X"].shape[1:]  # the fingerprint is of the values, whatever their shape
    shape = f"-{'x'.join(map(str, image))}" if len(image) > 1 else ""
    name = f"arrays-{fingerprint[:16]}{shape}.npz"
    if not (directory / name).exists():
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]  # its stubs take the flag for an array
        try:
            write_whole(directory / name, buffer.getvalue())
        except OSError as error:
            rule = f"cannot be written: {error.strerror or error}"
            raise InputError(f"data: {directory / name} {rule}") from error
    return name


def table(given: object, **keys: object) -> dict[str, object]:
    """Return a [data] table with the keys of every source that ``given`` has, and others.

    What another source alone understands, such as a path, is left out.
    """
    own = given if isinstance(given, Mapping) else {}
    common = Data.model_fields.keys() - {"source"}
    return {key: value for key, value in own.items() if key in common} | keys


def _numbers(given: Any, key: str) -> npt.NDArray[Any]:
    array = np.asarray(given)
    if array.dtype == object:  # such as a data frame of several types of numbers
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise DataError(f"{key}: must be numbers: {error}") from error
    return array


def _labels(given: Any, key: str) -> npt.NDArray[Any]:
    array = np.asarray(given)
    if array.dtype.kind not in "OT":
        return array
    values = array.tolist()
    kinds = {type(one) for one in values}
    if len(kinds) != 1 or not kinds <= {str, int, float, bool}:
        rule = "must be texts, whole numbers or quantities, all of one type"
        raise DataError(f"{key}: {rule}, got {', '.join(sorted(one.__name__ for one in kinds))}")
    return np.array(values)

"""Further rows of a table, as the features that a trained model knows.

Enters: the columns of a model, and cells of a file or of a data frame. Leaves: float64 features, or
one sentence. Refuses to guess: a column that is not there, a value that training could not have, or
a category that its column did not have is an error.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.data import arrow_files, csv_files
from lamsearch.data.moments import LARGEST
from lamsearch.data.tables import Cells, by_name, encoded
from lamsearch.errors import DataError, shown
from lamsearch.results import Column

_SHOWN = 5
_NONE = ("NAType", "NaTType")  # pandas', which need not be installed


def read(path: Path, columns: Sequence[Column]) -> list[Cells]:
    """Return the cells of those columns that a file has, told by their names in any order.

    Raises:
        DataError: It is no such table, or lacks some, or has one of them twice.
    """
    known = {column.name for column in columns}

    def wanted(names: Sequence[str]) -> list[str]:
        found = [name for name in names if name in known]
        if twice := sorted({name for name in found if found.count(name) > 1}):
            raise DataError(f"{path}: columns must have different names, got twice: {twice[0]}")
        check_there(columns, found, str(path))
        return found

    texts = [column.name for column in columns if column.categories is not None]
    if path.suffix in csv_files.SEPARATORS:
        return csv_files.read(path, csv_files.separator_of(path), wanted, texts)
    return arrow_files.read(path, wanted, texts)


def check_there(columns: Sequence[Column], names: Sequence[str], where: str) -> None:
    """Find out whether all columns are among the names.

    Raises:
        DataError: Some are not; the sentence names them.
    """
    lacking = [column.name for column in columns if column.name not in names]
    if lacking:
        rule = "must have the columns that the models were trained on"
        raise DataError(f"{where}: {rule}, lacks {_listed(lacking)}")


def cells_of_frame(frame: Any, columns: Sequence[Column]) -> list[Cells]:
    """Return the cells of a data frame of any library, or of a mapping of names to values.

    Raises:
        DataError: It lacks a column, or has texts where training had numbers.
    """
    names = list(frame) if isinstance(frame, Mapping) else column_names(frame)
    check_there(columns, names, "X")
    return [_cells(column, np.asarray(frame[column.name])) for column in columns]


def column_names(frame: Any) -> list[str]:
    """Return the names of a data frame's columns, or none where it is no data frame."""
    # of Arrow's ``columns`` are values
    found: Iterable[Any] = getattr(frame, "column_names", getattr(frame, "columns", ()))
    return [str(name) for name in found]


def checked(
    columns: Sequence[Column], cells: Sequence[Cells], where: str, *, fills: bool
) -> list[Cells]:
    """Return cells in the order of the columns, once it is known that they fit them.

    With ``fills`` values may be missing.

    Raises:
        DataError: They do not; a line for each column.
    """
    found = by_name(columns, cells, where)
    pairs = zip(columns, found, strict=True)
    lines = [line for column, one in pairs for line in _issues(column, one, fills=fills)]
    if lines:
        raise DataError("\n".join(f"{where}: {line}" for line in lines))
    return found


def features(
    columns: Sequence[Column], cells: Sequence[Cells], rows: slice
) -> npt.NDArray[np.float64]:
    """Return some rows of checked cells as features (n, features), a missing number as NaN."""
    part = [replace(one, values=one.values[rows]) for one in cells]
    return np.asarray(encoded(columns, part, double=True), np.float64)


def _issues(column: Column, cells: Cells, *, fills: bool) -> Iterator[str]:
    where = f"column {shown(column.name)}"
    if not fills and (count := int(cells.missing.sum())):
        rule = 'must have no missing values, as in training (missing = "mean" admits them)'
        yield f"{where}: {rule}, got {count} of {len(cells.values)}"
    if column.categories is None:
        bad = np.flatnonzero(np.abs(cells.values) > LARGEST)
        if bad.size:
            yield f"{where}: row {bad[0]}: must lie within ±1e300, got {cells.values[bad[0]]}"
        return
    known = set(column.categories)
    strange = [code for code, text in enumerate(cells.texts or ()) if text not in known]
    rows = np.flatnonzero(np.isin(cells.values, strange))
    if rows.size:
        text = (cells.texts or ())[cells.values[rows[0]]]
        rule = f"must be a category that training had ({_listed(column.categories)})"
        yield f"{where}: row {rows[0]}: {rule}, got {shown(text)}"


def _cells(column: Column, values: npt.NDArray[Any]) -> Cells:
    """The values of a data frame's column as a file's reader would return them."""
    if values.ndim != 1:
        raise DataError(f"X: column {shown(column.name)}: must have one value for each row")
    if column.categories is None:
        return Cells(name=column.name, values=_numbers(column.name, values))
    codes: dict[str, int] = {}
    known = set(column.categories)
    found = [
        -1 if _is_missing(value) else codes.setdefault(_text(value, known), len(codes))
        for value in values.tolist()
    ]
    return Cells(name=column.name, values=np.array(found, np.int64), texts=tuple(codes))


def _numbers(name: str, values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    if values.dtype.kind in "fiub":
        return values.astype(np.float64)
    if values.dtype.kind != "O":
        raise DataError(f"X: column {shown(name)}: must hold numbers, got {values.dtype}")
    found = np.full(len(values), np.nan)
    for row, value in enumerate(values):
        if _is_missing(value):
            continue
        try:
            if isinstance(value, str):
                raise TypeError
            found[row] = float(value)
        except (TypeError, ValueError, OverflowError) as error:
            rule = "must hold numbers, as in training"
            raise DataError(f"X: column {shown(name)}: {rule}, got {shown(value)}") from error
    return found


def _is_missing(value: Any) -> bool:
    """Whether a data frame's value is none: None, NaN, NaT, pandas' NA, an empty text."""
    if value is None or isinstance(value, str):
        return not value
    return type(value).__name__ in _NONE or (isinstance(value, float) and math.isnan(value))


def _text(value: Any, known: set[str]) -> str:
    """A value as the name of a category: as the file that was trained on had it."""
    text = str(value).strip()
    whole = str(int(value)) if isinstance(value, float) and value.is_integer() else text
    return next((one for one in (text, whole, text.lower()) if one in known), text)


def _listed(names: Sequence[str]) -> str:
    few = ", ".join(shown(name) for name in names[:_SHOWN])
    return f"{few}, … ({len(names)} in all)" if len(names) > _SHOWN else few

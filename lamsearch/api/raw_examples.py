"""What is given to models to predict: arrays, data frames, rows of files.

Enters: whatever people have. Leaves: raw examples as rows, batch by batch, as the models' training
data had them; or one sentence. Refuses to know models, and what they make of an example.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.artifacts import PIXELS, Inputs
from lamsearch.data import new_rows
from lamsearch.data.images import Raw
from lamsearch.data.tables import Cells
from lamsearch.errors import DataError

_SLACK = 1e-6  # of floats that are pixels / 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """So many examples; ``rows`` returns those of a slice as an array (n, features).

    ``names`` are those of the files that the examples are, one each; empty where one file has all.
    """

    count: int
    rows: Callable[[slice], npt.NDArray[Any]] = field(repr=False)
    names: tuple[str, ...] = field(repr=False, default=())


def given(X: Any, inputs: Inputs, features: int, where: str = "X") -> Given:
    """Return what was given as examples; ``where`` opens sentences.

    Raises:
        DataError: It is not of the features that models were trained on.
    """
    if isinstance(X, Given):
        return X
    if inputs.columns and (isinstance(X, Mapping) or new_rows.column_names(X)):
        return of_cells(new_rows.cells_of_frame(X, inputs.columns), inputs, where)
    found = np.asarray(X)
    if found.dtype.kind not in "fiub":
        raise DataError(f"{where}: must be numbers, got {found.dtype}")
    if found.ndim < 2 or found[:1].size != features * len(found[:1]):
        rule = f"must be examples of {features} features, shape (n, {features})"
        raise DataError(f"{where}: {rule}, got the shape {found.shape}")
    return Given(
        count=len(found), rows=lambda part: found[part].reshape(len(found[part]), features)
    )


def of_cells(cells: Sequence[Cells], inputs: Inputs, where: str) -> Given:
    """Return the rows of a table, once its cells are known to fit the models' columns.

    Raises:
        DataError: They do not.
    """
    columns = inputs.columns
    found = new_rows.checked(columns, cells, where, fills=inputs.fills)
    return Given(
        count=len(found[0].values), rows=lambda part: new_rows.features(columns, found, part)
    )


def raw(part: npt.NDArray[Any], start: int, inputs: Inputs, *, double: bool) -> Raw:
    """Return a batch as `normalise` takes it: bytes of models of bytes, anything else in float64.

    ``start`` is the number of its first row, for sentences.

    Raises:
        DataError: A value is none that training could have had.
    """
    if inputs.divisor == PIXELS:
        part = _pixels(part, start)
    if part.dtype == np.uint8 and not double and inputs.divisor != 1:
        return np.ascontiguousarray(part, np.uint8)
    if not inputs.fills and part.dtype.kind == "f" and np.isnan(part).any():
        row, feature = np.argwhere(np.isnan(part))[0]
        raise DataError(f"X: row {start + row}: feature {feature}: must be a number, got nan")
    return np.ascontiguousarray(part, np.float64)


def _pixels(part: npt.NDArray[Any], start: int) -> npt.NDArray[Any]:
    """Values of images: bytes, whole numbers as bytes, or floats that are divided already."""
    if part.dtype.kind == "b" or part.dtype == np.uint8:
        return part
    most = float(PIXELS) if part.dtype.kind in "iu" else 1 + _SLACK
    bad = np.argwhere((part < (0 if part.dtype.kind in "iu" else -_SLACK)) | (part > most))
    if len(bad):
        row, feature = bad[0]
        rule = "must be whole numbers of 0 to 255, or floats of 0 to 1, as pixels are"
        raise DataError(f"X: row {start + row}: {rule}, got {part[row, feature]}")
    return part.astype(np.uint8) if part.dtype.kind in "iu" else part

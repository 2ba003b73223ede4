"""Tables: columns of numbers and of categories, as features, and one of them as the target.

Enters: the columns of a file, as whoever read it found them. Leaves: `Contents`, or one error with
every issue; and the features of further rows under columns that are known already. Refuses to know
files and their formats.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from lamsearch.data.images import Contents, Groups, LabelledImages
from lamsearch.data.labels import LONGEST, is_name, named
from lamsearch.data.moments import LARGEST, needs_float64
from lamsearch.errors import DataError, Issue, shown
from lamsearch.results import Column

MOST_CATEGORIES = 1000  # of a column: each is a feature
MOST_VALUES = 2**31  # of all examples: 8 GB of float32
_SHOWN = 5

Features = npt.NDArray[np.float32] | npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """A column of a file: float64 numbers, NaN where missing; or, of ``texts``, which one each is.

    Of texts, which are all different, ``values`` are int64 indices, -1 where missing.
    """

    name: str
    values: npt.NDArray[Any] = field(repr=False)
    texts: tuple[str, ...] | None = field(repr=False, default=None)

    @property
    def missing(self) -> npt.NDArray[np.bool_]:
        """Which rows lack a value."""
        return np.isnan(self.values) if self.texts is None else self.values < 0


def check_names(names: Sequence[str], asked: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield what is wrong with the names of a table's columns, each as a sentence's end.

    ``asked`` are those that each key of a study file names.
    """
    bad = next((index for index, name in enumerate(names) if not is_name(name)), None)
    if bad is not None:
        rule = f"must have a name of 1 to {LONGEST} printable characters"
        yield f"column {bad + 1}: {rule}, got {shown(names[bad])}"
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        yield f"columns must have different names, got twice: {_listed(twice)}"
    for key, name in [(key, name) for key, some in asked.items() for name in some]:
        if name not in names:
            alike = {one.casefold(): one for one in reversed(names)}
            close = difflib.get_close_matches(name.casefold(), alike, n=1)
            hint = f"; did you mean {alike[close[0]]}?" if close else f" ({_listed(names)})"
            yield f"data.{key}: must be a column of the table{hint}, got {shown(name)}"


def contents_of(
    path: Path,
    cells: Sequence[Cells],
    target: str,
    *,
    fill: bool,
    quantities: bool = False,
    groups: str | None = None,
) -> Contents:
    """Return a table's rows as examples: all columns but the target and ``groups`` are features.

    ``fill`` admits missing values of features: those of numbers stay NaN, for only a split knows
    its mean; those of categories are 0 in all their features. With ``quantities`` the target is
    float64 numbers, and there are no classes.

    Raises:
        DataError: Every issue, one per line, as ``file: column: rule, got value``.
    """
    found: list[Issue] = []
    goal = next(one for one in cells if one.name == target)
    parted_by = next((one for one in cells if one.name == groups), None)
    rest = [one for one in cells if one is not goal and one is not parted_by]
    if not len(goal.values) or not rest:
        what = "one row" if rest else "one column beside the target"
        raise DataError(f"{path}: must have at least {what}")
    classes: tuple[str, ...] = ()
    y: npt.NDArray[Any] | None
    if quantities:
        y = _quantities(goal, found)
    else:
        y, classes, notes = _labels(goal, found)
    if parted_by is not None:
        found += _missing_issues(parted_by, "of the groups")
    for one in rest:
        found += _feature_issues(one, fill=fill)
    columns = tuple(_column(one) for one in rest)
    width = sum(column.width for column in columns)
    if not found and width * len(goal.values) > MOST_VALUES:
        rule = f"rows x features must be at most {MOST_VALUES:,} values"
        got = f"{len(goal.values):,} x {width:,}"
        raise DataError(f"{path}: {rule}, got {got}")
    if found or y is None:
        raise DataError("\n".join(f"{path}: {one}" for one in found))
    return Contents(
        name=str(path),
        classes=classes,
        pool=LabelledImages(
            x=encoded(columns, rest),
            y=cast("Any", y),
            groups=None if parted_by is None else _numbered(parted_by.values),
        ),
        test=None,
        notes=() if quantities else notes,
        columns=columns,
    )


def encoded(columns: Sequence[Column], cells: Sequence[Cells], *, double: bool = False) -> Features:
    """Return rows as features (n, features): float32, or float64 where that would lose values.

    With ``double`` they are float64 whatever they hold.

    ``cells`` are in the order of ``columns``. A category that its column does not know makes zeros,
    as a missing one does; a missing number is NaN.
    """
    numbers = [] if double else [one.values for one in cells if one.texts is None]
    bounds = np.array([_bounds(values) for values in numbers]).reshape(-1, 2)
    double = double or needs_float64(bounds[:, 0], bounds[:, 1], whole=False)
    width = sum(column.width for column in columns)
    x = np.zeros((len(cells[0].values), width), np.float64 if double else np.float32)
    start = 0
    for column, one in zip(columns, cells, strict=True):
        if column.categories is None:
            x[:, start] = one.values
        else:
            known = {name: index for index, name in enumerate(column.categories)}
            features = np.array([known.get(text, -1) for text in one.texts or ()] + [-1])
            feature = features[one.values]  # the last one is of those that are missing
            rows = np.flatnonzero(feature >= 0)
            x[rows, start + feature[rows]] = 1
        start += column.width
    return x


def by_name(columns: Sequence[Column], cells: Sequence[Cells], where: str) -> list[Cells]:
    """Return the cells of further rows in the order of columns that are known already.

    Raises:
        DataError: A column is not there, or holds texts where it is to hold numbers.
    """
    there: Mapping[str, Cells] = {one.name: one for one in cells}
    lines = []
    for column in columns:
        one = there.get(column.name)
        if one is None:
            lines.append(f"{where}: {_where(column.name)}: is required")
        elif (one.texts is None) != (column.categories is None):
            kind = "numbers" if column.categories is None else "categories"
            rule = f"must hold {kind}, as in training"
            lines.append(f"{where}: {_where(column.name)}: {rule}, got {shown(_odd(one))}")
    if lines:
        raise DataError("\n".join(lines))
    return [there[column.name] for column in columns]


def _odd(cells: Cells) -> object:
    """A value by which a column is seen to be of another kind: its first text that is no number."""
    for text in cells.texts or ():
        try:
            float(text)
        except ValueError:
            return text
    values = cells.texts or cells.values.tolist()
    return values[0] if values else None


def _numbered(values: npt.NDArray[Any]) -> Groups:
    """A number for each different value."""
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _labels(
    goal: Cells, found: list[Issue]
) -> tuple[npt.NDArray[Any] | None, tuple[str, ...], tuple[str, ...]]:
    """The classes of the target, their names, and notes."""
    where, before = _where(goal.name), len(found)
    found += _missing_issues(goal, "of the target")
    if len(found) > before:
        return None, (), ()
    if goal.texts is not None:  # each text once: which of them the rows are is known
        labels = named(np.array(goal.texts), where, found)
        y = None if labels is None else labels.y[goal.values]
    else:
        labels = named(goal.values, where, found)
        y = None if labels is None else labels.y
    if labels is None:
        return None, (), ()
    return y, labels.classes, () if labels.note is None else (labels.note,)


def _quantities(goal: Cells, found: list[Issue]) -> npt.NDArray[Any] | None:
    issues = list(_missing_issues(goal, "of the target"))
    if goal.texts is not None:
        rule = "must hold numbers, for they are a quantity"
        issues = [Issue(where=_where(goal.name), rule=rule, value=goal.texts[0])]
    issues = issues or list(_number_issues(goal))
    found += issues
    return None if issues else goal.values


def _feature_issues(cells: Cells, *, fill: bool) -> Iterator[Issue]:
    where = _where(cells.name)
    if cells.missing.all():
        yield Issue(where=where, rule="must hold a value somewhere: name it in data.ignore")
        return
    if not fill:
        yield from _missing_issues(cells, '(missing = "mean" fills them)')
    if cells.texts is None:
        yield from _number_issues(cells)
        return
    if len(cells.texts) > MOST_CATEGORIES:
        rule = f"must have at most {MOST_CATEGORIES} categories: an identifier or free text "
        rule += "belongs in data.ignore"
        yield Issue(where=where, rule=rule, value=len(cells.texts))
    bad = next((text for text in cells.texts if not is_name(text)), None)
    if bad is not None:
        rule = f"a category must be 1 to {LONGEST} printable characters: free text belongs in "
        yield Issue(where=where, rule=f"{rule}data.ignore", value=bad)


def _number_issues(cells: Cells) -> Iterator[Issue]:
    size = np.abs(cells.values)
    bad = np.flatnonzero(size > LARGEST)
    if bad.size:
        value = float(cells.values[bad[0]])
        rule = "must lie within ±1e300" if np.isfinite(value) else "must be finite"
        yield Issue(where=f"{_where(cells.name)}: row {bad[0]}", rule=rule, value=value)


def _missing_issues(cells: Cells, hint: str) -> Iterator[Issue]:
    count = int(cells.missing.sum())
    if count:
        rule = f"must have no missing values {hint}, got {count} of {len(cells.values)}"
        yield Issue(where=_where(cells.name), rule=rule)


def _column(cells: Cells) -> Column:
    categories = None if cells.texts is None else tuple(sorted(cells.texts))
    return Column(name=cells.name, categories=categories)


def _bounds(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """The least and the greatest that is there."""
    low, high = np.fmin.reduce(values), np.fmax.reduce(values)
    return (0.0, 0.0) if np.isnan(low) else (float(low), float(high))


def _where(name: str) -> str:
    return f"column {shown(name)}"


def _listed(names: Sequence[str]) -> str:
    few = ", ".join(shown(name)[1:-1] for name in names[:_SHOWN])
    return f"{few}, …" if len(names) > _SHOWN else few

"""A table as somebody has it: which column is predicted, which say nothing, what is missing.

Enters: a path and what was asked for. Leaves: the entries of its [data] table and its sizes, or
what the source itself says against it. Refuses to guess the target, but by the names it often has.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lamsearch.data import arrow_files, csv_files
from lamsearch.data.tables import Cells, check_names, contents_of
from lamsearch.drafting.examined import Entry, Examined, decided
from lamsearch.errors import DataError, InputError, shown
from lamsearch.metrics import Task

_USUAL = (("target", "label", "class"), ("y",))  # what is predicted; y may be beside x
_SHOWN = 8
_FEW = 10  # rows in which anything may be all different


def examined(
    path: Path, target: str | None, ignore: Sequence[str], task: Task | None, *, written: str
) -> Examined:
    """Return what a table is; ``written`` is its path as the study file has it.

    Raises:
        InputError: It is not said which column is predicted.
        DataError: The table cannot be used; the source's own sentence.
    """
    separator = csv_files.separator_of(path) if path.suffix in csv_files.SEPARATORS else None
    chosen: list[str] = []

    def wanted(names: Sequence[str]) -> list[str]:
        chosen.append(_target(path, names, target))
        if lines := list(check_names(names, {"target": chosen[-1:], "ignore": ignore})):
            raise DataError("\n".join(f"{path}: {line}" for line in lines))
        return [name for name in names if name not in ignore]

    if separator is None:
        cells = arrow_files.read(path, wanted, ())
    else:
        cells = csv_files.read(path, separator, wanted, ())
    goal = next(one for one in cells if one.name == chosen[-1])
    found = decided(_values(goal), task, f"the column {shown(goal.name)}")
    useless = _useless([one for one in cells if one is not goal])
    used = [one for one in cells if one.name not in useless]
    contents = contents_of(
        path, used, goal.name, fill=True, quantities=found.task == "regression"
    )  # fmt: skip
    entries = [
        Entry(key="source", value="table"),
        Entry(key="path", value=written),
        *_separator(path, separator),
        Entry(key="target", value=goal.name, comment=found.reason),
        *_ignored(ignore, useless),
        *_missing([one for one in used if one is not goal]),
    ]
    return Examined.of(tuple(entries), found, contents)


def _target(path: Path, names: Sequence[str], asked: str | None) -> str:
    if asked is not None:
        return asked
    for known in _USUAL:
        usual = [name for name in names if name.casefold() in known]
        if len(usual) == 1:
            return usual[0]
    few = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    raise InputError(f"{path}: --target must name the column that is predicted: {few}")


def _values(goal: Cells) -> np.ndarray[tuple[int], np.dtype[np.float64 | np.str_]]:
    """The target's values where they are numbers, else one text that stands for all."""
    return np.array(["text"]) if goal.texts is not None else goal.values


def _useless(cells: Sequence[Cells]) -> dict[str, str]:
    """Columns that cannot say anything of a further row, and why; never all of them."""
    found = {one.name: why for one in cells if (why := _reason(one))}
    return found if len(found) < len(cells) else {}


def _reason(cells: Cells) -> str:
    values = cells.values
    if not len(values) or cells.missing.all():
        return "is empty"
    if len(values) < _FEW or cells.missing.any():
        return ""
    if cells.texts is not None:
        return "differs in every row" if len(cells.texts) == len(values) else ""
    return "numbers the rows" if (np.diff(values) == 1).all() else ""


def _separator(path: Path, found: str | None) -> list[Entry]:
    usual = csv_files.SEPARATORS.get(path.suffix)
    return [] if found == usual else [Entry(key="separator", value=found)]


def _ignored(asked: Sequence[str], useless: dict[str, str]) -> list[Entry]:
    names = [*dict.fromkeys(asked), *useless]
    if not names:
        return []
    why = "; ".join(f"{shown(name)} {reason}" for name, reason in useless.items())
    return [Entry(key="ignore", value=names, comment=why)]


def _missing(cells: Sequence[Cells]) -> list[Entry]:
    """How missing values are dealt with, where there are some."""
    counts = {one.name: int(one.missing.sum()) for one in cells if one.missing.any()}
    if not counts:
        return []
    names = ", ".join(shown(name) for name in list(counts)[:_SHOWN])
    more = ", …" if len(counts) > _SHOWN else ""
    comment = f"{sum(counts.values())} values are missing in {names}{more}: they count as the mean"
    return [Entry(key="missing", value="mean", comment=comment)]

"""Tables in text files: comma- or tab-separated values (RFC 4180), a first line with the names.

Enters: a path. Leaves: its columns, numbers where every cell that is not empty is one, else texts;
or one sentence. Python's own reader splits the lines: nothing in a cell is ever evaluated. A file
is read block by block, so that memory holds its numbers and different texts, not its cells.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np
import numpy.typing as npt

from lamsearch.data.labels import MOST_CLASSES
from lamsearch.data.tables import MOST_VALUES, Cells
from lamsearch.errors import DataError, shown

MISSING = frozenset({"", "?", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL"})
_NUMERIC = re.compile(r"[0-9eE+.-]*")
_DATE = re.compile(
    r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})([T ]\d{1,2}:\d\d.*)?"
    r"|\d{1,2}:\d\d(:\d\d(\.\d+)?)?"
)
_BLOCK = 10_000  # rows
_LONGEST_LINE = 10_000_000  # characters
_EXACT = 2.0**53  # whole numbers up to it are float64

SEPARATORS = {".csv": ",", ".tsv": "\t"}  # by the end of a file's name
_OTHERS = ",;\t|"

Wanted = Callable[[Sequence[str]], Sequence[str]]


def separator_of(path: Path) -> str:
    """Return what separates the cells of a file's first line: of a .csv what makes the most."""
    if path.suffix != ".csv":
        return SEPARATORS[path.suffix]
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            line = file.readline(_LONGEST_LINE)
    except (OSError, UnicodeDecodeError):  # which `read` says
        return ","
    return max(_OTHERS, key=line.count)  # of equals the first: the comma


def read(path: Path, separator: str, wanted: Wanted, categories: Sequence[str]) -> list[Cells]:
    """Return the columns of a file that ``wanted`` chooses from all their names.

    Those in ``categories`` are texts whatever they hold, dates too.

    Raises:
        DataError: The file is no such text; the sentence names the line.
    """
    texts = set(categories)
    while True:
        try:
            columns = _columns(path, separator, wanted, texts)
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
        late = {one.name for one in columns if one.is_late}
        if not late:
            return [one.cells(dates=one.name in categories) for one in columns]
        texts |= late  # the texts of their first blocks are gone: once more


class _Column:
    """A column that is being read: numbers until a cell is none."""

    def __init__(self, where: str, name: str, *, is_text: bool) -> None:
        self.name = name
        self.is_late = False
        self._where = f"{where}: column {shown(name)}"
        self._codes: dict[str, int] | None = {} if is_text else None
        self._blocks: list[npt.NDArray[np.float64] | npt.NDArray[np.int64]] = []

    def add(self, cells: list[str]) -> None:
        """Add the cells of further rows, without blanks around them."""
        if self.is_late:
            return
        if self._codes is None:
            numbers = _numbers(cells)
            if numbers is not None:
                self._check_exact(numbers, cells)
                self._blocks.append(numbers)
                return
            if self._blocks:
                self.is_late = True
                return
            self._codes = {}
        codes = self._codes
        found = [-1 if cell in MISSING else codes.setdefault(cell, len(codes)) for cell in cells]
        self._blocks.append(np.array(found, np.int64))
        if len(codes) > MOST_CLASSES:
            rule = f"must have at most {MOST_CLASSES} different texts: an identifier or free text "
            raise DataError(f"{self._where}: {rule}belongs in data.ignore")

    def cells(self, *, dates: bool) -> Cells:
        """Return the whole column.

        Raises:
            DataError: It holds ``dates``, which are not admitted.
        """
        if self._codes is None:
            return Cells(name=self.name, values=np.concatenate([np.zeros(0), *self._blocks]))
        texts = tuple(self._codes)
        if not dates and texts and all(_DATE.fullmatch(text) for text in texts):
            rule = "must be numbers or categories, not dates or times: name it in data.ignore, or "
            raise DataError(f"{self._where}: {rule}write what matters as numbers, got {texts[0]!r}")
        values = np.concatenate([np.zeros(0, np.int64), *self._blocks])
        return Cells(name=self.name, values=values, texts=texts)

    def _check_exact(self, numbers: npt.NDArray[np.float64], cells: list[str]) -> None:
        for index in np.flatnonzero(np.abs(numbers) > _EXACT):
            if re.fullmatch(r"[+-]?[0-9]+", cells[index]):
                rule = "whole numbers must lie within ±2⁵³: an identifier belongs in data.ignore"
                raise DataError(f"{self._where}: {rule}, got {shown(cells[index])}")


def _columns(path: Path, separator: str, wanted: Wanted, texts: set[str]) -> list[_Column]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = _rows(path, file, separator)
        names = _header(path, next(rows, []), separator)
        kept = wanted(names)
        columns = [_Column(str(path), name, is_text=name in texts) for name in kept]
        places = [names.index(name) for name in kept]
        total = 0
        while block := list(islice(rows, _BLOCK)):
            total += len(block)
            if total * len(names) > MOST_VALUES:
                raise DataError(f"{path}: must have at most {MOST_VALUES:,} cells")
            across = list(zip(*block, strict=True))
            for column, place in zip(columns, places, strict=True):
                column.add([cell.strip() for cell in across[place]])
        return columns


def _header(path: Path, row: list[str], separator: str) -> list[str]:
    names = [name.strip() for name in row]
    if not names:
        raise DataError(f"{path}: must have a first line that names the columns, but it is empty")
    if len(names) == 1:
        other = next((one for one in ";\t,|" if one != separator and one in names[0]), None)
        if other is not None:
            rule = f"columns must be separated by {separator!r}, but its first line has {other!r}"
            raise DataError(f"{path}: {rule}: data.separator names it")
    if all(name not in MISSING and _numbers([name]) is not None for name in names):
        rule = "the first line must name the columns"
        raise DataError(f"{path}: {rule}, got numbers: {shown(separator.join(names))}")
    return names


def _rows(path: Path, file: TextIO, separator: str) -> Iterator[list[str]]:
    """The cells of each line that is not empty; as many in each."""
    reader = csv.reader(
        _lines(path, file), delimiter=separator, skipinitialspace=separator != "\t", strict=True
    )
    width = None
    try:
        for row in reader:
            if not row:
                continue
            width = width or len(row)
            if len(row) != width:
                rule = f"must have {width} cells, as the first line"
                raise DataError(f"{path}: line {reader.line_num}: {rule}, got {len(row)}")
            yield row
    except csv.Error as error:
        raise DataError(
            f"{path}: line {reader.line_num}: must be text in cells: {error}"
        ) from error
    except UnicodeDecodeError as error:
        rule = f"must be UTF-8 text; save it as UTF-8 (byte {error.object[error.start]:#04x})"
        raise DataError(f"{path}: after line {reader.line_num}: {rule}") from error


def _lines(path: Path, file: TextIO) -> Iterator[str]:
    while line := file.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise DataError(f"{path}: a line must have fewer than {_LONGEST_LINE:,} characters")
        if "\0" in line:
            raise DataError(f"{path}: must be UTF-8 text, but it holds NUL: save it as UTF-8")
        yield line


def _numbers(cells: Sequence[str]) -> npt.NDArray[np.float64] | None:
    """The cells as numbers, NaN where missing; None where one is none.

    Signs are looked at first, for Python's `float` also takes "1_000", "inf" and other digits.
    """
    known = [cell for cell in cells if cell not in MISSING]
    if not _NUMERIC.fullmatch("".join(known)):
        return None
    try:
        return np.array([math.nan if cell in MISSING else float(cell) for cell in cells])
    except ValueError:
        return None

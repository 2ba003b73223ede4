"""People's own tables: a file of rows and named columns, one of which is what is predicted.

Enters: a path, the target's name, what is left out. Leaves: what `lamsearch.data.tables` makes of
the columns; which file format they stand in is told by the end of the path.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal, cast

from pydantic import Field

from lamsearch.data import arrow_files, csv_files
from lamsearch.data.images import Contents
from lamsearch.data.paths import resolved
from lamsearch.data.source import Source, SourceInfo
from lamsearch.data.tables import Cells, check_names, contents_of
from lamsearch.errors import DataError, Issue
from lamsearch.study import Data

_ARROW = (".parquet", ".arrow", ".feather")
SUFFIXES = (*csv_files.SEPARATORS, *_ARROW)


class TableData(Data):
    """[data] of a table."""

    has_columns: ClassVar[bool] = True

    path: str = Field(description="where the table is: .csv, .tsv, .parquet, .arrow, .feather")
    target: str = Field(description="the column that is predicted, where source is table")
    ignore: tuple[str, ...] = Field((), description="columns of a table to leave out")
    categories: tuple[str, ...] = Field(
        (), description="columns of a table whose numbers are names of categories"
    )
    missing: Literal["mean"] | None = Field(
        None, description="missing values of a table count as the training split's mean"
    )
    separator: Literal[",", ";", "\t", "|"] | None = Field(
        None, description="what separates the cells of a .csv file"
    )

    def issues(self) -> Iterator[Issue]:
        """Check as every source, and the keys that only some formats have."""
        if Path(self.path).suffix not in SUFFIXES:
            rule = f"must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
            yield Issue(where="data.path", rule=rule, value=self.path)
        elif self.separator is not None and Path(self.path).suffix != ".csv":
            yield Issue(where="data.separator", rule="is only for .csv", value=self.separator)
        for key, names in (("ignore", self.ignore), ("categories", self.categories)):
            for other, name in (("target", self.target), ("groups", self.groups)):
                if name in names:
                    yield Issue(
                        where=f"data.{other}", rule=f"must not be in data.{key}", value=name
                    )
        if self.groups == self.target:
            yield Issue(where="data.groups", rule="must not be data.target", value=self.groups)
        if both := sorted(set(self.ignore) & set(self.categories)):
            rule = "must not be in data.ignore too"
            yield Issue(where="data.categories", rule=rule, value=both[0])
        yield from super().issues()


class Table(Source):
    """A table of numbers and categories."""

    name = "table"
    description = "your own table (.csv, .tsv, .parquet, .arrow, .feather)"
    table = TableData
    quantities: ClassVar[bool] = True

    def files(self, data: Data, directory: Path, origin: Path | None) -> list[Path]:
        """Return the one file that the table names."""
        return [resolved(data.file or "", directory, origin, what="the table")]

    def read(self, data: Data, directory: Path, origin: Path | None) -> Contents:
        """Read and check the table, its target as labels."""
        return self._contents(data, directory, origin, quantities=False)

    def read_quantities(self, data: Data, directory: Path, origin: Path | None) -> Contents:
        """Read and check the table, its target as a quantity."""
        return self._contents(data, directory, origin, quantities=True)

    def listed(self, directory: Path) -> list[SourceInfo]:
        """Return a line per table in the directory of data."""
        found = sorted(file for end in SUFFIXES for file in directory.glob(f"*{end}"))
        return [
            SourceInfo(name=file.name, description=self.description, present=True, where=file)
            for file in found
        ]

    def _contents(
        self, data: Data, directory: Path, origin: Path | None, *, quantities: bool
    ) -> Contents:
        table = cast("TableData", data)
        (path,) = self.files(data, directory, origin)
        cells = read_cells(table, path)
        fill = table.missing == "mean"
        return contents_of(
            path, cells, table.target, fill=fill, quantities=quantities, groups=table.groups
        )


def read_cells(table: TableData, path: Path) -> list[Cells]:
    """Return the columns of a file that a study's table asks for, the target's with them.

    Raises:
        DataError: It is no such table, or its columns are not those that are named.
    """

    def wanted(names: Sequence[str]) -> list[str]:
        asked = {"target": (table.target,), "ignore": table.ignore, "categories": table.categories}
        if table.groups is not None:
            asked["groups"] = (table.groups,)
        lines = list(check_names(names, asked))
        if lines:
            raise DataError("\n".join(f"{path}: {line}" for line in lines))
        return [name for name in names if name not in table.ignore]

    texts = table.categories if table.groups is None else (*table.categories, table.groups)
    if path.suffix in _ARROW:
        return arrow_files.read(path, wanted, texts)
    separator = table.separator or csv_files.SEPARATORS[path.suffix]
    return csv_files.read(path, separator, wanted, texts)


SOURCE = Table()

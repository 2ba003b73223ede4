"""People's own arrays, in an .npz file that the study file names.

Enters: a path. Leaves: what `lamsearch.data.arrays` reads there. Refuses to know their shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from lamsearch.data import arrays
from lamsearch.data.images import Contents
from lamsearch.data.paths import resolved
from lamsearch.data.source import Source, SourceInfo
from lamsearch.errors import Issue
from lamsearch.study import Data


class NpzData(Data):
    """[data] of an .npz file: ``source`` is its path, or npz beside a ``path``."""

    has_columns: ClassVar[bool] = True

    path: str | None = Field(
        None, description="where one's own data are: an .npz file, a table, a directory"
    )

    @property
    def file(self) -> str | None:
        """The path of the arrays as the study file gives it."""
        return self.path if self.source == "npz" else self.source

    def issues(self) -> Iterator[Issue]:
        """Check as every source, and that there is one path."""
        if self.source == "npz" and not self.path:
            yield Issue(where="data.path", rule="is required where source is npz")
        if self.source != "npz" and self.path is not None:
            yield Issue(where="data.path", rule="is only for source = 'npz'", value=self.path)
        if self.groups in arrays.KEYS:
            rule = f"must name a further array, none of {', '.join(arrays.KEYS)}"
            yield Issue(where="data.groups", rule=rule, value=self.groups)
        yield from super().issues()


class Npz(Source):
    """Arrays X, y and perhaps X_test, y_test."""

    name = "npz"
    description = "your own arrays (X, y and perhaps X_test, y_test)"
    table = NpzData
    suffix = ".npz"
    quantities = True

    def files(self, data: Data, directory: Path, origin: Path | None) -> list[Path]:
        """Return the one file that the table names."""
        return [resolved(data.file or "", directory, origin, what="the arrays")]

    def read(self, data: Data, directory: Path, origin: Path | None) -> Contents:
        """Read and check the arrays."""
        (path,) = self.files(data, directory, origin)
        return arrays.read(path, data.groups)

    def read_quantities(self, data: Data, directory: Path, origin: Path | None) -> Contents:
        """Read and check the arrays, y as a quantity."""
        (path,) = self.files(data, directory, origin)
        return arrays.read(path, data.groups, task="regression")

    def listed(self, directory: Path) -> list[SourceInfo]:
        """Return a line per .npz file in the directory of data."""
        return [
            SourceInfo(name=file.name, description=self.description, present=True, where=file)
            for file in sorted(directory.glob("*.npz"))
        ]


SOURCE = Npz()

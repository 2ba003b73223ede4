"""What a source is. Enters: its [data] table and the directory of data. Leaves: `Contents`.

Subclass `Source` and register one object of it: lamsearch's own in `lamsearch.registries`, another
package's as an entry point of the group ``lamsearch.sources``. Refuses to know splits and stages.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from lamsearch.data.images import Contents
from lamsearch.errors import DataError, InputError
from lamsearch.study import Data

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceInfo:
    """One line of `lamsearch data list`."""

    name: str
    description: str
    present: bool
    where: Path | None


class Source(ABC):
    """A source of labelled examples.

    ``name`` is what a study file calls it; ``description`` is for `lamsearch data list`. ``table``
    is its own kind of [data], with the keys that it alone understands; sizes that are known before
    anything is read stand there. ``suffix``, if any, is how a path ends that may stand as
    ``data.source`` in place of the name. ``quantities`` says that its targets can be quantities,
    which `read_quantities` then reads.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    table: ClassVar[type[Data]] = Data
    suffix: ClassVar[str | None] = None
    quantities: ClassVar[bool] = False

    @abstractmethod
    def files(self, data: Data, directory: Path, origin: Path | None) -> list[Path]:
        """Return the files that `read` reads; none for a source that comes with a library.

        What is remembered of the data is believed while these files do not change. ``directory``
        is where data are (--data-dir), ``origin`` the directory of the study file, if any.

        Raises:
            DataError: They are not where they should be.
        """

    @abstractmethod
    def read(self, data: Data, directory: Path, origin: Path | None) -> Contents:
        """Read and check all that the source holds: the same values at every call.

        Raises:
            DataError: It is missing or damaged; the sentence names the file.
        """

    def read_quantities(self, data: Data, directory: Path, origin: Path | None) -> Contents:
        """Read as `read` does, but with targets that are quantities: float64, finite; no classes.

        Raises:
            DataError: It is missing or damaged, or its targets are none.
        """
        raise DataError(f"{self.name}: its targets are classes, not quantities")

    def listed(self, directory: Path) -> list[SourceInfo]:
        """Return its lines of `lamsearch data list`: whether it is here, and where."""
        return [self.info(present=True)]

    def info(self, *, present: bool, where: Path | None = None) -> SourceInfo:
        """Return the line that bears the source's own name."""
        return SourceInfo(
            name=self.name, description=self.description, present=present, where=where
        )

    def fetch(self, directory: Path, *, progress: Progress | None, url: str | None) -> Path:
        """Get it into ``directory`` and return where it lies; one that is there is only read.

        ``progress`` is called with bytes done and bytes in total; ``url`` names a mirror.

        Raises:
            InputError: There is nothing to fetch.
            DataError: The network failed, or what came is not what was published.
            FilesError: The directory cannot be written to.
        """
        raise InputError(f"{self.name}: there is nothing to fetch")

    def compared(self, directory: Path, contents: Contents) -> tuple[bool | None, list[str]]:
        """Return whether the contents are what was published, and lines that say how far.

        None where nothing was published to compare them with.
        """
        return None, []

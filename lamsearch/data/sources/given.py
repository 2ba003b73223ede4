"""Examples that a program holds in memory: `source = "given"` with a key that `hold` returned.

Enters: contents. Leaves: the same contents, in this process alone; another one is told so. Nobody
can name them from outside: a key is the digest of what it stands for, and the source is registered
in the process that first holds some.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Annotated

from pydantic import Field

from lamsearch.data.images import Contents
from lamsearch.data.source import Source, SourceInfo
from lamsearch.errors import DataError, Issue
from lamsearch.study import SOURCES, Assigned, Data

_held: dict[str, list[Contents]] = {}  # once for each who holds them
_lock = Lock()


def hold(contents: Contents) -> str:
    """Keep examples for as long as the process lives, or until `let_go`; return their key."""
    register()
    key = contents.fingerprint()
    with _lock:
        _held.setdefault(key, []).append(contents)
    return key


def let_go(key: str) -> None:
    """Keep examples no longer, unless somebody else holds them too."""
    with _lock:
        if holders := _held.get(key):
            holders.pop()
            if not holders:
                del _held[key]


def register() -> None:
    """Have this process know the source, whether it holds some examples or not."""
    SOURCES.register(Given.name, SOURCE)


class GivenData(Data):
    """[data] of examples held in memory."""

    key: str = Field(description="what hold() returned for them")
    all: Annotated[int, Field(ge=1)] | None = Field(
        None, description="train on all of so many; the first of them is validated on, for form"
    )

    @property
    def assigned(self) -> Assigned | None:
        """All examples to train on, where nothing is selected any more."""
        if self.all is None:
            return None
        rows = range(self.all)
        return Assigned(key="all", train=(rows,), validation=(rows[:1],), pool=self.all)

    def split_issues(self) -> Iterator[Issue]:
        """Check that sizes are there, unless all examples are trained on."""
        if self.all is None:
            yield from super().split_issues()


class Given(Source):
    """Examples of this process."""

    name = "given"
    description = "examples that a Python program holds in memory"
    table = GivenData
    quantities = True

    def files(self, data: Data, directory: Path, origin: Path | None) -> list[Path]:
        """Return none."""
        return []

    def read(self, data: Data, directory: Path, origin: Path | None) -> Contents:
        """Return the examples of the key.

        Raises:
            DataError: They are another process's, or were let go; or their targets are quantities.
        """
        contents = self._held(data)
        if not contents.classes:
            raise DataError(f"{contents.name}: its targets are quantities, not classes")
        return contents

    def read_quantities(self, data: Data, directory: Path, origin: Path | None) -> Contents:
        """Return the examples of the key, whose targets are quantities.

        Raises:
            DataError: They are another process's, or were let go; or their targets are classes.
        """
        contents = self._held(data)
        if contents.classes:
            raise DataError(f"{contents.name}: its targets are classes, not quantities")
        return contents

    def _held(self, data: Data) -> Contents:
        key = str(getattr(data, "key", ""))
        with _lock:
            if holders := _held.get(key):
                return holders[-1]
        rule = "data.key: must be of examples that this very process holds"
        raise DataError(f"{rule}, got {key[:12]!r}…")

    def listed(self, directory: Path) -> list[SourceInfo]:
        """Return no line: nobody can ask for them by name."""
        return []


SOURCE = Given()

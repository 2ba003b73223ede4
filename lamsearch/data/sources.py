"""The sources by name: reading and listing them.

Enters: a study's [data] or a source's name, and a directory. Leaves: what the source holds.
Refuses to know splits.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from lamsearch.data import arrays, cifar10, digits
from lamsearch.data.images import Contents
from lamsearch.errors import InputError
from lamsearch.study import Data, Study

DESCRIPTIONS = {
    "digits": "1797 handwritten digits of 8 x 8 values, bundled with scikit-learn",
    "cifar10": "60 000 colour images of 32 x 32 pixels in 10 classes (Krizhevsky 2009)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceInfo:
    """One line of `lamsearch data list`."""

    name: str
    description: str
    present: bool
    where: Path | None


def read(data: Data, directory: Path, origin: Path | None) -> Contents:
    """Read the source that a study names.

    Raises:
        DataError: It is missing or damaged.
    """
    if data.npz_path is not None:
        return arrays.read(arrays.resolved(data.npz_path, Path(directory), origin))
    return digits.read() if data.kind == "digits" else cifar10.read(Path(directory))


def files(data: Data, directory: Path, origin: Path | None) -> list[Path]:
    """Return the files that `read` reads; none for a source that comes with a library.

    Raises:
        DataError: They are not where they should be.
    """
    if data.npz_path is not None:
        return [arrays.resolved(data.npz_path, Path(directory), origin)]
    return [] if data.kind == "digits" else cifar10.files(Path(directory))


def located(study: Study, directory: Path, *, origin: Path | None) -> Path:
    """Return the file that a study of people's own arrays is about, unopened.

    Raises:
        DataError: There is none where it should be.
    """
    (found,) = files(study.data, directory, origin)
    return found


def sources(directory: Path) -> list[SourceInfo]:
    """Return the known sources, and the .npz files that lie in ``directory``."""
    directory = Path(directory)
    layout = cifar10.located(directory)
    bundled = importlib.util.find_spec("sklearn") is not None
    places: dict[str, tuple[bool, Path | None]] = {
        "digits": (bundled, None),
        "cifar10": (bool(layout), layout.directory if layout else None),
    }
    found = [
        SourceInfo(name=name, description=text, present=places[name][0], where=places[name][1])
        for name, text in DESCRIPTIONS.items()
    ]
    files = sorted(directory.glob("*.npz"))
    text = "your own arrays (X, y and perhaps X_test, y_test)"
    return found + [
        SourceInfo(name=file.name, description=text, present=True, where=file) for file in files
    ]


def check_name(name: str) -> None:
    """Refuse a name that is no source.

    Raises:
        InputError: The name is unknown; the sentence says which are known.
    """
    if name not in DESCRIPTIONS:
        known = ", ".join(DESCRIPTIONS)
        raise InputError(f"data source: must be one of {known}, got {name!r}")

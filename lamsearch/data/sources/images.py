"""People's own images: a directory with one for each class, and image files in those.

Enters: the path of a directory and a size. Leaves: every image at that size, as bytes. Pillow reads
them, of formats without code or external programs; nothing is followed out of the directory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, cast

import numpy as np
from pydantic import Field

from lamsearch.data.image_files import (
    MOST_FILES,
    SUFFIXES,
    check_within,
    entries,
    pixels,
)
from lamsearch.data.images import Contents, LabelledImages
from lamsearch.data.labels import LONGEST, MOST_CLASSES, is_name
from lamsearch.data.paths import resolved_directory
from lamsearch.data.source import Source, SourceInfo
from lamsearch.errors import DataError, shown
from lamsearch.study import Data, ImageShape

_MOST_VALUES = 2**32  # of all images at their size
Side = Annotated[int, Field(ge=1, le=4096)]
Found = list[tuple[str, list[Path]]]


class ImagesData(Data):
    """[data] of a directory of images."""

    path: str = Field(description="the directory of the classes, where source is images")
    size: tuple[Side, Side] = Field(description="height and width that images are scaled to")
    colour: bool = Field(True, description="red, green and blue; false: the luminance alone")

    @property
    def image(self) -> ImageShape:
        """What each example is."""
        height, width = self.size
        return ImageShape(height=height, width=width, channels=3 if self.colour else 1)


class Images(Source):
    """Image files in a directory for each class."""

    name = "images"
    description = "your own images (a directory for each class)"
    table = ImagesData

    def files(self, data: Data, directory: Path, origin: Path | None) -> list[Path]:
        """Return all image files, those of a test set of their own last."""
        path = resolved_directory(data.file or "", directory, origin, what="images")
        return [file for part in _parts(path) for _, files in part for file in files]

    def read(self, data: Data, directory: Path, origin: Path | None) -> Contents:
        """Read, check and scale all images."""
        table = cast("ImagesData", data)
        path = resolved_directory(table.path, directory, origin, what="images")
        pool, *tests = _parts(path)
        classes = [name for name, _ in pool]
        strange = [name for part in tests for name, _ in part if name not in classes]
        if strange:
            rule = f"must be a class that train has ({', '.join(classes[:5])}, …)"
            raise DataError(f"{path / 'test'}: {rule}, got {shown(strange[0])}")
        return Contents(
            name=str(path),
            classes=tuple(classes),
            pool=_examples(path, pool, classes, table),
            test=_examples(path, tests[0], classes, table) if tests else None,
            image=table.image,
        )

    def listed(self, directory: Path) -> list[SourceInfo]:
        """Return a line per directory of data that holds directories with images."""
        found = sorted(one for one in directory.glob("*") if one.is_dir())
        return [
            SourceInfo(name=one.name, description=self.description, present=True, where=one)
            for one in found
            if any(file.suffix.lower() in SUFFIXES for file in one.glob("*/*"))
        ]


def _parts(root: Path) -> list[Found]:
    """The classes and their files; of train, then of test, where these two hold the classes."""
    directories = _directories(root, root)
    if {one.name for one in directories} != {"train", "test"}:
        return [_classes(root, directories)]
    below = {one.name: _directories(root, one) for one in directories}
    if not any(below.values()):
        return [_classes(root, directories)]
    return [_classes(root, below[name]) for name in ("train", "test")]


def _directories(root: Path, directory: Path) -> list[Path]:
    """The directories in a directory; images beside them are of no class."""
    found = []
    for entry in entries(directory):
        if entry.is_dir():
            check_within(root, entry)
            found.append(entry)
        elif entry.suffix.lower() in SUFFIXES and directory == root:
            raise DataError(f"{entry}: must be in the directory of its class")
    return found


def _classes(root: Path, directories: Sequence[Path]) -> Found:
    if not directories or len(directories) > MOST_CLASSES:
        rule = f"must hold a directory for each of 1 to {MOST_CLASSES} classes"
        raise DataError(f"{root}: {rule}, got {len(directories)}")
    found, count = [], 0
    for directory in directories:
        if not is_name(directory.name):
            rule = f"a class must be named by 1 to {LONGEST} printable characters"
            raise DataError(f"{root}: {rule}, got {shown(directory.name)}")
        files = list(_files(root, directory))
        count += len(files)
        if not files or count > MOST_FILES:
            rule = "must hold an image" if not files else f"at most {MOST_FILES:,} are read"
            raise DataError(f"{directory}: {rule}")
        found.append((directory.name, files))
    return found


def _files(root: Path, directory: Path) -> Iterator[Path]:
    for entry in entries(directory):
        check_within(root, entry)
        if not entry.is_file() or entry.suffix.lower() not in SUFFIXES:
            known = ", ".join(SUFFIXES)
            rule = f"must hold image files alone ({known})"
            raise DataError(f"{directory}: {rule}, got {entry.name!r}")
        yield entry


def _examples(
    root: Path, classes: Found, names: Sequence[str], table: ImagesData
) -> LabelledImages:
    count = sum(len(files) for _, files in classes)
    width = table.image.height * table.image.width * table.image.channels
    if count * width > _MOST_VALUES:
        rule = f"images x their values must be at most {_MOST_VALUES:,}: make data.size smaller"
        raise DataError(f"{root}: {rule}, got {count:,} x {width:,}")
    x, y = np.empty((count, width), np.uint8), np.empty(count, np.int64)
    row = 0
    for name, files in classes:
        label = names.index(name)
        for file in files:
            x[row], y[row] = pixels(file, table.image), label
            row += 1
    return LabelledImages(x=x, y=y)


SOURCE = Images()

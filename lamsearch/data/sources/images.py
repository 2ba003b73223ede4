"""People's own images: a directory with one for each class, and image files in those.

Enters: the path of a directory and a size. Leaves: every image at that size, as bytes. Pillow reads
them, of formats without code or external programs; nothing is followed out of the directory.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import numpy as np
from pydantic import Field

from lamsearch.data.images import Contents, LabelledImages
from lamsearch.data.labels import LONGEST, MOST_CLASSES, is_name
from lamsearch.data.paths import resolved_directory
from lamsearch.data.source import Source, SourceInfo
from lamsearch.errors import DataError, shown
from lamsearch.study import Data, ImageShape

if TYPE_CHECKING:
    from PIL import Image

_SUFFIXES = {
    ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".bmp": "BMP", ".gif": "GIF", ".webp": "WEBP",
    ".ppm": "PPM", ".pgm": "PPM",
}  # fmt: skip
_FORMATS = tuple(sorted(set(_SUFFIXES.values())))
_DEEP = ("I", "F")  # modes of more than 8 bits, which bytes would cut
_MOST_PIXELS = 100_000_000  # of one image, before it is scaled
_MOST_FILES = 10_000_000
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
            if any(file.suffix.lower() in _SUFFIXES for file in one.glob("*/*"))
        ]


def _parts(root: Path) -> list[Found]:
    """The classes and their files; of train, then of test, where these two hold the classes."""
    folders = _folders(root, root)
    if {one.name for one in folders} != {"train", "test"}:
        return [_classes(root, folders)]
    below = {one.name: _folders(root, one) for one in folders}
    if not any(below.values()):
        return [_classes(root, folders)]
    return [_classes(root, below[name]) for name in ("train", "test")]


def _folders(root: Path, directory: Path) -> list[Path]:
    """The directories in a directory; images beside them are of no class."""
    found = []
    for entry in _entries(directory):
        if entry.is_dir():
            _check_within(root, entry)
            found.append(entry)
        elif entry.suffix.lower() in _SUFFIXES and directory == root:
            raise DataError(f"{entry}: must be in the directory of its class")
    return found


def _classes(root: Path, folders: Sequence[Path]) -> Found:
    if not folders or len(folders) > MOST_CLASSES:
        rule = f"must hold a directory for each of 1 to {MOST_CLASSES} classes"
        raise DataError(f"{root}: {rule}, got {len(folders)}")
    found, count = [], 0
    for folder in folders:
        if not is_name(folder.name):
            rule = f"a class must be named by 1 to {LONGEST} printable characters"
            raise DataError(f"{root}: {rule}, got {shown(folder.name)}")
        files = list(_files(root, folder))
        count += len(files)
        if not files or count > _MOST_FILES:
            rule = "must hold an image" if not files else f"at most {_MOST_FILES:,} are read"
            raise DataError(f"{folder}: {rule}")
        found.append((folder.name, files))
    return found


def _files(root: Path, folder: Path) -> Iterator[Path]:
    for entry in _entries(folder):
        _check_within(root, entry)
        if not entry.is_file() or entry.suffix.lower() not in _SUFFIXES:
            known = ", ".join(_SUFFIXES)
            raise DataError(f"{folder}: must hold image files alone ({known}), got {entry.name!r}")
        yield entry


def _entries(directory: Path) -> list[Path]:
    """What a directory holds, sorted; hidden files such as .DS_Store are nobody's images."""
    try:
        with os.scandir(directory) as found:
            names = sorted(entry.name for entry in found if not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"{directory}: cannot be read: {error.strerror or error}") from error
    return [directory / name for name in names]


def _check_within(root: Path, entry: Path) -> None:
    if entry.is_symlink() and not entry.resolve().is_relative_to(root.resolve()):
        raise DataError(f"{entry}: must not lead out of {root}")


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
            x[row], y[row] = _pixels(file, table), label
            row += 1
    return LabelledImages(x=x, y=y)


def _pixels(path: Path, table: ImagesData) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """An image's values, row by row, its channels together."""
    from PIL import Image

    height, width = table.size
    try:
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("ignore")  # of odd palettes; sizes are looked at here
            with Image.open(file, formats=_FORMATS) as image:
                _check(path, image)
                plain = image.convert("RGB" if table.colour else "L")
    except DataError:
        raise
    except Exception as error:  # its readers have a dozen ways to say "not readable"
        reason = " ".join(str(error).split()).replace(str(path), "it")
        raise DataError(f"{path}: must be a whole image: {reason[:200]}") from error
    if plain.size != (width, height):
        plain = plain.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(plain, np.uint8).reshape(-1)


def _check(path: Path, image: Image.Image) -> None:
    if image.width * image.height > _MOST_PIXELS:
        rule = f"must have at most {_MOST_PIXELS:,} pixels"
        raise DataError(f"{path}: {rule}, got {image.width} x {image.height}")
    if image.mode.startswith(_DEEP):
        rule = "must have 8 bits for each channel: save deeper images as an .npz file"
        raise DataError(f"{path}: {rule}, got the mode {image.mode}")


SOURCE = Images()

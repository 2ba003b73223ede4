"""MNIST and its relatives: images and labels in IDX files (LeCun & Cortes 1998), gzip or not.

Enters: the path of a directory. Leaves: its training and test examples. A header is believed only
as far as the file goes, and no more is unpacked than it announces.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import ClassVar, cast

import numpy as np
import numpy.typing as npt
from pydantic import Field

from lamsearch.data.images import Contents, LabelledImages
from lamsearch.data.labels import encoded, named
from lamsearch.data.paths import resolved_directory
from lamsearch.data.source import Source, SourceInfo
from lamsearch.errors import DataError, Issue
from lamsearch.study import Data, ImageShape

_PARTS = {"train": ("train",), "test": ("t10k", "test")}
_KINDS = {"images": "idx3-ubyte", "labels": "idx1-ubyte"}
_UBYTE = 0x08  # the type of the values, in the third byte of a file
_MOST_BYTES = 2**30  # of one file, unpacked; the largest that is published has half of it

Bytes = npt.NDArray[np.uint8]


class IdxData(Data):
    """[data] of a directory of IDX files."""

    has_test: ClassVar[bool] = True

    path: str = Field(description="the directory of the files, where source is idx")
    prefix: str = Field("", description="how the names of the idx files begin: emnist-letters-")

    def issues(self) -> Iterator[Issue]:
        """Check as every source, and that the prefix leads nowhere else."""
        if "/" in self.prefix or "\\" in self.prefix:
            rule = "must be the beginning of a file's name"
            yield Issue(where="data.prefix", rule=rule, value=self.prefix)
        yield from super().issues()


class Idx(Source):
    """Images and labels in IDX files, with a test set of their own."""

    name = "idx"
    description = "MNIST and its relatives (idx3-ubyte and idx1-ubyte files, gzip or not)"
    table = IdxData

    def files(self, data: Data, directory: Path, origin: Path | None) -> list[Path]:
        """Return images and labels for training, then for the test."""
        table = cast("IdxData", data)
        path = resolved_directory(table.path, directory, origin, what="IDX files")
        return [_required(path, table.prefix, part, kind) for part in _PARTS for kind in _KINDS]

    def read(self, data: Data, directory: Path, origin: Path | None) -> Contents:
        """Read and check the four files."""
        images, labels, test_images, test_labels = self.files(data, directory, origin)
        found: list[Issue] = []
        x, y, test_x, test_y = (
            _array(images, 3),
            _array(labels, 1),
            *_pair(test_images, test_labels),
        )
        for few, many, path in ((y, x, labels), (test_y, test_x, test_labels)):
            if len(few) != len(many):
                rule = f"must have a label for each of the {len(many)} images"
                raise DataError(f"{path}: {rule}, got {len(few)}")
        if x.shape[1:] != test_x.shape[1:]:
            rule = f"must have images of {x.shape[1]} x {x.shape[2]} pixels, as for training"
            raise DataError(f"{test_images}: {rule}, got {test_x.shape[1]} x {test_x.shape[2]}")
        known = named(y, str(labels), found)
        test = None if known is None else encoded(test_y, str(test_labels), known, found)
        if known is None or test is None:
            raise DataError("\n".join(str(one) for one in found))
        return Contents(
            name=str(images.parent),
            classes=known.classes,
            pool=LabelledImages(x=x.reshape(len(x), -1), y=known.y),
            test=LabelledImages(x=test_x.reshape(len(test_x), -1), y=test),
            notes=() if known.note is None else (known.note,),
            image=ImageShape.of(x.shape[1:]),
        )

    def listed(self, directory: Path) -> list[SourceInfo]:
        """Return a line per directory of data that holds such files, or one that says: none."""
        places = [directory, *sorted(one for one in directory.glob("*") if one.is_dir())]
        found = [one for one in places if training_images(one)]
        if not found:
            return [self.info(present=False)]
        return [self.info(present=True, where=one) for one in found]


def is_images(path: Path) -> bool:
    """Whether a file is named as one of images in this format, gzip or not."""
    return path.name.removesuffix(".gz").endswith(_KINDS["images"])


def training_images(directory: Path) -> list[Path]:
    """Return the files of training images in a directory, one for each set, sorted."""
    return sorted(directory.glob(f"*train-images*{_KINDS['images']}*"))


def read_images(path: Path) -> Bytes:
    """Return the images (n, height, width) of a file.

    Raises:
        DataError: It is none, or not whole.
    """
    return _array(path, 3)


def _pair(images: Path, labels: Path) -> tuple[Bytes, Bytes]:
    return _array(images, 3), _array(labels, 1)


def _required(directory: Path, prefix: str, part: str, kind: str) -> Path:
    names = [
        f"{prefix}{name}-{kind}{sign}{_KINDS[kind]}{end}"
        for name, sign, end in product(_PARTS[part], "-.", ("", ".gz"))
    ]
    for name in names:
        if (directory / name).is_file():
            return directory / name
    raise DataError(f"{directory}: must hold {names[0]}, gzip or not; data.prefix names others")


def _array(path: Path, axes: int) -> Bytes:
    """The values of a file of so many axes, each of its lengths at least 1."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            head = file.read(4 + 4 * axes)
            shape = _shape(path, head, axes)
            size = math.prod(shape)
            if path.suffix != ".gz":
                _check_size(path, path.stat().st_size - len(head), size)
            content = file.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: must be a whole file: {reason}") from error
    _check_size(path, len(content), size)
    return np.frombuffer(content, np.uint8).reshape(shape)


def _shape(path: Path, head: bytes, axes: int) -> tuple[int, ...]:
    """The shape that a header announces."""
    if len(head) < 4 + 4 * axes or head[:4] != bytes([0, 0, _UBYTE, axes]):
        rule = f"must begin as an IDX file of bytes with {axes} axes ({bytes([0, 0, 8, axes])!r})"
        raise DataError(f"{path}: {rule}, got {head[:4]!r}")
    shape = tuple(np.frombuffer(head, ">u4", offset=4).tolist())
    if 0 in shape or math.prod(shape) > _MOST_BYTES:
        rule = f"must announce between 1 and {_MOST_BYTES:,} values"
        raise DataError(f"{path}: {rule}, got {' x '.join(map(str, shape))}")
    return shape


def _check_size(path: Path, have: int, announced: int) -> None:
    if have != announced:
        got = f"{have:,}" if have < announced else "more"
        raise DataError(f"{path}: must hold the {announced:,} values it announces, got {got}")


SOURCE = Idx()

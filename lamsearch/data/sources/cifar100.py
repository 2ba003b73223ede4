"""CIFAR-100 (Krizhevsky 2009) in its published Python layout.

Enters: a directory. Leaves: 50 000 training and 10 000 test images of 3072 uint8 values (red plane,
green plane, blue plane), in 100 classes or in their 20 superclasses. Its pickles are read without
running anything, as CIFAR-10's are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, cast

import numpy as np
from pydantic import Field

from lamsearch.data.cifar10_files import IMAGE, file_md5
from lamsearch.data.images import Contents, LabelledImages
from lamsearch.data.labels import is_name
from lamsearch.data.paths import first_with
from lamsearch.data.pickles import read_dictionary, text, uint8_array, whole_numbers
from lamsearch.data.source import Source, SourceInfo
from lamsearch.errors import DataError
from lamsearch.study import Data, Sizes

FOLDER = "cifar-100-python"
TRAIN, TEST = 50_000, 10_000
FEATURES = 3072
CLASSES = {"fine": 100, "coarse": 20}
PUBLISHED_MD5 = {
    "train": "16019d7e3df5f24257cddd939b257f8d",
    "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    "meta": "7973b15100ade9c7d40fb424638fde48",
}
_MOST_BYTES = 320_000_000  # twice the largest published file
_OPCODES = 3_000_000  # a file written again has up to 50 for an example


class Cifar100Data(Data):
    """[data] of CIFAR-100."""

    sizes: ClassVar[Sizes | None] = Sizes(
        examples=TRAIN, features=FEATURES, classes=CLASSES["fine"], image=IMAGE
    )
    has_test: ClassVar[bool] = True

    labels: Literal["fine", "coarse"] = Field(
        "fine", description="CIFAR-100's 100 classes, or its 20 superclasses"
    )


class Cifar100(Source):
    """CIFAR-100 in a directory."""

    name = "cifar100"
    description = "60 000 colour images of 32 x 32 pixels in 100 classes (Krizhevsky 2009)"
    table = Cifar100Data

    def files(self, data: Data, directory: Path, origin: Path | None) -> list[Path]:
        """Return the three files."""
        found = _required(directory)
        return [found / name for name in PUBLISHED_MD5]

    def read(self, data: Data, directory: Path, origin: Path | None) -> Contents:
        """Read and check the examples."""
        found, labels = _required(directory), cast("Cifar100Data", data).labels
        return Contents(
            name=self.name,
            classes=_classes(found / "meta", labels),
            pool=_examples(found / "train", TRAIN, labels),
            test=_examples(found / "test", TEST, labels),
            image=IMAGE,
        )

    def listed(self, directory: Path) -> list[SourceInfo]:
        """Return one line: where it lies, if it is here."""
        found = _located(directory)
        return [self.info(present=found is not None, where=found)]

    def compared(self, directory: Path, contents: Contents) -> tuple[bool | None, list[str]]:
        """Compare the checksums of the files with the published ones."""
        found = _required(directory)
        others = [name for name, md5 in PUBLISHED_MD5.items() if file_md5(found / name) != md5]
        if not others:
            return True, ["the checksums are the published ones"]
        return False, [f"the checksums are not the published ones: {', '.join(others)}"]


def _located(directory: Path) -> Path | None:
    places = (directory / FOLDER, directory / "cifar100" / FOLDER, directory)
    return first_with(PUBLISHED_MD5, places)


def _required(directory: Path) -> Path:
    found = _located(directory)
    if found is None:
        names = ", ".join(PUBLISHED_MD5)
        raise DataError(
            f"{directory}: must hold {FOLDER} with {names}; --data-dir names another directory"
        )
    return found


def _dictionary(path: Path) -> dict[str, object]:
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise DataError(f"{path}: must be smaller than {_MOST_BYTES} bytes, got {size}")
        return read_dictionary(path.read_bytes(), str(path), most_opcodes=_OPCODES)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _examples(path: Path, count: int, labels: str) -> LabelledImages:
    content, key = _dictionary(path), f"{labels}_labels"
    x = uint8_array(_value(content, "data", path), (count, FEATURES), f"{path}: data")
    y = whole_numbers(_value(content, key, path), count, f"{path}: {key}")
    bad = np.flatnonzero((y < 0) | (y >= CLASSES[labels]))
    if bad.size:
        where = f"{path}: {key}: image {bad[0]}"
        raise DataError(f"{where}: must be in 0..{CLASSES[labels] - 1}, got {y[bad[0]]}")
    return LabelledImages(x=x, y=y)


def _classes(path: Path, labels: str) -> tuple[str, ...]:
    key, count = f"{labels}_label_names", CLASSES[labels]
    found: Any = _value(_dictionary(path), key, path)
    names = found if isinstance(found, list) else []
    names = [text(name) for name in names if isinstance(name, str | bytes)]
    if len(set(names)) != count or len(names) != count or not all(map(is_name, names)):
        rule = f"must name {count} different classes"
        raise DataError(f"{path}: {key}: {rule}, got {str(names)[:200]}")
    return tuple(names)


def _value(content: dict[str, object], key: str, path: Path) -> object:
    if key not in content:
        raise DataError(f"{path}: must have the key {key!r}, got {str(sorted(content))[:200]}")
    return content[key]


SOURCE = Cifar100()

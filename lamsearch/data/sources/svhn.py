"""Street View House Numbers (Netzer et al. 2011), cropped digits in MATLAB files of version 5.

Enters: a directory. Leaves: 73 257 training and 26 032 test images of 32 x 32 colour pixels, whose
files `lamsearch.data.mat_files` reads.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from lamsearch.data.images import Contents, LabelledImages
from lamsearch.data.mat_files import read_arrays
from lamsearch.data.paths import first_with
from lamsearch.data.source import Source, SourceInfo
from lamsearch.errors import DataError
from lamsearch.study import Data, ImageShape, Sizes

FILES = {"train_32x32.mat": 73_257, "test_32x32.mat": 26_032}
IMAGE = ImageShape(height=32, width=32, channels=3)
_MOST_BYTES = 2**29  # of a file, unpacked; the largest has half of it


class SvhnData(Data):
    """[data] of SVHN."""

    sizes: ClassVar[Sizes | None] = Sizes(
        examples=FILES["train_32x32.mat"], features=3072, classes=10, image=IMAGE
    )
    has_test: ClassVar[bool] = True


class Svhn(Source):
    """SVHN in a directory, or in one of its name below it."""

    name = "svhn"
    description = "99 289 colour images of 32 x 32 pixels, digits of house numbers (Netzer 2011)"
    table = SvhnData

    def files(self, data: Data, directory: Path, origin: Path | None) -> list[Path]:
        """Return the two files."""
        found = _located(directory)
        if found is None:
            names = " and ".join(FILES)
            raise DataError(
                f"{directory}: must hold {names}, or a directory svhn with them; --data-dir names "
                "another directory"
            )
        return [found / name for name in FILES]

    def read(self, data: Data, directory: Path, origin: Path | None) -> Contents:
        """Read and check all images."""
        pool, test = (_examples(file) for file in self.files(data, directory, origin))
        return Contents(
            name=self.name, classes=tuple("0123456789"), pool=pool, test=test, image=IMAGE
        )

    def listed(self, directory: Path) -> list[SourceInfo]:
        """Return one line: where it lies, if it is here."""
        found = _located(directory)
        return [self.info(present=found is not None, where=found)]


def _located(directory: Path) -> Path | None:
    return first_with(FILES, (directory, directory / "svhn", directory / "SVHN"))


def _examples(path: Path) -> LabelledImages:
    count = FILES[path.name]
    found = read_arrays(path, ("X", "y"), _MOST_BYTES)
    x, y = found["X"], found["y"].reshape(-1)
    for name, shape in (("X", (32, 32, 3, count)), ("y", (count, 1))):
        if found[name].shape != shape:
            raise DataError(
                f"{path}: {name}: must be of the shape {shape}, got {found[name].shape}"
            )
    if x.dtype != np.uint8:
        raise DataError(f"{path}: X: must be of type uint8, got {x.dtype}")
    bad = np.flatnonzero(~np.isin(y, np.arange(1, 11)))
    if bad.size:
        rule = "must be a label in 1..10 (10 is the digit 0)"
        raise DataError(f"{path}: y: image {bad[0]}: {rule}, got {y[bad[0]]}")
    rows = np.ascontiguousarray(x.transpose(3, 0, 1, 2)).reshape(count, -1)
    return LabelledImages(x=rows, y=y.astype(np.int64) % 10)


SOURCE = Svhn()

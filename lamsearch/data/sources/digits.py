"""The 1797 handwritten digits that scikit-learn carries (Alpaydin & Kaynak 1998).

Enters: nothing. Leaves: float32 images (1797, 64), values 0..16 as they are. Refuses to know a
test set: these have none of their own.
"""

from __future__ import annotations

import gzip
import importlib.util
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from lamsearch.data.images import Contents, LabelledImages
from lamsearch.data.source import Progress, Source, SourceInfo
from lamsearch.errors import DataError, InputError
from lamsearch.study import Data, ImageShape, Sizes

IMAGE = ImageShape(height=8, width=8)
# of the data that scikit-learn has carried since 2010
FINGERPRINT = "0cede1737b1981fb06b93080ce5a7ea52f89113b85efe46f7f0f7e784486eb39"


class DigitsData(Data):
    """[data] of the digits."""

    sizes: ClassVar[Sizes | None] = Sizes(examples=1797, features=64, classes=10, image=IMAGE)


class Digits(Source):
    """The digits, which come with a library."""

    name = "digits"
    description = "1797 handwritten digits of 8 x 8 values, bundled with scikit-learn"
    table = DigitsData

    def files(self, data: Data, directory: Path, origin: Path | None) -> list[Path]:
        """Return none: they are a library's own."""
        return []

    def read(self, data: Data, directory: Path, origin: Path | None) -> Contents:
        """Return the digits.

        Raises:
            DataError: scikit-learn is not there.
        """
        table = _carried()
        pool = LabelledImages(
            x=np.ascontiguousarray(table[:, :-1], np.float32), y=table[:, -1].astype(np.int64)
        )
        return Contents(
            name="digits", classes=tuple("0123456789"), pool=pool, test=None, image=IMAGE
        )

    def listed(self, directory: Path) -> list[SourceInfo]:
        """Return one line: they are here where scikit-learn is."""
        return [self.info(present=importlib.util.find_spec("sklearn") is not None)]

    def fetch(self, directory: Path, *, progress: Progress | None, url: str | None) -> Path:
        """Refuse: there is nothing to fetch."""
        raise InputError("digits: there is nothing to fetch, scikit-learn carries them")

    def compared(self, directory: Path, contents: Contents) -> tuple[bool | None, list[str]]:
        """Compare them with those that scikit-learn has carried for years."""
        published = contents.fingerprint() == FINGERPRINT
        return published, [f"the values {'are' if published else 'are not'} the published ones"]


def _carried() -> NDArray[np.float64]:
    """The digits as scikit-learn carries them: a row each of 64 values and the label.

    Its own `load_digits` reads the same file; to import it takes a second of every process that
    trains on them, fifty times what the file takes.
    """
    found = importlib.util.find_spec("sklearn")
    if found is None:
        raise DataError("digits: needs scikit-learn, which is not installed")
    for place in found.submodule_search_locations or ():
        file = Path(place) / "datasets" / "data" / "digits.csv.gz"
        if file.is_file():
            with gzip.open(file, "rt", encoding="ascii") as text:
                return np.loadtxt(text, delimiter=",")
    return _loaded()


def _loaded() -> NDArray[np.float64]:
    """The digits by scikit-learn's own function, wherever it keeps them."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError(f"digits: needs scikit-learn: {error}") from error
    x, y = load_digits(return_X_y=True)
    return np.column_stack([x, y])


SOURCE = Digits()

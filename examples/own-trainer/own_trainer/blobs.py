"""A source: Gaussian blobs, with an option of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import Field

from lamsearch.data import Contents, LabelledImages, Source
from lamsearch.study import Data

_EACH, _FEATURES = 80, 5


class BlobsData(Data):
    """[data] of the blobs."""

    centres: int = Field(3, ge=2, le=9, description="blobs, a class each")


class Blobs(Source):
    """Points around centres."""

    name = "blobs"
    description = "Gaussian blobs, drawn anew with the same seed"
    table = BlobsData

    def files(self, data: Data, directory: Path, origin: Path | None) -> list[Path]:
        """Return none: they are drawn."""
        return []

    def read(self, data: Data, directory: Path, origin: Path | None) -> Contents:
        """Draw the blobs."""
        centres = data.centres if isinstance(data, BlobsData) else 3
        generator = np.random.default_rng(5)
        y = np.arange(_EACH * centres, dtype=np.int64) % centres
        middle = 3 * generator.normal(size=(centres, _FEATURES))
        x = (middle[y] + generator.normal(size=(len(y), _FEATURES))).astype(np.float32)
        names = tuple(f"blob {number}" for number in range(centres))
        pool = LabelledImages(x=x, y=y)
        return Contents(name=self.name, classes=names, pool=pool, test=None)


SOURCE = Blobs()

"""Labelled images as they come from a source, and the fingerprint of all of them.

Enters: raw arrays. Leaves: frozen records of read-only arrays, and a SHA-256. Refuses to know
where the arrays came from and how they will be split.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.results import Column, columns_document
from lamsearch.study import ImageShape

Raw = npt.NDArray[np.uint8] | npt.NDArray[np.float32] | npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Moments = npt.NDArray[np.float32] | npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Groups = npt.NDArray[np.int64]
Targets = npt.NDArray[Any]  # labels, int64, or quantities, float64


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledImages:
    """Raw images x (n, features) and their targets y (n,): labels, int64, or quantities, float64.

    x is uint8 or float32, or float64 where float32 would lose what varies in them. NaN is a value
    that is missing, which only a table has, where its study says what is done about that.
    ``groups`` (n,) says which of them no split may part; None where each stands for itself.
    """

    x: Raw = field(repr=False)
    y: Targets = field(repr=False)
    groups: Groups | None = field(repr=False, default=None)

    def __post_init__(self) -> None:
        for array in (self.x, self.y, self.groups):
            if array is not None:
                array.setflags(write=False)

    def __len__(self) -> int:
        return len(self.y)

    def taken(self, order: npt.NDArray[np.intp]) -> LabelledImages:
        """Return a copy of the images in ``order``, which keeps nothing else alive."""
        groups = None if self.groups is None else self.groups[order]
        return LabelledImages(x=self.x[order], y=self.y[order], groups=groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """All that one source holds; ``test`` is None where it has no test set of its own.

    Where targets are quantities there are no ``classes``, and y is float64 in its own unit.
    ``image`` says how the features of an example make an image, None where they make none.
    ``columns`` are the columns of a table that the features come from, none where it is no table.
    ``notes`` are sentences on how the source was understood where that could be asked.
    """

    name: str
    classes: tuple[str, ...]
    pool: LabelledImages
    test: LabelledImages | None
    notes: tuple[str, ...] = ()
    image: ImageShape | None = None
    columns: tuple[Column, ...] = ()

    def fingerprint(self) -> str:
        """SHA-256 over class names, shapes, types and values, whatever files they stood in.

        float64 values that float32 can hold count as float32: it is the values that matter.
        """
        digest = hashlib.sha256(b"lamsearch data 1\n")
        digest.update(json.dumps(self.classes).encode() + b"\n")
        if self.columns:
            digest.update(json.dumps(columns_document(self.columns)).encode() + b"\n")
        for name, part in (("pool", self.pool), ("test", self.test)):
            for array in () if part is None else (part.x, part.y):
                plain = np.ascontiguousarray(_narrow(array))
                plain = plain.astype(plain.dtype.newbyteorder("<"), copy=False)
                digest.update(f"{name} {plain.dtype.str} {plain.shape}\n".encode())
                digest.update(plain.reshape(-1).view(np.uint8).data)
        if self.pool.groups is not None:
            digest.update(b"groups\n" + np.ascontiguousarray(self.pool.groups, "<i8").tobytes())
        return digest.hexdigest()


def mirrored(image: ImageShape) -> npt.NDArray[np.intp]:
    """Return which feature stands where, once an image is mirrored left to right: (features,)."""
    places = np.arange(math.prod(image.axes), dtype=np.intp).reshape(image.axes)
    return np.ascontiguousarray(places[:, :, ::-1]).reshape(-1)


def _narrow(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if array.dtype != np.float64:
        return array
    with np.errstate(over="ignore"):  # what overflows is not equal
        single = array.astype(np.float32)
    return single if np.array_equal(single, array) else array

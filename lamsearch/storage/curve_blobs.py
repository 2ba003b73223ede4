"""A trial's curve as it stands in the database: packed, and read back with suspicion.

Enters: what the trainer says of a trial, or bytes that anybody may have written. Leaves: bytes, or
a curve with its correctness. Refuses to believe, or to make room for, what `pack` cannot have made.
"""

from __future__ import annotations

import io
import warnings
import zipfile
from dataclasses import MISSING, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.results import Curve, Trained

_MOST_BYTES = 1 << 28  # of a trial's arrays, unpacked: beyond a point per update for a week
_NAMES = tuple(field.name for field in fields(Curve))
_REQUIRED = frozenset(field.name for field in fields(Curve) if field.default is MISSING)
_CORRECT = frozenset({"correct", "images"})
Correct = npt.NDArray[np.bool_]


def pack(trained: Trained) -> bytes | None:
    """Return a trial's curve and per-image correctness as npz bytes, without pickle."""
    if trained.curve is None:
        return None
    arrays: dict[str, Any] = {
        name: value for name in _NAMES if (value := getattr(trained.curve, name)) is not None
    }
    if trained.correct is not None:
        arrays["correct"] = np.packbits(trained.correct)
        arrays["images"] = np.array(len(trained.correct))
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def unpack(blob: bytes) -> tuple[Curve, Correct | None]:
    """Return what was packed.

    Raises:
        ValueError: It is not as it was written.
    """
    try:
        arrays = _arrays(blob)
    except Exception as error:  # what zipfile, zlib and NumPy raise at foreign bytes has many types
        raise ValueError(f"a curve must be an npz archive: {error}") from error
    correct = _correct(arrays)
    _check(arrays)
    return Curve(**arrays), correct


def _arrays(blob: bytes) -> dict[str, npt.NDArray[Any]]:
    with zipfile.ZipFile(io.BytesIO(blob)) as archive:
        members = archive.infolist()
        names = {member.filename.removesuffix(".npy") for member in members}
        if len(names) < len(members) or not names <= {*_NAMES, *_CORRECT}:
            raise ValueError(f"must hold arrays of a curve, got {sorted(names)[:12]}")
        if (size := sum(member.file_size for member in members)) > _MOST_BYTES:
            raise ValueError(f"must hold at most {_MOST_BYTES} bytes, got {size}")
        return {
            member.filename.removesuffix(".npy"): _read(archive.read(member)) for member in members
        }


def _read(content: bytes) -> npt.NDArray[Any]:
    """One array, which must be all of its member: no shape makes room for more than that."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # headers that NumPy has to guess at
        stream = io.BytesIO(content)
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):
            raise ValueError(f"must be of version 1.0, got {version}")
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        values = content[stream.tell() :]
        if dtype.hasobject or len(shape) > 1 or dtype.kind not in "uif":
            raise ValueError(f"must be a vector of numbers, got {dtype} of the shape {shape}")
        return np.frombuffer(values, dtype).reshape(shape).copy()


def _check(arrays: dict[str, npt.NDArray[Any]]) -> None:
    if missing := sorted(_REQUIRED - arrays.keys()):
        raise ValueError(f"a curve must have {missing}")
    updates = arrays["updates"]
    for name, array in arrays.items():
        kind = "i" if name == "updates" else "f"
        if array.shape != updates.shape or array.ndim != 1 or array.dtype.kind != kind:
            raise ValueError(f"{name}: must be as long as updates, got {array.dtype} {array.shape}")
    if (updates < 0).any() or (np.diff(updates) <= 0).any():
        raise ValueError("updates: must grow")


def _correct(arrays: dict[str, npt.NDArray[Any]]) -> Correct | None:
    """Take correctness out of the arrays."""
    packed, count = arrays.pop("correct", None), arrays.pop("images", None)
    if packed is None and count is None:
        return None
    if packed is None or count is None or count.ndim or count.dtype.kind != "i" or count < 0:
        raise ValueError("correct: must stand with the number of images")
    if packed.dtype != np.uint8 or packed.shape != (-(-int(count) // 8),):
        raise ValueError(f"correct: must be {count} bits, got {packed.dtype} {packed.shape}")
    return np.unpackbits(packed, count=int(count)).astype(np.bool_)

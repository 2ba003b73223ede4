"""Arrays of numbers in MATLAB files of version 5, as MATLAB's format description has them.

Enters: a path, names of arrays, how much may be unpacked. Leaves: those arrays, or one sentence.
Every length is compared with what is there before it is used. SciPy reads such files too, but ends
the process at some that are damaged; nothing but plain arrays is understood here.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.errors import DataError

_HEADER, _TAG = 128, 8  # bytes
_SMALL = 4  # bytes that fit into an element's tag itself
_MATRIX, _COMPRESSED = 14, 15  # types of what a file is made of
_INT8, _INT32, _UINT32 = 1, 5, 6
_TYPES = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"
}  # fmt: skip
_NUMBERS = range(6, 16)  # classes of arrays: double, single, whole numbers
_COMPLEX = 0x800

Element = tuple[int, memoryview]
Array = npt.NDArray[Any]


class _DamagedError(Exception):
    """What is wrong with a file, as a sentence's end."""


def read_arrays(path: Path, names: Collection[str], most_bytes: int) -> dict[str, Array]:
    """Return the arrays of these names, each of which is there once.

    No more than ``most_bytes`` are read, nor unpacked.

    Raises:
        DataError: It is no such file, or an array is absent or not of plain numbers.
    """
    try:
        size = path.stat().st_size
        if size > most_bytes:
            raise _DamagedError(f"must be smaller than {most_bytes:,} bytes, got {size:,}")
        return _arrays(path.read_bytes(), names, most_bytes)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except _DamagedError as error:
        raise DataError(f"{path}: {error}") from error


def _arrays(raw: bytes, names: Collection[str], room: int) -> dict[str, Array]:
    order = {b"IM": "<", b"MI": ">"}.get(raw[_HEADER - 2 : _HEADER])
    if order is None:
        raise _DamagedError("must be a MATLAB file of version 5")
    found: dict[str, Array] = {}
    for kind, body in _elements(memoryview(raw)[_HEADER:], order):
        if kind == _COMPRESSED:
            plain = _unpacked(body, room)
            room -= len(plain)
            (kind, body), *more = _elements(memoryview(plain), order)
            if more:
                raise _DamagedError("must have one array in each compressed part")
        if kind != _MATRIX:
            raise _DamagedError(f"must hold arrays alone, got the type {kind}")
        name, array = _named(body, order, names)
        if name in found:
            raise _DamagedError(f"{name}: must be there once")
        if array is not None:
            found[name] = array
    for name in names:
        if name not in found:
            raise _DamagedError(f"{name}: is required")
    return found


def _named(body: memoryview, order: str, names: Collection[str]) -> tuple[str, Array | None]:
    """The name of an array and, if it is wanted, its values."""
    parts = _elements(body, order)
    flags = _values(next(parts, None), order, _UINT32)
    shape = _values(next(parts, None), order, _INT32).tolist()
    name = bytes(_values(next(parts, None), order, _INT8)).decode("latin-1")
    if name not in names:
        return name, None
    if len(flags) != 2 or flags[0] & 0xFF not in _NUMBERS or flags[0] & _COMPLEX:
        raise _DamagedError(f"{name}: must be an array of numbers")
    values = _values(next(parts, None), order)
    if min(shape, default=0) < 1 or math.prod(shape) != len(values):
        rule = f"must have as many values as its shape {tuple(shape)}"
        raise _DamagedError(f"{name}: {rule}, got {len(values)}")
    return name, values.reshape(shape, order="F")


def _values(element: Element | None, order: str, wanted: int | None = None) -> Array:
    kind, body = element or (0, memoryview(b""))
    if kind not in _TYPES or wanted not in (None, kind):
        raise _DamagedError(f"must be a whole MATLAB file of version 5, got the type {kind}")
    dtype = np.dtype(f"{order}{_TYPES[kind]}")
    if len(body) % dtype.itemsize:
        raise _DamagedError("must be a whole MATLAB file of version 5: a value is cut off")
    return np.frombuffer(body, dtype)


def _elements(raw: memoryview, order: str) -> Iterator[Element]:
    """The elements that bytes are made of; all but compressed ones are padded to 8 bytes."""
    at = 0
    while at < len(raw):
        if len(raw) - at < _TAG:
            raise _DamagedError("must be a whole MATLAB file of version 5: it is cut off")
        kind, size = struct.unpack_from(f"{order}II", raw, at)
        if kind >> 16:  # the size stands beside the type, and the values in place of the size
            kind, size, start, end = kind & 0xFFFF, kind >> 16, at + 4, at + _TAG
            if size > _SMALL:
                raise _DamagedError("must be a whole MATLAB file of version 5: it is damaged")
        else:
            start = at + _TAG
            end = start + (size if kind == _COMPRESSED else math.ceil(size / _TAG) * _TAG)
        if start + size > len(raw):
            raise _DamagedError("must be a whole MATLAB file of version 5: it is cut off")
        yield kind, raw[start : start + size]
        at = end


def _unpacked(body: memoryview, room: int) -> bytes:
    unpacking = zlib.decompressobj()
    try:
        plain = unpacking.decompress(body, max(1, room))
    except zlib.error as error:
        raise _DamagedError(f"must be a whole MATLAB file of version 5: {error}") from error
    if not unpacking.eof or not plain:
        raise _DamagedError("must be whole, and not larger once unpacked than such files are")
    return plain

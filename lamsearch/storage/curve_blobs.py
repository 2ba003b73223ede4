"""A trial's curve as it stands in the database: packed, and read back with suspicion.

Enters: what the trainer says of a trial, or bytes that anybody may have written. Leaves: bytes, or
a curve with its scores per example. Refuses to believe, or to make room for, what `pack` cannot
have made.
"""

from __future__ import annotations

import io
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.results import Curve, Trained

_MOST_BYTES = 1 << 28  # of a trial's arrays, unpacked: beyond a point per update for a week
_LENGTH_AT = 8  # where an array of version 1.0 has the length of its header, in two bytes
_LOCAL_HEADER = struct.Struct("<4s2xH18xHH")  # before a member: signature, flags, two lengths
# In the archive's directory: signature, method, CRC, two sizes, three lengths, where the member is.
_LISTED = struct.Struct("<4s6xH4xIIIHHH8xI")
_END = struct.Struct("<4s6xHIIH")  # signature, how many are listed, the list's size and place
_DEFLATED = 8
_SMALL, _WORTH = 1000, 2 / 3  # bytes that are not deflated; of others what that may leave
_AXES = ("updates", "learning_rate")
_VALUES = re.compile(r"(training|validation|test)_([a-z][a-z0-9_]{0,39})")
# Scores per example: as bits and their number where each is 0 or 1, else as they are.
_SCORES = frozenset({"correct", "images", "scores"})
Scores = npt.NDArray[np.generic]


def pack(trained: Trained) -> bytes | None:
    """Return a trial's curve and its scores per example as npz bytes, without pickle."""
    curve = trained.curve
    if curve is None:
        return None
    arrays: dict[str, Any] = dict(curve.columns())
    if trained.scores is not None and trained.scores.dtype == np.bool_:
        arrays["correct"] = np.packbits(trained.scores.astype(np.bool_))
        arrays["images"] = np.array(len(trained.scores))
    elif trained.scores is not None:
        arrays["scores"] = trained.scores.astype(np.float32)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.asarray(array), (1, 0), allow_pickle=False)
            _add(archive, f"{name}.npy", content.getvalue())
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Put a file into an archive, deflated where that spares much: a report inflates thousands."""
    large = len(content) > _SMALL
    spared = large and len(zlib.compress(content)) < _WORTH * len(content)
    method = zipfile.ZIP_DEFLATED if spared else zipfile.ZIP_STORED
    archive.writestr(zipfile.ZipInfo(name), content, method)


def unpack(blob: bytes) -> tuple[Curve, Scores | None]:
    """Return what was packed.

    Raises:
        ValueError: It is not as it was written.
    """
    try:
        arrays = _arrays(blob)
    except Exception as error:  # what zipfile, zlib and NumPy raise at foreign bytes has many types
        raise ValueError(f"a curve must be an npz archive: {error}") from error
    scores = _scores(arrays)
    _check(arrays)
    updates, learning_rate = (arrays.pop(name) for name in _AXES)
    return Curve(updates=updates, learning_rate=learning_rate, values=arrays), scores


@dataclass(frozen=True, slots=True)
class _Member:
    """What an archive's directory says of an array."""

    name: str
    deflated: bool
    crc: int
    packed_size: int
    size: int
    start: int


def _arrays(blob: bytes) -> dict[str, npt.NDArray[Any]]:
    members = list(_members(blob))
    names = tuple(member.name.removesuffix(".npy") for member in members)
    _check_names(names)
    if (size := sum(member.size for member in members)) > _MOST_BYTES:
        raise ValueError(f"must hold at most {_MOST_BYTES} bytes, got {size}")
    return {
        name: _read(_content(blob, member)) for name, member in zip(names, members, strict=True)
    }


def _members(blob: bytes) -> Iterator[_Member]:
    """What stands in an archive, as its end lists it.

    `zipfile` makes several objects for each of the ten arrays of each trial, and reads much that
    `pack` does not write: most of the time in which thousands are read.
    """
    signature, count, size, start, comment = _END.unpack_from(blob, len(blob) - _END.size)
    if signature != b"PK\5\6" or comment or start + size + _END.size != len(blob):
        raise ValueError("must be an archive as it was written")
    for _ in range(count):
        signature, method, crc, packed, size, named, *more, at = _LISTED.unpack_from(blob, start)
        start += _LISTED.size
        if signature != b"PK\1\2" or method not in (0, _DEFLATED):
            raise ValueError("must be an archive as it was written")
        name = blob[start : start + named].decode("ascii")
        yield _Member(name, method == _DEFLATED, crc, packed, size, at)
        start += named + sum(more)


def _content(blob: bytes, member: _Member) -> bytes:
    """A member's bytes, whole and as they were written."""
    start, size = member.start, member.size
    signature, flags, named, more = _LOCAL_HEADER.unpack_from(blob, start)
    begun = start + _LOCAL_HEADER.size + named
    name = blob[start + _LOCAL_HEADER.size : begun].decode("ascii")
    if signature != b"PK\3\4" or flags & 1 or name != member.name:
        raise ValueError("must be an archive as it was written")
    content = blob[begun + more : begun + more + member.packed_size]
    if member.deflated and size:  # of no size there is no bound
        content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, size)
    if len(content) != size or zlib.crc32(content) != member.crc:
        raise ValueError(f"must hold {size} bytes in {name}, whole")
    return content


@lru_cache(maxsize=256)  # those of a stage's trials are alike
def _check_names(names: tuple[str, ...]) -> None:
    if len(set(names)) < len(names) or not all(map(_is_known, names)):
        raise ValueError(f"must hold arrays of a curve, got {sorted(names)[:12]}")


def _is_known(name: str) -> bool:
    return name in (*_AXES, *_SCORES) or _VALUES.fullmatch(name) is not None


def _read(content: bytes) -> npt.NDArray[Any]:
    """One array, which must be all of its member: no shape makes room for more than that."""
    (length,) = struct.unpack_from("<H", content, _LENGTH_AT)
    header = content[: _LENGTH_AT + 2 + length]
    shape, dtype = _read_header(header)
    return np.frombuffer(content, dtype, offset=len(header)).reshape(shape).copy()


@lru_cache(maxsize=256)  # the arrays of a stage's trials are alike, and NumPy parses text
def _read_header(header: bytes) -> tuple[tuple[int, ...], np.dtype[Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # headers that NumPy has to guess at
        stream = io.BytesIO(header)
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):
            raise ValueError(f"must be of version 1.0, got {version}")
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.hasobject or len(shape) > 1 or dtype.kind not in "uif":
        raise ValueError(f"must be a vector of numbers, got {dtype} of the shape {shape}")
    return shape, dtype


def _check(arrays: dict[str, npt.NDArray[Any]]) -> None:
    _check_quantities(tuple(arrays))
    updates = arrays["updates"]
    for name, array in arrays.items():
        kind = "i" if name == "updates" else "f"
        if array.shape != updates.shape or array.ndim != 1 or array.dtype.kind != kind:
            raise ValueError(f"{name}: must be as long as updates, got {array.dtype} {array.shape}")
    if len(updates) and (updates[0] < 0 or (updates[1:] <= updates[:-1]).any()):
        raise ValueError("updates: must grow")


@lru_cache(maxsize=256)
def _check_quantities(names: tuple[str, ...]) -> None:
    """Refuse curves of which one is missing: each quantity is that of all splits."""
    if missing := sorted(set(_AXES) - set(names)):
        raise ValueError(f"a curve must have {missing}")
    found: dict[str, set[str]] = {"training": set(), "validation": set()}
    for name in names:
        if (parts := _VALUES.fullmatch(name)) is not None:
            found.setdefault(parts[1], set()).add(parts[2])
    if len({frozenset(quantities) for quantities in found.values()}) > 1:
        raise ValueError(f"curves must be of the same quantities on each split, got {found}")


def _scores(arrays: dict[str, npt.NDArray[Any]]) -> Scores | None:
    """Take the scores per example out of the arrays."""
    scores = arrays.pop("scores", None)
    if scores is None:
        return _correct(arrays)
    if scores.dtype != np.float32 or scores.ndim != 1 or "correct" in arrays or "images" in arrays:
        raise ValueError(f"scores: must be float32 numbers, got {scores.dtype} {scores.shape}")
    return np.asarray(scores)


def _correct(arrays: dict[str, npt.NDArray[Any]]) -> Scores | None:
    """Take bits and their number out of the arrays."""
    packed, count = arrays.pop("correct", None), arrays.pop("images", None)
    if packed is None and count is None:
        return None
    if packed is None or count is None or count.ndim or count.dtype.kind != "i" or count < 0:
        raise ValueError("correct: must stand with the number of images")
    if packed.dtype != np.uint8 or packed.shape != (-(-int(count) // 8),):
        raise ValueError(f"correct: must be {count} bits, got {packed.dtype} {packed.shape}")
    return np.unpackbits(packed, count=int(count)).view(np.bool_)

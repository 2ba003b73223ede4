"""Numbers per example as a short text, for a JSON document.

Enters: numbers, or a text that anybody may have written. Leaves: a text, or float32 numbers. Few
different ones, as a constant answer gets by the example's class, take a byte each before they are
compressed. Refuses to make room for more than it would write.
"""

from __future__ import annotations

import base64
import binascii
import struct
import zlib

import numpy as np
import numpy.typing as npt

_MOST_VALUES = 256
_MOST_CHARACTERS = 200_000
_MOST_BYTES = 1 << 24  # unpacked
_HEAD = struct.Struct("<II")  # how many examples, how many different numbers (0: as they are)


def packed(scores: npt.NDArray[np.generic]) -> str | None:
    """Return numbers (examples,) as text; None where that would be long."""
    numbers = scores.astype("<f4")
    values, codes = np.unique(numbers, return_inverse=True)
    few = len(values) <= _MOST_VALUES
    body = values.tobytes() + codes.astype(np.uint8).tobytes() if few else numbers.tobytes()
    head = _HEAD.pack(len(numbers), len(values) if few else 0)
    text = base64.b64encode(zlib.compress(head + body, 9)).decode()
    return text if len(text) <= _MOST_CHARACTERS else None


def unpacked(text: str) -> npt.NDArray[np.float32]:
    """Return what was packed.

    Raises:
        ValueError: It is not as it was written.
    """
    try:
        reader = zlib.decompressobj()
        content = reader.decompress(base64.b64decode(text, validate=True), _MOST_BYTES)
        examples, different = _HEAD.unpack_from(content)
    except (binascii.Error, zlib.error, struct.error) as error:
        raise ValueError(f"scores per example must be packed numbers: {error}") from error
    size = 4 * different + examples if different else 4 * examples
    if different > _MOST_VALUES or len(content) != _HEAD.size + size:
        raise ValueError(f"scores per example must have {size} bytes, got {len(content)}")
    values = np.frombuffer(content, "<f4", different or examples, _HEAD.size)
    if not different:
        return values.astype(np.float32)
    codes = np.frombuffer(content, np.uint8, examples, _HEAD.size + 4 * different)
    if codes.max(initial=0) >= different:
        raise ValueError(f"scores per example must be below {different}, got {codes.max()}")
    return values[codes].astype(np.float32)

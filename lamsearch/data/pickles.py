"""Pickles of plain values and NumPy arrays, read without running anything.

Enters: the bytes of a file of CIFAR-10 or CIFAR-100, as Python 2 published it or Python 3 wrote it
again. Leaves: its dictionary, and of the stand-ins in it arrays of bytes and whole numbers, once
all about them is as it must be.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.data.pickle_machine import (
    DTYPE,
    FROM_BUFFER,
    MOST_OPCODES,
    NDARRAY,
    RECONSTRUCT,
    SCALAR,
    Machine,
    RefusedError,
    Standin,
)
from lamsearch.errors import DataError

_WHOLE = tuple(f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8))
_ORDERS = ("|", "<", ">", "=")


def read_dictionary(
    raw: bytes, where: str, *, most_opcodes: int = MOST_OPCODES
) -> dict[str, object]:
    """Return the dictionary a pickle holds, its keys as text.

    Raises:
        DataError: ``where``: the pickle is cut off, or holds anything but what CIFAR-10 needs.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # an escape that Python only warns of is damage too
            value = Machine().run(raw, most_opcodes)
    except RefusedError as error:
        raise DataError(f"{where}: {error}") from error
    except (ValueError, IndexError, KeyError, Warning) as error:
        raise DataError(f"{where}: must be a whole pickle, but it is cut off or damaged") from error
    if not isinstance(value, dict):
        raise DataError(f"{where}: must hold a dictionary, got {type(value).__name__}")
    return {text(key): item for key, item in value.items()}


def text(value: object) -> str:
    """Return a Python 2 or Python 3 string as text."""
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def uint8_array(value: object, shape: tuple[int, ...], where: str) -> npt.NDArray[np.uint8]:
    """Return the array that a record stands for, once everything about it is as it must be.

    Raises:
        DataError: It is no array, or one of another type, order, shape or size.
    """
    kind, found, in_order, content = _array(value, where)
    if _type(kind) != np.uint8:
        raise DataError(f"{where}: must be of type uint8")
    if found != shape or not in_order:
        got = f", got {found}" if _is_shape(found) else ""
        raise DataError(f"{where}: must have the shape {shape} in C order{got}")
    return np.frombuffer(_sized(content, math.prod(shape), where), np.uint8).reshape(shape)


def whole_numbers(value: object, count: int, where: str) -> npt.NDArray[np.int64]:
    """Return ``count`` whole numbers: of a list, Python's or NumPy's, or of an array.

    Raises:
        DataError: They are not whole numbers, or not so many.
    """
    if isinstance(value, Standin):
        kind, shape, _, content = _array(value, where)
        dtype = _type(kind)
        if dtype is None:
            raise DataError(f"{where}: must be a list of whole numbers")
        if not isinstance(shape, tuple) or len(shape) != 1 or shape[0] != count:
            got = f", got {shape}" if _is_shape(shape) else ""
            raise DataError(f"{where}: must be {count}{got}")
        raw = _sized(content, count * dtype.itemsize, where)
        return np.frombuffer(raw, dtype).astype(np.int64)
    numbers = [_number(one) for one in value] if isinstance(value, list) else [None]
    if any(number is None for number in numbers):
        raise DataError(f"{where}: must be a list of whole numbers")
    if len(numbers) != count:
        raise DataError(f"{where}: must be {count}, got {len(numbers)}")
    try:
        return np.array(numbers, np.int64)
    except OverflowError as error:
        raise DataError(f"{where}: must be whole numbers of at most 64 bits") from error


def _array(value: object, where: str) -> tuple[object, object, bool, object]:
    """The type, shape, order (whether C's) and bytes of an array, in either way to write one."""
    if isinstance(value, Standin) and value.callee == FROM_BUFFER:
        arguments = value.arguments
        if not isinstance(arguments, tuple) or len(arguments) != 4:
            raise DataError(f"{where}: must be built of 4 values")
        content, kind, shape, order = arguments
        return kind, shape, order == "C", content
    if not isinstance(value, Standin) or value.callee != RECONSTRUCT:
        raise DataError(f"{where}: must be a NumPy array, got {type(value).__name__}")
    if not isinstance(value.arguments, tuple) or value.arguments[:1] != (NDARRAY,):
        raise DataError(f"{where}: must be built as a numpy.ndarray")
    if not isinstance(value.state, tuple) or len(value.state) != 5:
        raise DataError(f"{where}: must carry an array's state of 5 values")
    _, shape, kind, fortran, content = value.state
    return kind, shape, fortran is False, content


def _number(value: object) -> int | None:
    """A whole number, Python's or NumPy's."""
    if type(value) is int:
        return value
    if not isinstance(value, Standin) or value.callee != SCALAR:
        return None
    arguments = value.arguments
    if not isinstance(arguments, tuple) or len(arguments) != 2:
        return None
    dtype, content = _type(arguments[0]), _bytes(arguments[1])
    if dtype is None or content is None or len(content) != dtype.itemsize:
        return None
    return int(np.frombuffer(content, dtype)[0])


def _type(kind: object) -> np.dtype[Any] | None:
    """The whole number's type that a stand-in for a dtype stands for."""
    if not isinstance(kind, Standin) or kind.callee != DTYPE:
        return None
    arguments, state = kind.arguments, kind.state
    if not isinstance(arguments, tuple) or not arguments or not isinstance(state, tuple | None):
        return None
    name = arguments[0]
    order = state[1] if state is not None and len(state) > 1 else "|"
    if not isinstance(name, str | bytes) or not isinstance(order, str | bytes):
        return None
    if text(name) not in _WHOLE or text(order) not in _ORDERS:
        return None
    return np.dtype(text(name)).newbyteorder(text(order).replace("|", "="))  # type: ignore[arg-type]  # one of four


def _bytes(content: object) -> bytes | None:
    """Raw bytes, which Python 2 wrote as a string."""
    if isinstance(content, str):
        try:
            return content.encode("latin-1")
        except UnicodeEncodeError:
            return None
    return bytes(content) if isinstance(content, bytes | bytearray) else None


def _sized(content: object, size: int, where: str) -> bytes:
    raw = _bytes(content)
    if raw is None or len(raw) != size:
        got = "" if raw is None else f", got {len(raw)}"
        raise DataError(f"{where}: must hold {size} bytes{got}")
    return raw


def _is_shape(value: object) -> bool:
    return isinstance(value, tuple) and len(value) < 9 and all(type(n) is int for n in value)

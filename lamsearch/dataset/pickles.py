"""Python 2 pickles of plain values and one uint8 array, read without running anything.

Enters: the bytes of a published CIFAR-10 file. Leaves: its dictionary, with inert records where
the pickle would have built arrays. Refuses to know the pickle module: only the opcodes that these
files use are understood, and the names in them are compared, never imported.
"""

from __future__ import annotations

import io
import pickletools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lamsearch.errors import DataError

MOST_OPCODES = 100_000  # a published batch has about 30 000; memory stays bounded by the file


class _Global(NamedTuple):
    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


RECONSTRUCT = _Global("numpy.core.multiarray", "_reconstruct")
NDARRAY = _Global("numpy", "ndarray")
DTYPE = _Global("numpy", "dtype")
ADMITTED = {RECONSTRUCT, NDARRAY, DTYPE}


class _Standin:
    """What a REDUCE would have called, with which arguments, and the state of a BUILD."""

    __slots__ = ("arguments", "callee", "state")

    def __init__(self, callee: object, arguments: object) -> None:
        self.callee, self.arguments = callee, arguments
        self.state: object = None


class _RefusedError(Exception):
    """A law that the pickle broke."""


VALUES = {"BININT", "BININT1", "BININT2", "BINSTRING", "SHORT_BINSTRING", "BINUNICODE"}
VALUES |= {"BINBYTES", "SHORT_BINBYTES"}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
CONTAINERS = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
OTHERS = {"PROTO", "STOP", "MARK", "TUPLE", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET"}
OTHERS |= {"APPEND", "APPENDS", "SETITEM", "SETITEMS", "GLOBAL", "REDUCE", "BUILD"}
UNDERSTOOD = {
    opcode.code.encode("latin-1"): opcode
    for opcode in pickletools.opcodes
    if opcode.name in VALUES | CONSTANTS.keys() | CONTAINERS.keys() | TUPLES.keys() | OTHERS
}


def read_dictionary(raw: bytes, where: str) -> dict[str, object]:
    """Return the dictionary a pickle holds, its keys as text.

    Raises:
        DataError: ``where``: the pickle is cut off, or holds anything but what CIFAR-10 needs.
    """
    try:
        value = _Machine().run(raw)
    except _RefusedError as error:
        raise DataError(f"{where}: {error}") from error
    except (ValueError, IndexError, KeyError) as error:
        raise DataError(f"{where}: must be a whole pickle, but it is cut off or damaged") from error
    if not isinstance(value, dict):
        raise DataError(f"{where}: must hold a dictionary, got {type(value).__name__}")
    return {text(key): item for key, item in value.items()}


def text(value: object) -> str:
    """Return a Python 2 or Python 3 string as text."""
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def uint8_array(value: object, shape: tuple[int, ...], where: str) -> npt.NDArray[np.uint8]:
    """Return the array that a record stands for, once everything about it is as it must be."""
    if not isinstance(value, _Standin) or value.callee != RECONSTRUCT:
        raise DataError(f"{where}: must be a NumPy array, got {type(value).__name__}")
    arguments, state = value.arguments, value.state
    if not isinstance(arguments, tuple) or arguments[:1] != (NDARRAY,):
        raise DataError(f"{where}: must be built as a numpy.ndarray")
    if not isinstance(state, tuple) or len(state) != 5:
        raise DataError(f"{where}: must carry an array's state of 5 values")
    _, found, kind, fortran, content = state
    if not _is_uint8(kind):
        raise DataError(f"{where}: must be of type uint8")
    if found != shape or fortran is not False:
        got = f", got {found}" if _is_shape(found) else ""
        raise DataError(f"{where}: must have the shape {shape} in C order{got}")
    content = content.encode("latin-1") if isinstance(content, str) else content
    size = int(np.prod(shape))
    if not isinstance(content, bytes) or len(content) != size:
        got = f", got {len(content)}" if isinstance(content, bytes) else ""
        raise DataError(f"{where}: must hold {size} bytes{got}")
    return np.frombuffer(content, np.uint8).reshape(shape)


def _is_uint8(kind: object) -> bool:
    if not isinstance(kind, _Standin) or kind.callee != DTYPE:
        return False
    arguments = kind.arguments
    return isinstance(arguments, tuple) and bool(arguments) and arguments[0] in ("u1", b"u1")


def _is_shape(value: object) -> bool:
    return isinstance(value, tuple) and len(value) < 9 and all(type(n) is int for n in value)


class _Machine:
    """The pickle stack machine, as far as plain values and stand-ins need it."""

    def __init__(self) -> None:
        self.stack: list[object] = []
        self.below: list[list[object]] = []
        self.memo: dict[int, object] = {}

    def run(self, raw: bytes) -> object:
        stream = io.BytesIO(raw)
        for _ in range(MOST_OPCODES):
            code = stream.read(1)
            opcode = UNDERSTOOD.get(code)
            if opcode is None:
                law = "must be a whole pickle" if not code else "must use only CIFAR-10's opcodes"
                raise _RefusedError(f"{law}, got {code!r} at byte {stream.tell() - len(code)}")
            if opcode.name == "STOP":
                return self.stack.pop()
            self.step(opcode.name, opcode.arg.reader(stream) if opcode.arg else None)
        raise _RefusedError(f"must have fewer than {MOST_OPCODES} opcodes")

    def step(self, name: str, argument: object) -> None:
        if name in VALUES:
            self.stack.append(argument)
        elif name in CONSTANTS:
            self.stack.append(CONSTANTS[name])
        elif name in CONTAINERS:
            self.stack.append(CONTAINERS[name]())
        elif name in TUPLES:
            self.stack.append(tuple([self.stack.pop() for _ in range(TUPLES[name])][::-1]))
        elif name == "MARK":
            self.below.append(self.stack)
            self.stack = []
        elif name == "TUPLE":
            items = self.marked()
            self.stack.append(tuple(items))
        elif isinstance(argument, int) and name != "PROTO":
            self.remember(name, argument)
        elif name != "PROTO":
            self.build(name, argument)

    def remember(self, name: str, index: int) -> None:
        if name.endswith("PUT"):
            self.memo[index] = self.stack[-1]
        else:
            self.stack.append(self.memo[index])

    def build(self, name: str, argument: object) -> None:
        if name == "GLOBAL":
            self.stack.append(_admitted(str(argument)))
        elif name == "REDUCE":
            arguments, callee = self.stack.pop(), self.stack.pop()
            if callee not in (RECONSTRUCT, DTYPE):
                raise _RefusedError("must call nothing but NumPy's array and dtype")
            self.stack.append(_Standin(callee, arguments))
        elif name == "BUILD":
            state, target = self.stack.pop(), self.stack[-1]
            if not isinstance(target, _Standin):
                raise _RefusedError("must give a state to nothing but an array and its dtype")
            target.state = state
        else:
            items = self.marked() if name.endswith("S") else self.popped(name)
            _fill(self.stack[-1], items, name)

    def popped(self, name: str) -> list[object]:
        count = 2 if name == "SETITEM" else 1
        return [self.stack.pop() for _ in range(count)][::-1]

    def marked(self) -> list[object]:
        items, self.stack = self.stack, self.below.pop()
        return items


def _admitted(dotted: str) -> _Global:
    module, _, name = dotted.partition(" ")
    found = _Global(module, name)
    if found not in ADMITTED:
        raise _RefusedError(
            f"must name nothing but NumPy's array and dtype, got {str(found)[:200]!r}"
        )
    return found


def _fill(target: object, items: list[object], name: str) -> None:
    if name.startswith("APPEND") and isinstance(target, list):
        target.extend(items)
    elif name.startswith("SETITEM") and isinstance(target, dict):
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str | bytes):
                raise _RefusedError(f"must have text as keys, got {type(key).__name__}")
            target[key] = value
    else:
        raise _RefusedError(f"must not use {name} on {type(target).__name__}")

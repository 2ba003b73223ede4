"""The pickle stack machine, as far as plain values and inert stand-ins for arrays need it.

Enters: the bytes of a pickle of protocol 2 to 5. Leaves: its value, with a `Standin` wherever the
pickle would have called something of NumPy's. Refuses to know the pickle module: names are
compared, never imported, and nothing is called. The one thing that is computed is text → latin-1
bytes, which is how Python 3 writes bytes in protocol 2.
"""

from __future__ import annotations

import io
import pickletools
from typing import NamedTuple

# A batch written again has about 30 000, and 300 000 where labels are NumPy's numbers and names
# are bytes in protocol 2; memory stays bounded by the file.
MOST_OPCODES = 500_000


class Global(NamedTuple):
    """A name that a pickle would have imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


RECONSTRUCT = Global("numpy.core.multiarray", "_reconstruct")
SCALAR = Global("numpy.core.multiarray", "scalar")
FROM_BUFFER = Global("numpy.core.numeric", "_frombuffer")
NDARRAY = Global("numpy", "ndarray")
DTYPE = Global("numpy", "dtype")
ENCODE = Global("_codecs", "encode")
BYTES = Global("builtins", "bytes")
ADMITTED = {RECONSTRUCT, SCALAR, FROM_BUFFER, NDARRAY, DTYPE, ENCODE, BYTES}
# What NumPy 2 and Python 2 call the same things.
_MODULES = {
    "numpy._core.multiarray": "numpy.core.multiarray",
    "numpy._core.numeric": "numpy.core.numeric",
    "__builtin__": "builtins",
}
_CALLED = (RECONSTRUCT, SCALAR, FROM_BUFFER, DTYPE)


class Standin:
    """What a REDUCE would have called, with which arguments, and the state of a BUILD."""

    __slots__ = ("arguments", "callee", "state")

    def __init__(self, callee: object, arguments: object) -> None:
        self.callee, self.arguments = callee, arguments
        self.state: object = None


class RefusedError(Exception):
    """A rule that the pickle broke."""


_VALUES = {"BININT", "BININT1", "BININT2", "LONG1", "BINSTRING", "SHORT_BINSTRING"}
_VALUES |= {"BINUNICODE", "SHORT_BINUNICODE", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"}
_VALUES |= {"BYTEARRAY8"}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_CONTAINERS = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_NOTHING = {"PROTO", "FRAME"}
_MEMO = {"BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET", "MEMOIZE"}
_OTHERS = {"STOP", "MARK", "TUPLE", "APPEND", "APPENDS", "SETITEM", "SETITEMS"}
_OTHERS |= {"GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD"}
_NAMES = _VALUES | _CONSTANTS.keys() | _CONTAINERS.keys() | _TUPLES.keys()
_NAMES |= _NOTHING | _MEMO | _OTHERS
_UNDERSTOOD = {
    opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes if opcode.name in _NAMES
}


class Machine:
    """A machine for one pickle."""

    def __init__(self) -> None:
        self._stack: list[object] = []
        self._below: list[list[object]] = []
        self._memo: dict[int, object] = {}
        self._room = 0

    def run(self, raw: bytes, most_opcodes: int = MOST_OPCODES) -> object:
        """Return the value of a pickle.

        Raises:
            RefusedError: It holds anything but what CIFAR-10 needs.
            ValueError, IndexError, KeyError: It is cut off or damaged.
        """
        stream = io.BytesIO(raw)
        self._room = len(
            raw
        )  # for encoded text: each is encoded once, in a pickle that Python wrote
        for _ in range(most_opcodes):
            code = stream.read(1)
            opcode = _UNDERSTOOD.get(code)
            if opcode is None:
                rule = "must be a whole pickle" if not code else "must use only CIFAR-10's opcodes"
                raise RefusedError(f"{rule}, got {code!r} at byte {stream.tell() - len(code)}")
            if opcode.name == "STOP":
                return self._stack.pop()
            self._step(opcode.name, opcode.arg.reader(stream) if opcode.arg else None)
        raise RefusedError(f"must have fewer than {most_opcodes} opcodes")

    def _step(self, name: str, argument: object) -> None:
        if name in _VALUES:
            self._stack.append(argument)
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name])
        elif name in _CONTAINERS:
            self._stack.append(_CONTAINERS[name]())
        elif name in _TUPLES:
            self._stack.append(tuple(self._popped(_TUPLES[name])))
        elif name == "MARK":
            self._below.append(self._stack)
            self._stack = []
        elif name == "TUPLE":
            items = self._marked()
            self._stack.append(tuple(items))
        elif name in _MEMO:
            self._remember(name, argument)
        elif name not in _NOTHING:
            self._build(name, argument)

    def _remember(self, name: str, index: object) -> None:
        if name == "MEMOIZE":
            self._memo[len(self._memo)] = self._stack[-1]
        elif name.endswith("PUT") and isinstance(index, int):
            self._memo[index] = self._stack[-1]
        elif isinstance(index, int):
            self._stack.append(self._memo[index])

    def _build(self, name: str, argument: object) -> None:
        if name == "GLOBAL":
            module, _, attribute = str(argument).partition(" ")
            self._stack.append(_admitted(module, attribute))
        elif name == "STACK_GLOBAL":
            module, attribute = self._popped(2)  # type: ignore[assignment]  # checked next
            if not isinstance(module, str) or not isinstance(attribute, str):
                raise RefusedError("must name things by text")
            self._stack.append(_admitted(module, attribute))
        elif name == "REDUCE":
            callee, arguments = self._popped(2)
            self._stack.append(self._reduced(callee, arguments))
        elif name == "BUILD":
            state, target = self._stack.pop(), self._stack[-1]
            if not isinstance(target, Standin):
                raise RefusedError("must give a state to nothing but an array and its dtype")
            target.state = state
        else:
            items = self._marked() if name.endswith("S") else self._popped(1 + (name == "SETITEM"))
            _fill(self._stack[-1], items, name)

    def _reduced(self, callee: object, arguments: object) -> object:
        if callee in _CALLED and isinstance(callee, Global):
            return Standin(callee, arguments)
        if callee == BYTES and isinstance(callee, Global) and arguments == ():
            return b""
        if callee == ENCODE and isinstance(callee, Global):
            return self._encoded(arguments)
        raise RefusedError("must call nothing but NumPy's array and dtype")

    def _encoded(self, arguments: object) -> bytes:
        """Text as latin-1, each character once: no pickle grows beyond its file."""
        if not isinstance(arguments, tuple) or len(arguments) != 2:
            raise RefusedError("must encode text as latin-1 only")
        text, codec = arguments
        if not isinstance(text, str) or codec not in ("latin1", "latin-1"):
            raise RefusedError("must encode text as latin-1 only")
        self._room -= len(text)
        if self._room < 0:
            raise RefusedError("must encode each text once")
        return text.encode("latin-1")

    def _popped(self, count: int) -> list[object]:
        return [self._stack.pop() for _ in range(count)][::-1]

    def _marked(self) -> list[object]:
        items, self._stack = self._stack, self._below.pop()
        return items


def _admitted(module: str, name: str) -> Global:
    found = Global(_MODULES.get(module, module), name)
    if found not in ADMITTED:
        raise RefusedError(
            "must name nothing but NumPy's array and dtype (of other data make an .npz file), "
            f"got {f'{module}.{name}'[:200]!r}"
        )
    return found


def _fill(target: object, items: list[object], name: str) -> None:
    if name.startswith("APPEND") and isinstance(target, list):
        target.extend(items)
    elif name.startswith("SETITEM") and isinstance(target, dict):
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str | bytes):
                raise RefusedError(f"must have text as keys, got {type(key).__name__}")
            target[key] = value
    else:
        raise RefusedError(f"must not use {name} on {type(target).__name__}")

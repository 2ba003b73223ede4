"""Reads a .wandb file: LevelDB's log format, records as W&B's own protocol describes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_MAGIC = b":W&B"
_BLOCK, _HEADER = 32768, 7
_FULL, _FIRST, _LAST = 1, 2, 4


def records(path: Path) -> Iterator[Any]:
    """Yield a file's records in their order."""
    from wandb.proto.wandb_internal_pb2 import Record

    for content in _contents(path.read_bytes()):
        record = Record()
        record.ParseFromString(content)
        yield record


def told(items: Any) -> dict[str, Any]:
    """Return the values of a record's items by their keys."""
    return {one.key or ".".join(one.nested_key): json.loads(one.value_json) for one in items}


def _contents(data: bytes) -> Iterator[bytes]:
    assert data[:4] == _MAGIC
    start, parts = _HEADER, b""
    while start + _HEADER <= len(data):
        if _BLOCK - start % _BLOCK < _HEADER:  # the rest of a block that holds no header
            start += _BLOCK - start % _BLOCK
            continue
        length, kind = int.from_bytes(data[start + 4 : start + 6], "little"), data[start + 6]
        if kind == 0:
            return
        start += _HEADER
        parts = (b"" if kind in (_FULL, _FIRST) else parts) + data[start : start + length]
        start += length
        if kind in (_FULL, _LAST):
            yield parts

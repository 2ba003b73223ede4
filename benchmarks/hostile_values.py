"""Values that nobody wants in a column, written past lamsearch into a database of either kind.

Enters: a storage's URL, a generator of random numbers. Leaves: one value written, where the
database takes it. Refuses to know what is then asked of lamsearch.
"""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

CANARY = "canary_7f3a"  # stands in all that could be run as code
CODE = f"__import__('os').system('touch OUT/{CANARY}')"
PARTS = [
    "[/]", "[bold]", "[link=http://evil]x[/link]", "\x1b[2J", "\x1b]0;x\x07", "\x9b31m", "\0",
    "\x7f", "\u202e", "\u2066", "\n", "\r", "../", "/", "~", f"$(touch OUT/{CANARY})",
    f"`touch OUT/{CANARY}`", CODE, f"{{{{ {CANARY} }}}}", f"{{% set {CANARY} = 1 %}}", "{{7*7}}",
    "=cmd|'/c calc'!A1", "@SUM(1)", "%s", "{0}", "{0.__class__}", "reference::http://127.0.0.1:9/x",
    "memory://x", "s3://evil/x", "file://OUT", "http://127.0.0.1:9/x",
    f"<script>{CANARY}</script>", "$\\frac{1}{", "$x$", "λ", "null", "[]", "{}", "[[1]]",
    '{"a": 1}', '"', "'", "; --", "NaN", "1e999", "-1", "0", "9223372036854775807", "OUT",
    "A" * 300, "\\", "\ud7ff\U0010ffff",
]  # fmt: skip
NUMBERS = [
    -1, 0, 1, 2, 7, 2**31, 2**53, 2**62, -(2**62), 10**18, 1.5, -0.0, 1e-320, 1e300, -1e300,
    float("inf"), float("-inf"), float("nan"), None, True,
]  # fmt: skip
_STORED = (type(None), bool, int, float, str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a storage; ``kind`` is json, text, blob or number."""

    table: str
    name: str
    kind: str

    def __str__(self) -> str:
        return f"{self.table}.{self.name}"


def columns(url: str) -> list[Column]:
    """Return all columns of a storage: our tables' and Optuna's."""
    engine = sa.create_engine(_driven(url), poolclass=sa.NullPool)
    looked = sa.inspect(engine)
    return [
        Column(table=table, name=column["name"], kind=_kind(column["name"], column["type"]))
        for table in sorted(looked.get_table_names())
        for column in looked.get_columns(table)
    ]


def draw_value(draw: random.Random, old: object, kind: str, outside: Path) -> object:
    """Return something that nobody wants in a column where ``old`` stands now."""
    if kind == "json" and draw.random() < 0.7:
        try:
            document = json.loads(old if isinstance(old, str) else json.dumps(old))
        except ValueError:
            document = None
        return json.dumps(_changed(draw, document, outside))
    if kind == "blob" and isinstance(old, bytes) and draw.random() < 0.7:
        return _damaged(draw, old)
    choice = draw.randrange(8)
    if choice == 0 or (kind == "number" and choice < 5):
        return draw.choice(NUMBERS)
    if choice == 1:
        return draw.randbytes(draw.randrange(12))
    if choice == 2 and isinstance(old, str) and old:
        place = draw.randrange(len(old) + 1)
        return old[:place] + _text(draw, outside) + old[place:]
    return _text(draw, outside)


def _text(draw: random.Random, outside: Path) -> str:
    return "".join(draw.choice(PARTS) for _ in range(draw.randrange(4))).replace(
        "OUT", str(outside)
    )


def _changed(draw: random.Random, document: Any, outside: Path) -> Any:
    """A JSON document with one leaf, key or branch that is not as it was."""
    if isinstance(document, dict) and document and draw.random() < 0.9:
        key = draw.choice(sorted(document))
        choice = draw.randrange(6)
        if choice == 0:
            return {name: value for name, value in document.items() if name != key}
        if choice == 1:
            return {**document, _text(draw, outside): draw.choice(NUMBERS)}
        return {**document, key: _changed(draw, document[key], outside)}
    if isinstance(document, list) and document and draw.random() < 0.9:
        index = draw.randrange(len(document))
        choice = draw.randrange(6)
        if choice == 0:
            return document[:index] + document[index + 1 :]
        if choice == 1:
            return document + document[index:]
        return [_changed(draw, one, outside) if i == index else one
                for i, one in enumerate(document)]  # fmt: skip
    return draw.choice([
        draw.choice(NUMBERS), _text(draw, outside), [], {}, [[1]], {"a": 1}, _deep(),
        10**400, [_text(draw, outside)] * 3,
    ])  # fmt: skip


def _deep() -> Any:
    found: Any = 1
    for _ in range(200):
        found = [found]
    return found


def _damaged(draw: random.Random, old: bytes) -> bytes:
    content = bytearray(old)
    choice = draw.randrange(3)
    if choice == 0 or not content:
        return bytes(content[: draw.randrange(len(content) + 1)])
    for _ in range(draw.choice([1, 1, 3, 30])):
        content[draw.randrange(len(content))] = draw.randrange(256)
    return bytes(content) if choice == 1 else bytes(content) + draw.randbytes(8)


def write(url: str, column: Column, draw: random.Random, outside: Path) -> tuple[object, bool]:
    """Write a hostile value into one row of a column or into all of them.

    Returns:
        The value, and whether the database's own types and rules let it in.
    """
    with _connected(url) as (connection, marker):
        rows = f"SELECT {_quoted(column.name)} FROM {_quoted(column.table)}"  # noqa: S608
        found = connection.execute(rows).fetchall()
        old = found[draw.randrange(len(found))][0] if found else None
        new = draw_value(draw, old, column.kind, outside)
        words = f"UPDATE {_quoted(column.table)} SET {_quoted(column.name)} = {marker}"  # noqa: S608
        if draw.random() < 0.5:
            row = {"?": "rowid", "%s": "ctid"}[marker]
            words += (
                f" WHERE {row} IN (SELECT {row} FROM {_quoted(column.table)} "  # noqa: S608
                f"ORDER BY {row} LIMIT 1 OFFSET {draw.randrange(max(1, len(found)))})"
            )
        try:
            connection.execute(words, (_fit(new, marker),))
            connection.commit()
        except Exception:  # each driver has errors of its own for what does not fit
            connection.rollback()
            return new, False
    return new, bool(found)


def _fit(new: object, marker: str) -> Any:
    """A value as the driver takes one; PostgreSQL finds its own type for text."""
    if marker == "?":
        return int(new) if isinstance(new, bool) else new
    return new if new is None or isinstance(new, bytes) else str(new)


@contextmanager
def _connected(url: str) -> Iterator[tuple[Any, str]]:
    """A driver's own connection, and how it marks a parameter."""
    if url.startswith("sqlite"):
        connection: Any = sqlite3.connect(url.removeprefix("sqlite:///"))
        marker = "?"
    else:
        import psycopg

        connection = psycopg.connect(url, cursor_factory=psycopg.ClientCursor)
        marker = "%s"
    try:
        yield connection, marker
    finally:
        connection.close()


def _driven(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def _quoted(name: str) -> str:
    return f'"{name}"'


def _kind(name: str, type_: Any) -> str:
    if isinstance(type_, sa.JSON) or name.endswith("_json"):
        return "json"
    if isinstance(type_, sa.LargeBinary) or "BLOB" in str(type_):
        return "blob"
    return "text" if isinstance(type_, (sa.String, sa.Enum)) else "number"

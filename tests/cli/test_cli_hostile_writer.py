"""Somebody writes anything into the tables: no verb runs it, follows it or dies of it."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, inspect

from lamsearch.visible import is_obeyed

PER_COLUMN = 1
PARTS = [
    "[/]", "[bold]", "[link=http://evil]x[/link]", "\x1b[2J", "\x1b]0;x\x07", "\x9b31m", "\0",
    "\x7f", "\u202e", "\u2066", "\n", "\r", "../", "/", "~", "$(touch OUT)", "`touch OUT`",
    "{{7*7}}", "=cmd|'/c calc'!A1", "@SUM(1)", "%s", "{0}", "reference::http://127.0.0.1:9/x",
    "memory://x", "s3://evil/x", "<script>", "λ", "null", "[]", "{}", "[[1]]", '{"a": 1}', '"', "'",
    "; --", "NaN", "1e999", "-1", "0", "9223372036854775807", "OUT", "A" * 300,
]  # fmt: skip
VERBS = [
    ("status",), ("status", "small"), ("status", "--json"), ("report", "small", "--output", "out"),
    ("report", "small", "--json"), ("worker", "small"), ("delete", "small", "--yes"),
]  # fmt: skip


def columns(database: Path) -> list[tuple[str, str]]:
    """All columns of our tables and of Optuna's attributes that may hold text."""
    engine = create_engine(f"sqlite:///{database}")
    found = [
        (table, column["name"])
        for table in inspect(engine).get_table_names()
        if table.startswith("lamsearch_") or table.endswith("attributes") or table == "studies"
        for column in inspect(engine).get_columns(table)
        if not column["name"].endswith("_id") or column["name"] == "study_id"
    ]
    engine.dispose()
    return [one for one in found if one[0] != "lamsearch_schema"]


def value(draw: random.Random, outside: Path) -> object:
    """Something that nobody wants in a column."""
    kind = draw.randrange(8)
    if kind == 0:
        return draw.choice([-1, 0, 2**62, 1.5, float("inf"), None])
    if kind == 1:
        return draw.randbytes(draw.randrange(12))
    text = "".join(draw.choice(PARTS) for _ in range(draw.randrange(4)))
    return text.replace("OUT", str(outside))


def write(database: Path, table: str, column: str, new: object) -> bool:
    """Write a value into all rows of a column; whether the table's own rules allow it."""
    connection = sqlite3.connect(database)
    try:
        with connection:
            connection.execute(f'UPDATE "{table}" SET "{column}" = ?', (new,))  # noqa: S608
    except sqlite3.IntegrityError:
        return False
    finally:
        connection.close()
    return True


def names(folder: Path) -> list[str]:
    """All that is below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("part", range(4))
def test_nothing_that_is_written_is_obeyed(
    part: int, done_desk: Any, desk: Any, tmp_path: Path
) -> None:
    """Whatever stands in a column, every verb ends with a known exit code and no traceback, prints
    nothing that a terminal obeys, and touches nothing outside its own folder."""
    outside = tmp_path / "outside"
    (outside / "checkpoints").mkdir(parents=True)
    draw = random.Random(part)  # noqa: S311 - to be the same again
    before = names(outside)
    all_columns = columns(done_desk.database_file)
    assert len(all_columns) > 45
    for table, column in all_columns[part::4]:
        for _ in range(PER_COLUMN):
            new = value(draw, outside)
            shutil.copy(done_desk.database_file, desk.database_file)
            if not write(desk.database_file, table, column, new):
                continue
            for verb in VERBS:
                result = desk(*verb, "--storage", desk.url)
                case = f"{table}.{column} = {new!r}: {' '.join(verb)}"
                died = result.exception
                assert died is None or isinstance(died, SystemExit), f"{case}: {died!r}"
                assert result.exit_code in (0, 1, 2), case
                said = (result.stdout + result.stderr).replace("\n", "")
                assert "Traceback" not in said, case
                assert not any(map(is_obeyed, said)), f"{case}: {said!r}"
            shutil.rmtree(desk.folder / "out", ignore_errors=True)
            assert names(outside) == before, f"{table}.{column} = {new!r}"
            left = {path.name for path in desk.folder.iterdir()}
            assert {one for one in left if not one.startswith("lamsearch")} == set(), left

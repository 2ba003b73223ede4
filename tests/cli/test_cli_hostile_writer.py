"""Somebody writes anything into the tables: no verb runs it, follows it or dies of it."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from benchmarks.hostile_values import CANARY, columns, write
from benchmarks.witness import Witness
from lamsearch.visible import is_obeyed

# The long run, with every verb, PostgreSQL and the dashboard: python -m benchmarks.hostile
PER_COLUMN = 1
VERBS = [
    ("status",), ("status", "small"), ("status", "--json"), ("report", "small", "--json"),
    ("worker", "small"), ("delete", "small", "--yes"),
]  # fmt: skip
DRAWN = ("report", "small", "--output", "out")  # takes seconds: for one column in 25
ALL = [DRAWN, *VERBS]
# Each column is read by half of the others, in turn.


@pytest.fixture(scope="module")
def witness(tmp_path_factory: pytest.TempPathFactory) -> Witness:
    """What this process opens, writes and runs outside the directories of its tests."""
    return Witness([tmp_path_factory.getbasetemp()], canary=CANARY)


def names(directory: Path) -> list[str]:
    """All that is below a directory."""
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*"))


@pytest.mark.parametrize("part", range(4))
def test_nothing_that_is_written_is_obeyed(
    part: int, done_desk: Any, desk: Any, tmp_path: Path, witness: Witness
) -> None:
    """Whatever stands in a column, a verb ends with a known exit code and no traceback, prints
    nothing that a terminal obeys, runs nothing, and touches nothing outside its own directory."""
    outside = tmp_path / "outside"
    (outside / "checkpoints").mkdir(parents=True)
    draw = random.Random(part)  # noqa: S311 - to be the same again
    before = names(outside)
    all_columns = columns(done_desk.url)
    assert len(all_columns) > 90
    if not witness.learnt:
        shutil.copy(done_desk.database_file, desk.database_file)
        with witness.watch(learn=True):
            assert [desk(*verb, "--storage", desk.url).exit_code for verb in ALL] == [0] * len(ALL)
        witness.learnt = True
    for number, column in enumerate(all_columns[part::4]):
        for _ in range(PER_COLUMN):
            shutil.rmtree(desk.directory / "out", ignore_errors=True)
            shutil.copy(done_desk.database_file, desk.database_file)
            new, let_in = write(desk.url, column, draw, outside)
            verbs = [*([DRAWN] if number == part else []), *VERBS[(number + part) % 2 :: 2]]
            for verb in verbs if let_in else []:
                case = f"{column} = {new!r}: {' '.join(verb)}"
                with witness.watch() as seen:
                    result = desk(*verb, "--storage", desk.url)
                assert seen == [], case
                died = result.exception
                assert died is None or isinstance(died, SystemExit), f"{case}: {died!r}"
                assert result.exit_code in (0, 1, 2), case
                said = (result.stdout + result.stderr).replace("\n", "")
                assert "Traceback" not in said, case
                assert not any(map(is_obeyed, said)), f"{case}: {said!r}"
            assert names(outside) == before, f"{column} = {new!r}"
            left = {path.name for path in desk.directory.iterdir()} - {"out"}
            assert {one for one in left if not one.startswith("lamsearch")} == set(), left


@pytest.mark.parametrize("origin", ["\0/tmp", "A" * 300, "/" + "A" * 5000])
def test_an_origin_that_is_no_path_is_no_traceback(done_desk: Any, desk: Any, origin: str) -> None:
    """A study file's directory that can be none ends in a sentence, or plays no part."""
    shutil.copy(done_desk.database_file, desk.database_file)
    with closing(sqlite3.connect(desk.database_file)) as connection, connection:
        connection.execute("UPDATE lamsearch_study SET origin = ?", (origin,))
    connection.close()
    for verb in VERBS:
        result = desk(*verb, "--storage", desk.url)
        assert result.exception is None or isinstance(result.exception, SystemExit), verb


@pytest.mark.parametrize("version", [0, -(2**62), "x", 1.5])
@pytest.mark.parametrize("verb", [("storage", "upgrade"), ("storage", "check"), ("status",)])
def test_a_schema_version_that_never_was_is_refused(
    done_desk: Any, desk: Any, refused: Any, version: object, verb: tuple[str, ...]
) -> None:
    """Tables of a version that no lamsearch wrote are refused in a sentence, and stay so."""
    shutil.copy(done_desk.database_file, desk.database_file)
    with closing(sqlite3.connect(desk.database_file)) as connection, connection:
        connection.execute("DROP TABLE lamsearch_schema")
        connection.execute("CREATE TABLE lamsearch_schema (version)")
        connection.execute("INSERT INTO lamsearch_schema VALUES (?)", (version,))
    connection.close()
    before = desk.database_file.read_bytes()
    (line,) = refused(desk(*verb, "--storage", desk.url))
    assert "schema version must be a whole number from 1 on" in line
    assert desk.database_file.read_bytes() == before


def test_a_schema_that_is_no_text_is_refused(done_desk: Any, desk: Any, refused: Any) -> None:
    """An SQLite file whose schema has a flipped bit in its text is refused in a sentence."""
    content = done_desk.database_file.read_bytes()
    place = content.index(b"CREATE TABLE lamsearch_study") + len("CREATE TABLE lamsea")
    desk.database_file.write_bytes(content[:place] + b"\xf4" + content[place + 1 :])
    (line,) = refused(desk("status", "--storage", desk.url))
    assert "storage:" in line

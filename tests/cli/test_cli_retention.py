"""Deleting old studies: what is listed, what is asked, what is never touched."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from lamsearch import storage as store
from lamsearch.storage import Database, Leases

DAY = 86_400.0


def aged(desk: Any, days: float, *names: str) -> None:
    """Make studies older by days, and whatever was seen of them."""
    connection = sqlite3.connect(desk.database_file)
    for name in names:
        connection.execute(
            "UPDATE lamsearch_study SET created = created - ?, finished = finished - ? "
            "WHERE name = ?", (days * DAY, days * DAY, name),
        )  # fmt: skip
        connection.execute(
            "UPDATE lamsearch_cohort SET renewed = renewed - ? WHERE study = ?", (days * DAY, name)
        )
    connection.commit()
    connection.close()


def names(desk: Any) -> set[str]:
    """The names of the studies that are there."""
    return {one["name"] for one in json.loads(desk.well("status", "--json").stdout)}


@pytest.fixture
def old(desk: Any, done_desk: Any) -> Any:
    """Studies of every state that are a hundred days old."""
    for path in done_desk.directory.iterdir():
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, desk.directory / path.name)
    for name in ("cancelled", "failed", "paused", "queued", "running"):
        desk.well("submit", desk.write(name))
    for verb, name in (("cancel", "cancelled"), ("pause", "paused")):
        desk.well(verb, name)
    connection = sqlite3.connect(desk.database_file)
    connection.execute("UPDATE lamsearch_study SET failure = 'why' WHERE name = 'failed'")
    connection.commit()
    connection.close()
    aged(desk, 100, "small", "cancelled", "failed", "paused", "queued", "running")
    database = Database(desk.url)
    Leases(database, "running", owner="somebody", seconds=600.0).claim()
    database.close()
    return desk


def test_what_is_over_and_old_is_listed_and_deleted(old: Any) -> None:
    """Studies of the given states that are older go with their files; all others stay."""
    files = old.directory / "lamsearch-files"
    before = len(list(files.iterdir()))
    result = old.well("delete", "--older-than", "90d", "--state", "cancelled", "--state", "failed",
                      "--yes")  # fmt: skip
    assert result.stdout == ""
    assert sorted(result.stderr.splitlines()) == [
        "cancelled: cancelled, 100 days since it was submitted",
        "deleted 2 studies",
        "deleted cancelled",
        "deleted failed",
        "failed: failed, 100 days since it was submitted",
    ]
    assert names(old) == {"small", "paused", "queued", "running"}
    assert len(list(files.iterdir())) == before - 2
    result = old.well("delete", "--older-than", "90d", "--state", "done", "--yes")
    assert "small: done, 100 days since it was done" in result.stderr
    assert names(old) == {"paused", "queued", "running"}


def test_nothing_is_deleted_unless_it_is_confirmed(old: Any) -> None:
    """It asks once for all, and no is exit code 2 with everything there."""
    command = ("delete", "--older-than", "1d", "--state", "done", "--state", "cancelled")
    result = old(*command, "--storage", old.url, input="n\n")
    assert result.exit_code == 2
    assert "Delete these 2 studies with all their results? [y/N]" in result.stderr
    assert result.stderr.endswith("Error: study: none was deleted: not confirmed\n")
    assert len(names(old)) == 6
    old.well(*command, input="y\n")
    assert len(names(old)) == 4


def test_a_study_on_which_a_worker_was_seen_is_no_older_than_that(old: Any) -> None:
    """One that was submitted long ago and cancelled now is not deleted with the old ones."""
    old.well("cancel", "running")
    old.well("delete", "--older-than", "90d", "--state", "cancelled", "--yes")
    assert "running" in names(old)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "delete takes a NAME, or --older-than with --state"),
        (("small", "--older-than", "90d", "--state", "done"), "delete takes a NAME, or"),
        (("--older-than", "90d"), "--older-than and --state go together"),
        (("small", "--state", "done"), "--older-than and --state go together"),
        (("--older-than", "90", "--state", "done"), "must be a time such as '2h'"),
        (("--older-than", "90d", "--state", "running"), "'running' is not one of"),
        (("--older-than", "90d", "--state", "paused"), "'paused' is not one of"),
    ],
)
def test_what_makes_no_sense_deletes_nothing(old: Any, arguments: Any, said: str) -> None:
    """It is bad usage, exit code 2, and every study is there."""
    result = old("delete", *arguments, "--yes", "--storage", old.url)
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(names(old)) == 6


def test_one_whose_files_cannot_be_removed_is_left_and_said(old: Any) -> None:
    """The others go; what is left is as it was, and the exit code is 1."""
    database = Database(old.url)
    study_id = store.load(database, "cancelled").id
    database.close()
    directory = Path(old.directory / "lamsearch-files" / study_id)
    (directory / ".lamsearch-study").unlink()
    (directory / "letter.txt").write_text("not lamsearch's", encoding="utf-8")
    result = old("delete", "--older-than", "90d", "--state", "cancelled", "--state", "failed",
                 "--yes", "--storage", old.url)  # fmt: skip
    assert result.exit_code == 1
    assert "left cancelled: files: " in result.stderr
    assert result.stderr.endswith("Error: 1 of 2 studies could not be deleted\n")
    assert names(old) == {"small", "cancelled", "paused", "queued", "running"}
    assert (directory / "letter.txt").exists()


def test_another_study_that_took_the_name_is_not_deleted(old: Any) -> None:
    """What was meant is a study by its id: one that was submitted since under its name stays."""
    database = Database(old.url)
    meant = store.load(database, "cancelled").id
    store.delete(database, "cancelled")
    old.well("submit", old.directory / "cancelled.toml")
    store.delete(database, "cancelled", meant)
    database.close()
    assert "cancelled" in names(old)


def test_a_damaged_row_is_never_old(old: Any) -> None:
    """A study whose row lamsearch did not write is not deleted by its age."""
    connection = sqlite3.connect(old.database_file)
    connection.execute("UPDATE lamsearch_study SET halted = 'elsewhere' WHERE name = 'cancelled'")
    connection.execute("UPDATE lamsearch_study SET created = 'long ago' WHERE name = 'failed'")
    connection.commit()
    connection.close()
    result = old.well("delete", "--older-than", "1m", "--state", "cancelled", "--state", "failed",
                      "--yes")  # fmt: skip
    assert result.stderr == "deleted 0 studies\n"

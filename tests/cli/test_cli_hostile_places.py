"""A database in which somebody wrote other places than those of the study's files."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

Refused = Callable[..., list[str]]
VERBS = [("worker", "small"), ("delete", "small", "--yes")]


def record(desk: Any, column: str, value: object) -> None:
    """Write a value into the study's row."""
    with closing(sqlite3.connect(desk.database_file)) as connection, connection:
        connection.execute(f"UPDATE lamsearch_study SET {column} = ?", (value,))  # noqa: S608
    connection.close()


def study_id(desk: Any) -> str:
    """Return the study's id."""
    with closing(sqlite3.connect(desk.database_file)) as connection, connection:
        (found,) = connection.execute("SELECT id FROM lamsearch_study").fetchone()
    connection.close()
    return str(found)


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A directory that is nobody's business."""
    directory = tmp_path / "victim"
    (directory / "checkpoints/coarse-0").mkdir(parents=True)
    (directory / "models").mkdir()
    (directory / "checkpoints/coarse-0/000000000030.npz").write_bytes(b"mine")
    return directory


def names(directory: Path) -> list[str]:
    """All that is below a directory."""
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*"))


@pytest.mark.parametrize("arguments", VERBS)
@pytest.mark.parametrize("given", [False, True])
def test_recorded_places_elsewhere_are_refused(
    arguments: tuple[str, ...], given: bool, desk: Any, victim: Path, refused: Refused
) -> None:
    """A place that nobody gave is neither written nor emptied; the sentence tells of --files."""
    desk.well("create", desk.write(), "--files", "mine")
    before = names(victim)
    record(desk, "files", str(victim.parent))
    record(desk, "origin", str(victim))
    own = ("--files", "elsewhere") if given else ()
    (line,) = refused(desk(*arguments, "--storage", desk.url, *own))
    assert line.startswith(f"files: 'small' was created with {str(victim.parent)!r}, ")
    assert line.endswith(
        f"got {str(desk.directory / 'elsewhere')!r}" if given
        else "which is not used unless it is given: pass --files or set LAMSEARCH_FILES"
    )  # fmt: skip
    assert names(victim) == before
    assert not (victim.parent / study_id(desk)).exists()


@pytest.mark.parametrize(
    "hostile", ["", ".", "..", "../victim", "/", "A" * 32, "0" * 31, 7, b"\xff" * 32]
)
def test_ids_that_are_none_are_refused(
    hostile: object, desk: Any, victim: Path, refused: Refused
) -> None:
    """An id of another form than those that lamsearch draws is refused in one sentence; its study
    can be deleted all the same, and no file is touched."""
    desk.well("create", desk.write(), "--files", victim.parent)
    record(desk, "id", hostile)
    before = names(victim)
    for arguments in (("worker", "small"), ("report", "small"), ("run", "small.toml")):
        own = ("--files", victim.parent)
        (line,) = refused(desk(*arguments, "--storage", desk.url, *own))
        rule = "storage: the id of study 'small' must be 32 hexadecimal digits, got "
        assert line.startswith(rule)
        assert names(victim) == before
    said = desk.well("delete", "small", "--yes", "--files", victim.parent).stderr
    assert said.startswith(f"deleted small; its files are left where they are: {rule}")
    assert names(victim) == before
    assert desk.well("status").stderr == "no studies\n"
    desk.well("create", "small.toml", "--files", victim.parent)


def test_a_row_that_is_damaged_can_be_deleted(desk: Any, victim: Path) -> None:
    """A study whose row cannot be read is deleted with its trials, its files are left and that is
    said; what is not confirmed is not deleted, and one that is not there is no damage."""
    desk.well("create", desk.write(), "--files", victim.parent)
    before = names(victim)
    record(desk, "document", '{"name": 1}')
    assert desk("delete", "small", "--storage", desk.url, input="n\n").exit_code == 2
    said = desk.well("delete", "small", "--yes").stderr
    assert said.startswith("deleted small; its files are left where they are: ")
    assert names(victim) == before
    assert desk.well("status").stderr == "no studies\n"
    gone = desk("delete", "small", "--yes", "--storage", desk.url)
    assert (gone.exit_code, gone.stderr[:30]) == (2, "Error: study: no study 'small'")


@pytest.mark.parametrize("url", ["reference::http://127.0.0.1:9/x", "s3://evil/x", "http://evil"])
def test_recorded_urls_are_not_asked(
    url: str, desk: Any, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A URL from the database is refused by worker and delete before any library is asked."""
    desk.well("create", desk.write())
    record(desk, "files", url)
    monkeypatch.setattr("fsspec.core.url_to_fs", None)
    for arguments in VERBS:
        (line,) = refused(desk(*arguments, "--storage", desk.url))
        assert line.startswith(f"files: 'small' was created with {url!r}, which is not used unless")


def test_a_report_leaves_out_models_that_are_elsewhere(
    desk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where models are recorded in a place that was not given, the report is made without them and
    says so; with the place given, by option or environment, it has them."""
    path, place = desk.write(), tmp_path / "far"
    desk.well("create", path, "--files", place)
    desk.well("worker", "small", "--files", place)
    output = desk.directory / "report"
    said = desk.well("report", "small", "--output", output).stderr
    assert "report: the models are left out: files: 'small' was created with " in said
    assert not (output / "models").exists()
    desk.well("report", "small", "--output", output, "--files", place)
    assert len(list((output / "models").iterdir())) == 2
    monkeypatch.setenv("LAMSEARCH_FILES", str(tmp_path))
    assert "left out" not in desk.well("report", "small", "--output", output).stderr
    assert len(list((output / "models").iterdir())) == 2
    desk.well("delete", "small", "--yes")
    assert list(place.iterdir()) == []


def test_a_place_below_the_given_one_is_used(desk: Any, tmp_path: Path) -> None:
    """A worker that is given a directory finds the files of a study recorded below it there."""
    desk.well("create", desk.write(), "--files", tmp_path / "root/group")
    desk.well("worker", "small", "--files", tmp_path / "root")
    assert len(list((tmp_path / "root/group").glob("*/models/*"))) == 2
    assert [path.name for path in (tmp_path / "root").iterdir()] == ["group"]


def test_delete_leaves_what_is_not_the_study_s(desk: Any) -> None:
    """Delete keeps a study whose directory was not made by lamsearch, and says what is in it."""
    desk.well("create", desk.write())
    (directory,) = (desk.directory / "lamsearch-files").iterdir()
    (directory / ".lamsearch-study").rename(directory / "thesis.txt")
    result = desk("delete", "small", "--yes", "--storage", desk.url)
    assert result.exit_code == 1
    assert "it holds 'thesis.txt', which lamsearch did not write" in result.stderr
    assert (directory / "thesis.txt").exists()
    desk.well("status", "small")


def test_memory_is_no_place_for_files(desk: Any, refused: Refused) -> None:
    """Create refuses --files memory:// in one sentence, and plans nothing."""
    (line,) = refused(desk("create", desk.write(), "--files", "memory://x", "--storage", desk.url))
    assert line.startswith("files: must outlive the process, which memory:// does not, got")
    assert not desk.database_file.exists()

"""Files and studies compared: `storage check` says which have no other half."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import fsspec
import pytest

from lamsearch import storage as store
from lamsearch.artifacts import Files
from lamsearch.storage import Database

STRAY = "0123456789abcdef" * 2


def checked(desk: Any, *arguments: object) -> list[str]:
    """What is said beside the versions."""
    lines: list[str] = desk.well("storage", "check", *arguments).stdout.splitlines()
    assert lines[0].startswith(f"{desk.url}: schema version ")
    return lines[1:]


def id_of(desk: Any) -> str:
    """The id of the study "small"."""
    database = Database(desk.url)
    found = store.load(database, "small").id
    database.close()
    return found


@pytest.fixture(params=["directory", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place for files that the caller names."""
    if request.param == "s3":
        return f"{request.getfixturevalue('s3')}/prefix"
    return str(tmp_path / "elsewhere")


def test_studies_and_their_files_are_no_finding(desk: Any, place: str) -> None:
    """Where every study has files and no files are left over nothing more is said."""
    desk.well("submit", desk.write())
    desk.well("submit", desk.write("other"), "--files", place)
    assert checked(desk, "--files", place) == []


def test_files_of_no_study_are_said_once_and_left(desk: Any, place: str) -> None:
    """A directory that lamsearch marked, of a study that is gone, is one line, and stays."""
    desk.well("submit", desk.write(), "--files", place)
    Files(place, STRAY).mark()
    Files(place, STRAY).save_artifact("note", b"of somebody")
    for _ in range(2):
        assert checked(desk, "--files", place) == [
            f"files: {place}/{STRAY} is of no study in this storage; it may be of another"
        ]
    assert Files(place, STRAY).read_artifact("note") == b"of somebody"


def test_what_lamsearch_did_not_mark_is_not_looked_at(desk: Any, place: str) -> None:
    """Directories of other names, without the mark, or marked for another study are no finding."""
    desk.well("submit", desk.write(), "--files", place)
    unmarked, renamed = "f" * 32, "e" * 32
    fs, root = fsspec.core.url_to_fs(place)
    for path, content in (
        (f"{unmarked}/data.csv", b"1"),
        (f"{renamed}/.lamsearch-study", STRAY.encode()),
        ("photos/.lamsearch-study", b"photos\n"),
    ):
        fs.makedirs(f"{root}/{path}".rpartition("/")[0], exist_ok=True)
        fs.pipe_file(f"{root}/{path}", content)
    assert checked(desk, "--files", place) == []


def test_a_study_without_files_is_said(desk: Any, place: str) -> None:
    """A study whose directory is gone is one line."""
    desk.well("submit", desk.write(), "--files", place)
    Files(place, id_of(desk)).remove_all()
    assert checked(desk, "--files", place) == [f"study small: it has no files in {place}"]


def test_files_beside_the_database_need_not_be_named(desk: Any) -> None:
    """Without a place given those beside the database are compared."""
    desk.well("submit", desk.write())
    beside = desk.directory / "lamsearch-files"
    Files(str(beside), STRAY).mark()
    shutil.rmtree(beside / id_of(desk))
    assert checked(desk) == [
        f"study small: it has no files in {beside}",
        f"files: {beside}/{STRAY} is of no study in this storage; it may be of another",
    ]


def test_a_place_that_only_the_database_names_is_not_opened(desk: Any, tmp_path: Path) -> None:
    """Files recorded elsewhere are not looked for unless whoever asks names the place."""
    elsewhere = tmp_path / "elsewhere"
    desk.well("submit", desk.write(), "--files", elsewhere)
    assert checked(desk) == [
        f"study small: its files are in {elsewhere}, which is not looked at unless it is "
        "given (--files)"
    ]


def test_a_link_is_not_followed(desk: Any, tmp_path: Path) -> None:
    """A link in a study's place leads nowhere, whatever lies behind it."""
    desk.well("submit", desk.write())
    outside = tmp_path / "outside"
    Files(str(outside), STRAY).mark()
    (desk.directory / "lamsearch-files" / STRAY).symlink_to(outside / STRAY)
    assert checked(desk) == []

"""A study whose SQLite file was moved or copied, with its files or without them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

MODELS = ["final-0.safetensors", "final-1.safetensors"]
OWN = """
name = "own"
seed = 1
[data]
source = "data/own.npz"
train = 50
validation = 20
[training]
batch_size = 10
step_size = 5
[coarse]
trials = 2
log10_lambda = [-4.0, -2.0]
[final]
replicates = 2
"""


def url(directory: Path) -> str:
    """Return the storage in a directory."""
    return f"sqlite:///{directory / 'lamsearch.db'}"


def models(directory: Path) -> list[str]:
    """Return the names of the models in the default place beside a storage."""
    return sorted(path.name for path in directory.glob("lamsearch-files/*/models/*"))


def reported(desk: Any, directory: Path, *arguments: object) -> list[str]:
    """Report on the study in a directory; return the names of the report's models."""
    output = desk.directory / "report"
    result = desk("report", "small", "--storage", url(directory), "--output", output, *arguments)
    assert result.exit_code == 0, result.stderr
    found = sorted(path.name for path in output.glob("models/*"))
    shutil.rmtree(output)
    return found


@pytest.fixture
def copied(done_desk: Any, tmp_path: Path) -> Path:
    """A directory that is a copy of the finished study's: database and files."""
    directory = tmp_path / "copied"
    shutil.copytree(done_desk.directory, directory)
    return directory


def test_a_moved_study_keeps_its_models(desk: Any, tmp_path: Path) -> None:
    """A directory moved whole after the study was done is reported with its models, and nothing
    appears where it was."""
    desk.do(desk.write())
    moved = tmp_path / "moved"
    shutil.move(desk.directory, moved)
    desk.directory = tmp_path / "elsewhere"
    assert reported(desk, moved) == MODELS
    assert not (tmp_path / "desk").exists()


def test_a_study_moved_before_its_end_goes_on_where_it_is(
    desk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planned study, its data beside it, is worked on in the directory it was moved to: its files
    appear there, its data are found there, and nothing appears where it was."""
    rng = np.random.default_rng(0)
    (desk.directory / "data").mkdir()
    np.savez(desk.directory / "data" / "own.npz", X=rng.normal(size=(90, 4)), y=np.arange(90) % 3)
    desk.well("create", desk.write("own", OWN))
    moved = tmp_path / "moved"
    monkeypatch.chdir(tmp_path)
    shutil.move(desk.directory, moved)
    result = desk("worker", "own", "--storage", url(moved))
    assert result.exit_code == 0, result.stderr
    assert models(moved) == MODELS
    assert not (tmp_path / "desk").exists()


def test_a_copy_is_deleted_alone(done_desk: Any, desk: Any, copied: Path) -> None:
    """Deleting a study in a copy of its directory removes the copy's files, not the original's."""
    before = done_desk.listing()
    result = desk("delete", "small", "--yes", "--storage", url(copied))
    assert result.exit_code == 0, result.stderr
    assert models(copied) == []
    assert done_desk.listing() == before
    assert models(done_desk.directory) == MODELS


def test_a_copy_of_the_database_alone_has_no_files_unless_they_are_given(
    done_desk: Any, desk: Any, copied: Path
) -> None:
    """A copied database without files reads those of the original only where they are given;
    deleting its study leaves them, and says so."""
    shutil.rmtree(copied / "lamsearch-files")
    assert reported(desk, copied) == []
    assert reported(desk, copied, "--files", done_desk.directory / "lamsearch-files") == MODELS
    result = desk("delete", "small", "--yes", "--storage", url(copied))
    assert result.exit_code == 0
    kept = done_desk.directory / "lamsearch-files"
    assert f"those in {kept} are left to the database that was beside them" in result.stderr
    assert models(done_desk.directory) == MODELS


def test_a_copy_that_goes_on_leaves_the_original_s_files_alone(desk: Any, tmp_path: Path) -> None:
    """Work on a copy of a database alone makes files beside the copy and none at the original's."""
    desk.well("create", desk.write())
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(desk.database_file, copy)
    before = desk.listing()
    result = desk("worker", "small", "--storage", url(copy))
    assert result.exit_code == 0, result.stderr
    assert models(copy) == MODELS
    assert desk.listing() == before


def test_files_that_were_moved_are_found_where_they_are_said_to_be(
    desk: Any, tmp_path: Path, refused: Callable[..., list[str]]
) -> None:
    """Files moved by themselves are found by --files, by a report and by a run; a place where they
    are not is refused with both places."""
    path = desk.write()
    desk.well("create", path, "--files", desk.directory / "chosen")
    desk.well("worker", "small")
    shutil.move(desk.directory / "chosen", tmp_path / "there")
    assert reported(desk, desk.directory, "--files", tmp_path / "there") == MODELS
    (line,) = refused(
        desk("report", "small", "--storage", desk.url, "--files", tmp_path / "nowhere")
    )
    assert line.startswith("files: 'small' was created with ")
    output = desk.directory / "report"
    desk.well("run", path, "--files", tmp_path / "there", "--output", output)
    assert len(list(output.glob("models/*"))) == 2
    assert json.loads((output / "results.json").read_text(encoding="utf-8"))["final"]
    assert not (desk.directory / "chosen").exists()

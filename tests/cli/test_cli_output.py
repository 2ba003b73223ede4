"""--output at the command line: what a report may be written to, and when that is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Refused = Callable[..., list[str]]


@pytest.mark.parametrize("verb", ["run", "lr-range"])
def test_a_directory_of_a_persons_own_is_refused_before_any_work(
    desk: Any, refused: Refused, verb: str
) -> None:
    """`--output .` beside somebody's files is one sentence, exit code 2, and nothing is planned."""
    path = desk.write()
    (desk.directory / "index.html").write_text("my thesis")
    (line,) = refused(desk(verb, path, "--output", "."))
    assert line.startswith("output: must be empty or hold nothing but a report, got ., where ")
    assert line.endswith(" was not written by lamsearch")
    assert desk.listing() == ["index.html", "small.toml"]
    assert (desk.directory / "index.html").read_text() == "my thesis"


@pytest.mark.parametrize("verb", ["run", "lr-range"])
def test_an_output_that_is_a_file_is_refused_before_any_work(
    desk: Any, refused: Refused, verb: str
) -> None:
    """An output that is a file, given or the default, is refused before anything is planned."""
    path = desk.write()
    (line,) = refused(desk(verb, path, "--output", path))
    assert line == f"output: must be a directory, got {path}: {path} is none"
    (desk.directory / "lamsearch-report").write_text("mine")
    (line,) = refused(desk(verb, path))
    assert line.endswith(": lamsearch-report is none")
    assert desk.listing() == ["lamsearch-report", "small.toml"]


def test_report_refuses_what_run_refuses(done_desk: Any, refused: Refused, tmp_path: Path) -> None:
    """`report` into a directory of a person's own changes nothing there."""
    (tmp_path / "results.json").write_text("{}")
    result = done_desk("report", "small", "--output", tmp_path, "--storage", done_desk.url)
    (line,) = refused(result)
    assert line.endswith("results.json was not written by lamsearch")
    assert (tmp_path / "results.json").read_text() == "{}"


def test_models_of_a_deleted_study_do_not_stay(desk: Any) -> None:
    """A study that was deleted and run again with fewer replicates leaves no older models."""
    path = desk.write()
    desk.do(path)
    desk.well("report", "small")
    desk.well("delete", "small", "--yes")
    text = path.read_text(encoding="utf-8")
    last = text.rindex("replicates = 2")
    path.write_text(f"{text[:last]}replicates = 1\n", encoding="utf-8")
    desk.do(path)
    desk.well("report", "small")
    models = desk.directory / "lamsearch-report/small/models"
    assert [one.name for one in models.iterdir()] == ["final-0.safetensors"]

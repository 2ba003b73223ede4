"""Which examples a worker opens: those that it was given, or that lie beside the database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lamsearch.study import parse_study

Refused = Callable[..., list[str]]
OWN = """
name = "own"
seed = 1
[data]
source = "{source}"
train = 50
validation = 20
[training]
batch_size = 10
step_size = 5
[coarse]
trials = 2
log10_lambda = [-4.0, -2.0]
"""


def arrays(path: Path) -> Path:
    """Write examples; return their file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    x = np.random.default_rng(1).normal(size=(120, 6)).astype(np.float32)
    np.savez(path, X=x, y=np.arange(120) % 3)
    return path


def own_study(directory: Path, source: str) -> Path:
    """Write a study file of one's own arrays."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "own.toml"
    path.write_text(OWN.replace("{source}", source), encoding="utf-8")
    return path


def record(desk: Any, expression: str, *values: object) -> None:
    """Change the study's row."""
    with sqlite3.connect(desk.database_file) as connection:
        connection.execute(f"UPDATE lamsearch_study SET {expression}", values)  # noqa: S608
    connection.close()


def fingerprint(desk: Any) -> str:
    """Return the fingerprint of the study's row as it is, as somebody who knows of it writes it."""
    with sqlite3.connect(desk.database_file) as connection:
        (document,) = connection.execute("SELECT document FROM lamsearch_study").fetchone()
    connection.close()
    return parse_study(json.loads(document)).fingerprint


@pytest.fixture
def far(tmp_path: Path) -> Path:
    """A directory that is not beside the database, with examples and a study file."""
    directory = tmp_path / "far"
    arrays(directory / "own.npz")
    return own_study(directory, "own.npz")


def test_a_recorded_place_that_was_not_given_is_not_read(
    desk: Any, far: Path, refused: Refused, tmp_path: Path
) -> None:
    """A worker opens no file of the recorded directory where it was given another one or none, and
    says which option gives it; given that, it works."""
    desk.well("create", far)
    rule = "which is not read unless its directory is given: pass --data-dir or set LAMSEARCH_DATA"
    for rest in ((), ("--data-dir", tmp_path / "else")):
        (line,) = refused(desk("worker", "own", "--storage", desk.url, *rest))
        assert line == f"data: 'own' was created with {str(far.parent / 'own.npz')!r}, {rule}"
    assert desk.well("worker", "own", "--data-dir", far.parent).exit_code == 0


@pytest.mark.parametrize("source", ["/absolute", "../far/own.npz", "../../far/own.npz"])
def test_a_path_out_of_the_given_directory_is_not_read(
    source: str, desk: Any, far: Path, refused: Refused
) -> None:
    """A name of a file that leads out of what a worker was given, absolute or by steps upwards, is
    refused, whoever wrote it into the database."""
    path = source.replace("/absolute", str(far.parent / "own.npz"))
    arrays(desk.directory / "data/own.npz")
    desk.well("create", own_study(desk.directory, "data/own.npz"))
    record(desk, "document = json_set(document, '$.data.source', ?)", path)
    record(desk, "fingerprint = ?", fingerprint(desk))
    rest = ("--data-dir", desk.directory / "data")
    (line,) = refused(desk("worker", "own", "--storage", desk.url, *rest))
    assert line.startswith("data: 'own' was created with ") or "there is none at" in line


def test_what_lies_beside_the_database_is_read(desk: Any) -> None:
    """A worker finds examples that lie in a directory beside its SQLite file without being given
    them, as far as the recorded directory leads."""
    arrays(desk.directory / "studies/own.npz")
    desk.well("create", own_study(desk.directory / "studies", "own.npz"))
    assert desk.well("worker", "own").exit_code == 0


@pytest.mark.parametrize("absolute", [False, True])
def test_a_run_gives_its_workers_what_its_study_file_names(
    absolute: bool, desk: Any, far: Path
) -> None:
    """The workers of a run read the examples that the user's own study file names, wherever they
    are."""
    if absolute:
        far = own_study(far.parent / "below", str(far.parent / "own.npz"))
    assert (
        desk.well("run", far, "--workers", "1", "--output", desk.directory / "out").exit_code == 0
    )


def test_empty_variables_are_not_given(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """LAMSEARCH_FILES, LAMSEARCH_DATA and LAMSEARCH_STORAGE that are empty are as if not set."""
    for name in ("FILES", "DATA", "STORAGE"):
        monkeypatch.setenv(f"LAMSEARCH_{name}", "")
    assert desk("create", desk.write()).exit_code == 0
    (directory,) = (desk.directory / "lamsearch-files").iterdir()
    assert (directory / ".lamsearch-study").exists()
    assert desk("delete", "small", "--yes").exit_code == 0
    assert not directory.exists()

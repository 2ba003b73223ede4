"""Which examples a worker opens: those that it was given, or that lie beside the database."""

from __future__ import annotations

import json
import math
import sqlite3
import tomllib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open

from lamsearch.errors import DataError
from lamsearch.planning import check_given
from lamsearch.results import columns_from
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
    with closing(sqlite3.connect(desk.database_file)) as connection, connection:
        connection.execute(f"UPDATE lamsearch_study SET {expression}", values)  # noqa: S608
    connection.close()


def fingerprint(desk: Any) -> str:
    """Return the fingerprint of the study's row as it is, as somebody who knows of it writes it."""
    with closing(sqlite3.connect(desk.database_file)) as connection, connection:
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


def own_directory(path: Path, source: str) -> str:
    """Write data of a source that reads a file or a directory; return the keys that name them."""
    rng = np.random.default_rng(1)
    path.mkdir(parents=True, exist_ok=True)
    if source == "table":
        rows = [f"{rng.normal():.3f},{'xyz'[row % 3]},{row % 2}" for row in range(120)]
        (path / "own.csv").write_text("\n".join(["a,b,y", *rows]), encoding="utf-8")
        return 'path = "{}own.csv"\ntarget = "y"'
    if source == "images":
        for row in range(72):
            file = path / f"own/{'ab'[row % 2]}/{row}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (2, 2, 3), np.uint8)).save(file)
        return 'path = "{}own"\nsize = [2, 2]'
    (path / "own").mkdir(exist_ok=True)
    for part in ("train", "t10k"):
        for kind, shape in (("images", (80, 2, 2)), ("labels", (80,))):
            head = bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()
            values = (np.arange(math.prod(shape)) % 3).astype(np.uint8).tobytes()
            (path / f"own/{part}-{kind}-idx{len(shape)}-ubyte").write_bytes(head + values)
    return 'path = "{}own"'


@pytest.mark.parametrize("source", ["table", "images", "idx"])
def test_other_sources_are_read_where_they_were_given(
    source: str, desk: Any, refused: Refused, tmp_path: Path
) -> None:
    """A table, a directory of images or of IDX files is read below the directory that was given, or
    beside the study file of a run; a worker that was given another one lists nothing there."""
    keys = own_directory(tmp_path / "far", source)
    text = OWN.replace('"{source}"', f'"{source}"\n' + keys.format(""))
    path = tmp_path / "far/own.toml"
    path.write_text(text, encoding="utf-8")
    desk.well("create", path)
    (tmp_path / "far/own/a/secret").mkdir(parents=True, exist_ok=True)
    (line,) = refused(desk("worker", "own", "--storage", desk.url, "--data-dir", tmp_path / "else"))
    assert "which is not read unless its directory is given: pass --data-dir" in line
    assert "secret" not in line
    (tmp_path / "far/own/a/secret").rmdir()
    assert desk.well("worker", "own", "--data-dir", tmp_path / "far").exit_code == 0


@pytest.mark.parametrize("source", ["table", "images", "idx"])
@pytest.mark.parametrize("prefix", ["/", "../", "below/../../"])
def test_a_stranger_names_nothing_outside(source: str, prefix: str, tmp_path: Path) -> None:
    """Of a study from elsewhere, only paths below the data directory are looked at."""
    keys = own_directory(tmp_path / "data", source)
    document = tomllib.loads(OWN.replace('"{source}"', f'"{source}"\n' + keys.format("")))
    check_given(parse_study(document), tmp_path / "data")
    document["data"]["path"] = prefix + document["data"]["path"]
    with pytest.raises(DataError, match="the file must lie in the server's data directory"):
        check_given(parse_study(document), tmp_path / "data")


def test_columns_are_recorded_by_name(desk: Any, tmp_path: Path) -> None:
    """A run on a table with missing values ends, and its results and models name the columns, the
    categories and the classes, so that further rows can be encoded."""
    names = ["low", "high"]
    rows = [f"{'' if row % 9 == 0 else row % 7},{'' if row % 11 == 0 else 'pqr'[row % 3]},"
            f"{names[row % 7 > 3]}" for row in range(160)]  # fmt: skip
    (tmp_path / "own.csv").write_text("\n".join(["size,kind,price", *rows]), encoding="utf-8")
    keys = '"table"\npath = "own.csv"\ntarget = "price"\nmissing = "mean"'
    text = OWN.replace('"{source}"', keys) + "[final]\nreplicates = 1\n"
    (tmp_path / "own.toml").write_text(text, encoding="utf-8")
    desk.well("run", tmp_path / "own.toml", "--workers", "1", "--output", tmp_path / "out")
    found = json.loads((tmp_path / "out/results.json").read_bytes())
    assert found["classes"] == ["high", "low"]
    assert found["columns"] == [
        {"name": "size", "kind": "number"},
        {"name": "kind", "kind": "category", "categories": ["p", "q", "r"]},
    ]
    with safe_open(tmp_path / "out/models/final-0.safetensors", "np") as file:
        metadata, width = file.metadata(), file.get_tensor("W1").shape[0]
    assert json.loads(metadata["columns"]) == found["columns"]
    assert json.loads(metadata["classes"]) == found["classes"]
    assert sum(one.width for one in columns_from(found["columns"])) == width

"""A stored study is the study of its file, whichever version stored it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lamsearch.errors import StudyStateError
from lamsearch.storage import Database, create, load
from lamsearch.study import Study, parse_study

DUMPS = sorted((Path(__file__).parent / "storages").glob("version-[0-9].sql"))
Open = Callable[[str], Database]


@pytest.fixture(params=DUMPS, ids=lambda path: path.stem)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A storage as an earlier version has left it."""
    path = tmp_path / "old.db"
    connection = sqlite3.connect(path)
    connection.executescript(request.param.read_text(encoding="utf-8"))
    connection.close()
    return path


def documents(path: Path) -> dict[str, tuple[dict[str, Any], str]]:
    """The settings of each study and their fingerprint, as they stand in its row."""
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT name, document, fingerprint FROM lamsearch_study").fetchall()
    connection.close()
    return {name: (json.loads(text), fingerprint) for name, text, fingerprint in rows}


def create_again(database: Database, study: Study) -> str:
    """Plan a study as `run` would; return the id that it is stored under."""
    return create(
        database, study, data_fingerprint="d" * 64, classes=("a", "b"), origin="", files="",
        validation_images=dict.fromkeys(study.stages, 100),
    ).id  # fmt: skip


def test_an_earlier_version_s_study_has_the_fingerprint_of_its_file(old: Path) -> None:
    """The settings that earlier versions stored are this version's canonical form of the same
    file, with the same fingerprint."""
    for document, fingerprint in documents(old).values():
        study = parse_study(document)
        assert study.canonical() == document
        assert study.fingerprint == fingerprint


def test_an_earlier_version_s_study_is_found_again(old: Path, open_database: Open) -> None:
    """The same study file finds the study that an earlier version planned, with its defaults
    written out or not; another file of the name is refused."""
    database = open_database(f"sqlite:///{old}")
    for name, (document, _) in documents(old).items():
        short = document | {"network": {"hidden": document["network"]["hidden"]}}
        short["data"] = {k: v for k, v in document["data"].items() if k != "stratified"}
        assert create_again(database, parse_study(short)) == load(database, name).id
        with pytest.raises(StudyStateError, match=r"taken by another study file \(seed: "):
            create_again(database, parse_study(document | {"seed": document["seed"] + 1}))

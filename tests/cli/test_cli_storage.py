"""The verbs on a storage: what an earlier version wrote is found, said and upgraded."""

from __future__ import annotations

import json
import sqlite3
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from lamsearch.storage import SCHEMA_VERSION as VERSION

# written by the first version: the study `whole` is done
DUMP = Path(__file__).parents[1] / "storage/storages/version-1.sql"
OLD = (
    f"Error: storage: must have schema version {VERSION}, got 1, which an earlier lamsearch "
    "wrote; upgrade it with: lamsearch storage upgrade\n"
)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """An SQLite file that the first version has written."""
    path = tmp_path / "old.db"
    connection = sqlite3.connect(path)
    connection.executescript(DUMP.read_text(encoding="utf-8"))
    connection.close()
    return path


def dump(path: Path) -> list[str]:
    """Return all that an SQLite file holds."""
    connection = sqlite3.connect(path)
    found = list(connection.iterdump())
    connection.close()
    return found


def test_check_says_what_to_do_and_changes_nothing(lamsearch: Any, old: Path) -> None:
    """Checking a storage of an earlier version is exit code 2 and one sentence, and no change."""
    before = dump(old)
    result = lamsearch("storage", "check", "--storage", f"sqlite:///{old}")
    assert (result.returncode, result.stdout, result.stderr) == (2, "", OLD)
    assert dump(old) == before


def test_upgrade_is_said_once_and_the_study_is_reported(lamsearch: Any, old: Path) -> None:
    """Upgrading says from which version, a second time that there is nothing to do; then the
    storage is current, and the studies in it are reported."""
    url = ("--storage", f"sqlite:///{old}")
    first, second = lamsearch("storage", "upgrade", *url), lamsearch("storage", "upgrade", *url)
    assert (first.returncode, first.stdout, first.stderr) == (
        0, "", f"storage: upgraded from schema version 1 to {VERSION}\n",
    )  # fmt: skip
    assert second.stderr == f"sqlite:///{old}: schema version {VERSION} already\n"
    result = lamsearch("storage", "check", *url)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.partition("\n")[0] == (
        f"sqlite:///{old}: schema version {VERSION}, which is current; "
        f"Optuna's tables are v3.2.0.a, as Optuna {metadata.version('optuna')} needs them"
    )
    reported = lamsearch("report", "whole", "--json", *url)
    assert reported.returncode == 0, reported.stderr
    stages = json.loads(reported.stdout)["stages"]
    assert [len(stage["trials"]) for stage in stages] == [3, 2, 4, 2]


def test_whoever_plans_upgrades_in_passing(lamsearch: Any, old: Path, study_file: Any) -> None:
    """Planning a study in a storage of an earlier version upgrades it and says so in one line."""
    url = ("--storage", f"sqlite:///{old}")
    result = lamsearch("create", study_file(), *url)
    assert result.returncode == 0, result.stderr
    assert result.stderr == f"storage: upgraded from schema version 1 to {VERSION}\n"


@pytest.mark.parametrize("verb", ["check", "upgrade"])
def test_what_a_newer_version_wrote_is_one_sentence(
    verb: str, lamsearch: Any, old: Path, tmp_path: Path
) -> None:
    """A storage that a newer version wrote is exit code 2 and one sentence; so is none at all."""
    url = ("--storage", f"sqlite:///{old}")
    lamsearch("storage", "upgrade", *url)
    connection = sqlite3.connect(old)
    connection.execute("UPDATE lamsearch_schema SET version = 99")
    connection.commit()
    connection.close()
    result = lamsearch("storage", verb, *url)
    assert result.returncode == 2
    assert result.stderr == (
        "Error: storage: was written by a newer lamsearch: must have schema version "
        f"{VERSION} or earlier, got 99\n"
    )
    missing = tmp_path / "missing.db"
    result = lamsearch("storage", verb, "--storage", f"sqlite:///{missing}")
    assert (result.returncode, result.stderr) == (2, f"Error: storage: no such file: {missing}\n")
    assert not missing.exists()


def test_upgrade_makes_the_tables_of_a_service(lamsearch: Any, postgres_url: str) -> None:
    """In a database of a server that has no tables yet, upgrading makes them, so that a pool and a
    server can start before the first study; a worker that is to leave when idle finds nothing."""
    before = lamsearch("worker", "--exit-when-idle", "--storage", postgres_url)
    assert before.returncode == 2
    assert "holds no lamsearch studies" in before.stderr
    assert lamsearch("storage", "upgrade", "--storage", postgres_url).returncode == 0
    result = lamsearch("worker", "--exit-when-idle", "--storage", postgres_url)
    assert result.returncode == 0, result.stderr

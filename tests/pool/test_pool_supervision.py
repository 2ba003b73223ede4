"""What whoever supervises workers looks at, and how often."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lamsearch.artifacts import Files
from lamsearch.pool import supervision
from lamsearch.pool.supervision import Watch
from lamsearch.results import StudyState
from lamsearch.storage import Database


def test_a_status_is_read_again_when_somebody_has_written_or_a_second_has_passed(
    ready_sqlite: Callable[[Path], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looks between which nothing is written are one; a write is seen by the next look, and time
    that passes after a second."""
    url = ready_sqlite(tmp_path / "one.db")
    database, other = Database(url), Database(url)
    read: list[str] = []
    clock = [0.0]

    def read_status(_database: Database, name: str) -> Any:
        read.append(name)
        return SimpleNamespace(stages=(), recovered=(), state=StudyState.RUNNING)

    monkeypatch.setattr(supervision, "read_status", read_status)
    monkeypatch.setattr(supervision.time, "monotonic", lambda: clock[0])
    shown: list[Any] = []
    watch = Watch(database, "one", shown.append, Files(str(tmp_path), "id"), read.append)
    first = watch.look()
    assert watch.look() is first
    assert len(read) == len(shown) == 1
    with other.write() as transaction:
        transaction.connection.exec_driver_sql("CREATE TABLE another (a)")
    assert watch.look() is not first
    assert len(read) == 2
    clock[0] = 0.9
    watch.look()
    assert len(read) == 2
    clock[0] = 1.1
    watch.look()
    assert len(read) == 3
    for one in (database, other):
        one.close()

"""What whoever supervises workers looks at, and how often."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lamsearch.artifacts import Files
from lamsearch.pool import supervision
from lamsearch.pool.supervision import Watch
from lamsearch.results import StudyState
from lamsearch.storage import Database


@dataclass
class Looks:
    """A watch of a storage that another process writes to, by a clock of its own."""

    write: Callable[[], None]
    now: float = 0.0
    took: float = 0.0  # by a read
    read: list[float] = field(default_factory=list)
    shown: list[Any] = field(default_factory=list)
    watch: Watch = field(init=False)


@pytest.fixture
def looks(
    ready_sqlite: Callable[[Path], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Looks]:
    """Looks at a storage in which nothing has been written yet."""
    url = ready_sqlite(tmp_path / "one.db")
    database, other = Database(url), Database(url)

    numbers = count()

    def write() -> None:
        with other.write() as transaction:
            transaction.connection.exec_driver_sql(f"CREATE TABLE another{next(numbers)} (a)")

    def read_status(_database: Database, name: str) -> Any:
        assert name == "one"
        found.read.append(found.now)
        found.now += found.took
        return SimpleNamespace(stages=(), recovered=(), state=StudyState.RUNNING)

    monkeypatch.setattr(supervision, "read_status", read_status)
    monkeypatch.setattr(supervision.time, "monotonic", lambda: found.now)
    found = Looks(write)
    found.watch = Watch(database, "one", found.shown.append, Files(str(tmp_path), "id"), print)
    yield found
    for one in (database, other):
        one.close()


def test_a_status_is_read_again_when_somebody_has_written_or_some_seconds_have_passed(
    looks: Looks,
) -> None:
    """Looks between which nothing is written are one; a write is seen by the next look, and time
    that passes after three seconds."""
    first = looks.watch.look()
    assert looks.watch.look() is first
    assert len(looks.read) == len(looks.shown) == 1
    looks.write()
    assert looks.watch.look() is not first
    assert len(looks.read) == 2
    for looks.now, reads in ((2.9, 2), (3.1, 3)):
        looks.watch.look()
        assert len(looks.read) == reads


def test_looks_take_a_tenth_of_the_time_at_most(looks: Looks) -> None:
    """Where a look takes long, as with very many trials, another comes the later, whatever is
    written; but for one that must know what is so now."""
    looks.took = 0.5
    looks.watch.look()
    looks.write()
    for looks.now, reads in ((0.6, 1), (5.4, 1), (5.6, 2)):
        looks.watch.look()
        assert len(looks.read) == reads
    looks.watch.look(anew=True)
    assert len(looks.read) == 3


def test_who_watches_for_long_looks_less_often(looks: Looks) -> None:
    """A hundredth of the time watched so far stands between looks, a second at most."""
    reads = 0
    for begun, between in ((10.0, 0.1), (50.0, 0.5), (100.0, 1.0), (1000.0, 1.0)):
        looks.now = begun
        looks.watch.look()
        reads += 1
        for looks.now, more in ((begun + 0.9 * between, 0), (begun + 1.1 * between, 1)):
            looks.write()
            looks.watch.look()
            reads += more
            assert len(looks.read) == reads

"""An SQLite file that is moved, deleted or copied while studies in it are worked on."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from storage_stub import BEAT, claimed, finish, outcomes, planned, work

from lamsearch.errors import StorageGoneError
from lamsearch.results import STAGES
from lamsearch.storage import Database, Leases, Mode, names, read_status, read_study
from lamsearch.study import Study


@pytest.fixture
def path(sqlite_url: str) -> Path:
    """The file of a storage, its tables in place."""
    return Path(sqlite_url.removeprefix("sqlite:///"))


@pytest.fixture
def leases(
    path: Path, open_database: Callable[[str], Database], small_study: Callable[..., Study]
) -> Leases:
    """A worker's leases on a study that is planned in the file."""
    database = open_database(f"sqlite:///{path}")
    planned(database, small_study())
    return Leases(database, "small", owner="worker", seconds=60.0)


def finished(path: Path, stage: int = 0) -> int:
    """Return how many trials of a stage a file holds, opened by itself."""
    database = Database(f"sqlite:///{path}", Mode.READ)
    try:
        return read_status(database, "small").stages[stage].finished
    finally:
        database.close()


def test_a_file_that_was_moved_is_named_and_holds_all_that_was_completed(
    path: Path, leases: Leases
) -> None:
    """The next renewal after a move says so with the new path; the moved file alone then holds all
    that was completed, work goes on in it, and the old name stays free."""
    finish(leases, claimed(leases))
    claim = claimed(leases)
    moved = path.with_name("moved.db")
    path.rename(moved)
    with pytest.raises(StorageGoneError) as caught:
        leases.renew(claim, BEAT)
    assert caught.value.exit_code == 1
    assert str(caught.value) == (
        f"storage: {path} is no longer there: it was moved or deleted while it was in use; "
        f"it is {moved} now, which holds all that was completed: go on with that"
    )
    assert not path.exists()
    assert not path.with_name(f"{path.name}-wal").stat().st_size  # nothing for a next file to meet
    alone = path.parent / "alone" / "studies.db"
    alone.parent.mkdir()
    shutil.copy(moved, alone)
    assert finished(alone) == finished(moved) == 3
    with (
        closing(sqlite3.connect(moved)) as connection,
        connection,
    ):  # the lease of who was cut off runs out
        connection.execute("UPDATE lamsearch_cohort SET expires = expires - 1000")
    connection.close()
    database = Database(f"sqlite:///{moved}", Mode.WORK)
    work(Leases(database, "small", owner="another", seconds=60.0))
    assert read_study(database, "small").done
    database.close()


@pytest.mark.parametrize("action", ["renew", "complete", "report", "claim", "read"])
def test_a_file_that_was_deleted_is_noticed_by_whatever_comes_next(
    path: Path, leases: Leases, action: str
) -> None:
    """Nothing is renewed, completed, reported, claimed or read in a file that has no name any more:
    each says that it is no longer there, and none makes it anew."""
    finish(leases, claimed(leases))
    claim = claimed(leases)
    for one in path.parent.glob(f"{path.name}*"):
        one.unlink()
    acts: dict[str, Callable[[], object]] = {
        "renew": lambda: leases.renew(claim, BEAT),
        "complete": lambda: leases.complete(claim, outcomes(claim), BEAT, 1.0),
        "report": lambda: leases.report(claim, 1, [0.5, 0.5]),
        "claim": leases.claim,
        "read": lambda: names(leases._database),
    }
    with pytest.raises(StorageGoneError, match="is no longer there: it was moved or deleted"):
        acts[action]()
    assert list(path.parent.glob(f"{path.name}*")) == []


def test_a_file_whose_log_is_left_is_asked_to_be_put_beside_it(path: Path, leases: Leases) -> None:
    """Where only the file was moved away, to another disk for instance, the log that holds what was
    completed last is named and kept; put together again they hold all of it."""
    finish(leases, claimed(leases))
    elsewhere = path.with_name("elsewhere.db")
    shutil.copy(path, elsewhere)
    path.unlink()
    log = path.with_name(f"{path.name}-wal")
    before = log.read_bytes()
    with pytest.raises(StorageGoneError, match=f"what was completed last is in {log}: bring it"):
        leases.claim()
    leases._database.close()
    assert log.read_bytes() == before
    shutil.copy(elsewhere, path)
    assert finished(path) == 3


def test_another_file_under_the_same_name_is_noticed_and_left_alone(
    path: Path, leases: Leases, sqlite_template: Path
) -> None:
    """A file that took the place of the one in use is not written to, nor read by issue."""
    claim = claimed(leases)
    other = path.with_name("other.db")
    shutil.copy(sqlite_template, other)
    before = other.read_bytes()
    path.rename(path.with_name("kept.db"))
    other.rename(path)
    with pytest.raises(StorageGoneError, match="was replaced by another file"):
        leases.renew(claim, BEAT)
    leases._database.close()
    assert path.read_bytes() == before
    with closing(sqlite3.connect(path)) as plain:
        assert plain.execute("SELECT count(*) FROM lamsearch_study").fetchone() == (0,)


def test_a_plain_copy_holds_every_stage_that_was_completed(path: Path, leases: Leases) -> None:
    """A copy of the SQLite file alone, without its log, holds the plan of a study and, whenever a
    stage has ended, all of that stage and the plan of the next."""
    copy = path.with_name("copy.db")
    for number, stage in enumerate((*STAGES, "test")):
        claims = work(leases, until=stage)
        assert bool(claims) is (number > 0)
        shutil.copy(path, copy)
        database = Database(f"sqlite:///{copy}", Mode.READ)
        known = read_status(database, "small").stages
        database.close()
        assert [one.finished for one in known[:number]] == [one.planned for one in known[:number]]
        assert len(known) == number + 1
    work(leases)
    shutil.copy(path, copy)
    database = Database(f"sqlite:///{copy}", Mode.READ)
    assert read_study(database, "small").done
    database.close()


def test_somebody_who_reads_does_not_hold_a_stage_up(path: Path, leases: Leases) -> None:
    """A reader in the middle of a look keeps the log from being brought in, and nothing else."""
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM lamsearch_study").fetchall()
    work(leases)
    assert read_study(leases._database, "small").done
    reader.close()

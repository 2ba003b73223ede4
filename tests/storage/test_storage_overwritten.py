"""An SQLite file that somebody writes over while studies in it are worked on."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import forked
import pytest
from storage_stub import BEAT, claimed, finish, outcomes, planned

from lamsearch.errors import StorageGoneError
from lamsearch.storage import Database, Leases, Mode, View, names
from lamsearch.study import Study

Over = Callable[[Path, Path], None]


def copy_over(path: Path, other: Path) -> None:
    """Copy as ``cp`` does: the name and the inode stay."""
    path.write_bytes(other.read_bytes())


def empty(path: Path, _other: Path) -> None:
    """Leave nothing in it."""
    os.truncate(path, 0)


def cut(path: Path, _other: Path) -> None:
    """Leave its beginning alone."""
    os.truncate(path, path.stat().st_size // 2)


def scribble(path: Path, _other: Path) -> None:
    """Leave a text in it."""
    path.write_bytes(b"no database\n" * 1000)


OVER = pytest.mark.parametrize("over", [copy_over, empty, cut, scribble])


@pytest.fixture
def path(sqlite_url: str) -> Path:
    """The file of a storage, its tables in place."""
    return Path(sqlite_url.removeprefix("sqlite:///"))


@pytest.fixture
def database(path: Path, open_database: Callable[[str], Database]) -> Database:
    """The storage, opened once."""
    return open_database(f"sqlite:///{path}")


@pytest.fixture
def leases(database: Database, small_study: Callable[..., Study]) -> Leases:
    """A worker's leases on a study that is planned in the file."""
    planned(database, small_study())
    return Leases(database, "small", owner="worker", seconds=60.0)


@pytest.fixture
def other(tmp_path: Path, small_study: Callable[..., Study]) -> Path:
    """Another storage's file, with a study of the same name."""
    found = tmp_path / "other.db"
    database = Database(f"sqlite:///{found}")
    planned(database, small_study())
    database.close()
    return found


@OVER
@pytest.mark.parametrize("action", ["renew", "complete", "claim", "read"])
def test_a_file_that_was_overwritten_is_named_and_left_alone(
    path: Path, leases: Leases, other: Path, over: Over, action: str
) -> None:
    """Whatever comes next says which file was overwritten and with what; neither it nor the end of
    the last connection writes anything into what is there now."""
    finish(leases, claimed(leases))
    claim = claimed(leases)
    over(path, other)
    before = path.read_bytes()
    acts: dict[str, Callable[[], object]] = {
        "renew": lambda: leases.renew(claim, BEAT),
        "complete": lambda: leases.complete(claim, outcomes(claim), BEAT, 1.0),
        "claim": leases.claim,
        "read": lambda: names(leases._database),
    }
    with pytest.raises(
        StorageGoneError, match="was overwritten while it was in use: it "
    ) as caught:
        acts[action]()
    assert str(caught.value).startswith(f"storage: {path} was overwritten")
    leases._database.close()
    assert path.read_bytes() == before


@OVER
def test_whoever_only_looks_says_so_too(
    path: Path, leases: Leases, other: Path, over: Over
) -> None:
    """Who reads alone, as status does, and the dashboard's own Optuna say that the file was
    overwritten, each time they look."""
    claimed(leases)
    reading = Database(f"sqlite:///{path}", Mode.READ)
    view = View(reading, writable=False)
    assert names(reading) == ["small"]
    assert len(view.reader.get_all_studies()) == 1
    over(path, other)
    for _ in range(2):
        with pytest.raises(StorageGoneError, match="was overwritten while it was in use"):
            names(reading)
        with pytest.raises(StorageGoneError, match="was overwritten while it was in use"):
            view.reader.get_all_studies()
    view.close()
    reading.close()


def test_an_earlier_state_of_the_same_file_is_noticed(path: Path, leases: Leases) -> None:
    """A backup of the very same database that is copied over it while it is used is not worked
    on."""
    database = leases._database
    database.checkpoint()
    backup = path.with_name("backup.db")
    shutil.copy(path, backup)
    finish(leases, claimed(leases))
    database.checkpoint()
    names(database)
    copy_over(path, backup)
    with pytest.raises(StorageGoneError, match="it holds an earlier state now"):
        leases.claim()
    database.close()
    assert path.read_bytes() == backup.read_bytes()


def test_a_log_that_belongs_to_another_file_is_not_replayed(
    path: Path, leases: Leases, other: Path, tmp_path: Path
) -> None:
    """A file that was overwritten beside a log of what was there before is refused by who opens it
    next, and can be used once the log is removed."""
    claimed(leases)
    alone = tmp_path / "alone" / "studies.db"  # as when all who used it have ended
    alone.parent.mkdir()
    log = alone.with_name("studies.db-wal")
    shutil.copy(path.with_name(f"{path.name}-wal"), log)
    shutil.copy(other, alone)
    for mode in Mode:
        with pytest.raises(
            StorageGoneError, match=f"remove {log}, which belongs to what was there"
        ):
            Database(f"sqlite:///{alone}", mode)
    assert alone.read_bytes() == other.read_bytes()
    for one in alone.parent.glob("studies.db-*"):
        one.unlink()
    database = Database(f"sqlite:///{alone}", Mode.WORK)
    assert names(database) == ["small"]
    database.close()


def test_who_only_reads_learns_that_the_file_is_gone(path: Path, leases: Leases) -> None:
    """Status and the dashboard say of a file that was deleted that it is no longer there."""
    claimed(leases)
    reading = Database(f"sqlite:///{path}", Mode.READ)
    assert names(reading) == ["small"]
    leases._database.close()
    path.unlink()
    with pytest.raises(
        StorageGoneError, match=f"{path} is no longer there: it was moved or deleted"
    ):
        names(reading)
    reading.close()


def test_what_others_do_to_a_file_that_is_used_is_no_overwriting(
    path: Path, leases: Leases, open_database: Callable[[str], Database]
) -> None:
    """Other workers' transactions, checkpoints of the log, VACUUM and a backup that is taken with
    SQLite's own means are not taken for an overwritten file."""
    other = Leases(open_database(f"sqlite:///{path}"), "small", owner="other", seconds=60.0)
    reading = Database(f"sqlite:///{path}", Mode.READ)
    plain = sqlite3.connect(path, isolation_level=None)
    for statement in ("PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "SELECT 1"):
        finish(leases, claimed(leases))
        plain.execute(statement)
        finish(other, claimed(other))
        with closing(sqlite3.connect(path.with_name("copy.db"))) as copy, copy:
            plain.backup(copy)
        copy.close()
        assert names(reading) == ["small"]
    plain.close()
    reading.close()


def test_status_that_watches_ends_with_the_sentence(
    path: Path, leases: Leases, other: Path
) -> None:
    """A status that is watching ends with exit code 1 and one sentence that names the file and
    what became of it."""
    claimed(leases)
    words = ["status", "small", "--watch", "--storage", f"sqlite:///{path}"]
    watching = forked.Popen(
        [*forked.COMMAND, *words], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert watching.stderr is not None
    assert watching.stderr.readline().startswith("coarse")
    copy_over(path, other)
    _, rest = watching.communicate(timeout=60)
    assert watching.returncode == 1, rest
    assert f"Error: storage: {path} was overwritten while it was in use: it holds" in rest
    assert "Traceback" not in rest


def test_a_file_of_an_earlier_version_gets_its_number_with_the_first_change(
    path: Path, small_study: Callable[..., Study]
) -> None:
    """A database that has no number of its own is used as it is, and has one from then on."""
    with closing(sqlite3.connect(path)) as plain, plain:
        plain.execute("PRAGMA application_id = 0")
    plain.close()
    database = Database(f"sqlite:///{path}")
    planned(database, small_study())
    with database.read() as transaction:
        assert transaction.connection.exec_driver_sql("PRAGMA application_id").scalar() != 0
    database.close()

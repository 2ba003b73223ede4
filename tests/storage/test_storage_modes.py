"""What is opened for reading stays as it is, and what is another program's is refused."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
import sqlalchemy as sa
from storage_stub import Window, claimed, finish, planned, work

from lamsearch.errors import StorageError, StorageFailedError
from lamsearch.storage import Database, Leases, Mode, View, is_outage, names, read_status
from lamsearch.study import Study

OPENED = (Mode.READ, Mode.WORK, Mode.CREATE)
MLFLOW = (
    "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
    "INSERT INTO alembic_version VALUES ('cc1f77228345')",
    "CREATE TABLE experiments (id int)",
)
APPLICATION = ("CREATE TABLE users (id int, name text)", "INSERT INTO users VALUES (1, 'λ')")
CLINIC = ("CREATE TABLE studies (id int)", "CREATE TABLE patients (id int)")


def made(url: str, *statements: str) -> None:
    """Make another program's tables."""
    window = Window(url)
    for statement in statements:
        window.execute(statement)
    window.engine.dispose()


def lying(directory: Path) -> dict[str, tuple[bytes, int]]:
    """Return all files of a directory, each with its content and the time of its last change."""
    return {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in directory.iterdir()
        if path.is_file()
    }


def table_names(url: str) -> set[str]:
    """Return the tables of a storage."""
    engine = sa.create_engine(Window(url).url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        return set(sa.inspect(connection).get_table_names())


def refusals(url: str, modes: tuple[Mode, ...] = OPENED) -> set[str]:
    """Open a storage in all modes, which must be refused; return the sentences."""
    found = set()
    for mode in modes:
        with pytest.raises(StorageError) as caught:
            Database(url, mode)
        assert caught.value.exit_code == 2
        found.add(str(caught.value))
    return found


def test_a_database_of_another_program_of_alembic_is_refused(empty_storage_url: str) -> None:
    """A database whose alembic_version is another program's is refused in every mode, in one
    sentence, and stays as it was; so is one in which Optuna's tables stand beside it."""
    made(empty_storage_url, *MLFLOW)
    for _ in range(2):
        before = table_names(empty_storage_url)
        assert refusals(empty_storage_url) == {
            "storage: alembic_version in this database belongs to another program; give lamsearch "
            "a database or schema of its own"
        }
        assert table_names(empty_storage_url) == before
        optuna.storages._rdb.models.BaseModel.metadata.create_all(  # as an earlier version left it
            sa.create_engine(Window(empty_storage_url).url, poolclass=sa.NullPool)
        )


@pytest.mark.parametrize("statements", [APPLICATION, CLINIC], ids=["application", "clinic"])
def test_a_database_of_an_application_is_refused(
    empty_storage_url: str, statements: tuple[str, ...]
) -> None:
    """An application's database is refused in every mode and stays as it was, also where one of
    its tables is named like one of Optuna's."""
    made(empty_storage_url, *statements)
    before = table_names(empty_storage_url)
    assert all(
        "holds no lamsearch studies" in one for one in refusals(empty_storage_url, OPENED[:2])
    )
    (text,) = refusals(empty_storage_url, (Mode.CREATE,))
    assert "holds tables of another program" in text
    assert "a database or schema of its own" in text
    assert table_names(empty_storage_url) == before


@pytest.mark.parametrize("statements", [APPLICATION, CLINIC, MLFLOW, ()])
def test_another_program_s_file_stays_byte_for_byte(
    tmp_path: Path, statements: tuple[str, ...]
) -> None:
    """An SQLite file that is no storage of ours is neither changed by a refusal nor given files
    beside it, whether it is empty or holds another program's tables."""
    made(f"sqlite:///{tmp_path / 'app.db'}", *statements)
    (tmp_path / "app.db").touch()
    before = lying(tmp_path)
    refusals(f"sqlite:///{tmp_path / 'app.db'}", OPENED[:3] if statements else OPENED[:2])
    assert lying(tmp_path) == before


def test_an_empty_database_is_made_a_storage_by_planning_alone(empty_storage_url: str) -> None:
    """Reading and working find no studies in an empty database and make no table; planning makes
    them all, and then the others open it."""
    if empty_storage_url.startswith("sqlite"):
        Path(empty_storage_url.removeprefix("sqlite:///")).touch()
    for text in refusals(empty_storage_url, OPENED[:2]):
        assert "holds no lamsearch studies" in text
    assert table_names(empty_storage_url) == set()
    Database(empty_storage_url, Mode.CREATE).close()
    for mode in OPENED[:2]:
        Database(empty_storage_url, mode).close()


def test_a_storage_of_optuna_alone_is_no_storage_of_ours_until_a_study_is_planned(
    empty_storage_url: str, small_study: Callable[..., Study]
) -> None:
    """Optuna's own storage holds no lamsearch studies and stays as it is; planning adds ours, and
    Optuna's studies stay."""
    storage = optuna.storages.RDBStorage(Window(empty_storage_url).url)
    optuna.create_study(storage=storage, study_name="theirs")
    storage.remove_session()
    storage.engine.dispose()
    before = table_names(empty_storage_url)
    assert all(
        "holds no lamsearch studies" in one for one in refusals(empty_storage_url, OPENED[:2])
    )
    assert table_names(empty_storage_url) == before
    database = Database(empty_storage_url)
    planned(database, small_study())
    database.close()
    assert "theirs" in Window(empty_storage_url).trials()


def test_an_extension_s_tables_are_nobody_s(postgres_url: str) -> None:
    """Tables that a PostgreSQL extension brought do not make a database another program's."""
    made(postgres_url, "CREATE TABLE spatial_ref_sys (srid int)")
    assert "of another program" in refusals(postgres_url, (Mode.CREATE,)).pop()
    made(postgres_url, "ALTER EXTENSION plpgsql ADD TABLE spatial_ref_sys")
    Database(postgres_url).close()


@pytest.fixture
def quiet(tmp_path: Path, sqlite_template: Path, small_study: Callable[..., Study]) -> Path:
    """An SQLite file with a finished study that nobody has open, alone in its directory."""
    directory = tmp_path / "quiet"
    directory.mkdir()
    path = directory / "studies.db"
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    planned(database, small_study())
    work(Leases(database, "small", owner="worker", seconds=60.0))
    database.close()
    assert [one.name for one in directory.iterdir()] == ["studies.db"]
    return path


def test_reading_leaves_an_sqlite_file_and_its_directory_as_they_were(quiet: Path) -> None:
    """All that reads, the dashboard's view among it, changes no byte and leaves no file beside."""
    before = lying(quiet.parent)
    database = Database(f"sqlite:///{quiet}", Mode.READ)
    assert read_status(database, "small").state == "done"
    view = View(database, writable=False)
    assert len(view.planned()) == 4
    assert len(optuna.get_all_study_names(view.reader)) == 4
    view.close()
    database.close()
    assert lying(quiet.parent) == before


def test_what_a_killed_writer_left_is_read_and_left(quiet: Path) -> None:
    """What stands in the write-ahead log alone, because its writer was killed, is read; database
    and log stay as they were, and no lock is left that a writer would meet."""
    writer = sqlite3.connect(quiet)
    writer.execute("UPDATE lamsearch_study SET failure = 'only in the log'")
    writer.commit()
    killed = quiet.parent.with_name("killed")
    shutil.copytree(quiet.parent, killed)  # as it lies while it is open, which a kill leaves
    writer.close()
    before = lying(killed)
    assert set(before) == {"studies.db", "studies.db-wal", "studies.db-shm"}
    database = Database(f"sqlite:///{killed / 'studies.db'}", Mode.READ)
    assert read_status(database, "small").failure == "only in the log"
    database.close()
    after = lying(killed)
    assert set(after) == set(before)
    assert after["studies.db"] == before["studies.db"]
    assert after["studies.db-wal"] == before["studies.db-wal"]


def test_a_reader_follows_writers_that_come_and_go(
    quiet: Path, small_study: Callable[..., Study]
) -> None:
    """Who opened a file for reading while nobody wrote sees each commit of writers that come
    later, while they have it open, after they have gone, and in the dashboard's view."""
    reading = Database(f"sqlite:///{quiet}", Mode.READ)
    view = View(reading, writable=False)
    for number in range(2):
        writing = Database(f"sqlite:///{quiet}", Mode.WORK)
        name = f"study{number}"
        planned(writing, small_study(name=name))
        leases = Leases(writing, name, owner="worker", seconds=60.0)
        assert name in names(reading)
        claim = claimed(leases)
        finish(leases, claim)
        assert read_status(reading, name).stages[0].finished == len(claim.trials)
        work(leases)
        assert read_status(reading, name).state == "done"
        writing.close()
        assert read_status(reading, name).state == "done"
        assert {one.study for one in view.planned().values()} >= {"small", name}
    view.close()
    reading.close()
    assert [one.name for one in quiet.parent.iterdir()] == ["studies.db"]


def test_what_changed_while_it_was_read_without_locks_is_not_believed(
    quiet: Path, small_study: Callable[..., Study]
) -> None:
    """A file that nobody had open when reading began, and that was written meanwhile, is refused
    as if it was locked: trying again helps."""
    reading = Database(f"sqlite:///{quiet}", Mode.READ)

    def read() -> None:
        with reading.read() as transaction:
            transaction.connection.exec_driver_sql("SELECT * FROM lamsearch_study").all()
            writing = Database(f"sqlite:///{quiet}", Mode.WORK)
            planned(writing, small_study(name="another"))
            writing.close()

    with pytest.raises(sa.exc.OperationalError) as caught:
        read()
    assert is_outage(caught.value)
    assert names(reading) == ["small", "another"]
    reading.close()


def test_a_reader_cannot_write(quiet: Path) -> None:
    """A database opened for reading refuses whatever is tried over it."""
    reading = Database(f"sqlite:///{quiet}", Mode.READ)
    with pytest.raises(StorageFailedError, match="readonly"), reading.write() as transaction:
        transaction.connection.exec_driver_sql("DELETE FROM lamsearch_study")
    assert names(reading) == ["small"]
    reading.close()

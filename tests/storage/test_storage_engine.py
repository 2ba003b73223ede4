"""What a transaction knows of its server, and what is left of a file that is no longer in place."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from storage_stub import Window, claimed, finish, planned

from lamsearch.errors import StorageGoneError
from lamsearch.storage import Database, Leases, Mode, names, read_status
from lamsearch.study import Study

Open = Callable[[str], Database]
Build = Callable[..., Study]
STARTED = "SELECT extract(epoch FROM pg_postmaster_start_time())::float8"


@contextmanager
def asked(database: Database, *, pooled: bool = False) -> Iterator[list[str]]:
    """Note how often a server is asked when it started; ``pooled``: by another process of it."""
    found: list[str] = []

    def note(
        _connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any
    ) -> tuple[str, Any]:
        if "pg_postmaster_start_time" in statement:
            found.append(statement)
            if pooled:  # the driver is connected to the pooler, which passes it on to any process
                statement = statement.replace("pg_backend_pid()", "pg_backend_pid() + 1")
        return statement, parameters

    sa.event.listen(database.engine, "before_cursor_execute", note, retval=True)
    try:
        yield found
    finally:
        sa.event.remove(database.engine, "before_cursor_execute", note)


def starts(database: Database, times: int) -> list[float]:
    """Ask when the server started, each time in a transaction of its own."""
    found = []
    for _ in range(times):
        with database.read() as transaction:
            found.append(transaction.server_started())
    return found


def test_a_server_s_start_is_asked_once_for_each_connection(
    ready_postgres_url: str, open_database: Open
) -> None:
    """PostgreSQL says when it started, to the second of its own account, and is asked only once
    over a connection of its own, which no restart survives."""
    database = open_database(ready_postgres_url)
    (expected,) = Window(ready_postgres_url).rows(STARTED)
    with asked(database) as statements:
        assert starts(database, 3) == [expected[0]] * 3
    assert len(statements) == 1


def test_behind_a_pooler_a_server_s_start_is_asked_each_time(
    ready_postgres_url: str, open_database: Open
) -> None:
    """A connection to a pooler outlives the server: its start is asked in each transaction."""
    database = open_database(ready_postgres_url)
    (expected,) = Window(ready_postgres_url).rows(STARTED)
    with asked(database, pooled=True) as statements:
        assert starts(database, 3) == [expected[0]] * 3
    assert len(statements) == 3


def test_a_file_has_no_server_that_started(sqlite_url: str, open_database: Open) -> None:
    """SQLite has no server: nobody is lenient for a start that there was not."""
    assert starts(open_database(sqlite_url), 1) == [0.0]


@pytest.fixture
def path(sqlite_url: str) -> Path:
    """The file of a storage, its tables in place."""
    return Path(sqlite_url.removeprefix("sqlite:///"))


@pytest.fixture
def worked_on(path: Path, open_database: Open, small_study: Build) -> Database:
    """The storage with a study of which a cohort is complete, in the log alone."""
    database = open_database(f"sqlite:///{path}")
    planned(database, small_study())
    leases = Leases(database, "small", owner="worker", seconds=60.0)
    finish(leases, claimed(leases))
    return database


@pytest.mark.parametrize("end", ["checkpoint", "close"])
def test_nothing_is_written_into_what_was_copied_over_a_file(
    path: Path, worked_on: Database, sqlite_template: Path, end: str
) -> None:
    """Bringing the log in, and closing, leave alone what was copied over the file meanwhile, also
    where no transaction has noticed it before."""
    other = sqlite_template.read_bytes()
    path.write_bytes(other)
    getattr(worked_on, end)()
    assert path.read_bytes() == other


def test_a_checkpoint_brings_the_log_into_the_file(
    path: Path, worked_on: Database, tmp_path: Path
) -> None:
    """A copy of the file alone holds after a checkpoint what was completed before it."""
    worked_on.checkpoint()
    shutil.copy(path, tmp_path / "copy.db")
    copied = Database(f"sqlite:///{tmp_path / 'copy.db'}", Mode.READ)
    assert read_status(copied, "small").stages[0].finished == 3
    copied.close()


def test_a_checkpoint_leaves_how_long_locks_are_waited_for(worked_on: Database) -> None:
    """Bringing the log in waits for a moment only; later transactions wait as long as before."""
    ask = "PRAGMA busy_timeout"
    with worked_on.read() as transaction:
        before = transaction.connection.exec_driver_sql(ask).scalar()
    worked_on.checkpoint()
    with worked_on.read() as transaction:
        assert transaction.connection.exec_driver_sql(ask).scalar() == before == 60_000


def test_who_opened_a_file_and_never_used_it_promises_nothing_of_its_log(
    path: Path, worked_on: Database, open_database: Open
) -> None:
    """Where a file was moved without its log, who has no connection to bring the log in says where
    the log is, and not that the moved file holds all."""
    idle = open_database(f"sqlite:///{path}")
    names(worked_on)
    moved = path.with_name("moved.db")
    path.rename(moved)
    with pytest.raises(StorageGoneError) as caught:
        names(idle)
    log = path.with_name(f"{path.name}-wal")
    assert str(caught.value) == (
        f"storage: {path} is no longer there: it was moved or deleted while it was in use; what "
        f"was completed last is in {log}: bring {moved}, where it is now, back beside that, and "
        "run again"
    )
    assert log.stat().st_size > 0


def test_a_moved_file_whose_log_somebody_reads_is_not_said_to_be_whole(
    path: Path, worked_on: Database
) -> None:
    """While somebody is in the middle of reading the log, it cannot be brought into a moved file,
    and the sentence says where it is."""
    reader = sa.create_engine(f"sqlite:///{path}").connect()
    reader.exec_driver_sql("BEGIN")
    assert reader.exec_driver_sql("SELECT count(*) FROM lamsearch_study").scalar() == 1
    path.rename(path.with_name("moved.db"))
    with pytest.raises(StorageGoneError, match=r"what was completed last is in .*-wal: bring"):
        names(worked_on)
    reader.close()
    reader.engine.dispose()


def test_who_only_reads_a_file_that_is_gone_gets_a_sentence(
    path: Path, worked_on: Database
) -> None:
    """The whole sentence of status for a file that was moved or deleted."""
    reading = Database(f"sqlite:///{path}", Mode.READ)
    worked_on.close()
    path.unlink()
    with pytest.raises(StorageGoneError) as caught:
        names(reading)
    assert str(caught.value) == (
        f"storage: {path} is no longer there: it was moved or deleted while it was in use"
    )
    reading.close()


def test_a_storage_has_one_connection_and_its_threads_take_turns(database: Database) -> None:
    """Transactions that follow each other share a connection; a thread that asks meanwhile waits
    for it and opens no second one: ninety workers fit a server of a hundred connections."""
    opened: list[object] = []
    second = threading.Event()

    def note(connection: object, _record: object) -> None:
        opened.append(connection)
        if len(opened) > 1:
            second.set()

    sa.event.listen(database.engine, "connect", note)
    assert names(database) == []
    with ThreadPoolExecutor() as threads:
        with database.read() as transaction:
            waiting = threads.submit(names, database)
            assert not second.wait(0.5)
            assert transaction.now() > 0.0
        assert waiting.result(60) == []
    assert len(opened) == 1


def test_who_only_reads_a_file_opens_it_anew_each_time(sqlite_url: str) -> None:
    """Over an SQLite file each reading transaction has a connection of its own, which sees what
    has the file's name by then, and leaves nothing open."""
    reading = Database(sqlite_url, Mode.READ)
    opened: list[object] = []
    sa.event.listen(reading.engine, "connect", lambda connection, _: opened.append(connection))
    for _ in range(2):
        assert names(reading) == []
    assert len(opened) == 2
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    assert not any(link.resolve() == path for link in Path("/proc/self/fd").iterdir())
    reading.checkpoint()  # it has nothing to bring in
    reading.close()


def test_what_others_write_is_told_without_asking_a_table(url: str, open_database: Open) -> None:
    """On SQLite a number changes with what another connection writes, and with nothing else; on
    PostgreSQL there is none."""
    ours, others = open_database(url), open_database(url)
    before = ours.changes()
    if url.startswith("postgresql"):
        assert before is None
        return
    assert before is not None
    for database, changed in ((ours, False), (others, True)):
        with database.write() as transaction:
            transaction.connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS one (a)")
            transaction.connection.exec_driver_sql("INSERT INTO one VALUES (1)")
        assert (ours.changes() != before) is changed
    after = ours.changes()
    with others.read() as transaction:
        transaction.now()
    assert ours.changes() == after

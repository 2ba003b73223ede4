"""A PostgreSQL client that stops in the middle of a transaction: others are told, and go on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import forked
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from storage_stub import claimed, finish, planned

from lamsearch.errors import StorageBusyError
from lamsearch.storage import Database, Leases, Mode, View, delete, is_outage, names, tables, waits
from lamsearch.study import Study
from lamsearch.worker import Retry

Lamsearch = Callable[..., "subprocess.CompletedProcess[str]"]
Build = Callable[..., Study]
Holder = Callable[..., "subprocess.Popen[str]"]

HOLD = """
import sys
import sqlalchemy as sa
from lamsearch.storage import Database, waits
waits.SETTINGS["idle_in_transaction_session_timeout"] = sys.argv[2]
database = Database(sys.argv[1])
with database.write() as transaction:
    transaction.execute(sa.text(sys.argv[3]))
    print("holds", flush=True)
    sys.stdin.read()
"""
STUDY = "SELECT 1 FROM lamsearch_study FOR UPDATE"


def with_options(url: str, **options: str) -> str:
    """Return a URL with options beside those it has."""
    return sa.make_url(url).update_query_dict(options).render_as_string(hide_password=False)


@pytest.fixture
def holder(ready_postgres_url: str) -> Iterator[Holder]:
    """Let a process lock rows in a transaction of lamsearch's and stop, SIGSTOP, in its middle."""
    started: list[subprocess.Popen[str]] = []

    def hold(idle: str, statement: str = STUDY) -> subprocess.Popen[str]:
        one = subprocess.Popen(
            [sys.executable, "-c", HOLD, ready_postgres_url, idle, statement],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(one)
        assert one.stdout is not None
        assert one.stdout.readline() == "holds\n"
        one.send_signal(signal.SIGSTOP)
        return one

    yield hold
    for one in started:
        one.kill()
        one.communicate()


@pytest.fixture
def database(
    ready_postgres_url: str, open_database: Callable[[str], Database], small_study: Build,
    monkeypatch: pytest.MonkeyPatch,
) -> Database:  # fmt: skip
    """A study on a real PostgreSQL, and short waits for locks."""
    monkeypatch.setitem(waits.SETTINGS, "lock_timeout", "200ms")
    database = open_database(ready_postgres_url)
    planned(database, small_study())
    return database


def test_who_stops_in_a_transaction_holds_its_locks_for_a_while_only(
    database: Database, holder: Holder
) -> None:
    """A process stopped in the middle of a transaction loses its locks when it has been idle for
    long; who waited says once for whom, once that it is over, and has done its work."""
    stopped = holder("2s")
    said: list[str] = []
    Retry(threading.Event(), said.append)(lambda: delete(database, "small"))
    first, last = said
    process = rf"server process \d+ \(lamsearch \S+:{stopped.pid}"
    assert re.match(rf"waiting: storage: a lock is held by the transaction of {process}", first)
    assert ", idle in transaction for " in first
    assert last == "the lock is free again"
    assert names(database) == []


def test_a_stage_transition_waits_again_for_a_lock_and_is_made(
    database: Database, holder: Holder
) -> None:
    """A worker that could not get the study's lock has neither lost the database nor the
    transition: it asks again, and takes the next stage as soon as the lock is free."""
    leases = Leases(database, "small", owner="worker", seconds=60.0)
    for _ in range(2):  # the cohorts of the coarse stage
        finish(leases, claimed(leases))
    stopped = holder("60s")
    with pytest.raises(StorageBusyError) as caught:
        leases.claim()
    assert not is_outage(caught.value)
    assert not leases._outages.recent
    assert not leases._unacknowledged
    stopped.kill()
    stopped.wait()
    claim = claimed(leases)
    assert claim.stage == "fine"


@pytest.mark.parametrize(
    ("statement", "arguments"),
    [(STUDY, ("delete", "small", "--yes")),
     ("LOCK TABLE lamsearch_study IN ACCESS EXCLUSIVE MODE", ("status",))],
    ids=["a row of a verb that writes", "a table of a verb that looks"],
)  # fmt: skip
def test_a_verb_waits_for_a_lock_and_says_so(
    ready_postgres_url: str, holder: Holder, lamsearch: Lamsearch, study_file: Callable[..., Path],
    tmp_path: Path, statement: str, arguments: tuple[str, ...],
) -> None:  # fmt: skip
    """A verb that meets a lock that somebody holds for long waits, says for whom, and is done in
    the end."""
    url = with_options(ready_postgres_url, options="-c lock_timeout=300")
    places = {"LAMSEARCH_STORAGE": url, "LAMSEARCH_FILES": str(tmp_path / "files")}
    assert lamsearch("create", study_file(), env=places).returncode == 0
    stopped = holder("60s", statement)
    verb = forked.Popen(
        [*forked.COMMAND, *arguments],
        env={**os.environ, **places}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert verb.stderr is not None
    waiting = verb.stderr.readline()
    stopped.kill()
    _, rest = verb.communicate(timeout=60)
    assert verb.returncode == 0, rest
    assert waiting.startswith("waiting: storage: a lock is held by the transaction of server proc")
    assert f":{stopped.pid}, idle in transaction for" in waiting
    assert rest.startswith("the lock is free again\n")


def test_every_transaction_has_its_limits_and_leaves_none_behind(
    ready_postgres_url: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Transactions that write and that read, of workers, of who only looks and of the dashboard's
    own Optuna, end soon where they wait or are idle; the session, which a pooler gives to others
    afterwards, has no limit."""

    def limits(connection: sa.Connection) -> tuple[object, ...]:
        return tuple(
            connection.exec_driver_sql(f"SHOW {name}").scalar()
            for name in ("lock_timeout", "idle_in_transaction_session_timeout", "timezone")
        )

    reading = Database(ready_postgres_url, Mode.READ)
    view = View(database, writable=True)
    found = []
    for one in (database, reading):
        with one.read() as transaction:
            found.append(limits(transaction.connection))
    with database.write() as transaction:
        found.append(limits(transaction.connection))
    for storage in filter(None, (view.reader, view.writer)):
        with storage.scoped_session() as session:
            found.append(limits(session.connection()))
    assert set(found) == {("200ms", "1min", "UTC")}
    assert len(found) == 5
    for engine in (database.engine, reading.engine, view.reader.engine):
        with engine.connect() as connection:
            raw = connection.connection.driver_connection
            assert raw is not None
            assert raw.execute("SHOW lock_timeout").fetchone() == ("0",)
    view.close()
    reading.close()


def test_limits_that_the_url_sets_are_kept(ready_postgres_url: str) -> None:
    """A limit among the options of a URL takes the place of ours."""
    database = Database(with_options(ready_postgres_url, options="-c lock_timeout=7s"))
    with database.write() as transaction:
        show = transaction.connection.exec_driver_sql
        assert show("SHOW lock_timeout").scalar() == "7s"
        assert show("SHOW idle_in_transaction_session_timeout").scalar() == "1min"
    database.close()


def test_transactions_that_only_read_cannot_write(ready_postgres_url: str) -> None:
    """PostgreSQL itself refuses to write in a reading transaction of any mode."""
    for mode in (Mode.READ, Mode.WORK):
        database = Database(ready_postgres_url, mode)
        with pytest.raises(DBAPIError, match="read-only"), database.read() as transaction:
            transaction.execute(sa.delete(tables.studies))
        database.close()

"""What is said of a database that does not open, how often it is asked, and what stays unsaid."""

from __future__ import annotations

import itertools
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import OperationalError
from storage_stub import Window

from lamsearch.errors import (
    StorageAwayError,
    StorageBusyError,
    StorageError,
    StorageReadOnlyError,
)
from lamsearch.storage import Database, Mode
from lamsearch.storage.address import Address

URL = "postgresql://u:s3cr3t%21x@h/d"
SAID = "storage: postgresql+psycopg://u:***@h/d cannot be used: "


@contextmanager
def answering(error: Exception | None = None) -> Iterator[list[int]]:
    """Count the attempts to connect; let each of them be answered with ``error``."""
    attempts: list[int] = []

    def note(*_: Any) -> None:
        attempts.append(len(attempts))
        if error is not None:
            raise error

    sa.event.listen(sa.Engine, "do_connect", note)
    try:
        yield attempts
    finally:
        sa.event.remove(sa.Engine, "do_connect", note)


@pytest.fixture
def two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let two seconds pass between one look at the clock and the next of an opening."""
    clock = itertools.count(1000.0, 2.0)
    monkeypatch.setattr(
        "lamsearch.storage.opening.time", SimpleNamespace(monotonic=lambda: next(clock))
    )


@pytest.fixture
def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.mark.usefixtures("two_seconds")
def test_a_server_that_nobody_has_reached_is_tried_for_two_seconds(closed_port: int) -> None:
    """Where nothing answers, an opening gives up when two seconds are over."""
    with answering() as attempts, pytest.raises(StorageAwayError, match="cannot be used"):
        Database(f"postgresql://u@127.0.0.1:{closed_port}/d")
    assert len(attempts) == 1


@pytest.mark.usefixtures("two_seconds")
@pytest.mark.parametrize("sqlstate", ["57P03", "53300", "23505"])
def test_a_server_that_answers_is_tried_for_eight_seconds(sqlstate: str) -> None:
    """A server that is starting or crowded, and others who make the same tables at that moment,
    are asked again until eight seconds are over; what it said is said."""
    error = psycopg.errors.lookup(sqlstate)("not yet")
    with answering(error) as attempts, pytest.raises(StorageError) as caught:
        Database(URL)
    assert str(caught.value) == f"{SAID}not yet"
    assert isinstance(caught.value, StorageAwayError) == (sqlstate != "23505")
    assert len(attempts) == 4


def test_a_refusal_that_lasts_is_said_at_once() -> None:
    """A password that is refused is not tried again, and is no absence."""
    error = psycopg.errors.lookup("28P01")('password "s3cr3t!x" refused')
    with answering(error) as attempts, pytest.raises(StorageError) as caught:
        Database(URL)
    assert str(caught.value) == f'{SAID}password "***" refused'
    assert type(caught.value) is StorageError
    assert len(attempts) == 1


def test_an_opening_does_not_wait_twice_for_a_lock() -> None:
    """A lock that was waited for in vain is said at once; where nobody can say who holds it, it is
    another transaction's."""
    error = psycopg.errors.lookup("55P03")("canceling statement due to lock timeout")
    with answering(error) as attempts, pytest.raises(StorageBusyError) as caught:
        Database(URL)
    assert str(caught.value) == "storage: a lock is held by another transaction"
    assert len(attempts) == 2  # the second to ask who holds it


def with_options(url: str, options: str) -> str:
    """Return a URL with options for the server."""
    found = sa.make_url(url).update_query_dict({"options": options})
    return found.render_as_string(hide_password=False)


def test_who_holds_a_lock_is_said(ready_postgres_url: str) -> None:
    """Who waits in vain for a row reads which process of the server holds it."""
    holding = Database(ready_postgres_url)
    waiting = Database(with_options(ready_postgres_url, "-clock_timeout=50ms"))
    lock = sa.text("LOCK TABLE lamsearch_study IN EXCLUSIVE MODE")
    with holding.write() as transaction:
        transaction.execute(lock)
        process = transaction.connection.scalar(sa.text("SELECT pg_backend_pid()"))
        with pytest.raises(StorageBusyError) as caught, waiting.write() as other:
            other.execute(lock)
    text = f"storage: a lock is held by the transaction of server process {process} (lamsearch "
    assert str(caught.value).startswith(text)
    holding.close()
    waiting.close()


@pytest.mark.parametrize("mode", [Mode.WORK, Mode.CREATE])
def test_a_server_that_may_not_be_written_is_refused_before_work(
    ready_postgres_url: str, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that only reads, as a standby, is refused where work is to be done, after eight
    seconds in which it may have been promoted, and is good enough to look."""
    url = with_options(ready_postgres_url, "-cdefault_transaction_read_only=on")
    clock = itertools.count(1000.0, 8.0)
    with monkeypatch.context() as patch:
        patch.setattr(
            "lamsearch.storage.opening.time", SimpleNamespace(monotonic=lambda: next(clock))
        )
        with pytest.raises(StorageReadOnlyError) as caught:
            Database(url, mode)
    assert str(caught.value).startswith("storage: postgresql+psycopg://")
    assert str(caught.value).endswith(
        " must be writable, got a read-only server: a standby, or default_transaction_read_only "
        "for the role or the database"
    )
    Database(url, Mode.READ).close()


@pytest.mark.parametrize("mode", Mode)
def test_text_that_is_no_utf_8_is_damage(sqlite_url: str, mode: Mode) -> None:
    """An SQLite file whose schema holds bytes that are no text is said to be damaged."""
    plain = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))
    plain.execute("CREATE TABLE damaged (a)")
    plain.execute("PRAGMA writable_schema = ON")
    plain.execute("UPDATE sqlite_master SET name = CAST(x'ff41' AS TEXT) WHERE name = 'damaged'")
    plain.commit()
    plain.close()
    with pytest.raises(StorageError) as caught:
        Database(sqlite_url, mode)
    assert str(caught.value) == f"storage: {sqlite_url} must hold text in UTF-8: it is damaged"


def test_tables_of_another_optuna_are_refused(url: str) -> None:
    """Optuna's tables of a version that it cannot use are refused in every mode, at once and with
    its own words."""
    Window(url).execute("UPDATE alembic_version SET version_num = 'v9.9.9.a'")
    for mode in Mode:
        with pytest.raises(StorageError, match=r"^storage: The runtime optuna version .* is no "):
            Database(f"{url}?timeout=0" if url.startswith("sqlite") else url, mode)


def test_a_file_is_made_for_planning_alone(tmp_path: Path) -> None:
    """Looking and working refuse a file that is not there by its name; nothing is made."""
    path = tmp_path / "not.db"
    for mode in (Mode.READ, Mode.WORK):
        with pytest.raises(StorageError) as caught:
            Database(f"sqlite:///{path}", mode)
        assert str(caught.value) == f"storage: no such file: {path}"
    assert list(tmp_path.iterdir()) == []


def test_an_opened_database_says_what_it_is(
    url: str, open_database: Callable[[str], Database]
) -> None:
    """A database knows its mode and file, shows itself without a password, and was not upgraded
    where there was nothing to upgrade."""
    database = open_database(url)
    assert (database.mode, database.upgraded) == (Mode.CREATE, None)
    file = url.removeprefix("sqlite:///") if url.startswith("sqlite") else None
    assert database.file == (None if file is None else Path(file))
    assert database.redacted.startswith(url.partition("://")[0])
    reading = Database(url, Mode.READ)
    assert (reading.mode, reading.file) == (Mode.READ, database.file)
    reading.close()


class ToldError(Exception):
    """A driver's error with a server's answer in its parts."""

    diag = SimpleNamespace(message_primary="role s3cr3t!x is refused", message_hint="no")


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        (ToldError("one\ntwo"), "role *** is refused"),
        (Exception("\n  one \n\n\ttwo s3cr3t%21x\nthree"), "one two ***"),
        (Exception("one"), "one"),
        (Exception(""), ""),
    ],
    ids=["a server's answer", "lines of a driver", "a line", "nothing"],
)
def test_an_error_is_said_in_its_driver_s_words(origin: Exception, words: str) -> None:
    """Of a server's answer its first part is said, else the first two lines that say something,
    without secrets; whether SQLAlchemy has wrapped it, Optuna around that, or nobody."""
    wrapped = OperationalError("SELECT s3cr3t", {}, origin)
    optunas = StorageInternalError("an error of Optuna")
    optunas.__cause__ = wrapped
    for error in (origin, wrapped, optunas):
        assert Address(URL).say(error) == f"{SAID}{words}"
    assert Address(URL).say(StorageInternalError("alone")) == f"{SAID}alone"


def test_a_text_loses_the_url_s_secrets() -> None:
    """Whatever form of the password stands in a text, it is taken out."""
    assert Address(URL).scrub("s3cr3t!x or s3cr3t%21x of u at h") == "*** or *** of u at h"


def test_a_database_says_an_error_as_its_address_does(sqlite_url: str) -> None:
    """An error of an open SQLite file is said with the file's URL, and no statement."""
    database = Database(sqlite_url)
    error = OperationalError("SELECT 1", {}, sqlite3.OperationalError("disk I/O error"))
    assert database.say(error) == f"storage: {sqlite_url} cannot be used: disk I/O error"
    database.close()

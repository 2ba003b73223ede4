from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.exc import OperationalError
from storage_stub import Window

from lamsearch.errors import StorageError
from lamsearch.storage import Database, Mode, parse_url, schema
from lamsearch.storage.address import Address

SECRET = "s3cr3t!x"  # noqa: S105 - made up
HIDDEN = ["s3cr3t", "cr3t%21", "cr3t!"]


def refusal(url: str, mode: Mode = Mode.CREATE) -> str:
    """Open a storage that must be refused; return the sentence, which holds no password."""
    with pytest.raises(StorageError) as caught:
        Database(url, mode)
    text = str(caught.value)
    assert text.startswith("storage: ")
    assert "\n" not in text
    assert caught.value.exit_code == 2
    chain: BaseException | None = caught.value
    while chain is not None:  # what a traceback would print
        assert not any(part in str(chain) for part in HIDDEN)
        chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)
    return text


def test_whose_tables_are_there_waits_for_nobody(ready_postgres_url: str) -> None:
    """Who makes or upgrades tables keeps others from that, and nobody from opening what is there:
    hundreds of workers may begin at once."""
    window = Window(ready_postgres_url)
    with window.engine.begin() as connection:
        schema.lock(connection)
        for mode in Mode:
            Database(ready_postgres_url, mode).close()


@pytest.fixture
def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        yield int(one.getsockname()[1])


@pytest.mark.parametrize("credentials", [f"u:{SECRET}@", "u:s3cr3t%21x@", "s3cr3t%21x:s3cr3t%21x@"])
def test_a_server_that_is_not_there_is_said_without_the_password(
    credentials: str, closed_port: int
) -> None:
    """A refused connection is one sentence with host and port, and no form of the password."""
    if credentials.startswith("s3"):
        credentials = credentials.replace("s3cr3t%21x:", "user:", 1)
    text = refusal(f"postgresql://{credentials}127.0.0.1:{closed_port}/studies")
    assert f"127.0.0.1:{closed_port}/studies cannot be used" in text
    assert "***" in text


def test_a_password_among_the_url_s_options_is_hidden_too(closed_port: int) -> None:
    """A password that stands as an option of the URL is no more shown than one before the host."""
    text = refusal(f"postgresql://127.0.0.1:{closed_port}/studies?user=u&password=s3cr3t%21x")
    assert "cannot be used" in text


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql//u:{SECRET}@host/db",
        f"postgresql://u:{SECRET}@host:port/db",
        f"u:{SECRET}@host/db",
        f"host=h password={SECRET}",
        f"postgresql://u:first@{SECRET}@127.0.0.1/db",  # an @ that is not written %40
        "",
    ],
)
def test_what_is_no_url_is_refused_without_being_shown(url: str) -> None:
    """A malformed URL is told the rule and an example, and not echoed."""
    assert "must be a URL such as sqlite:///lamsearch.db" in refusal(url)


def test_other_databases_are_refused_by_their_kind() -> None:
    """A URL of another kind of database is refused with that kind, without its password."""
    text = refusal(f"mysql+pymysql://u:{SECRET}@host/db")
    assert text == "storage: must be sqlite or postgresql, got 'mysql'"


def test_sqlite_with_a_host_is_refused(tmp_path: Path) -> None:
    """An SQLite URL with user, password and host is no file."""
    refusal(f"sqlite://u:{SECRET}@host/{tmp_path / 'x.db'}")


def test_a_server_that_does_not_answer_is_said_within_ten_seconds(silent_port: int) -> None:
    """A PostgreSQL that takes the connection and stays silent is refused within 10 s."""
    begun = time.monotonic()
    refusal(f"postgresql://u:{SECRET}@127.0.0.1:{silent_port}/studies")
    assert time.monotonic() - begun < 10.0


def test_a_database_that_the_server_lacks_is_said(postgres_url: str) -> None:
    """A PostgreSQL without the named database answers in one sentence that names it."""
    url = sa.make_url(postgres_url).set(database="nosuch")
    assert '"nosuch" does not exist' in refusal(url.render_as_string(hide_password=False))


def test_postgresql_is_used_as_people_write_it(postgres_url: str) -> None:
    """`postgresql://` and `postgres://` both open the database, in UTC, with our tables in it."""
    for scheme in ("postgresql", "postgres"):
        database = Database(scheme + postgres_url.removeprefix("postgresql"))
        with database.read() as transaction:
            assert transaction.connection.scalar(sa.text("SHOW timezone")).upper() == "UTC"
        database.close()
    assert "lamsearch_cohort" in Window(postgres_url).tables()


def test_a_new_sqlite_file_gets_its_tables(tmp_path: Path) -> None:
    """A file that is not there is made, with our tables beside Optuna's, for readers that do not
    wait."""
    url = f"sqlite:///{tmp_path / 'new.db'}"
    Database(url).close()
    tables = Window(url).tables()
    assert {"lamsearch_study", "lamsearch_cohort", "studies", "trials"} <= tables.keys()
    with closing(sqlite3.connect(tmp_path / "new.db")) as connection, connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_new_storage_is_made_without_alembic(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Whoever makes a storage does not load what Optuna reads its revisions with, and Optuna finds
    the tables as it needs them."""
    url = f"sqlite:///{tmp_path / 'new.db'}"
    if kind == "postgresql":
        url = str(request.getfixturevalue("postgres_url"))
    code = (
        "import sys; from lamsearch.storage import Database; Database(sys.argv[1]).close(); "
        "print([one for one in ('alembic', 'mako') if one in sys.modules])"
    )
    command = [sys.executable, "-P", "-c", code, url]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    written = parse_url(url).render_as_string(hide_password=False)
    RDBStorage(written, engine_kwargs={"poolclass": sa.NullPool}).remove_session()


def test_what_a_storage_is_opened_with_is_loaded_without_opening_it(tmp_path: Path) -> None:
    """Loading makes no file, and leaves nothing of Optuna's tables or of the dialect to load."""
    code = (
        "import sys; from lamsearch.storage import load_opening; load_opening(sys.argv[1]); "
        "import sqlalchemy; from optuna.storages._rdb import models; "
        "print(sqlalchemy.inspect(models.TrialModel).configured, "
        "'sqlalchemy.dialects.sqlite' in sys.modules)"
    )
    command = [sys.executable, "-P", "-c", code, f"sqlite:///{tmp_path / 'new.db'}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]
    assert list(tmp_path.iterdir()) == []


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    """An SQLite file in a directory that is not there is refused, and no directory is made."""
    directory = tmp_path / "not" / "there"
    assert refusal(f"sqlite:///{directory}/x.db") == f"storage: no such directory: {directory}"
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_must_exist_is_not_made(tmp_path: Path) -> None:
    """Where a study is to be found, an SQLite file that is not there is refused and not made."""
    path = tmp_path / "x.db"
    text = refusal(f"sqlite:///{path}", Mode.WORK)
    assert text == f"storage: no such file: {path}"
    assert not path.exists()
    Database(f"sqlite:///{path}").close()
    Database(f"sqlite:///{path}", Mode.WORK).close()


def test_a_file_that_is_no_database_stays_as_it_is(tmp_path: Path) -> None:
    """A file that is something else is refused by name and not touched."""
    path = tmp_path / "x.db"
    path.write_text("name = 'a study file, not a database'\n" * 100, encoding="utf-8")
    before = path.read_bytes()
    text = refusal(f"sqlite:///{path}")
    assert f"{path} cannot be used: file is not a database" in text
    assert path.read_bytes() == before


def test_a_directory_is_no_database(tmp_path: Path) -> None:
    """A directory given as the SQLite file is refused by name."""
    assert str(tmp_path) in refusal(f"sqlite:///{tmp_path}")


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///file::memory:?uri=true",
     "sqlite:///file:x?mode=memory&cache=shared&uri=true"],
)  # fmt: skip
def test_sqlite_in_memory_is_refused(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database in memory, however it is written, would keep nothing and is refused."""
    monkeypatch.chdir(tmp_path)
    assert refusal(url) == "storage: SQLite must be a file, got a database in memory"
    assert list(tmp_path.iterdir()) == []


def test_the_url_shown_hides_the_password() -> None:
    """The URL is parsed with its password and shown without."""
    url = parse_url(f"postgresql://u:{SECRET}@h/d")
    assert url.password == SECRET
    assert SECRET not in repr(url)


def test_what_a_driver_says_is_said_in_one_line_without_the_password() -> None:
    """A database error is told by its own words, without statement, line breaks or any form of
    the password."""
    address = Address("postgresql://u:s3cr3t%21x@h/d?sslpassword=an0ther")
    cause = OperationalError(
        "INSERT INTO t", {"v": 1}, Exception(f"bad dsn {SECRET},\n s3cr3t%21x or an0ther\n at 1")
    )
    wrapped = StorageInternalError()
    wrapped.__cause__ = cause
    for error in (cause, wrapped):
        text = address.say(error)
        assert text.endswith("cannot be used: bad dsn ***, *** or ***")
        assert "INSERT" not in text

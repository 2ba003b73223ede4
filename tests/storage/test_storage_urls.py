"""What forms of a storage URL there are, and what is said of one that is none."""

from __future__ import annotations

from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

import pytest

from lamsearch.errors import StorageError, StorageFailedError
from lamsearch.locations import local_path
from lamsearch.storage import Database, parse_url, sqlite_file
from lamsearch.storage.urls import sqlite_uri

SECRET = "s3cr3t"  # noqa: S105 - made up


def refusal(url: str) -> str:
    """Return the one sentence with which a URL is refused; it holds no part of the password."""
    with pytest.raises(StorageError) as caught:
        parse_url(url)
    text = str(caught.value)
    assert text.startswith("storage: ")
    assert "\n" not in text
    assert SECRET not in text
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return text


@pytest.mark.parametrize(
    "url", ["sqlite://x.db", "sqlite:x.db", "sqlite:/tmp/x.db", "SQLite://x.db",
            f"sqlite://u:{SECRET}@host/x.db", r"sqlite://C:\lam\x.db"],
)  # fmt: skip
def test_an_sqlite_file_with_too_few_slashes_is_asked_for_three(url: str) -> None:
    """An SQLite URL that has not three slashes is told that three are meant."""
    assert "three slashes, as in sqlite:///lamsearch.db" in refusal(url)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://u:p@{SECRET}@host/db",
        f"postgresql://u:p@{SECRET}:x@host/db",
        f"postgresql://u:p@{SECRET}/{SECRET}@host/db",
        f"postgresql://u:p@x?{SECRET}@host/db",
        f"postgresql://u:p@x?{SECRET}={SECRET}@host/db",
        f"postgresql://u:p@x#{SECRET}@host/db",
        f"postgresql://u/{SECRET}@host/db",
    ],
)
def test_a_password_with_an_at_sign_is_asked_to_be_encoded(url: str) -> None:
    """An @ in a password that is not written %40 is named as what is wrong; it is not shown."""
    assert "an @ is written %40" in refusal(url)


@pytest.mark.parametrize("password", ["a/b", "a?b", "a#b", "a:b", "a b", "100%", "a%40b", "λ"])
def test_other_signs_of_a_password_are_taken_as_they_are(password: str) -> None:
    """A password whose signs leave no doubt is the password that was meant."""
    url = parse_url(f"postgresql://u:{password}@host:5433/db?sslmode=require")
    assert (url.username, url.host, url.port, url.database) == ("u", "host", 5433, "db")
    assert url.password == password.replace("%40", "@")
    assert url.query == {"sslmode": "require"}


def test_a_user_name_with_an_at_sign_is_one() -> None:
    """A user of a tenant is understood before the host and among the options."""
    assert parse_url(f"postgresql://me@tenant:{SECRET}@host/db").username == "me@tenant"
    assert parse_url("postgresql:///db?user=me@tenant&host=h").query["user"] == "me@tenant"


def test_a_port_that_is_no_number_is_said() -> None:
    """A port that is no number is named, for a host and for an IPv6 address."""
    for host in ("host", "[::1]", f"u:{SECRET}@host"):
        assert "the port a number" in refusal(f"postgresql://{host}:port/db")


@pytest.mark.parametrize("url", [" sqlite:///x.db", "sqlite:///x.db ", "postgresql://h/d\r\n"])
def test_space_around_a_url_is_refused(url: str) -> None:
    """A space or line end around a URL is said, and makes no file of that name."""
    assert "must not begin or end with a space" in refusal(url)


def test_schemes_may_be_written_in_any_case() -> None:
    """Schemes have no case: upper-case ones mean the same."""
    assert parse_url("SQLITE:///X.db") == parse_url("sqlite:///X.db")
    assert parse_url("PostgreSQL://h/D") == parse_url("postgres://h/D")


@pytest.mark.parametrize("url", ["sqlite+aiosqlite:///x.db", "sqlite3:///x.db", "mysql://h/d"])
def test_other_kinds_are_refused_by_name(url: str) -> None:
    """Another kind of database, or of driver, is refused with its name."""
    assert url.partition(":")[0].partition("+pymysql")[0] in refusal(url)


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("sqlite:///x.db?mode=ro", "needs the form sqlite:///file:PATH?mode=ro&uri=true"),
        ("sqlite:///x.db?tiemout=5", "has no option 'tiemout'"),
        ("sqlite:///x.db?timeout=long", "timeout must be a whole number, got 'long'"),
    ],
)
def test_options_of_sqlite_are_checked(url: str, rule: str) -> None:
    """An option that SQLite would ignore, does not have or cannot read is refused with the rule."""
    assert rule in refusal(url)


def test_options_of_sqlite_are_kept(tmp_path: Path) -> None:
    """The timeout of a URL takes the place of ours, and a URI that says read-only is obeyed."""
    path = tmp_path / "a b.db"
    database = Database(f"sqlite:///{path}?timeout=7")
    with database.write() as transaction:
        assert transaction.connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 7000
    database.close()
    name = f"sqlite:///file:{tmp_path}/a%20b.db?mode=ro&uri=true"
    assert sqlite_file(parse_url(name)) == path
    database = Database(name)
    with pytest.raises(StorageFailedError, match="readonly"), database.write() as transaction:
        transaction.connection.exec_driver_sql("DELETE FROM lamsearch_study")
    database.close()


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        (PurePosixPath("/data/a b?.db"), "file:///data/a%20b%3F.db"),
        (PureWindowsPath(r"C:\Users\ana\a#1.db"), "file:///C:/Users/ana/a%231.db"),
        (PureWindowsPath(r"\\server\share\x.db"), "file:////server/share/x.db"),
    ],
)
def test_sqlite_finds_a_file_on_every_system(path: PurePath, uri: str) -> None:
    """A path is the URI that SQLite reads on its system: a drive follows three slashes, a server
    four."""
    assert sqlite_uri(path) == uri


def test_a_drive_in_a_uri_is_no_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows the slash before a drive's letter is none of the path; elsewhere it is a name."""
    url = parse_url("sqlite:///file:///C:/studies.db?uri=true")
    for windows, path in ((True, "C:/studies.db"), (False, "/C:/studies.db")):
        monkeypatch.setattr("lamsearch.locations._WINDOWS", windows)
        assert sqlite_file(url) == local_path("file:///C:/studies.db") == Path(path)

"""The messages of each room that is given a URL, without the secret in it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lamsearch.artifacts import Files
from lamsearch.data.download import Archive, fetch_cifar10
from lamsearch.errors import LamsearchError
from lamsearch.pool import connect
from lamsearch.storage import Database

SECRET = "q7JZ9xw3"  # noqa: S105 - made up


@pytest.fixture
def port() -> Iterator[int]:
    """A port where nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        yield int(one.getsockname()[1])


def dask(url: str, _directory: Path) -> None:
    """Look for a scheduler."""
    with connect(url):
        pass


def storage(url: str, _directory: Path) -> None:
    """Open a database."""
    Database(url)


def files(url: str, _directory: Path) -> None:
    """Look whether files can be written."""
    Files(url, "study-id").check()


def mirror(url: str, directory: Path) -> None:
    """Fetch data from a mirror."""
    fetch_cifar10(directory, Archive(url=url, pause=0))


@pytest.mark.parametrize(
    ("open_it", "url", "expected"),
    [
        (storage, "postgresql://127.0.0.1:PORT/d?passwd=SECRET", "://127.0.0.1:PORT/d?*** cannot"),
        (storage, "postgresql://u@127.0.0.1:PORT/d?oauth_client_secret=SECRET", "/d?*** cannot"),
        (storage, "postgresql://u:SECRET@127.0.0.1:PORT/d", "u:***@127.0.0.1:PORT/d cannot"),
        (files, "ftp://u:SECRET@127.0.0.1:PORT/x", "ftp://u:***@127.0.0.1:PORT/x"),
        (files, "http://SECRET@127.0.0.1:PORT/x", "http://***@127.0.0.1:PORT/x"),
        (files, "nosuch://host/x?access=SECRET", "got nosuch://host/x?***"),
        (files, "simplecache::nosuch://SECRET@host/x", "got simplecache::nosuch://***@host/x"),
        (dask, "http://SECRET@127.0.0.1:PORT", "got 'http://***@127.0.0.1:PORT'"),
        (dask, "tcp://u:SECRET@127.0.0.1:x", "got 'tcp://***@***'"),
        (mirror, "http://SECRET@127.0.0.1:PORT/a.tar.gz", "http://***@127.0.0.1:PORT/a.tar.gz: "),
        (mirror, "http://127.0.0.1:PORT/a?access=SECRET", "http://127.0.0.1:PORT/a?***: "),
        (mirror, "ftp://u:SECRET@127.0.0.1/a", "got 'ftp://u:***@127.0.0.1/a'"),
    ],
)
def test_messages_hold_no_secret(
    open_it: Callable[[str, Path], None], url: str, expected: str, port: int, tmp_path: Path
) -> None:
    """What cannot be opened is named by its URL without the secret, whatever the library said."""
    with pytest.raises(LamsearchError) as caught:
        open_it(url.replace("PORT", str(port)).replace("SECRET", SECRET), tmp_path)
    said = str(caught.value)
    assert SECRET not in said
    assert expected.replace("PORT", str(port)) in said

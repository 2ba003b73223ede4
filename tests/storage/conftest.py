"""Storages of both kinds with their tables in place, which is what most facts here start from."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from storage_stub import Window

from lamsearch.storage import Database, engine


@pytest.fixture
def sqlite_url(ready_sqlite: Callable[[Path], str], tmp_path: Path) -> str:
    """A storage of its own in an SQLite file."""
    return ready_sqlite(tmp_path / "ready.db")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """A storage of either kind, its tables in place."""
    kind = "sqlite_url" if request.param == "sqlite" else "ready_postgres_url"
    return str(request.getfixturevalue(kind))


@pytest.fixture(scope="module")
def prepared_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str, str, Callable[[str], None]], str]]:
    """Copies of storages, each of which is made once, by what it is to hold: kind, name, how."""
    made: dict[tuple[str, str], str] = {}
    copies: list[str] = []
    directory = tmp_path_factory.mktemp("prepared")

    def new(template: Path | str) -> str:
        name = f"c{uuid.uuid4().hex}"
        if isinstance(template, Path):
            return f"sqlite:///{shutil.copy(template, directory / name)}"
        server, _ = request.getfixturevalue("postgres_template")
        with server.connect() as connection:
            connection.execute(
                sa.text(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
            )
        copies.append(name)
        return server.url.set(drivername="postgresql", database=name).render_as_string(
            hide_password=False
        )

    def copy(kind: str, name: str, make: Callable[[str], None]) -> str:
        if (kind, name) not in made:
            empty = request.getfixturevalue(f"{kind}_template")
            made[kind, name] = new(empty if kind == "sqlite" else empty[1])
            make(made[kind, name])
        database = sa.make_url(made[kind, name]).database or ""
        return new(Path(database) if kind == "sqlite" else database)

    yield copy
    if copies:
        server, _ = request.getfixturevalue("postgres_template")
        with server.connect() as connection:
            for name in copies:
                connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(params=["sqlite", "postgres"])
def prepared(
    request: pytest.FixtureRequest, prepared_url: Callable[[str, str, Callable[[str], None]], str]
) -> Callable[[str, Callable[[str], None]], str]:
    """Copies of storages of either kind, by what they are to hold: name, how."""
    return partial(prepared_url, str(request.param))


@pytest.fixture
def open_database() -> Iterator[Callable[[str], Database]]:
    """Open databases that are closed at the end."""
    opened: list[Database] = []

    def open_one(url: str) -> Database:
        opened.append(Database(url))
        return opened[-1]

    yield open_one
    for database in opened:
        database.close()


@pytest.fixture
def database(url: str, open_database: Callable[[str], Database]) -> Database:
    """The storage, opened once."""
    return open_database(url)


@pytest.fixture
def window(url: str, database: Database) -> Window:
    """A look at the same storage past lamsearch."""
    return Window(url)


@pytest.fixture
def long_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server have been up for long, as it has not been in a test."""
    monkeypatch.setattr(engine.Transaction, "server_started", lambda _: 0.0)

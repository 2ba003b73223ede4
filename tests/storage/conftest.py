"""Storages of both kinds with their tables in place, which is what most facts here start from."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from storage_stub import Window

from lamsearch.storage import Database, engine


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with all tables and no study."""
    path = tmp_path_factory.mktemp("template") / "studies.db"
    Database(f"sqlite:///{path}").close()
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres: str) -> Iterator[tuple[sa.Engine, str]]:
    """A PostgreSQL database with all tables and no study: the server's door and its name."""
    url = sa.make_url(postgres).set(drivername="postgresql+psycopg")
    server = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    name = f"template{uuid.uuid4().hex}"
    with server.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    Database(url.set(database=name).render_as_string(hide_password=False)).close()
    yield server, name
    with server.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A storage of its own in an SQLite file."""
    shutil.copy(sqlite_template, tmp_path / "ready.db")
    return f"sqlite:///{tmp_path / 'ready.db'}"


@pytest.fixture
def ready_postgres_url(postgres_template: tuple[sa.Engine, str]) -> Iterator[str]:
    """A storage of its own on a real PostgreSQL."""
    server, template = postgres_template
    name = f"t{uuid.uuid4().hex}"
    with server.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    url = server.url.set(drivername="postgresql", database=name)
    yield url.render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """A storage of either kind, its tables in place."""
    kind = "sqlite_url" if request.param == "sqlite" else "ready_postgres_url"
    return str(request.getfixturevalue(kind))


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

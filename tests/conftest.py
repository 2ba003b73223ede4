"""What all tests share: storages of both kinds, small studies, the command line."""

from __future__ import annotations

import gc
import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import forked
import pytest
import sqlalchemy as sa
from chromium import ARGUMENTS, CHROMIUM
from small_study import document_of
from threadpoolctl import threadpool_limits

from benchmarks.postgres import Server, new_database
from lamsearch.pool import cores
from lamsearch.storage import Database
from lamsearch.study import Study, parse_study

POSIX = hasattr(os, "fork")
PROC = Path("/proc/self/status").exists()
DISTRIBUTED = "PYTEST_XDIST_WORKER" in os.environ  # this is one of several processes of pytest
# Rooms whose files take longest begin first, so that none of them is left over at the end.
LONGEST = (
    "worker", "pool", "readme", "docs", "house", "web", "cli", "exports", "storage", "artifacts",
)  # fmt: skip

# Rooms that reckon in pytest's own process. BLAS has a thread per core there, and several processes
# of pytest have too many for the cores: waiting for each other costs more than what they reckon.
RECKONING = frozenset({"metrics", "search", "statistics", "trainers"})

# Files that cannot even be imported, or whose every test needs signals, users or pseudo-terminals.
NEED_POSIX = frozenset({
    "cli/test_cli_hostile_writer.py", "cli/test_cli_only_reading.py", "cli/test_cli_open_files.py",
    "cli/test_cli_run_halted.py", "compose", "house/test_house_forked.py", "pool",
    "terminal",
    "web/test_web_attacks.py", "web/test_web_attempts.py", "web/test_web_connections.py", "worker",
})  # fmt: skip


def toml_of(document: dict[str, Any]) -> str:
    """Return a study's document as TOML text."""
    import json

    def line(key: str, value: Any) -> str:
        return f"{key} = {json.dumps(value)}"

    top = [line(key, value) for key, value in document.items() if not isinstance(value, dict)]
    for key, table in document.items():
        if isinstance(table, dict):
            top += [f"[{key}]", *(line(inner, value) for inner, value in table.items())]
    return "\n".join(top) + "\n"


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Say what ``-n auto`` is: one more than there are cores, for often a test only waits.

    More than eight would find the longest files taken.
    """
    return min(cores() + 1, 8)


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave files alone whose imports this system does not have."""
    path = collection_path.relative_to(Path(__file__).parent).as_posix()
    return True if not POSIX and path in NEED_POSIX else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a server; skip what this system cannot do; order the rooms by how long they
    take where processes share them."""
    for item in items:
        names = getattr(item, "fixturenames", ())
        params = getattr(getattr(item, "callspec", None), "params", {}).values()
        words = {one for one in params if isinstance(one, str)}
        if {"postgres", "postgres_url", "postgresql"} & {*names, *words}:
            item.add_marker(pytest.mark.postgresql)
        for name, there in (("posix", POSIX), ("linux", PROC)):
            if not there and item.get_closest_marker(name) is not None:
                item.add_marker(pytest.mark.skip(reason=f"needs {name}"))
    rank = {room: number for number, room in enumerate(LONGEST)}
    if DISTRIBUTED:
        items.sort(key=lambda item: rank.get(item.path.parent.name, len(rank)))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Have the collector of cycles leave alone what thousands of tests are: it is there to stay."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
        gc.set_threshold(100_000, 50, 100)  # what tests leave is little beside the time it takes


@pytest.fixture(scope="session")
def shared_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of this session, shared by all of pytest's processes."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if DISTRIBUTED else own


@pytest.fixture(scope="session")
def small_study() -> Callable[..., Study]:
    """Build the small study, with changes."""
    return lambda **changes: parse_study(document_of(**changes))


@pytest.fixture(scope="session", autouse=True)
def _forked_workers() -> Iterator[None]:
    """Have the workers forked that a run in the tests' own process starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lamsearch.pool.process.subprocess", forked.SUBPROCESS)
        yield


@pytest.fixture(scope="module", autouse=True)
def _one_thread(request: pytest.FixtureRequest) -> Iterator[None]:
    """Give BLAS one thread where much is reckoned; elsewhere as many as users have."""
    with threadpool_limits(1) if request.path.parent.name in RECKONING else nullcontext():
        yield


@pytest.fixture
def study_file(tmp_path: Path) -> Callable[..., Path]:
    """Write the small study, with changes, as a file; return its path."""

    def write(**changes: Any) -> Path:
        document = document_of(**changes)
        path = tmp_path / f"{uuid.uuid4().hex[:8]}.toml"
        path.write_text(toml_of(document), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A real PostgreSQL server's URL: LAMSEARCH_TEST_POSTGRES, or one started from its wheel."""
    given = os.environ.get("LAMSEARCH_TEST_POSTGRES")
    if given:
        yield given
        return
    with Server(durable=False) as server:
        yield server.url


@pytest.fixture
def postgres_url(postgres: str) -> Iterator[str]:
    """The URL of a new, empty database on a real PostgreSQL."""
    with new_database(postgres) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_storage_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new storage of either kind, which has no tables yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'studies.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with all tables and no study."""
    path = tmp_path_factory.mktemp("template") / "studies.db"
    Database(f"sqlite:///{path}").close()
    return path


@pytest.fixture(scope="session")
def ready_sqlite(sqlite_template: Path) -> Callable[[Path], str]:
    """Put a storage without a study at a path, and return its URL: to make tables takes longer."""
    return lambda path: f"sqlite:///{shutil.copyfile(sqlite_template, path)}"


@pytest.fixture(scope="session")
def postgres_template(postgres: str) -> Iterator[tuple[sa.Engine, str]]:
    """A PostgreSQL database with all tables and no study: the server's door and its name."""
    url = sa.make_url(postgres).set(drivername="postgresql+psycopg")
    server = sa.create_engine(url, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
    name = f"template{uuid.uuid4().hex}"
    with server.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    Database(url.set(database=name).render_as_string(hide_password=False)).close()
    yield server, name
    with server.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


def copy_of(template: str, name: str) -> str:
    """The statement that makes a database of another one: by its files, whose blocks would else
    all go through the log as well."""
    return f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY"


@pytest.fixture
def ready_postgres_url(postgres_template: tuple[sa.Engine, str]) -> Iterator[str]:
    """A storage of its own on a real PostgreSQL, its tables in place."""
    server, template = postgres_template
    name = f"t{uuid.uuid4().hex}"
    with server.connect() as connection:
        connection.execute(sa.text(copy_of(template, name)))
    url = server.url.set(drivername="postgresql", database=name)
    yield url.render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(params=["sqlite", "postgresql"])
def storage_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new storage of either kind, its tables in place."""
    if request.param == "sqlite":
        ready: Callable[[Path], str] = request.getfixturevalue("ready_sqlite")
        return ready(tmp_path / "studies.db")
    return str(request.getfixturevalue("ready_postgres_url"))


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real S3 server on loopback, a process of its own."""
    log = tmp_path_factory.mktemp("s3") / "log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out,
        )  # fmt: skip
    deadline = time.monotonic() + 30
    while not (found := re.search(r"Running on (http://127\.0\.0\.1:\d+)", log.read_text())):
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < deadline, "the S3 server never came up"
        time.sleep(0.02)
    yield found.group(1)
    server.kill()
    server.wait()


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a new, empty bucket; the environment says where it is and who we are."""
    import fsspec

    for name in [name for name in os.environ if name.startswith(("AWS_", "FSSPEC_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    bucket = f"bucket-{uuid.uuid4().hex[:12]}"
    fsspec.filesystem("s3").mkdir(bucket)
    return f"s3://{bucket}"


Lamsearch = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def lamsearch(tmp_path: Path) -> Lamsearch:
    """Call the command line in a directory of its own; ``drawn``: reports with figures."""
    directory = tmp_path / "cwd"
    directory.mkdir()

    def call(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("LAMSEARCH_")}
        undrawn = {} if options.pop("drawn", False) else forked.UNDRAWN
        environment |= undrawn | options.pop("env", {})
        return forked.run(
            [*forked.COMMAND, *map(str, arguments)],
            cwd=directory, env=environment, capture_output=True, text=True,
            check=False, timeout=120, **options,
        )  # fmt: skip

    return call


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A Chromium without a window, of a file's own: an event loop runs as long as it is there."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # onnxruntime would call its makers once it is loaded

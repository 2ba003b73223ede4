"""PgBouncer in transaction mode before a PostgreSQL: the one that Debian packages.

Enters: a running server, and the programs of Debian's package `pgbouncer`. Leaves: URLs of its
databases that lead through the pooler, which can be stopped and started again. It refuses to run
as root, so there it runs as the user that PostgreSQL runs as.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import sqlalchemy as sa

from benchmarks.postgres import free_port

PROGRAM = "pgbouncer"
_START_SECONDS = 10.0
# No parameter beyond the mode but who may enter; the pool is smaller than what asks for it.
_SETTINGS = """
[databases]
* = host={host} port={port} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_client_conn = {clients}
default_pool_size = {pool}
logfile = {directory}/log
pidfile = {directory}/pid
"""


class Pooler:
    """A running PgBouncer before a server; the block's end stops it and removes its files.

    Args:
        server: the URL of a database on the server.
        pool: how many connections to the server it keeps for each database.
        clients: how many may be connected to it.
    """

    def __init__(self, server: str, *, pool: int = 2, clients: int = 100) -> None:
        self._server, self._pool, self._clients = sa.make_url(server), pool, clients
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        program = shutil.which(PROGRAM) or shutil.which(PROGRAM, path="/usr/sbin")
        assert program is not None, f"no {PROGRAM}: apt-get install pgbouncer"
        self._program, self.port = program, free_port()
        self._directory = tempfile.TemporaryDirectory(prefix="lamsearch-pgbouncer-")
        directory, url = Path(self._directory.name), self._server
        settings = _SETTINGS.format(
            host=url.query.get("host") or url.host, port=url.port or 5432, user=url.username,
            listen=self.port, pool=self._pool, clients=self._clients, directory=directory,
        )  # fmt: skip
        (directory / "settings").write_text(settings, encoding="utf-8")
        self._user = None if os.geteuid() else "nobody"
        if self._user is not None:
            shutil.chown(directory, self._user)
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._directory.cleanup()

    @property
    def version(self) -> str:
        """What it calls itself."""
        said = subprocess.run([self._program, "--version"], capture_output=True, text=True)
        return said.stdout.splitlines()[0]

    def through(self, url: str) -> str:
        """Return the URL of a database of the server, through the pooler."""
        parsed = sa.make_url(url).set(host="127.0.0.1", port=self.port, query={})
        return parsed.render_as_string(hide_password=False)

    def start(self) -> None:
        """Start it, where it was; wait until it listens."""
        directory = Path(self._directory.name)
        self._process = subprocess.Popen(
            [self._program, "-q", str(directory / "settings")], user=self._user,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + _START_SECONDS
        while not self._listens():
            log = directory / "log"
            said = log.read_text(encoding="utf-8") if log.exists() else "it said nothing"
            assert self._process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.05)

    def stop(self) -> None:
        """End it as a crash would: all connections through it are cut."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _listens(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True
        return False

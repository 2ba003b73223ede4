"""A network that parts a worker from a PostgreSQL that lives on: others must not suffer for it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import sqlalchemy as sa
from storage_stub import Window, claimed, planned

from lamsearch.storage import DATABASE_ERRORS, Database, Leases, Wait
from lamsearch.study import Study

Build = Callable[..., Study]


class Cable:
    """A way to a server that can be cut and mended."""

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        self._connect, self._whole = connect, threading.Event()
        self._whole.set()
        self._ends: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._listen, daemon=True).start()

    def cut(self) -> None:
        """Break all connections and take none."""
        self._whole.clear()
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Take connections again."""
        self._whole.set()

    def close(self) -> None:
        """Take no connections any more, for good."""
        self.cut()
        self._listener.close()
        for end in self._ends:
            end.close()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if not self._whole.is_set():
                    near.close()
                    continue
                far = self._connect()
                self._ends += [near, far]
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=_pass_on, args=ends, daemon=True).start()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)


@pytest.fixture
def cable(ready_postgres_url: str) -> Iterator[Cable]:
    """A way to a real PostgreSQL, wherever it listens."""
    url = sa.make_url(ready_postgres_url)
    where = str(url.query.get("host", "") or url.host)

    def connect() -> socket.socket:
        if not where.startswith("/"):
            return socket.create_connection((where, url.port or 5432))
        end = socket.socket(socket.AF_UNIX)
        end.connect(str(Path(where) / f".s.PGSQL.{url.port or 5432}"))
        return end

    found = Cable(connect)
    yield found
    found.close()


@pytest.mark.usefixtures("long_up")
def test_who_waits_notices_that_it_was_cut_off(
    ready_postgres_url: str, cable: Cable, small_study: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that was waiting when its network parted takes nothing over for one lease after it
    is back, though leases ran out meanwhile: their holders may have been cut off as well."""
    window = Window(ready_postgres_url)
    near = Database(ready_postgres_url)
    planned(near, small_study())
    holder = Leases(near, "small", owner="a", seconds=60.0)
    for _ in range(2):
        claimed(holder)
    url = sa.make_url(ready_postgres_url).set(host="127.0.0.1", port=cable.port, query={})
    far = Database(url.render_as_string(hide_password=False))
    waiting = Leases(far, "small", owner="b", seconds=60.0)
    assert waiting.claim() == Wait(cohorts=2)
    cable.cut()
    with pytest.raises(DATABASE_ERRORS):
        waiting.claim()
    window.expire()
    with pytest.raises(DATABASE_ERRORS):
        waiting.claim()
    cable.mend()
    assert waiting.claim() == Wait(cohorts=2)
    assert waiting.claim() == Wait(cohorts=2)
    assert window.column("takeovers") == [0, 0]
    now = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: now() + 61.0)
    assert claimed(waiting).reclaimed
    far.close()
    near.close()

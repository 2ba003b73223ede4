"""How soon a pool does what it is told: from submit to the first update, from pause and cancel to
the worker leaving the study.

One worker with the lease and the checkpoints of a default worker; digits. Submit is timed from the
moment that the study is committed, at a random moment of the worker's wait; the first one ever also
loads what digits need. Pause and cancel meet a study in mid-cohort.
"""

from __future__ import annotations

import signal
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

from benchmarks import runs
from benchmarks.common import Options, Spread, publish, read_options, spread, table, verdict
from benchmarks.faults import traced
from benchmarks.postgres import Server
from benchmarks.victims import Site, Size, Victim, until, url_of
from lamsearch import storage as store
from lamsearch.cli.planning import planned
from lamsearch.storage import Database, Mode
from lamsearch.study import read_study

STORAGES = ("SQLite", "PostgreSQL")
SUBMIT_SECONDS = 3.0
_LEASE_SECONDS, _RENEWAL_SECONDS = 20.0, 2.0
HALT_SECONDS = _RENEWAL_SECONDS + 2.0
_LONGEST_WAIT = 1.8  # of a worker that has nothing to do
_SHORT = {"coarse": {"trials": 8}}
_LONG = {"training": {"step_size": 40_000}}
_SIZE = Size(lease_seconds=_LEASE_SECONDS, checkpoint_seconds=30.0)


def main() -> None:
    """Measure, write."""
    options = read_options(__doc__ or "")
    rounds = 3 if options.quick else 20
    rows = []
    with tempfile.TemporaryDirectory() as temporary, Server(tcp=True) as server:
        for kind in STORAGES:
            directory = Path(temporary) / kind
            directory.mkdir()
            site = Site(directory, url_of(kind, directory, server), _SIZE)
            try:
                rows += _Pool(site, options).measured(kind, rounds)
            finally:
                site.close()
    header = ["", "first ever", "median (quartiles)", "most", "n", "target, of the most"]
    text = f"{(__doc__ or '').strip()} Seconds.\n\n{table(header, rows)}"
    publish("pool_latency", text, options)


class _Pool:
    """One worker that waits, and who hands in."""

    def __init__(self, site: Site, options: Options) -> None:
        self._site, self._chance = site, Random(5)  # noqa: S311 - chance, not secrets
        self._options, self._count = options, 0
        self._worker: Victim | None = None

    def measured(self, kind: str, rounds: int) -> list[list[str]]:
        """Rows of submit, pause and cancel."""
        Database(self._site.url).close()  # for the worker to wait at
        worker = self._site.command("worker", "--files", str(self._site.files), *_SIZE.timing)
        until(lambda: "waits for studies" in worker.said)
        self._worker = worker
        first, *later = [self._time_to_update() for _ in range(rounds + 1)]
        found = [[f"submit, {kind}", f"{first:.2f}", *_cells(later, SUBMIT_SECONDS)]]
        for move in ("pause", "cancel"):
            seconds = [self._time_to_leave(move) for _ in range(rounds)]
            found.append([f"{move}, {kind}", "", *_cells(seconds, HALT_SECONDS)])
        self._worker.signal(signal.SIGTERM)
        assert self._worker.wait() == 130, self._worker.said[-2000:]
        return found

    def _submit(self, changes: runs.Changes) -> str:
        source = runs.study_path("digits")
        directory = self._site.directory / str(self._count)
        directory.mkdir()
        path = runs.coarse_only(
            source, directory, {"": {"name": f"digits-{self._count}"}, **changes}
        )
        self._count += 1
        study = read_study(path)
        files = str(self._site.files)
        database, _ = planned(study, path, self._site.url, self._options.data, files)
        database.close()
        return study.name

    def _time_to_update(self) -> float:
        """Hand in a study while the worker waits; return seconds until it has done an update."""
        before = self._idle()
        time.sleep(self._chance.uniform(4.0, 4.0 + _LONGEST_WAIT))  # it waits longest by then
        self._submit(_SHORT)
        begun = time.monotonic()
        until(lambda: len(self._rows()) > before and self._rows()[before]["now_updates"] > 0)
        return time.monotonic() - begun

    def _time_to_leave(self, move: str) -> float:
        """Halt a study in mid-cohort; return seconds until the worker is out of it."""
        before = self._idle()
        name = self._submit(_LONG)
        until(lambda: len(self._rows()) > before and self._rows()[before]["now_updates"] > 50)
        time.sleep(self._chance.uniform(0.0, _RENEWAL_SECONDS))
        database = Database(self._site.url, Mode.WORK)
        getattr(store, move)(database, name)
        begun = time.monotonic()
        while self._rows()[-1]["in_work"]:
            time.sleep(0.01)
        seconds = time.monotonic() - begun
        if move == "pause":
            store.cancel(database, name)
        database.close()
        return seconds

    def _idle(self) -> int:
        """Wait until every study is over; return how many cohorts the worker has begun."""
        database = Database(self._site.url, Mode.READ)
        until(lambda: all(one.state.over for one in store.read_queue(database)))
        database.close()
        return len(self._rows())

    def _rows(self) -> list[dict[str, Any]]:
        assert self._worker is not None
        assert self._worker.poll() is None, self._worker.said[-2000:]
        return traced(self._worker.trace)


def _cells(seconds: list[float], target: float) -> list[str]:
    found: Spread = spread(seconds)
    most = max(seconds)
    return [found.text(), f"{most:.2f}", f"{len(seconds)}", verdict(most, "≤", target)]


if __name__ == "__main__":
    main()

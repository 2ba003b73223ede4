"""A storage with many studies, and workers of its pool that are to be disturbed.

Enters: a directory, a storage URL. Leaves: studies of several priorities, processes, and how each
study ended. Workers are forked from a server that has imported everything.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import sqlalchemy as sa

from benchmarks import exact
from benchmarks.victims import Site, Size, Victim
from lamsearch import storage as store
from lamsearch.errors import StudyStateError
from lamsearch.results import QueuedStudy
from lamsearch.storage import RETRIED, Database, Mode, parse_url

SEEDS = (11, 12, 13, 14)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A study that is handed in."""

    name: str
    seed: int
    priority: int


class PoolSite:
    """A place where a pool serves studies."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.workers: list[Victim] = []
        self._database: Database | None = None

    @property
    def database(self) -> Database:
        """The storage, once a study is there; only for moving studies and reading."""
        self._database = self._database or Database(self.site.url, Mode.WORK)
        return self._database

    def submit(self, asked: Sequence[Asked]) -> None:
        """Hand in studies, one after the other: that is their age."""
        for one in asked:
            path = self.site.directory / f"{one.name}.toml"
            text = self.site.size.text(one.name).replace("seed = 11", f"seed = {one.seed}")
            path.write_text(text, encoding="utf-8")
            handed = self.site.fork("none", "submit", str(path), "--files", str(self.site.files),
                                    "--priority", str(one.priority))  # fmt: skip
            assert handed.wait() == 0, handed.said

    def start(self, count: int, *words: str) -> None:
        """Start workers; unless ``words`` say otherwise, they serve every study."""
        for _ in range(count):
            told = ("worker", *words, "--files", str(self.site.files), *self.site.size.timing)
            self.workers.append(self.site.fork("none", *told))

    def kill(self, victim: Victim) -> bool:
        """Kill a worker and start another in its place; whether it was alive."""
        victim.signal(signal.SIGKILL)
        self.workers.remove(victim)
        killed = victim.wait() == -signal.SIGKILL
        self.start(1)
        return killed

    def queue(self) -> dict[str, QueuedStudy]:
        """All studies by name; none while the database is busy."""
        with suppress(*RETRIED):
            return {one.name: one for one in store.read_queue(self.database)}
        return {}

    def move(self, move: str, name: str) -> None:
        """Pause, resume or cancel a study."""
        getattr(store, move)(self.database, name)

    def order_of_starts(self) -> list[str]:
        """The names of all studies in the order of their first leases."""
        engine = sa.create_engine(parse_url(self.site.url), poolclass=sa.NullPool)
        query = "SELECT name FROM lamsearch_study WHERE started IS NOT NULL ORDER BY started"
        with engine.connect() as connection:
            return list(connection.scalars(sa.text(query)))

    def dismiss(self) -> list[int]:
        """Ask all workers to leave; return their exit codes."""
        for worker in self.workers:
            worker.signal(signal.SIGTERM)
        return [worker.wait() for worker in self.workers]

    def close(self) -> None:
        """Let go of the storage."""
        if self._database is not None:
            self._database.close()


@contextmanager
def pool_site(directory: Path, url: str, size: Size, cache: Path) -> Iterator[PoolSite]:
    """Make a directory the place of a pool; at the end nothing runs there any more."""
    directory.mkdir(parents=True, exist_ok=True)
    made = PoolSite(Site(directory, url, size, cache))
    try:
        yield made
    finally:
        made.site.close()
        made.close()


def alone(directory: Path, size: Size, cache: Path, seeds: Sequence[int]) -> dict[int, exact.Ended]:
    """Have one worker on SQLite do a study per seed in peace; return how each ended."""
    with pool_site(directory, f"sqlite:///{directory / 'studies.db'}", size, cache) as site:
        asked = [Asked(name=f"alone-{seed}", seed=seed, priority=0) for seed in seeds]
        site.submit(asked)
        for one in asked:
            worker = site.site.fork("none", "worker", one.name, "--files", str(site.site.files))
            assert worker.wait() == 0, worker.said
        return {one.seed: exact.ended(site.site.url, one.name) for one in asked}


@dataclass(slots=True, kw_only=True)
class Disturbance:
    """What is done to a pool while it works."""

    site: PoolSite
    chance: Random
    kills: int
    mean_seconds: float
    to_pause: Sequence[str] = ()
    to_cancel: Sequence[str] = ()
    killed: int = 0
    moved: list[tuple[str, str]] = field(default_factory=list)  # what was done to which study

    def run(self, seconds: float = 1200.0) -> None:
        """Disturb until every study is over and every blow is dealt."""
        paused: dict[str, float] = {}
        to_pause, to_cancel = list(self.to_pause), list(self.to_cancel)
        due, end = time.monotonic(), time.monotonic() + seconds
        while True:
            assert time.monotonic() < end, self.site.queue()
            found, now = self.site.queue(), time.monotonic()
            for name in [one for one in to_pause if _in_work(found.get(one))]:
                to_pause.remove(name)
                if self._move("pause", name):
                    paused[name] = now + self.chance.uniform(2.0, 5.0)
            for name in [one for one, until_ in paused.items() if until_ < now]:
                self._move("resume", name)
                del paused[name]
            for name in [one for one in to_cancel if _in_work(found.get(one))]:
                self._move("cancel", name)
                to_cancel.remove(name)
            over = bool(found) and all(one.state.over for one in found.values())
            if over and not paused:
                return
            if self.killed < self.kills and now > due:
                self.killed += self.site.kill(self.chance.choice(self.site.workers))
                due = now + self.chance.expovariate(1 / self.mean_seconds)
            time.sleep(0.1)

    def _move(self, move: str, name: str) -> bool:
        """Pause, resume or cancel a study, unless it was done just before."""
        with suppress(StudyStateError):
            self.site.move(move, name)
            self.moved.append((move, name))
            return True
        return False


def _in_work(study: QueuedStudy | None) -> bool:
    return study is not None and study.workers > 0 and study.finished_trials > 0

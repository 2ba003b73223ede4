"""A study through PgBouncer in transaction mode: workers killed, the pooler killed and restarted.

Enters: a PostgreSQL of our own, Debian's PgBouncer before it with fewer connections than workers.
Leaves: what a study was told through it, compared with one undisturbed worker on SQLite. The study
is planned, worked on and reported through the pooler; only the counting looks past it.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

import sqlalchemy as sa

from benchmarks import exact, victims
from benchmarks.common import publish, read_options, table
from benchmarks.kills import WORKERS, Fleet
from benchmarks.pooler import Pooler
from benchmarks.postgres import Server
from benchmarks.victims import NAME, Site, Size
from lamsearch.storage import parse_url

SIZE = Size(trials=8, step_size=1500, lease_seconds=2.0, checkpoint_seconds=0.1)
_STUDIES, _SEED = 10, 12
_KILLS, _RESTARTS = 6, 2  # per study
_AWAY_SECONDS = 0.5
_DONE = sa.text("SELECT count(*) FROM lamsearch_cohort WHERE state = 2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One study: kills of workers, restarts of the pooler, other deaths, how it ended."""

    kills: int
    restarts: int
    dead: tuple[str, ...]
    differences: exact.Differences


def main() -> None:
    """Disturb, count, write."""
    options = read_options(__doc__ or "")
    studies = 2 if options.quick else _STUDIES
    found = []
    with tempfile.TemporaryDirectory() as temporary, Server(tcp=True) as server:
        directory = Path(temporary)
        right = victims.undisturbed(directory / "right", SIZE, directory / "cache")
        with Pooler(server.url) as pooler:
            version = pooler.version
            for number in range(studies):
                direct = server.database()
                place, url = directory / str(number), pooler.through(direct)
                with victims.site(place, url, SIZE, directory / "cache") as site:
                    chance = Random(f"{_SEED} {number}")  # noqa: S311 - chance, not secrets
                    found.append(run(site, direct, pooler, right, chance))
                for words in found[-1].dead:
                    print(words, file=sys.stderr)
    text = (
        f"{version} with `pool_mode = transaction`, and nothing else set but addresses, who may "
        f"enter, and the pool's size: 2 connections to the server for the {WORKERS} workers of a "
        f"study. Restarts are SIGKILLs of "
        f"the pooler, which is back after {_AWAY_SECONDS} s.\n\n{_table(found)}"
    )
    publish("pgbouncer", f"{(__doc__ or '').strip()}\n\n{text}", options)


def run(
    site: Site, direct: str, pooler: Pooler, right: exact.Ended, chance: Random,
    *, kills: int = _KILLS, restarts: int = _RESTARTS,
) -> Outcome:  # fmt: skip
    """Have a fleet do a study through the pooler, with kills of both; return how it ended."""
    planning = site.create()
    assert planning.wait() == 0, planning.said
    fleet = Fleet(site=site, chance=chance, most=kills, real=False)
    over, done = threading.Event(), list[float]()
    restarting = threading.Thread(
        target=_restart, args=(pooler, direct, chance, restarts, over, done)
    )
    restarting.start()
    try:
        fleet.run()
    finally:
        over.set()
        restarting.join()
    return Outcome(
        kills=len(fleet.kills), restarts=len(done), dead=tuple(fleet.strange),
        differences=exact.compare(exact.ended(direct, NAME), right),
    )  # fmt: skip


def _restart(
    pooler: Pooler, direct: str, chance: Random, times: int, over: threading.Event,
    done: list[float],
) -> None:  # fmt: skip
    """Kill the pooler and start it again, each time a little after some cohorts more are done."""
    engine = sa.create_engine(parse_url(direct), poolclass=sa.NullPool)
    for number in range(times):
        with engine.connect() as connection:
            while int(connection.scalar(_DONE) or 0) < 1 + 3 * number:
                connection.rollback()
                if over.wait(0.02):
                    return
        time.sleep(chance.uniform(0.0, 0.5))
        pooler.stop()
        time.sleep(_AWAY_SECONDS)
        pooler.start()
        done.append(time.monotonic())


def _table(found: list[Outcome]) -> str:
    ends = [one.differences for one in found]
    assert all(one.finished for one in ends)
    header = ["studies", "kills", "restarts", "other deaths", "lost", "doubled", "rows beyond",
              "rows missing", "differing", "openings"]  # fmt: skip
    counts = (
        sum(one.kills for one in found), sum(one.restarts for one in found),
        sum(len(one.dead) for one in found), sum(one.lost for one in ends),
        sum(one.doubled for one in ends), sum(one.beyond for one in ends),
        sum(one.missing for one in ends), sum(one.differing for one in ends),
        max(one.openings for one in ends),
    )  # fmt: skip
    return table(header, [[str(len(found)), *map(str, counts)]])


if __name__ == "__main__":
    main()

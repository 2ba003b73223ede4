"""Storms of `pg_terminate_backend`: every connection of a database ended, again and again.

Enters: studies of three workers on a PostgreSQL of our own, and random moments at which all their
backends are terminated, on a database of ordinary settings and on one whose transactions are
serializable by default. Leaves: how many workers died, and whether each study ended exact.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

import sqlalchemy as sa

from benchmarks import exact, victims
from benchmarks.common import publish, read_options, table
from benchmarks.postgres import Server
from benchmarks.victims import Site, Size, Victim
from lamsearch.storage import parse_url

WORKERS = 3
SIZE = Size(trials=8, step_size=1000, lease_seconds=2.0, checkpoint_seconds=0.1)
SERIALIZABLE = "default_transaction_isolation = 'serializable'"
_STORMS, _SEED = 20, 12  # per setting of the database
_BLOWS, _APART_SECONDS, _CALM_SECONDS = 3, 0.03, 0.5
_TERMINATE = sa.text(
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One study in a storm: blows, backends that they ended, workers that died, how it ended."""

    blows: int
    terminated: int
    dead: tuple[str, ...]
    said: str
    differences: exact.Differences


def main() -> None:
    """Let it storm, count, write."""
    options = read_options(__doc__ or "")
    storms = 2 if options.quick else _STORMS
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as temporary, Server(tcp=True) as server:
        directory = Path(temporary)
        right = victims.undisturbed(directory / "right", SIZE, directory / "cache")
        for name, setting in (("as PostgreSQL comes", ""), (SERIALIZABLE, SERIALIZABLE)):
            found = []
            for number in range(storms):
                chance = Random(f"{_SEED} {name} {number}")  # noqa: S311 - chance, not secrets
                place = directory / f"{len(rows)}-{number}"
                url = server.database()
                configure(url, setting)
                with victims.site(place, url, SIZE, directory / "cache") as site:
                    found.append(run(site, right, chance))
                for words in found[-1].dead:
                    print(words, file=sys.stderr)
            rows.append(_row(name, found))
    header = ["database", "storms", "blows", "backends terminated", "workers dead", "lost",
              "doubled", "rows beyond", "rows missing", "differing", "openings"]  # fmt: skip
    text = (
        f"{WORKERS} workers per study; in bursts of {_BLOWS} at random moments, all backends of "
        f"the database are terminated, from the workers' start to the study's end.\n\n"
        + table(header, rows)
    )
    publish("storms", f"{(__doc__ or '').strip()}\n\n{text}", options)


def configure(url: str, setting: str) -> None:
    """Set a parameter of a database for all sessions to come."""
    if not setting:
        return
    with _connected(url) as connection:
        name = sa.make_url(url).database
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET {setting}")


def run(site: Site, right: exact.Ended, chance: Random) -> Outcome:
    """Have workers do a study in a storm; return what became of them and of it."""
    planning = site.create()
    assert planning.wait() == 0, planning.said
    workers = [site.worker() for _ in range(WORKERS)]
    blows, terminated = 0, 0
    with _connected(site.url) as connection:
        while any(one.poll() is None for one in workers):
            time.sleep(chance.expovariate(1 / _CALM_SECONDS))
            for _ in range(_BLOWS):
                terminated += int(connection.scalar(_TERMINATE) or 0)
                blows += 1
                time.sleep(chance.expovariate(1 / _APART_SECONDS))
    _finish(site, workers)
    return Outcome(
        blows=blows,
        terminated=terminated,
        dead=tuple(one.said[-2000:] for one in workers if one.poll()),
        said="\n".join(one.said for one in workers),
        differences=exact.compare(site.ended(), right),
    )


def _finish(site: Site, workers: list[Victim]) -> None:
    """Where all workers died, have the study ended by one in peace, so that it can be compared."""
    if all(one.poll() for one in workers):
        site.worker().wait()


def _connected(url: str) -> sa.Connection:
    engine = sa.create_engine(parse_url(url), poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    return engine.connect()


def _row(name: str, found: list[Outcome]) -> list[str]:
    ends = [one.differences for one in found]
    assert all(one.finished for one in ends)
    counts = (
        len(found), sum(one.blows for one in found), sum(one.terminated for one in found),
        sum(len(one.dead) for one in found), sum(one.lost for one in ends),
        sum(one.doubled for one in ends), sum(one.beyond for one in ends),
        sum(one.missing for one in ends), sum(one.differing for one in ends),
        max(one.openings for one in ends),
    )  # fmt: skip
    return [f"`{name}`" if "=" in name else name, *map(str, counts)]


if __name__ == "__main__":
    main()

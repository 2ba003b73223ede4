"""Outages: PostgreSQL stopped in the middle of a study that `lamsearch run` works on.

Enters: a server of our own, how to stop it and for how long. Leaves: what the run said and did.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import sqlalchemy as sa

from benchmarks import exact
from benchmarks.postgres import Server, Stop
from benchmarks.victims import Site, Victim, until
from lamsearch.storage import parse_url

WORKERS = 2
_RERUNS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended: exit code of the first command, and commands that were needed after it."""

    seconds: float
    code: int
    reruns: int
    said: str
    failed: int
    ended: exact.Ended


def run(site: Site, server: Server, *, mode: Stop = "fast", seconds: float = 0.0) -> Outcome:
    """Run a study; take the server away for so many seconds once two cohorts are done."""
    begun = time.monotonic()
    command = _run(site)
    if seconds:
        until(lambda: _done(site) >= 2)
        server.stop(mode)
        time.sleep(seconds)
        server.start()
    code = command.wait(300)
    took, reruns = time.monotonic() - begun, 0
    while reruns < _RERUNS and code and (again := _run(site)):
        reruns += 1
        if again.wait(300) == 0:
            break
    return Outcome(
        seconds=took, code=code, reruns=reruns, said=command.said,
        failed=_count(site, "SELECT count(*) FROM trials WHERE state = 'FAIL'"),
        ended=site.ended(),
    )  # fmt: skip


def _run(site: Site) -> Victim:
    return site.command(
        "run", str(site.study_file), "--workers", str(WORKERS), "--files", str(site.files),
        "--output", str(site.directory / "output"), *site.size.timing,
    )  # fmt: skip


def _done(site: Site) -> int:
    try:
        return _count(site, "SELECT count(*) FROM lamsearch_cohort WHERE state = 2")
    except sa.exc.ProgrammingError:  # no tables yet
        return 0


def _count(site: Site, query: str) -> int:
    engine = sa.create_engine(parse_url(site.url), poolclass=sa.NullPool)
    with engine.connect() as connection:
        return int(connection.scalar(sa.text(query)) or 0)

"""A thousand workers on one PostgreSQL: exactness, renewals, time per claim.

The workers are threads of a few processes, each a whole worker with a name, a lease and a renewer
of its own; their trainer takes its time and computes nothing. The same machine runs server and
workers.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks import paced_worker, stub_worker
from benchmarks.common import CORES, publish, read_options, spread, table, verdict
from benchmarks.paced_worker import CALLS, Group, Told
from benchmarks.pooler import Pooler
from benchmarks.postgres import Server
from benchmarks.scale import differences
from lamsearch.storage import Database, parse_url

PROCESSES, CONNECTIONS, POOL = 4, 10, 50
RENEWALS, SLOWER, RECLAIMED, PLANNING = 20.0, 2.0, 10.0, 10.0
EXACT = "0 lost, 0 doubled, 0 beyond, 0 differing"
_READY_SECONDS, _LONGEST_SECONDS = 600.0, 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many workers, and how long they take for a training and hold a lease."""

    few: int
    many: int
    pooled: int
    planned: int
    seconds: float
    lease: float


FULL = Size(few=64, many=1_000, pooled=500, planned=10_000, seconds=120.0, lease=60.0)
QUICK = Size(few=8, many=40, pooled=20, planned=1_000, seconds=3.0, lease=8.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """What many workers on one study came to."""

    workers: int
    trials: int
    seconds: float
    wrong: str
    told: list[Told]
    reclaimed: float | None = None

    def rate(self, call: str) -> float:
        """Calls per second of all workers together."""
        return sum(len(one.calls[call]) for one in self.told) / self.seconds

    def claims(self) -> list[float]:
        """Seconds of claims, once all work."""
        found = sorted(one for told in self.told for one in told.calls["claim"])
        return [seconds for _, seconds in found[len(found) // 3 :]]


def main() -> None:
    """Measure, print, write."""
    options = read_options(__doc__ or "")
    size = QUICK if options.quick else FULL
    with tempfile.TemporaryDirectory() as name, Server(tcp=True) as server:
        directory = Path(name)
        planning = _planning(server, directory, size.planned)
        few, many = (
            run(server, directory / str(workers), workers, 2 * workers, size)
            for workers in (size.few, size.many)
        )
        with Pooler(server.url, pool=POOL, clients=2 * size.pooled) as pooler:
            pooled = run(
                server, directory / "pooled", size.pooled, 3 * size.pooled, size,
                through=pooler.through,
            )  # fmt: skip
    publish("thousand", _text(size, planning, few, many, pooled), options)


def run(
    server: Server, directory: Path, workers: int, trials: int, size: Size,
    *, kill: bool = False, through: Callable[[str], str] | None = None,
) -> Crowd:  # fmt: skip
    """Have many workers do a study; half of them are killed at once where ``kill`` is set."""
    direct, name = server.database(), "many"
    directory.mkdir()
    database = Database(direct)
    stub_worker.plan(database, paced_worker.study(name, trials), directory)
    processes = min(PROCESSES, workers)
    group = Group(
        url=direct if through is None else through(direct), study=name, directory=directory,
        workers=workers // processes, connections=CONNECTIONS if through is None else 0,
        training_seconds=size.seconds, lease_seconds=size.lease,
    )  # fmt: skip
    context = multiprocessing.get_context("spawn")
    ready, gate, told = context.Semaphore(0), context.Event(), context.Queue()
    groups = [
        context.Process(target=_work, args=(group, ready, gate, told)) for _ in range(processes)
    ]
    for process in groups:
        process.start()
    for _ in range(workers):
        assert ready.acquire(timeout=_READY_SECONDS), "a worker did not start"
    begun = time.monotonic()
    gate.set()
    reclaimed = _strike(direct, groups[: processes // 2], workers) if kill else None
    left = processes - processes // 2 if kill else processes
    found = [told.get(timeout=_LONGEST_SECONDS) for _ in range(left)]
    seconds = time.monotonic() - begun
    for process in groups:
        process.join()
    wrong = differences(database, direct, name, trials)
    database.close()
    return Crowd(
        workers=workers, trials=trials, seconds=seconds, wrong=wrong, told=found,
        reclaimed=reclaimed,
    )  # fmt: skip


def _work(group: Group, ready: Any, gate: Any, told: Any) -> None:
    told.put(paced_worker.work(group, ready, gate))


def _strike(url: str, groups: list[Any], workers: int) -> float:
    """Kill groups once all work; return how long the last cohort of the dead stays theirs."""
    engine = sa.create_engine(parse_url(url), isolation_level="AUTOCOMMIT")
    of_dead = " OR ".join(f"owner LIKE '%:{process.pid}:%'" for process in groups)
    held = sa.text(f"SELECT count(*) FROM lamsearch_cohort WHERE state = 1 AND ({of_dead})")  # noqa: S608
    begun = sa.text("SELECT count(*) FROM lamsearch_cohort WHERE token > 0")
    with engine.connect() as connection:
        deadline = time.monotonic() + _LONGEST_SECONDS
        while int(connection.scalar(begun) or 0) < workers:
            assert time.monotonic() < deadline, "not all of them work"
            time.sleep(0.2)
        for process in groups:
            os.kill(process.pid, signal.SIGKILL)
        struck = time.monotonic()
        theirs = int(connection.scalar(held) or 0)
        while int(connection.scalar(held) or 0):
            assert time.monotonic() < deadline, "not all of them are reclaimed"
            time.sleep(0.1)
        seconds = time.monotonic() - struck
    engine.dispose()
    assert theirs > workers // 10, f"the dead held {theirs} cohorts"
    return seconds


def _planning(server: Server, directory: Path, trials: int) -> dict[str, float]:
    """Seconds that a stage takes to plan, by database, in cohorts of 8."""
    found = {}
    for kind, url in (("SQLite", f"sqlite:///{directory / 'planned.db'}"),
                      ("PostgreSQL", server.database())):  # fmt: skip
        database = Database(url)
        begun = time.perf_counter()
        stub_worker.plan(database, stub_worker.study("planned", trials, 8), directory)
        found[kind] = time.perf_counter() - begun
        database.close()
    return found


def _text(size: Size, planning: dict[str, float], few: Crowd, many: Crowd, pooled: Crowd) -> str:
    crowds = {
        f"{few.workers}": few, f"{many.workers:,}": many, f"{pooled.workers}, PgBouncer": pooled,
    }  # fmt: skip
    slower = spread(many.claims()).median / spread(few.claims()).median
    plans = ", ".join(
        f"{kind} {seconds:.1f} s ({verdict(seconds, '≤', PLANNING)})"
        for kind, seconds in planning.items()
    )
    return (
        f"{said_of(size)} {CONNECTIONS} connections for each process, or one for each worker and "
        f"PgBouncer with {POOL} to the server.\n\n{figures(crowds)}\n\nTime per claim at "
        f"{many.workers:,} against {few.workers}: **{slower:.2f}** "
        f"({verdict(slower, '≤', SLOWER)}). Renewals of {many.workers:,} per second: "
        f"**{many.rate('renew'):.1f}** ({verdict(many.rate('renew'), '≤', RENEWALS)}). "
        f"Planning {size.planned:,} trials: {plans}."
    )


def said_of(size: Size) -> str:
    """Say how the workers of a size work."""
    return (
        f"{PROCESSES} processes of threads, each a whole worker; a training takes "
        f"{size.seconds:.0f} s (±30 %), a lease holds {size.lease:.0f} s, cohorts of one trial. "
        f"Server and workers share {CORES} cores."
    )


def figures(crowds: Mapping[str, Crowd]) -> str:
    """Return what crowds came to as a table, and whether all are exact."""
    rows = [
        ["trials, against the plan", *(one.wrong for one in crowds.values())],
        ["trials", *(f"{one.trials:,}" for one in crowds.values())],
        ["seconds", *(f"{one.seconds:.0f}" for one in crowds.values())],
    ]
    names = {"renew": "renewals", "is_undisturbed": "looks", "claim": "claims",
             "report": "reports", "complete": "completions"}  # fmt: skip
    rows += [
        [f"{names[call]} per second", *(f"{one.rate(call):.1f}" for one in crowds.values())]
        for call in CALLS
    ]
    commits = {title: sum(told.commits for told in one.told) for title, one in crowds.items()}
    rows += [
        ["transactions per second",
         *(f"{commits[title] / one.seconds:.0f}" for title, one in crowds.items())],
        ["ms per claim", *(spread(1e3 * s for s in one.claims()).text(0)
                           for one in crowds.values())],
    ]  # fmt: skip
    exact = all(one.wrong.startswith(EXACT) for one in crowds.values())
    return f"{table(['workers', *crowds], rows)}\n\nExact: {'yes' if exact else 'no'}."


if __name__ == "__main__":
    main()

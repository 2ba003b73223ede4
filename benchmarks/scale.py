"""Many workers on one PostgreSQL of default settings: exactness, claims per second, statements.

The workers are real processes with the real loop; their trainer costs nothing, so that all that
is left is what the storage costs. The same machine runs the server and all workers.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks import stub_worker
from benchmarks.common import CORES, publish, ratios, read_options, spread, table, verdict
from benchmarks.postgres import Server
from benchmarks.stub_worker import CALLS, Measured
from lamsearch.storage import Claim, Database, Heartbeat, Leases, read_study

WORKERS, TRIALS, COHORTS = 64, 2_000, (8, 1)
SMALL, LARGE, ROUNDS = 100, 10_000, 100
MOST = 1.5  # time per claim at LARGE trials against SMALL


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """What many workers on one study came to."""

    cohort: int
    workers: int
    trials: int
    planning: float
    seconds: float
    connections: int
    wrong: str
    measured: list[Measured]

    @property
    def cohorts(self) -> int:
        """Cohorts, each claimed and told once."""
        return -(-self.trials // self.cohort)


def main() -> None:
    """Measure, print, write."""
    options = read_options(__doc__ or "")
    workers, trials, large = (8, 200, 1_000) if options.quick else (WORKERS, TRIALS, LARGE)
    with tempfile.TemporaryDirectory() as name, Server() as server:
        directory = Path(name)
        crowds = [_crowd(server, directory, workers, trials, cohort) for cohort in COHORTS]
        planning, growth = _growth(server, directory, large, 20 if options.quick else ROUNDS)
    publish("scale", "\n\n".join([_text(crowds), _growth_text(large, planning, growth)]), options)


def _crowd(server: Server, directory: Path, workers: int, trials: int, cohort: int) -> Crowd:
    url, name = server.database(), f"of-{cohort}"
    database = Database(url)
    begun = time.perf_counter()
    stub_worker.plan(database, stub_worker.study(name, trials, cohort), directory)
    planning = time.perf_counter() - begun
    # a server process with everything imported, from which workers are forked
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.stub_worker", "optuna.storages", "psycopg"])
    ready, gate, measured = context.Semaphore(0), context.Event(), context.Queue()
    processes = [
        context.Process(target=_work, args=(url, name, directory, ready, gate, measured))
        for _ in range(workers)
    ]
    for process in processes:
        process.start()
    for _ in processes:
        assert ready.acquire(timeout=300), "a worker did not start"
    with _connections(url) as most:
        gate.set()
        found: list[Measured] = [measured.get(timeout=900) for _ in processes]
    for process in processes:
        process.join()
    wrong = differences(database, url, name, trials)
    database.close()
    return Crowd(
        cohort=cohort, workers=workers, trials=trials, planning=planning, connections=most[0],
        seconds=max(one.ended for one in found) - min(one.begun for one in found),
        wrong=wrong, measured=found,
    )  # fmt: skip


def _work(url: str, name: str, directory: Path, ready: Any, gate: Any, measured: Any) -> None:
    measured.put(stub_worker.work(url, name, directory, ready, gate))


@contextmanager
def _connections(url: str) -> Iterator[list[int]]:
    """Watch how many connections the database has at most."""
    engine = sa.create_engine(
        sa.make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    most, ended = [0], threading.Event()
    query = sa.text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = 'lamsearch'"
    )

    def watch() -> None:
        with engine.connect() as connection:
            while not ended.wait(0.05):
                most[0] = max(most[0], int(connection.scalar(query) or 0))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield most
    finally:
        ended.set()
        watcher.join()
        engine.dispose()


def differences(database: Database, url: str, name: str, trials: int) -> str:
    """Say what is not as planned: every trial once, complete, with its own value."""
    record = read_study(database, name).stages["coarse"].trials
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        rows = [
            int(connection.scalar(sa.text(f"SELECT count(*) FROM {one}")) or 0)  # noqa: S608
            for one in ("trials", "trial_values", "lamsearch_curve")
        ]
    engine.dispose()
    states = Counter(trial.state.value for trial in record)
    values = sum(
        trial.point is None or trial.score != stub_worker.accuracy(trial.point[0])
        for trial in record
    )
    lost, beyond = trials - states["COMPLETE"], max(rows) - trials
    candidates = len({trial.candidate for trial in record})
    return f"{lost} lost, {len(record) - candidates} doubled, {beyond} beyond, {values} differing"


def _growth(
    server: Server, directory: Path, large: int, rounds: int
) -> tuple[dict[int, float], dict[str, list[float]]]:
    """Time claims in turn in a small study, at the beginning of a large one, and at its end."""
    doors: dict[str, Leases] = {}
    planning: dict[int, float] = {}
    for label, trials in (("small", SMALL), ("large", large), ("end", large)):
        database = Database(server.database())
        begun = time.perf_counter()
        stub_worker.plan(database, stub_worker.study(label, trials, 1), directory)
        planning[trials] = time.perf_counter() - begun
        if label == "end":
            with database.write() as transaction:
                done = "UPDATE lamsearch_cohort SET state = 2, token = 1 WHERE number < :first"
                transaction.execute(sa.text(done).bindparams(first=large - rounds))
        doors[label] = Leases(database, label, owner="one", seconds=3600.0)
    seconds: dict[str, list[float]] = {label: [] for label in doors}
    for turn in range(rounds):
        for label, leases in doors.items():
            if label == "small" and turn and turn % (SMALL // 2) == 0:
                continue  # its cohorts are not to run out
            seconds[label].append(_one(leases))
    return planning, seconds


def _one(leases: Leases) -> float:
    """Time one claim; then tell it."""
    begun = time.perf_counter()
    claim = leases.claim()
    elapsed = time.perf_counter() - begun
    assert isinstance(claim, Claim), claim
    outcomes = [stub_worker.outcome(trial.point[0]) for trial in claim.trials]
    leases.complete(claim, outcomes, Heartbeat(updates=20, per_second=1.0), 1.0)
    return elapsed


def _text(crowds: list[Crowd]) -> str:
    first = crowds[0]
    header = ["", *(f"cohort of {one.cohort}" for one in crowds)]
    rows = [
        ["trials, against the plan", *(one.wrong for one in crowds)],
        ["seconds", *(f"{one.seconds:.1f}" for one in crowds)],
        ["claims per second", *(f"{one.cohorts / one.seconds:.0f}" for one in crowds)],
        ["trials per second", *(f"{one.trials / one.seconds:.0f}" for one in crowds)],
        ["connections at most", *(str(one.connections) for one in crowds)],
        ["planning, seconds", *(f"{one.planning:.1f}" for one in crowds)],
    ]
    rows += [[f"statements per {call}", *(_per(one, call) for one in crowds)] for call in CALLS]
    rows += [
        ["statements per trial", *(_total(one, "statements") for one in crowds)],
        ["commits per trial", *(_total(one, "commits") for one in crowds)],
        ["ms per claim, all at once", *(_milliseconds(one, "claim") for one in crowds)],
        ["ms per complete, all at once", *(_milliseconds(one, "complete") for one in crowds)],
    ]
    return (
        f"{first.workers} worker processes, the real loop with a trainer that costs nothing, on "
        f"one PostgreSQL 18 of default settings (100 connections), {first.trials:,} trials; "
        f"server and workers share {CORES} cores. Savepoints count as statements; times are median "
        f"(quartiles).\n\n{table(header, rows)}"
    )


def _per(crowd: Crowd, call: str) -> str:
    calls = sum(len(one.seconds[call]) for one in crowd.measured)
    statements = sum(one.statements[call] for one in crowd.measured)
    return f"{statements / calls:.1f} ({calls:,} calls)" if calls else "none"


def _total(crowd: Crowd, what: str) -> str:
    return f"{sum(getattr(one, what).total() for one in crowd.measured) / crowd.trials:.1f}"


def _milliseconds(crowd: Crowd, call: str) -> str:
    return spread(1e3 * s for one in crowd.measured for s in one.seconds[call]).text(0)


def _growth_text(large: int, planning: dict[int, float], seconds: dict[str, list[float]]) -> str:
    labels = {
        "small": f"{SMALL} trials", "large": f"{large:,} trials, at the beginning",
        "end": f"{large:,} trials, the last of them",
    }  # fmt: skip
    rows, worst = [], 0.0
    for label, title in labels.items():
        many = len(seconds["small"])
        ratio = ratios(seconds[label][:many], seconds["small"])
        worst = max(worst, ratio.median)
        milliseconds = spread(1e3 * one for one in seconds[label]).text()
        rows.append([title, str(len(seconds[label])), milliseconds, ratio.text()])
    header = ["one worker, cohorts of 1", "claims", "ms per claim", f"against {SMALL} trials"]
    planned = ", ".join(f"{trials:,} in {one:.1f} s" for trials, one in planning.items())
    return (
        f"{table(header, rows)}\n\nTime per claim at {large:,} trials against {SMALL}: "
        f"**{worst:.2f}** ({verdict(worst, '≤', MOST)}). Planning, in one transaction: {planned}."
    )


if __name__ == "__main__":
    main()

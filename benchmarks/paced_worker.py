"""Many real workers as threads of one process, whose trainer does nothing but take its time.

Enters: a storage, a study's name, how many. Leaves: calls, commits and seconds. Each thread is a
whole worker with a name, leases and a renewer of its own; they share connections, or have one each.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import sqlalchemy as sa

from benchmarks import stub_worker
from benchmarks.stub_worker import EXAMPLES
from lamsearch.results import Trained
from lamsearch.storage import Database, Leases, PlannedStudy, load
from lamsearch.study import Study, parse_study
from lamsearch.trainers import Progress, Task, TrainerKind, register
from lamsearch.worker import Settings, StudyWorker

CALLS = ("claim", "renew", "is_undisturbed", "report", "complete")
_STEPS = 20  # of a training, half of them before its first cycle ends
_SECONDS = "LAMSEARCH_BENCHMARK_SECONDS"  # of a training


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What a process of many workers is told: how many, on what, for how long each training."""

    url: str
    study: str
    directory: Path
    workers: int
    connections: int  # 0: one for each worker
    training_seconds: float
    lease_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a group's workers did: calls with begin and seconds, commits, processor time."""

    calls: dict[str, list[tuple[float, float]]]
    commits: int
    processor_seconds: float


def study(name: str, trials: int) -> Study:
    """Return a study of one stage of cohorts of one trial, of two cycles each."""
    return parse_study({
        "name": name, "seed": 1, "cohort": 1,
        "data": {"source": "digits", "train": 300, "validation": 100},
        "trainer": {"name": PACED.name},
        "training": {"batch_size": 20, "step_size": 10, "cycles": 2},
        "coarse": {"trials": trials, "log10_lambda": [-5.0, -1.0]},
    })  # fmt: skip


class PacedTrainer:
    """A trainer that takes its time, more or less, and computes nothing."""

    def __init__(self, task: Task) -> None:
        self._points, self.updates = [point[0] for point in task.points], 0
        self._examples = len(task.splits.validation_y)

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where the state says."""
        self.updates = int(state["updates"])

    def state(self) -> dict[str, Any]:
        """Return the state."""
        return {"updates": np.array(self.updates)}

    def run(self) -> Iterator[Progress]:
        """Take time."""
        seconds = float(os.environ[_SECONDS]) * random.uniform(0.7, 1.3)  # noqa: S311 - no secret
        scores = np.array([stub_worker.accuracy(value) for value in self._points])
        while self.updates < _STEPS:
            time.sleep(seconds / _STEPS)
            self.updates += 1
            cycles, end = divmod(self.updates, _STEPS // 2)
            yield Progress(
                updates=self.updates, total=_STEPS, cycles=cycles, cycle_end=end == 0,
                scores=scores, losses=1.0 - scores,
            )  # fmt: skip

    def outcomes(self) -> tuple[Trained, ...]:
        """Return the made-up outcomes."""
        return tuple(stub_worker.outcome(value, self._examples) for value in self._points)


PACED = TrainerKind(name="paced", make=PacedTrainer, resumable=True)
register(PACED)


def work(group: Group, ready: Any, gate: Any) -> Told:
    """Have a group work until the study is over; begin when all are ready."""
    threading.stack_size(512 * 1024)
    os.environ[_SECONDS] = str(group.training_seconds)
    shared = Database(group.url, connections=max(group.connections, 1))
    stored = load(shared, group.study)
    calls, commits = _metered()
    # one after another: whoever opens a storage holds a lock for a moment
    databases = [shared if group.connections else Database(group.url) for _ in range(group.workers)]
    threads = [
        threading.Thread(target=_one, args=(group, stored, database, ready, gate), daemon=True)
        for database in databases
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shared.close()
    return Told(calls=calls, commits=commits["all"], processor_seconds=time.process_time())


def _one(group: Group, stored: PlannedStudy, database: Database, ready: Any, gate: Any) -> None:
    splits = SimpleNamespace(validation_y=np.zeros(EXAMPLES, np.int64))
    data: Any = SimpleNamespace(split=lambda stage, replicate=0: splits)
    settings = Settings(data_directory=group.directory, lease_seconds=group.lease_seconds)
    worker = StudyWorker(
        database, stored, settings, stop=threading.Event(), say=lambda line: None, data=data
    )
    ready.release()
    gate.wait()
    # as workers come that a scheduler starts: one after another
    time.sleep(random.uniform(0.0, group.training_seconds))  # noqa: S311 - no secret
    worker.run()
    if not group.connections:
        database.close()


def _metered() -> tuple[dict[str, list[tuple[float, float]]], Counter[str]]:
    """Note every call of leases in this process, and count commits."""
    calls: dict[str, list[tuple[float, float]]] = {name: [] for name in CALLS}
    commits: Counter[str] = Counter()

    def timed(name: str, call: Any) -> Any:
        @wraps(call)
        def noting(*arguments: Any, **options: Any) -> Any:
            begun, start = time.time(), time.perf_counter()
            found = call(*arguments, **options)
            if name != "claim" or hasattr(found, "token"):
                calls[name].append((begun, time.perf_counter() - start))
            return found

        return noting

    for name in CALLS:
        setattr(Leases, name, timed(name, getattr(Leases, name)))

    @sa.event.listens_for(sa.engine.Engine, "commit")
    def _commit(_: object) -> None:
        commits["all"] += 1

    return calls, commits

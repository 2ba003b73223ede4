"""A real worker that trains nothing: what is left of a trial when its training costs nothing.

Enters: a storage, a study's name. Leaves: statements by what they were for, and seconds. The loop,
leases, renewer, checkpoints and reports are the real ones; only the trainer, which is registered as
``stub``, computes nothing.
"""

from __future__ import annotations

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

from lamsearch.results import Curve, Trained, TrialState
from lamsearch.storage import Database, Leases, create, load
from lamsearch.study import Study, parse_study
from lamsearch.trainers import Progress, Task, TrainerKind, register
from lamsearch.worker import Settings, StudyWorker

CALLS = ("claim", "renew", "report", "complete")
CALLING = "benchmark_call"
EXAMPLES = 5000  # in the validation split
_UPDATES = 20


def study(name: str, trials: int, cohort: int) -> Study:
    """Return a study of one stage."""
    return parse_study({
        "name": name, "seed": 1, "cohort": cohort,
        "data": {"source": "digits", "train": 300, "validation": 100},
        "trainer": {"name": STUB.name},
        "training": {"batch_size": 20, "step_size": 10, "cycles": 1},
        "coarse": {"trials": trials, "log10_lambda": [-5.0, -1.0]},
    })  # fmt: skip


def plan(database: Database, planned: Study, files: Path) -> None:
    """Plan a study with made-up data facts."""
    create(
        database, planned, data_fingerprint="d" * 64, validation_images={"coarse": 100},
        classes=tuple("0123456789"), origin=str(files), files=str(files),
    )  # fmt: skip


def accuracy(log10_lambda: float) -> float:
    """Return a made-up validation accuracy."""
    return 0.9 - 0.02 * (log10_lambda + 3.0) ** 2


def outcome(log10_lambda: float, examples: int = EXAMPLES) -> Trained:
    """Return a made-up outcome with a curve of usual size (12 points)."""
    score, points = accuracy(log10_lambda), np.zeros(12, np.float32)
    names = ("training_loss", "training_cost", "training_accuracy",
             "validation_loss", "validation_cost", "validation_accuracy")  # fmt: skip
    return Trained(
        state=TrialState.COMPLETE, score=score, validation_loss=1.0 - score,
        train_score=score, cycle_scores=(score,),
        curve=Curve(
            updates=np.arange(12), learning_rate=points, values=dict.fromkeys(names, points)
        ),
        scores=np.zeros(examples, np.bool_),
    )  # fmt: skip


class StubTrainer:
    """A trainer that is done at once."""

    def __init__(self, task: Task) -> None:
        self._points, self.updates = [point[0] for point in task.points], 0
        self._examples = len(task.splits.validation_y)

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where the state says."""
        if state.keys() != {"updates"}:
            raise ValueError(f"must hold updates alone, got {sorted(state)}")
        self.updates = int(state["updates"])

    def state(self) -> dict[str, Any]:
        """Return the state."""
        return {"updates": np.array(self.updates)}

    def run(self) -> Iterator[Progress]:
        """Be done."""
        if self.updates == _UPDATES:
            return
        self.updates = _UPDATES
        scores = np.array([accuracy(value) for value in self._points])
        yield Progress(
            updates=_UPDATES,
            total=_UPDATES,
            cycles=1,
            cycle_end=True,
            scores=scores,
            losses=1.0 - scores,
        )

    def outcomes(self) -> tuple[Trained, ...]:
        """Return the made-up outcomes."""
        return tuple(outcome(value, self._examples) for value in self._points)


STUB = TrainerKind(name="stub", make=StubTrainer, resumable=True)
register(STUB)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a stub worker did: statements and commits by call, calls, seconds per call."""

    statements: Counter[str]
    commits: Counter[str]
    seconds: dict[str, list[float]]
    begun: float
    ended: float


def work(url: str, name: str, directory: Path, ready: Any, gate: Any) -> Measured:
    """Work on a study until it is over; start when all are ready."""
    meter = Meter()
    database = Database(url)
    stored = load(database, name)
    splits = SimpleNamespace(validation_y=np.zeros(EXAMPLES, np.int64))
    data: Any = SimpleNamespace(split=lambda stage, replicate=0: splits)
    worker = StudyWorker(
        database, stored, Settings(data_directory=directory), stop=threading.Event(),
        say=lambda line: None, data=data,
    )  # fmt: skip
    meter.wrap()
    ready.release()
    gate.wait()
    begun = time.time()
    worker.run()
    database.close()
    return meter.measured(begun)


class Meter:
    """Counts the statements of this process by the call of `Leases` that they are for."""

    def __init__(self) -> None:
        self._now = threading.local()
        self._lock = threading.Lock()
        self._statements: Counter[str] = Counter()
        self._commits: Counter[str] = Counter()
        self._seconds: dict[str, list[float]] = {name: [] for name in CALLS}
        sa.event.listen(sa.engine.Engine, "before_cursor_execute", self._statement)
        sa.event.listen(sa.engine.Engine, "commit", self._commit)
        for event in ("savepoint", "release_savepoint"):
            sa.event.listen(sa.engine.Engine, event, self._savepoint)

    def wrap(self) -> None:
        """Begin to count."""
        self._statements.clear()
        self._commits.clear()
        for name in CALLS:
            setattr(Leases, name, self._timed(name, getattr(Leases, name)))

    def measured(self, begun: float) -> Measured:
        """Return what was counted."""
        return Measured(
            statements=self._statements, commits=self._commits, seconds=self._seconds,
            begun=begun, ended=time.time(),
        )  # fmt: skip

    def _timed(self, name: str, call: Any) -> Any:
        @wraps(call)
        def timed(*arguments: Any, **options: Any) -> Any:
            self._now.name, start = name, time.perf_counter()
            try:
                found = call(*arguments, **options)
            finally:
                self._now.name = "else"
            kind = "wait" if name == "claim" and not hasattr(found, "token") else name
            if kind == name:
                self._seconds[name].append(time.perf_counter() - start)
            return found

        return timed

    def _count(self, counter: Counter[str]) -> None:
        with self._lock:
            counter[getattr(self._now, "name", "else")] += 1

    def _statement(self, *_: object) -> None:
        self._count(self._statements)

    def _savepoint(self, *_: object) -> None:
        self._count(self._statements)

    def _commit(self, *_: object) -> None:
        self._count(self._commits)

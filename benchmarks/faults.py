"""Fault points: an ordinary lamsearch command that dies at a chosen moment, and what it worked on.

    python -m benchmarks.faults POINT[:N] [--trace FILE] -- worker NAME --storage URL …

Enters: a point (or ``none``), a command line. Leaves: a process that kills itself with SIGKILL at
the N-th passing of the point; ``POINT:stop`` stops it at the first, until it gets a SIGCONT, while
no other of its threads is in a transaction.
lamsearch holds no switch for this: its functions are wrapped from outside, and one that is no
longer there is an error.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import inspect
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lamsearch import __main__ as command
from lamsearch.storage import Claim
from lamsearch.trainers import Progress
from lamsearch.trainers.network import NetworkTrainer
from lamsearch.worker.training import Training

Condition = Callable[[tuple[Any, ...], Any], bool]  # from arguments and result


def _always(_arguments: tuple[Any, ...], _result: Any) -> bool:
    return True


def _claimed(_arguments: tuple[Any, ...], result: Any) -> bool:
    return isinstance(result, Claim)


def _checkpoint(arguments: tuple[Any, ...], _result: Any) -> bool:
    return str(arguments[1]).endswith(".npz")


def _trains(arguments: tuple[Any, ...], _result: Any) -> bool:
    return not arguments[2].tests


def _tests(arguments: tuple[Any, ...], _result: Any) -> bool:
    return bool(arguments[2].tests)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A moment: before or after a function of lamsearch, where ``only`` says so.

    ``leaving`` asks the worker to leave gracefully once it has saved a checkpoint; ``often`` says
    that a worker passes here with every cohort.
    """

    where: str
    when: Literal["before", "after"] = "after"
    only: Condition = _always
    leaving: bool = False
    often: bool = False


_LEASES = "lamsearch.storage.leases:Leases"
_TRANSITION = "lamsearch.storage.transition"
_SAVE = "lamsearch.artifacts:Files.save_checkpoint"
POINTS = {
    # claim: in its transaction; after it, before the first renewal
    "claiming": Point(where=f"{_LEASES}._take", often=True),
    "claimed": Point(where=f"{_LEASES}.claim", only=_claimed, often=True),
    "renewing": Point(where=f"{_LEASES}.renew", often=True),
    "reporting": Point(where=f"{_LEASES}.report", often=True),
    # a checkpoint: written under its temporary name; under its own; and the oldest one removed
    "checkpoint-writing": Point(
        where="lamsearch.local_files.by_handle:_rename", when="before", only=_checkpoint, often=True
    ),
    "checkpoint-renamed": Point(
        where="lamsearch.local_files.by_handle:_rename", only=_checkpoint, often=True
    ),
    "checkpoint-saved": Point(where=_SAVE, often=True),
    "giving-back": Point(where=f"{_LEASES}.give_back", leaving=True),
    # tell: before it; its trials' attributes written, not their states; its cohort done;
    # committed, checkpoints still there
    "uploaded": Point(where="lamsearch.artifacts:Files.save_model"),
    "telling": Point(where="lamsearch.storage.completion:set_attributes", often=True),
    "tell-finishing": Point(where=f"{_LEASES}._finish", only=_trains, often=True),
    "told": Point(where=f"{_LEASES}.complete", often=True),
    # the stage transition: the stage's row written, its trials not; all written; committed
    "passing": Point(where=f"{_TRANSITION}:_insert_cohorts", when="before"),
    "transition-written": Point(where=f"{_TRANSITION}:write_step"),
    "passed": Point(where="lamsearch.storage.leases:advance"),
    # the test: its opening committed; the images read; the score written; committed
    "test-recorded": Point(where=f"{_LEASES}.open_test"),
    "test-open": Point(where="lamsearch.data:open_test"),
    "test-telling": Point(where=f"{_LEASES}._finish", only=_tests),
    "test-told": Point(where=f"{_LEASES}.complete_test"),
}
NONE = "none"

# One row per cohort that a process has worked on, the newest last. Times are of the system's
# monotonic clock; `saved` is when the state of the newest checkpoint was taken (at first: the
# state it began with), `longest` the longest time from one update to the next.
WORK = np.dtype([
    ("stage", "S12"), ("number", "i8"), ("begun", "f8"), ("begun_updates", "i8"),
    ("saved", "f8"), ("saved_updates", "i8"), ("now", "f8"), ("now_updates", "i8"),
    ("longest", "f8"), ("in_work", "i8"),
])  # fmt: skip
_ROWS = 256


def main(arguments: list[str] | None = None) -> None:
    """Arm the process, then be the lamsearch command."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="benchmarks.faults", description="Die at a fault point.")
    parser.add_argument("point", metavar="POINT[:N|:stop]", help=f"{NONE}, {', '.join(POINTS)}")
    parser.add_argument("--trace", type=Path, help="file that tells what is worked on")
    parser.add_argument("command", nargs="+", help="after --: the lamsearch command")
    found = parser.parse_args(given)
    name, _, number = found.point.partition(":")
    if name not in {NONE, *POINTS}:
        parser.error(f"no fault point {name!r}; there are: {NONE}, {', '.join(POINTS)}")
    if name != NONE:
        stops = number == "stop"
        arm(name, 1 if stops else int(number or 1), signal.SIGSTOP if stops else signal.SIGKILL)
    if found.trace is not None:
        trace(found.trace)
    sys.argv = ["lamsearch", *found.command]
    command.main()


def arm(name: str, number: int, blow: signal.Signals = signal.SIGKILL) -> None:
    """Make this process strike itself at the N-th passing of a point."""
    point, passings, free = POINTS[name], 0, threading.RLock()

    @contextmanager
    def alone(transaction: Callable[..., Any], *arguments: Any, **options: Any) -> Iterator[Any]:
        with free, transaction(*arguments, **options) as transaction:
            yield transaction

    def pass_by(arguments: tuple[Any, ...], result: Any) -> None:
        nonlocal passings
        if point.only(arguments, result):
            passings += 1
            if passings == number:
                with free:
                    os.write(2, f"fault: {name}\n".encode())
                    os.kill(os.getpid(), blow)

    if blow == signal.SIGSTOP:  # a renewal stopped half-way would keep SQLite's lock
        _around("lamsearch.storage.engine:Database._transaction", alone)
    if point.leaving:
        _wrap(_SAVE, after=_leave_once())
    if point.when == "before":
        _wrap(point.where, before=lambda arguments: pass_by(arguments, None))
    else:
        _wrap(point.where, after=pass_by)


def _leave_once() -> Callable[[tuple[Any, ...], Any], None]:
    """What asks this process to leave; once, as a second time would mean to leave at once."""
    left = iter([signal.SIGTERM])

    def leave(_arguments: tuple[Any, ...], _result: Any) -> None:
        for number in left:
            os.kill(os.getpid(), number)

    return leave


def trace(path: Path) -> None:
    """Have this process write into a mapped file, which outlives it, what it works on."""
    rows = np.memmap(path, WORK, "w+", shape=(_ROWS,))
    count, row = 0, rows[0]

    def train(work: Callable[..., None], training: Training) -> None:
        nonlocal count, row
        claim = training._claim
        row = rows[count % _ROWS]
        count += 1
        row["stage"], row["number"], row["in_work"] = claim.stage.encode(), claim.number, 1
        try:
            work(training)
        finally:
            row["in_work"] = 0

    def run(
        updates: Callable[..., Iterator[Progress]], trainer: NetworkTrainer
    ) -> Iterator[Progress]:
        before = time.monotonic()
        row["begun"] = row["saved"] = row["now"] = before
        row["begun_updates"] = row["saved_updates"] = row["now_updates"] = trainer.updates
        row["longest"] = longest = 0.0
        for progress in updates(trainer):
            now = time.monotonic()
            row["now"], row["now_updates"] = now, progress.updates
            if now - before > longest:
                row["longest"] = longest = now - before
            before = now
            yield progress

    def save(write: Callable[..., None], *arguments: Any) -> None:
        taken = time.monotonic()
        write(*arguments)
        row["saved"], row["saved_updates"] = taken, arguments[3]

    _around("lamsearch.worker.training:Training.run", train)
    _around("lamsearch.trainers.network.trainer:NetworkTrainer.run", run)
    _around(_SAVE, save)


def traced(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a trace, the oldest first; none of a process that wrote none yet."""
    if not path.exists() or path.stat().st_size < _ROWS * WORK.itemsize:
        return []
    return [
        {name: row[name].item() for name in WORK.names or ()} | {"stage": row["stage"].decode()}
        for row in np.fromfile(path, WORK)
        if row["begun"]
    ]


def _wrap(
    where: str,
    before: Callable[[tuple[Any, ...]], None] | None = None,
    after: Callable[[tuple[Any, ...], Any], None] | None = None,
) -> None:
    def wrapped(original: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        if before is not None:
            before(arguments)
        result = original(*arguments, **options)
        if after is not None:
            after(arguments, result)
        return result

    _around(where, wrapped)


def _around(where: str, wrapper: Callable[..., Any]) -> None:
    """Put ``wrapper(original, …)`` in the place of a function, which must be there."""
    module, _, path = where.partition(":")
    *owners, name = path.split(".")
    try:
        owner = functools.reduce(getattr, owners, importlib.import_module(module))
        original = inspect.getattr_static(owner, name)
    except (ImportError, AttributeError) as error:
        raise SystemExit(f"faults: there is no {where} any more: {error}") from None
    if not inspect.isfunction(original):
        raise SystemExit(f"faults: {where} must be a plain function, got {original!r}")

    @functools.wraps(original)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        return wrapper(original, *arguments, **options)

    setattr(owner, name, wrapped)


if __name__ == "__main__":
    main()

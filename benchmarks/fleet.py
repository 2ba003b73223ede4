"""Processes that do the same work at the same time: a contender, and how fast it is.

Enters: what builds a contender, processes, threads. Leaves: seconds per unit of work of all
processes together. Refuses to know what the work is.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Self

_WARM_UP = 3
_PIECES = 5  # looks at the clock per timed block
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a contender is built for: images in a mini-batch, nets in a cohort, their layers."""

    batch: int
    cohort: int = 1
    hidden: tuple[int, ...] = (50,)
    batch_norm: bool = False


# Does about so many units of work, all of them done at its return; returns how many it did.
Work = Callable[[int], int]
# From the data's directory and the process's number to what builds the work of a setup.
Contender = Callable[[Path, int], Callable[[Setup], Work]]


class Fleet:
    """Processes of one contender, each with its own threads; idle until told to work."""

    def __init__(
        self,
        contender: Contender,
        directory: Path,
        *,
        processes: int = 1,
        threads: int = 1,
        pinned: bool = False,
    ) -> None:
        context = multiprocessing.get_context("spawn")
        cores = sorted(os.sched_getaffinity(0))
        self._pipes: list[Connection] = []
        self._processes = []
        with _environment({name: str(threads) for name in _THREADS}):
            for number in range(processes):
                ours, theirs = context.Pipe()
                core = cores[number % len(cores)] if pinned else None
                arguments = (theirs, contender, directory, number, core)
                process = context.Process(target=_serve, args=arguments, daemon=True)
                process.start()
                theirs.close()  # else a process that dies would leave us waiting
                self._pipes.append(ours)
                self._processes.append(process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(10)
            process.kill()

    def prepare(self, setup: Setup) -> None:
        """Build the contender and warm it up in every process."""
        self._order(setup, 0.0)

    def time(self, setup: Setup, seconds: float) -> float:
        """Return seconds per unit of all processes together: 1 / (sum of their rates)."""
        return 1.0 / sum(done / elapsed for done, elapsed in self._order(setup, seconds))

    def _order(self, setup: Setup, seconds: float) -> list[tuple[int, float]]:
        for pipe in self._pipes:
            pipe.send((setup, seconds))
        return [pipe.recv() for pipe in self._pipes]


def _serve(
    pipe: Connection, contender: Contender, directory: Path, number: int, core: int | None
) -> None:
    if core is not None:
        os.sched_setaffinity(0, {core})
    build, ready = contender(directory, number), dict[Setup, Work]()
    while True:
        try:
            setup, seconds = pipe.recv()
        except EOFError:
            return
        if setup not in ready:
            ready[setup] = build(setup)
            ready[setup](_WARM_UP)
        pipe.send(_timed(ready[setup], seconds))


def _timed(work: Work, seconds: float) -> tuple[int, float]:
    done, piece, start = 0, 1, perf_counter()
    while True:
        done += work(piece)
        elapsed = perf_counter() - start
        if elapsed >= seconds:
            return done, elapsed
        piece = max(1, int(done / elapsed * min(seconds / _PIECES, seconds - elapsed)))


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Thread counts are read when a library is loaded: they must be there before the process."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

"""Independent pieces of work on all cores. Enters: functions without arguments. Leaves: what they
return, in their order.

Where a process may be forked, forks of this one take pieces while it goes on, and it takes the rest
itself; elsewhere it does all of it. What a fork could not do is done again here, so that an error
is raised here too.
"""

from __future__ import annotations

import os
import pickle
import signal
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Generic, NoReturn, TypeVar

from lamsearch.forking import fork, may_fork
from lamsearch.machine import cores

T = TypeVar("T")
_MOST = 255  # pieces: a byte is one


@dataclass(frozen=True, slots=True)
class _Fork:
    """A forked process, and where it leaves what it has done."""

    process: int
    done: IO[bytes]


class Pieces(Generic[T]):
    """Pieces of work, begun by forks as soon as this exists; `finished` must be called.

    ``jobs`` are functions of the same results wherever they run, which can be pickled.
    """

    def __init__(self, jobs: Sequence[Callable[[], T]]) -> None:
        self._jobs, self._forks = jobs, list[_Fork]()
        helpers = min(cores(), len(jobs)) - 1
        self._waiting: int | None = None  # a pipe with the numbers of those that nobody has taken
        if helpers > 0 and len(jobs) <= _MOST and may_fork():
            self._waiting, written = os.pipe()
            os.write(written, bytes(range(len(jobs))))
            os.close(written)
            self._forks = [self._forked() for _ in range(helpers)]

    def finished(self) -> list[T]:
        """Take pieces too until all are taken; return what became of each of them."""
        found: dict[int, T] = {}
        try:
            if self._waiting is not None:
                found = self._taken(self._waiting)
        finally:
            self._gather(found)
        return [found[i] if i in found else job() for i, job in enumerate(self._jobs)]

    def _taken(self, waiting: int) -> dict[int, T]:
        found: dict[int, T] = {}
        while number := os.read(waiting, 1):
            found[number[0]] = self._jobs[number[0]]()
        return found

    def _gather(self, found: dict[int, T]) -> None:
        """Wait for the forks, and take what they have done."""
        if self._waiting is not None:
            os.close(self._waiting)
            self._waiting = None
        for one in self._forks:
            with suppress(ChildProcessError):  # somebody waits for all children
                os.waitpid(one.process, 0)
            with one.done as file:
                file.seek(0)
                with suppress(EOFError, pickle.UnpicklingError):
                    found.update(pickle.load(file))  # noqa: S301 - a fork of ours wrote it
        self._forks.clear()

    def _forked(self) -> _Fork:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when it is read
        if (process := fork()) == 0:
            self._work(file)
        return _Fork(process, file)

    def _work(self, file: IO[bytes]) -> NoReturn:
        """Be a fork: it says nothing and leaves nothing but what it has done."""
        try:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            assert self._waiting is not None  # noqa: S101 - it was made before the fork
            pickle.dump(self._taken(self._waiting), file)
            file.flush()
        finally:
            os._exit(0)

"""A pool of local worker processes: started, watched, replaced, and asked to leave.

Enters: a study, how many workers, what starts one. Leaves: when the study is over, or cannot go on.
Refuses to know how a worker works.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from math import isfinite

from lamsearch import machine
from lamsearch.artifacts import Files
from lamsearch.errors import InputError, InterruptedWorkError
from lamsearch.pool.forks import WaitingForks
from lamsearch.pool.last_round import workers_more
from lamsearch.pool.pinning import Cores, pin, places_here
from lamsearch.pool.process import WorkerProcess
from lamsearch.pool.supervision import Watch
from lamsearch.storage import Database, Status

_POLL_SECONDS = 0.2
_GLANCES = 10  # at whether a worker has ended, from one look at the study to the next
_GRACE_SECONDS = 4.5  # a worker leaves by itself before that
_WORTH_SECONDS = 2.0  # of a round's end, for which workers more are started
_MEMORY_SHARE = 0.5  # of the machine's, which the workers may have with those


class LocalPool:
    """Local workers of one study.

    Args:
        database: the storage, for watching.
        study: the study's name.
        count: how many workers.
        command: what starts a worker; its environment is ``environment`` (secrets go there).
        say: takes one line per event worth telling.
        show: takes the study's status a few times a second.
        files: where its checkpoints are.
        forks: of this process, which are taken for the first workers.
        fills_up: whether the last cohorts of a round may have workers beyond ``count``, each of
            which leaves after one.
    """

    def __init__(
        self,
        database: Database,
        study: str,
        count: int,
        *,
        command: Sequence[str],
        environment: Mapping[str, str],
        say: Callable[[str], None],
        show: Callable[[Status], None],
        files: Files,
        forks: WaitingForks | None = None,
        fills_up: bool = False,
    ) -> None:
        self._watch, self._count = Watch(database, study, show, files, say), count
        self._command, self._environment = list(command), dict(environment)
        self._say = say
        self._forks, self._fills_up = forks, fills_up
        self._processes: list[WorkerProcess] = []
        self._cores: dict[WorkerProcess, Cores] = {}
        self._beyond = set[WorkerProcess]()
        self._considered: Status | None = None

    def run(self, stop: threading.Event) -> None:
        """Work until the study is over.

        Raises:
            InterruptedWorkError: ``stop`` was set; the workers have left gracefully.
            WorkFailedError: The workers keep dying; the message is what the last one said.
            InputError: A worker found its input bad.
        """
        try:
            for cores in places_here(self._count):
                self._start(cores)
            while self._processes:
                status = self._watch.look()
                self._fill_up(status)
                if self._pause(stop):
                    raise InterruptedWorkError("interrupted; run again to go on")
                self._look_after()
            self._watch.look(anew=True)
        finally:
            self._dismiss()

    def kill(self) -> None:
        """End the workers at once, as a crash would."""
        for process in self._processes:
            process.kill()

    def _start(self, cores: Cores, *, beyond: bool = False) -> None:
        """Start a worker at a place, or one beyond all places, for one cohort."""
        command = [*self._command, "--once"] if beyond else self._command
        process = WorkerProcess(command, self._environment, self._say, self._forks)
        self._processes.append(process)
        if beyond:
            self._beyond.add(process)
        self._cores[process] = cores
        pin(process.pid, cores)

    def _pause(self, stop: threading.Event) -> bool:
        """Wait until the next look, no longer than all workers live; whether it is to be left."""
        for _ in range(_GLANCES):
            if stop.wait(_POLL_SECONDS / _GLANCES):
                return True
            if any(process.returncode is not None for process in self._processes):
                return False
        return False

    def _fill_up(self, status: Status | None) -> None:
        """Have the last cohorts of a round begin while all workers still train.

        Where they would leave cores idle beside them, they share the cores with the others instead:
        five equal ones on two cores take as long as two and a half, not as three.
        """
        if not self._fills_up or status is None or status is self._considered or self._beyond:
            return
        self._considered, busy = status, len(status.workers)
        if busy < self._count or any(one.expired for one in status.workers):
            return
        left, measured = self._watch.remaining(busy + self._count + 1)
        more = workers_more(left, measured, cores=self._count, gain=_WORTH_SECONDS)
        try:
            for _ in range(min(more, self._room()) if more else 0):
                self._start(None, beyond=True)
        except OSError:  # no process or file is left to be had: the others do its work
            self._fills_up = False

    def _room(self) -> int:
        """How many workers more there is memory for."""
        sizes = [machine.memory_of(process.pid) for process in self._processes]
        free = _MEMORY_SHARE * machine.memory() - sum(sizes)
        return max(0, int(free / max(sizes))) if isfinite(free) else 0

    def _look_after(self) -> None:
        for process in list(self._processes):
            code = process.returncode
            if code is None:
                continue
            self._processes.remove(process)
            cores, beyond = self._cores.pop(process), process in self._beyond
            self._beyond.discard(process)
            process.reap()
            if code == 0:
                continue
            if code == InputError.exit_code:
                raise InputError(process.last_stderr)
            self._watch.count_death(self._count, f"exit code {code}", process.last_stderr)
            why = "" if process.error is None else f": {process.error}"
            died = f"worker {process.pid} died (exit code {code}){why}"
            if beyond:  # the others take over what it had
                self._say(died)
            else:
                self._say(f"{died}; another takes its place")
                self._start(cores)

    def _dismiss(self) -> None:
        """Ask those who still work to leave, and wait for them."""
        for process in self._processes:
            process.ask_to_leave()
        deadline = time.monotonic() + _GRACE_SECONDS
        for process in self._processes:
            process.see_off(max(0.1, deadline - time.monotonic()))
            process.reap()

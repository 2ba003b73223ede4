"""Studies and lamsearch processes that are to be disturbed: one study of every stage, its workers.

Enters: a directory, a storage URL, how large a study. Leaves: processes, and how the study
ended. Workers are real commands; where hundreds of them die one after the other, they are forked
from a server that has imported everything, for importing would be nearly all of their lives.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from benchmarks import exact, faults
from benchmarks.common import ROOT
from benchmarks.faults import NONE
from benchmarks.postgres import Server

NAME = "victim"
# Curves are sampled neither at epochs' ends nor at cycles', so a resumed cohort must also restore
# its sums. An update takes about 0.1 ms.
_STUDY = """
name = "{name}"
seed = 11
cohort = {cohort}
[data]
source = "digits"
train = 400
validation = 200
test = 300
[network]
hidden = 16
[training]
batch_size = 20
step_size = {step_size}
cycles = 2
sample_every = {sample_every}
[coarse]
trials = {trials}
log10_lambda = [-5.0, -1.0]
[fine]
trials = 2
keep = 2
[finalists]
keep = 2
replicates = 2
[final]
train = 450
validation = 150
replicates = 2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large a study is, and the timing of its workers."""

    step_size: int = 250
    trials: int = 4
    cohort: int = 2
    lease_seconds: float = 1.0
    checkpoint_seconds: float = 0.02

    @property
    def timing(self) -> tuple[str, ...]:
        """The options of a worker."""
        return ("--lease-seconds", str(self.lease_seconds),
                "--checkpoint-seconds", str(self.checkpoint_seconds))  # fmt: skip

    def text(self, name: str = NAME) -> str:
        """Return the study file."""
        return _STUDY.format(
            name=name, cohort=self.cohort, trials=self.trials, step_size=self.step_size,
            sample_every=self.step_size * 7 // 8,
        )  # fmt: skip


class Victim:
    """One process, leader of a group of its own, forked or started as a command of its own."""

    def __init__(
        self, process: subprocess.Popen[bytes] | ForkServerProcess, log: Path, trace: Path
    ) -> None:
        self._process, self.log, self.trace = process, log, trace
        assert process.pid is not None
        self.pid = process.pid

    @property
    def said(self) -> str:
        """All that it printed so far."""
        return self.log.read_text(encoding="utf-8") if self.log.exists() else ""

    def poll(self) -> int | None:
        """Return its exit code, minus a signal's number; None while it lives."""
        if isinstance(self._process, subprocess.Popen):
            return self._process.poll()
        return self._process.exitcode

    def wait(self, seconds: float = 240.0) -> int:
        """Return its exit code once it has one."""
        until(lambda: self.poll() is not None, seconds)
        code = self.poll()
        assert code is not None
        return code

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it still lives."""
        if self.poll() is None:
            os.kill(self.pid, number)


class Site:
    """A directory, a storage, and the study that is planned there."""

    def __init__(self, directory: Path, url: str, size: Size, cache: Path | None = None) -> None:
        self.directory, self.url, self.size = directory, url, size
        self.study_file, self.files = directory / "study.toml", directory / "files"
        self.study_file.write_text(size.text(), encoding="utf-8")
        self.victims: list[Victim] = []
        self._cache = cache or directory / "cache"

    def create(self, point: str = NONE) -> Victim:
        """Start planning the study."""
        return self.fork(point, "create", str(self.study_file), "--files", str(self.files))

    def worker(self, point: str = NONE) -> Victim:
        """Start a worker, armed with a fault point."""
        return self.fork(point, "worker", NAME, "--files", str(self.files), *self.size.timing)

    def fork(self, point: str, *words: str) -> Victim:
        """Start an armed command from the fork server."""
        log, trace, arguments = self._next(point, words)
        process = _context().Process(
            target=_live, args=(arguments, log, self.directory, self._cache)
        )
        process.start()
        return self._started(Victim(process, log, trace))

    def command(self, *words: str, point: str = NONE) -> Victim:
        """Start an armed command as anyone would: its life begins with its imports."""
        log, trace, arguments = self._next(point, words)
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "benchmarks.faults", *arguments],
                cwd=self.directory, env=_environment(self._cache), stdin=subprocess.DEVNULL,
                stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        return self._started(Victim(process, log, trace))

    def ended(self) -> exact.Ended:
        """Read how the study stands."""
        return exact.ended(self.url, NAME)

    def close(self) -> None:
        """End what still runs."""
        for victim in self.victims:
            victim.signal(signal.SIGKILL)
            victim.wait()

    def _next(self, point: str, words: tuple[str, ...]) -> tuple[Path, Path, list[str]]:
        number = len(self.victims)
        log, trace = self.directory / f"{number}.log", self.directory / f"{number}.trace"
        arguments = [point, "--trace", str(trace), "--", *words, "--storage", self.url]
        return log, trace, arguments

    def _started(self, victim: Victim) -> Victim:
        self.victims.append(victim)
        return victim


@contextmanager
def site(directory: Path, url: str, size: Size, cache: Path | None = None) -> Iterator[Site]:
    """Make a directory the place of a study; at the end nothing runs there any more."""
    directory.mkdir(parents=True, exist_ok=True)
    made = Site(directory, url, size, cache)
    try:
        yield made
    finally:
        made.close()


def undisturbed(directory: Path, size: Size, cache: Path | None = None) -> exact.Ended:
    """Have one worker on SQLite do the whole study in peace; return how it ended."""
    calm = replace(size, checkpoint_seconds=10.0)  # to write them would be most of the work
    with site(directory, f"sqlite:///{directory / 'study.db'}", calm, cache) as peace:
        for one in (peace.create, peace.worker):
            victim = one()
            assert victim.wait() == 0, victim.said
        return peace.ended()


def url_of(kind: str, directory: Path, server: Server) -> str:
    """Return the URL of a new storage of a kind."""
    return server.database() if kind == "PostgreSQL" else f"sqlite:///{directory / 'study.db'}"


def until(condition: Callable[[], Any], seconds: float = 150.0) -> Any:
    """Return the condition's first true value; fail where there is none in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.02)
    return value


def _context() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([
        "benchmarks.victims", "lamsearch.cli.worker", "lamsearch.worker.study_worker",
        "lamsearch.cli.submit", "lamsearch.trainers.network", "alembic",
    ])  # fmt: skip
    return context


def _live(arguments: list[str], log: Path, directory: Path, cache: Path) -> None:
    """Be an armed lamsearch process; runs in the forked one."""
    os.setsid()
    with log.open("wb") as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(_environment(cache))
    faults.main(arguments)


def _environment(cache: Path) -> dict[str, str]:
    """What a process sees: our cache, nothing else of ours."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LAMSEARCH_")}
    return {**clean, "LAMSEARCH_CACHE": str(cache), "PYTHONPATH": str(ROOT)}

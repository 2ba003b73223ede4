"""Real lamsearch processes on one study: started, watched, interrupted, killed."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import forked
import optuna

from benchmarks.victims import Size
from lamsearch import report
from lamsearch import storage as store
from lamsearch.errors import LamsearchError
from lamsearch.results import StudyRecord
from lamsearch.storage import Database, Mode, Status, parse_url

# About a quarter of a second of training a cohort: long enough to be hit in the middle.
STEP_SIZE = 600
CYCLE = 2 * STEP_SIZE  # updates, of which a cohort has two
LIVES = Size(step_size=STEP_SIZE).text("lives")
PACE = ("--lease-seconds", "1", "--checkpoint-seconds", "0.03")
# Of those whom nobody disturbs any more: to write checkpoints would be half of their work.
CALM = ("--lease-seconds", "1", "--checkpoint-seconds", "10")
ANSWER = ("stages", "selected", "final")


class Process:
    """One lamsearch process, leader of a group of its own as under a terminal."""

    def __init__(
        self,
        arguments: list[str],
        directory: Path,
        log: Path,
        settings: dict[str, str] | None = None,
    ) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("LAMSEARCH_")}
        environment |= forked.UNDRAWN | (settings or {})
        self._log = log
        with log.open("wb") as out:
            self.popen = forked.Popen(
                [*forked.COMMAND, *arguments],
                cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True,
            )  # fmt: skip
        self.pid = self.popen.pid

    @property
    def said(self) -> str:
        """All that it printed so far."""
        return self._log.read_text(encoding="utf-8")

    @property
    def children(self) -> list[int]:
        """The processes that it has started and that live."""
        listed = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in listed.split() if lives(int(pid))]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole group, as Ctrl-C at a terminal does."""
        os.killpg(self.pid, number)

    def wait(self, seconds: float = 240.0) -> int:
        """Return its exit code."""
        return self.popen.wait(seconds)


class Place:
    """A directory, a storage and the study file of `LIVES`."""

    def __init__(self, directory: Path, url: str) -> None:
        self.directory, self.url = directory, url
        self.study_file = directory / "lives.toml"
        self.study_file.write_text(LIVES, encoding="utf-8")
        self.files, self.output = directory / "files", directory / "output"
        self.processes: list[Process] = []
        self._database: Database | None = None

    def start(
        self,
        *arguments: object,
        directory: Path | None = None,
        environment: dict[str, str] | None = None,
    ) -> Process:
        """Start a lamsearch process on this storage."""
        log = self.directory / f"process-{len(self.processes)}.log"
        words = [*map(str, arguments), "--storage", self.url]
        settings = {"LAMSEARCH_FILES": str(self.files), **(environment or {})}
        process = Process(words, directory or self.directory, log, settings)
        self.processes.append(process)
        return process

    def run(self, workers: int, timing: tuple[str, ...] = PACE) -> Process:
        """Start the run of the study."""
        return self.start("run", self.study_file, "--workers", workers,
                          "--files", self.files, "--output", self.output, *timing)  # fmt: skip

    def status(self, name: str = "lives") -> Status | None:
        """How far a study is; None before it is planned."""
        try:
            self._database = self._database or Database(self.url, Mode.READ)
            return store.read_status(self._database, name)
        except LamsearchError:
            return None

    def holders(self) -> list[int]:
        """The pids of the workers that hold a cohort."""
        status = self.status()
        owners = [] if status is None else [one.owner for one in status.workers if not one.expired]
        return [pid for owner in owners if lives(pid := int(owner.split(":")[1]))]

    def checkpoints(self) -> list[Path]:
        """All whole checkpoints, the oldest first of each cohort."""
        return sorted(self.files.glob("*/checkpoints/*/[0-9]*.npz"))

    def answer(self, name: str = "lives") -> dict[str, Any]:
        """The results table as the storage has it."""
        assert self._database is not None or self.status() is not None
        assert self._database is not None
        document = report.document(store.read_study(self._database, name))
        return {key: document[key] for key in ANSWER}

    def curves(self) -> dict[tuple[str, int, int], dict[str, list[float]]]:
        """The learning curves of all trials as the storage has them."""
        assert self.status() is not None
        assert self._database is not None
        return curves_of(store.read_study(self._database, "lives"))

    def close(self) -> None:
        """End what still runs and let go of the storage."""
        for process in self.processes:
            if process.popen.poll() is None:
                process.signal(signal.SIGKILL)
                process.wait()
        if self._database is not None:
            self._database.close()


def curves_of(record: StudyRecord) -> dict[tuple[str, int, int], dict[str, list[float]]]:
    """Return the learning curves of all trials of a record."""
    return {
        (name, trial.candidate, trial.replicate): {
            key: value.tolist() for key, value in trial.curve.columns().items()
        }
        for name, stage in record.stages.items()
        for trial in stage.trials
        if trial.curve is not None
    }


def undisturbed_place(shared: Path) -> Place:
    """Return the place of a study that one worker on SQLite has run without any disturbance.

    It is run once in a session: other processes of pytest wait for it, then read it.
    """
    directory = shared / "undisturbed"
    directory.mkdir(exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        place = Place(directory, f"sqlite:///{directory / 'studies.db'}")
        if not (place.output / "results.json").exists():
            run = place.run(workers=1, timing=CALM)
            assert run.wait() == 0, run.said
            assert "died" not in run.said
    return place


def promised(seconds: float) -> float:
    """What a promise in seconds comes to where more processes want to run than there are cores."""
    return seconds * max(1.0, os.getloadavg()[0] / len(os.sched_getaffinity(0)))


def lives(pid: int) -> bool:
    """Whether a process runs; one that is dead and not yet waited for does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def optuna_trials(url: str, name: str) -> dict[str, list[optuna.trial.FrozenTrial]]:
    """All trials by stage, through plain Optuna."""
    plain = parse_url(url).render_as_string(hide_password=False)
    storage = optuna.storages.RDBStorage(plain)
    try:
        studies = [s for s in storage.get_all_studies() if s.study_name.startswith(f"{name}/")]
        return {
            one.study_name.partition("/")[2]: storage.get_all_trials(one._study_id)
            for one in studies
        }
    finally:
        storage.scoped_session.remove()
        storage.engine.dispose()

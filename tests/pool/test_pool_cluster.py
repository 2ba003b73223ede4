"""A run over a Dask cluster: a real scheduler and real Dask workers, killed where it matters."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from optuna.trial import TrialState
from study_processes import (
    CALM,
    Place,
    Process,
    lives,
    optuna_trials,
    promised,
    undisturbed_place,
)

from benchmarks.victims import until
from lamsearch.errors import InputError
from lamsearch.pool import connect

PASSWORD = "correct-horse-battery"  # noqa: S105 - of this test alone
# Checkpoints as often as a cohort is to be seen in training: more would be half of the work.
SEEN = ("--lease-seconds", "1", "--checkpoint-seconds", "0.07")
PLANNED = {"coarse": 4, "fine": 2, "finalists": 4, "final": 2}


class DaskProcess:
    """A Dask scheduler, or a Dask worker with its nanny, and what it logs at level debug."""

    def __init__(self, directory: Path, name: str, *arguments: object, **environment: str) -> None:
        self._log, self._seen = directory / f"{name}.log", 0
        with self._log.open("wb") as out:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "dask", *map(str, arguments), "--no-dashboard",
                 "--dashboard-address", "127.0.0.1:0",
                 "--host", "127.0.0.1", "--scheduler-file", str(directory / "scheduler.json")],
                cwd=directory, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True,
                env={
                    **{k: v for k, v in os.environ.items() if not k.startswith("LAMSEARCH_")},
                    "DASK_LOGGING__DISTRIBUTED": "debug", **environment,
                },
            )  # fmt: skip

    @property
    def log(self) -> str:
        """All that it logged so far, or since it was to forget."""
        return self._log.read_bytes()[self._seen :].decode()

    def forget(self) -> None:
        """Have the log begin now."""
        self._seen = self._log.stat().st_size

    @property
    def tree(self) -> list[int]:
        """The living processes that it has started, children's children too, and itself."""
        found = [self.popen.pid]
        for pid in found:
            try:
                listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
                # a worker process is started by a thread of its Dask worker
                for task in Path(f"/proc/{pid}/task").iterdir():
                    listed += (task / "children").read_text().split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            found += [child for child in map(int, listed) if child not in found and lives(child)]
        return found

    def kill(self) -> None:
        """End it and all that it started at once, as when its machine goes."""
        for pid in self.tree:
            os.kill(pid, signal.SIGKILL)
        self.popen.wait()


class DaskCluster:
    """A scheduler and the Dask workers that join it, with nannies where they may matter."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self._directory = directory
        self.scheduler = DaskProcess(directory, "scheduler", "scheduler", "--port", 0)
        self.workers: list[DaskProcess] = []
        self._joined = 0
        self.address = str(until(self._address))

    def join(self, count: int = 1, *, nanny: bool = False, **environment: str) -> None:
        """Start Dask workers and wait until they are processes."""
        new = [
            DaskProcess(self._directory, f"worker-{self._joined + i}", "worker",
                        "--nanny" if nanny else "--no-nanny", "--nthreads", 1,
                        "--local-directory", self._directory, **environment)
            for i in range(count)
        ]  # fmt: skip
        self._joined += count
        self.workers += new
        until(lambda: all("Registered to" in worker.log for worker in new))

    def call(self, script: str) -> str:
        """Run a script whose ``client`` is of this cluster; return what it prints."""
        opening = f"from distributed import Client\nclient = Client({self.address!r}, timeout=60)\n"
        return subprocess.run(
            [sys.executable, "-c", opening + script],
            capture_output=True, text=True, check=True, timeout=120,
        ).stdout.strip()  # fmt: skip

    @property
    def log(self) -> str:
        """All that its processes logged so far."""
        return "".join(process.log for process in [self.scheduler, *self.workers])

    def dismiss(self) -> None:
        """End the Dask workers; the scheduler forgets them."""
        for process in self.workers:
            if process.popen.poll() is None:
                process.kill()
        self.workers.clear()
        self.scheduler.forget()

    def close(self) -> None:
        """End it."""
        self.dismiss()
        self.scheduler.kill()

    def _address(self) -> str | None:
        path = self._directory / "scheduler.json"
        try:
            return str(json.loads(path.read_text(encoding="utf-8"))["address"])
        except (FileNotFoundError, json.JSONDecodeError):
            return None


@pytest.fixture(scope="module")
def scheduled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """Return a Dask cluster for all tests."""
    cluster = DaskCluster(tmp_path_factory.mktemp("cluster") / "dask")
    yield cluster
    cluster.close()


@pytest.fixture
def dask(scheduled: DaskCluster) -> Iterator[DaskCluster]:
    """Return a Dask cluster without workers."""
    yield scheduled
    scheduled.dismiss()


@pytest.fixture
def place(tmp_path: Path, postgres_url: str) -> Iterator[Place]:
    """A place on a real PostgreSQL, whose URL has a password."""
    url = sa.make_url(postgres_url)
    if url.password is None:
        url = url.set(password=PASSWORD)
    (tmp_path / "place").mkdir()
    found = Place(tmp_path / "place", url.render_as_string(hide_password=False))
    yield found
    found.close()


@pytest.fixture(scope="module")
def undisturbed(shared_directory: Path) -> dict[str, Any]:
    """The answer of one local worker that nobody disturbs."""
    alone = undisturbed_place(shared_directory)
    answer = alone.answer()
    alone.close()
    return answer


def run_on(place: Place, dask: DaskCluster, timing: tuple[str, ...] = SEEN) -> Process:
    """Start the run of the place's study on a Dask cluster."""
    return place.start("run", place.study_file, "--dask", dask.address,
                       "--files", place.files, "--output", place.output, *timing)  # fmt: skip


def in_the_middle(place: Place) -> list[int]:
    """The workers that hold a cohort of which some is done."""
    status = place.status()
    busy = [] if status is None else [w for w in status.workers if not w.expired and w.updates > 0]
    return [pid for worker in busy if lives(pid := int(worker.owner.split(":")[1]))]


def assert_exact(place: Place, undisturbed: dict[str, Any]) -> None:
    """All planned trials are complete, each once, with the undisturbed answer."""
    found = optuna_trials(place.url, "lives")
    assert {stage: len(trials) for stage, trials in found.items()} == PLANNED
    assert all(one.state is TrialState.COMPLETE for trials in found.values() for one in trials)
    assert place.answer() == undisturbed


def assert_left(place: Place, dask: DaskCluster, workers: list[int]) -> None:
    """The worker processes are gone, hold nothing any more, and the cluster still works."""
    until(lambda: not any(map(lives, workers)), promised(10))
    status = place.status()
    assert status is not None
    assert status.workers == ()
    assert dask.call("print(client.submit(sum, [20, 22]).result(timeout=60))") == "42"


def test_two_dask_workers_give_the_answer_of_one_local_worker(
    place: Place, dask: DaskCluster, undisturbed: dict[str, Any]
) -> None:
    """A study runs to its end over a Dask cluster; no log and no command line has its password."""
    dask.join(2)
    process = run_on(place, dask, CALM)
    seen: set[int] = set()
    while process.popen.poll() is None:
        for pid in place.holders():
            if pid not in seen and lives(pid):
                seen.add(pid)
                assert PASSWORD.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
        time.sleep(0.05)
    assert process.wait() == 0, process.said
    assert_exact(place, undisturbed)
    assert len(seen) == 2
    assert "lamsearch-lives" in dask.log  # the task's key: it does log tasks
    assert PASSWORD not in dask.log + process.said


def test_a_dask_worker_killed_in_mid_cohort_costs_nothing(
    place: Place, dask: DaskCluster, undisturbed: dict[str, Any]
) -> None:
    """When a Dask worker's machine goes in mid-cohort, another takes over and nothing differs."""
    dask.join(2, nanny=True)
    process = run_on(place, dask)
    holder = until(lambda: in_the_middle(place))[0]
    victim = next(worker for worker in dask.workers if holder in worker.tree)
    victim.kill()
    assert process.wait() == 0, process.said
    assert "is gone); others go on" in process.said
    assert "took over" in process.said
    assert_exact(place, undisturbed)


def test_interrupted_or_killed_runs_leave_nobody_on_the_cluster(
    place: Place, dask: DaskCluster
) -> None:
    """A run waits for Dask workers that join later; workers leave with it, told or not."""
    process = run_on(place, dask)
    until(lambda: "the cluster has no Dask worker; waiting for one" in process.said)
    dask.join()
    working = until(lambda: in_the_middle(place))
    begun = time.monotonic()
    process.signal(signal.SIGINT)
    assert process.wait() == 130, process.said
    assert time.monotonic() - begun < promised(5)
    assert not any(map(lives, working))
    assert_left(place, dask, working)

    process = run_on(place, dask)
    working = until(lambda: in_the_middle(place))
    process.signal(signal.SIGKILL)
    assert_left(place, dask, working)


def test_a_dask_worker_that_is_retired_is_followed_by_another(
    place: Place, dask: DaskCluster, undisturbed: dict[str, Any]
) -> None:
    """The only Dask worker is stopped in mid-cohort; one that joins later ends the study."""
    dask.join(nanny=True)
    process = run_on(place, dask)
    working = until(lambda: in_the_middle(place))
    os.kill(dask.workers[0].popen.pid, signal.SIGTERM)  # as a queue does at the end of its time
    until(lambda: not any(map(lives, working)), promised(10))
    dask.join()
    assert process.wait() == 0, process.said
    assert_exact(place, undisturbed)


def test_a_standing_pool_on_a_cluster_serves_what_is_submitted(
    place: Place, dask: DaskCluster, undisturbed: dict[str, Any]
) -> None:
    """`worker --dask` has each Dask worker serve every study, those to come too, until it is told
    to leave; lines name their study, and no log has the password."""
    dask.join(2)
    for name in ("first", "second"):
        text = place.study_file.read_text(encoding="utf-8").replace('"lives"', f'"{name}"')
        (place.directory / f"{name}.toml").write_text(text, encoding="utf-8")
    assert place.start("submit", "first.toml", "--files", place.files).wait() == 0
    pool = place.start("worker", "--dask", dask.address, "--files", place.files, *SEEN)
    until(lambda: place.status("first").over)
    assert place.start("submit", "second.toml", "--files", place.files).wait() == 0
    until(lambda: any(w.updates > 0 for w in place.status("second").workers))
    pool.signal(signal.SIGINT)
    assert pool.wait() == 130, pool.said
    left = place.start("worker", "second", "--files", place.files, *CALM)
    assert left.wait() == 0, left.said
    assert place.answer("first") == place.answer("second") == undisturbed
    assert PASSWORD not in dask.log + pool.said


def test_a_failing_task_keeps_the_password(dask: DaskCluster) -> None:
    """Dask logs the arguments of a task that fails; an task's secrets are not among them."""
    dask.join()
    said = dask.call(
        "from pydantic import SecretStr\n"
        "from lamsearch.pool.remote import RemoteTask\n"
        "task = RemoteTask(topic='t', arguments=('worker', 'small'),\n"
        f"                environment={{'LAMSEARCH_STORAGE': SecretStr({PASSWORD!r})}})\n"
        "print(repr(client.submit(lambda it: float(repr(it)), task).exception(timeout=60)))\n"
    )
    assert said.startswith("ValueError")
    until(lambda: "Compute Failed" in dask.log)
    assert "arguments=(" in dask.log
    assert PASSWORD not in dask.log + said


@pytest.mark.parametrize(
    ("site", "code", "sentence"),
    [
        pytest.param(
            "import importlib.metadata as m\nm.version = lambda name: '0.0'", 2,
            "Error: dask: every Dask worker must have lamsearch ", id="other version",
        ),
        pytest.param(
            "import sys, importlib.metadata as m\nsys.modules['lamsearch'] = None\n"
            "real = m.version\n"
            "def version(name):\n"
            "    if name == 'lamsearch': raise m.PackageNotFoundError(name)\n"
            "    return real(name)\n"
            "m.version = version", 2,
            "Error: dask: every Dask worker must have lamsearch ", id="no lamsearch",
        ),
        pytest.param(
            "import os, sys\n'--supervised' in sys.orig_argv and os._exit(3)", 1,
            "Error: workers keep dying (exit code 3): it said nothing", id="crash loop",
        ),
        pytest.param(
            "import os\nos.environ['LAMSEARCH_FILES'] = '/elsewhere'", 2,
            "Error: files: 'lives' was created with ", id="bad input of a worker",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_on_the_cluster_ends_the_run(
    place: Place, dask: DaskCluster, site: str, code: int, sentence: str
) -> None:
    """What no Dask worker can get over ends the run with one sentence, without the password."""
    directory = place.directory / "site"
    directory.mkdir()
    (directory / "sitecustomize.py").write_text(site, encoding="utf-8")
    dask.join(PYTHONPATH=str(directory))
    process = run_on(place, dask)
    assert process.wait() == code, process.said
    assert process.said.splitlines()[-1].startswith(sentence)
    assert PASSWORD not in dask.log + process.said


def test_a_scheduler_that_does_not_answer_is_said_in_ten_seconds(
    lamsearch: Callable[..., subprocess.CompletedProcess[str]], study_file: Callable[..., Path]
) -> None:
    """A scheduler out of reach is bad input: one sentence, exit code 2, nothing planned."""
    begun = time.monotonic()
    called = lamsearch("run", study_file(), "--dask", "tcp://127.0.0.1:9", "--storage",
                       "sqlite:///none.db")  # fmt: skip
    assert time.monotonic() - begun < promised(10)
    assert called.returncode == 2
    assert called.stderr.startswith("Error: dask: a scheduler must answer within 5 s, got none at ")
    assert called.stderr.count("\n") == 1
    assert called.stdout == ""
    assert not list(study_file().parent.rglob("none.db"))


@pytest.mark.parametrize("address", ["", "scheduler", "scheduler:8786", "tcp://host", "tcp://h:x"])
def test_an_address_that_is_none_is_bad_input(address: str) -> None:
    """What is no scheduler's address is refused before anything is asked."""
    with (
        pytest.raises(InputError, match=r"^dask: must be the address of a scheduler such as tcp:"),
        connect(address),
    ):
        pass


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, the sentence says how to get it."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(InputError, match=r"^dask: needs an extra: pip install 'lamsearch\[dask\]'$"),
        connect("tcp://127.0.0.1:8786"),
    ):
        pass


def test_workers_and_dask_exclude_each_other(
    lamsearch: Callable[..., subprocess.CompletedProcess[str]], study_file: Callable[..., Path]
) -> None:
    """Asking for local workers and for a cluster's is a usage error."""
    called = lamsearch("run", study_file(), "--dask", "tcp://127.0.0.1:9", "--workers", "1")
    assert called.returncode == 2
    assert "--workers and --dask exclude each other" in called.stderr


def test_nobody_else_loads_dask() -> None:
    """A command line or worker without a cluster does not load Dask."""
    script = "import sys, lamsearch.cli; print('distributed' in sys.modules)"
    called = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert called.stdout == "False\n"

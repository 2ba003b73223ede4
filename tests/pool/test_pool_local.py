"""The pool: who is replaced, who is not, whose words are passed on, how it is dismissed."""

from __future__ import annotations

import errno
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from study_processes import promised

from lamsearch import data as datasets
from lamsearch import machine
from lamsearch import storage as store
from lamsearch.artifacts import Files
from lamsearch.errors import InputError, InterruptedWorkError, StudyStateError, WorkFailedError
from lamsearch.pool import LocalPool, Watch, local
from lamsearch.storage import Database, Remaining, Status, WorkerStatus
from lamsearch.study import Study


class Hall:
    """A planned study, and pools of workers that are little scripts."""

    def __init__(self, directory: Path, url: str, study: Study) -> None:
        self.directory = directory
        self.database = Database(url)
        self.stored = store.create(
            self.database,
            study,
            data_fingerprint=datasets.load(study, directory).fingerprint,
            validation_images={stage: study.validation_images(stage) for stage in study.stages},
            classes=tuple("0123456789"),
            origin=str(directory),
            files=str(directory),
        )
        self.said: list[str] = []
        self.shown: list[Status] = []
        self.stop = threading.Event()

    def pool(self, script: str, count: int = 1, study: str = "small", **more: Any) -> LocalPool:
        """Return a pool whose workers run ``script`` with ``mark`` naming files of this hall."""
        opening = (
            "import os, pathlib, signal, sys, time\n"
            f"directory = pathlib.Path({str(self.directory)!r})\n"
            "def mark(name): (directory / name).touch()\n"
            "def marked(name): return (directory / name).exists()\n"
        )
        return LocalPool(
            self.database,
            study,
            count,
            command=[sys.executable, "-S", "-c", opening + script],
            environment={"SECRET": "s3cret"},
            say=self.said.append,
            show=self.shown.append,
            files=Files(self.stored.files, self.stored.id),
            **more,
        )

    def until_marked(self, name: str) -> None:
        """Wait for a worker's mark."""
        deadline = time.monotonic() + 60
        while not (self.directory / name).exists():
            assert time.monotonic() < deadline, f"no worker came to {name}"
            time.sleep(0.01)


@pytest.fixture
def hall(
    tmp_path: Path, small_study: Callable[..., Study], ready_sqlite: Callable[[Path], str]
) -> Iterator[Hall]:
    """Return a hall with the small study planned."""
    found = Hall(tmp_path, ready_sqlite(tmp_path / "studies.db"), small_study())
    yield found
    found.database.close()


def in_background(pool: LocalPool, stop: threading.Event) -> tuple[threading.Thread, list[Any]]:
    """Run a pool in a thread; the list gets what it raised."""
    raised: list[Any] = []

    def run() -> None:
        try:
            pool.run(stop)
        except Exception as error:  # whatever it is, the test looks at it
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, raised


def test_a_pool_ends_when_its_workers_are_done(hall: Hall) -> None:
    """Workers that end well are not replaced; lines they say are passed on, progress is shown."""
    hall.pool("print('hello', file=sys.stderr)", count=2).run(hall.stop)
    assert hall.said == ["hello", "hello"]
    assert hall.shown
    assert hall.shown[-1].name == "small"


def test_a_dead_worker_is_replaced(hall: Hall) -> None:
    """A worker that is killed is replaced by another, which ends the work."""
    hall.pool(
        "if marked('killed'): mark('successor')\n"
        "else: mark('killed'); os.kill(os.getpid(), signal.SIGKILL)\n"
    ).run(hall.stop)
    assert (hall.directory / "successor").exists()
    assert len(hall.said) == 1
    assert hall.said[0].endswith("died (exit code -9); another takes its place")


def test_a_worker_in_anothers_place_has_its_cores(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each worker is pinned to the cores of its place, and whoever replaces it to the same."""
    place, pinned = frozenset({5}), list[object]()
    monkeypatch.setattr(local, "places_here", lambda count: [place] * count)
    monkeypatch.setattr(local, "pin", lambda _pid, cores: pinned.append(cores))
    hall.pool("if not marked('died'): mark('died'); sys.exit(1)").run(hall.stop)
    assert pinned == [place, place]


def _left(*models: int, busy: int = 2, updates: int = 9000) -> tuple[Remaining, ...]:
    """Cohorts of so many models that are not done, so many of them in work."""
    return tuple(
        Remaining(models=count, updates=updates, leased=place < busy)
        for place, count in enumerate(models)
    )


def _worker(*, expired: bool = False) -> WorkerStatus:
    return WorkerStatus(
        owner="a", stage="final", cohort=0, updates=1, total=9, per_second=1.0, renewed_ago=0.0,
        expired=expired,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("left", "workers", "memory", "fills_up", "expected"),
    [
        pytest.param(_left(1, 1, 1), [_worker()] * 2, 1e9, True, 1, id="one-would-be-left"),
        pytest.param(_left(2, 2, 3), [_worker()] * 2, 1e9, True, 1, id="unequal-ones"),
        pytest.param(_left(1, 1, 1, 1), [_worker()] * 2, 1e9, True, 0, id="a-whole-round-is-left"),
        pytest.param(_left(1, 1), [_worker()] * 2, 1e9, True, 0, id="none-is-left"),
        pytest.param(_left(1, 1, 1), [_worker()], 1e9, True, 0, id="a-worker-can-take-it"),
        pytest.param(_left(1, 1, busy=1), [_worker()] * 2, 1e9, True, 0, id="one-has-just-ended"),
        pytest.param(
            _left(1, 1, 1), [_worker(), _worker(expired=True)], 1e9, True, 0, id="one-is-silent"
        ),
        pytest.param(_left(1, 1, 1), [_worker()] * 2, 1e3, True, 0, id="no-memory"),
        pytest.param(_left(1, 1, 1, updates=9), [_worker()] * 2, 1e9, True, 0, id="not-worth-it"),
        pytest.param(_left(1, 1, 1), [_worker()] * 2, 1e9, False, 0, id="not-wanted"),
    ],
)
def test_a_rounds_last_cohorts_do_not_wait_for_a_core(
    hall: Hall, monkeypatch: pytest.MonkeyPatch, left: tuple[Remaining, ...],
    workers: list[WorkerStatus], memory: float, fills_up: bool, expected: int,
) -> None:  # fmt: skip
    """What would leave cores idle at the end of a round begins at once, by a worker more, which
    is to leave after one cohort."""
    status = replace(store.read_status(hall.database, "small"), workers=tuple(workers))
    looks = list[int]()

    def look(_: Watch, *, anew: bool = False) -> Status:
        looks.append(len(list(hall.directory.glob("life-*"))))
        if len(looks) > 4 and looks[-1] >= 2 + expected:
            (hall.directory / "end").touch()
        return replace(status)

    def remaining(*_: object) -> tuple[tuple[Remaining, ...], dict[int, float]]:
        ended = (hall.directory / "end").exists()  # and whoever leaves first makes no room
        return () if ended else left, {1: 0.001}

    monkeypatch.setattr(Watch, "look", look)
    monkeypatch.setattr(Watch, "remaining", remaining)
    monkeypatch.setattr(machine, "memory", lambda: memory)
    monkeypatch.setattr(machine, "memory_of", lambda _process: 1e6)
    script = (
        "mark('-'.join(['life', str(os.getpid()), *sys.argv[1:]]))\n"
        "while not marked('end'): time.sleep(0.01)\n"
    )
    hall.pool(script, count=2, fills_up=fills_up).run(hall.stop)
    lives = [one.name for one in hall.directory.glob("life-*")]
    assert len(lives) == 2 + expected
    assert sum(name.endswith("--once") for name in lives) == expected


def test_a_worker_beyond_the_places_is_not_replaced(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever dies beyond the places is said, and leaves what it had to the others; one that has
    left makes room for another."""
    status = replace(store.read_status(hall.database, "small"), workers=(_worker(),))
    monkeypatch.setattr(Watch, "look", lambda *_, **__: replace(status))
    monkeypatch.setattr(Watch, "remaining", lambda *_: (_left(1, 1, busy=1), {1: 0.001}))
    monkeypatch.setattr(local, "workers_more", lambda *_, **__: 1)
    script = (
        "others = len(list(directory.glob('life-*')))\n"
        "if '--once' in sys.argv:\n"
        "    mark(f'life-{others}')\n"
        "    if others: mark('end')\n"
        "    sys.exit(others == 0)\n"
        "while not marked('end'): time.sleep(0.01)\n"
    )
    hall.pool(script, count=1, fills_up=True).run(hall.stop)
    assert [line.partition(" died ")[2] for line in hall.said] == ["(exit code 1)"]


def test_where_no_further_process_starts_the_others_go_on(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker beyond the places that cannot be started ends nothing, and is not tried again."""
    status = replace(store.read_status(hall.database, "small"), workers=(_worker(),))
    monkeypatch.setattr(Watch, "look", lambda *_, **__: replace(status))
    monkeypatch.setattr(Watch, "remaining", lambda *_: ((), {}))
    asked, tried, start = list[int](), list[int](), local.WorkerProcess

    def more(*_: Any, **__: Any) -> int:
        asked.append(1)
        return 1

    def started(command: list[str], *rest: Any) -> Any:
        if "--once" in command:
            tried.append(1)
            (hall.directory / "end").touch()
            raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
        return start(command, *rest)

    monkeypatch.setattr(local, "workers_more", more)
    monkeypatch.setattr(local, "WorkerProcess", started)
    hall.pool("while not marked('end'): time.sleep(0.01)\n", fills_up=True).run(hall.stop)
    assert (len(asked), len(tried), hall.said) == (1, 1, [])


def test_a_crash_loop_is_ended_with_the_last_words(hall: Hall) -> None:
    """Workers that always die end the run after three deaths each, with what the last one said."""
    pool = hall.pool("print('Error: no memory left', file=sys.stderr); sys.exit(1)", count=2)
    with pytest.raises(
        WorkFailedError, match=r"^workers keep dying \(exit code 1\): no memory left$"
    ):
        pool.run(hall.stop)
    replaced = [line for line in hall.said if line.endswith("another takes its place")]
    assert len(replaced) == 5


def test_a_silent_crash_loop_is_ended_too(hall: Hall) -> None:
    """Workers that die without a word end the run with that said."""
    with pytest.raises(WorkFailedError, match=r"\(exit code 3\): it said nothing$"):
        hall.pool("sys.exit(3)").run(hall.stop)


# Each run of the script is a life; in every second one something more is done.
_LIVES = (
    "import sqlite3\n"
    "base = sqlite3.connect(directory / 'studies.db', timeout=30, isolation_level=None)\n"
    "life = next(n for n in range(99) if not marked(f'life-{n}')); mark(f'life-{life}')\n"
    "def change(what): base.execute(f'update lamsearch_cohort set {what}')\n"
)
_PROGRESS = {
    "completed": "change(f'state = 2 where number < {life // 2}')\n",
    "saved": (
        "(study,) = base.execute('select id from lamsearch_study').fetchone()\n"
        "place = directory / study / 'checkpoints' / 'coarse-0'\n"
        "place.mkdir(parents=True, exist_ok=True)\n"
        "(place / f'{life // 2:012d}.npz').touch()\n"
    ),
    "resumed": "change(f'resumed_update = {life // 2}')\n",
}


@pytest.mark.parametrize("script", _PROGRESS.values(), ids=_PROGRESS)
def test_crashes_between_which_work_is_kept_are_no_crash_loop(hall: Hall, script: str) -> None:
    """Deaths count only in a row: what is completed or saved in between starts the count anew."""
    hall.pool(f"{_LIVES}{script}sys.exit(0 if life == 5 else 1)\n").run(hall.stop)
    assert len(hall.said) == 5


@pytest.mark.timeout(120)
def test_updates_that_nobody_keeps_are_no_progress(hall: Hall) -> None:
    """Updates that go up and down between deaths do not keep a run going in which nothing is
    completed or saved."""
    pool = hall.pool(f"{_LIVES}change(f'updates = {{20 - life % 5}}')\nsys.exit(1)\n")
    with pytest.raises(WorkFailedError, match=r"^workers keep dying \(exit code 1\): it said "):
        pool.run(hall.stop)
    assert (hall.directory / "life-2").exists()
    assert not (hall.directory / "life-3").exists()


def test_a_crash_is_said_with_its_reason(hall: Hall) -> None:
    """Each worker that dies of an error is told of with that error, whole, its control characters
    shown and its secrets not; the run that ends of it says the same."""
    pool = hall.pool(
        "print('\\nError: files: s3://key:s3cret@host is \\x1b[31mfull', file=sys.stderr)\n"
        "print('so nothing is saved', file=sys.stderr)\n"
        "sys.exit(1)\n"
    )
    with pytest.raises(WorkFailedError) as caught:
        pool.run(hall.stop)
    reason = "files: s3://***@host is \\x1b[31mfull\nso nothing is saved"
    assert str(caught.value) == f"workers keep dying (exit code 1): {reason}"
    said = [line for line in hall.said if line]
    assert len(said) == 2
    assert all(
        line.endswith(f"died (exit code 1): {reason}; another takes its place") for line in said
    )


def test_what_a_worker_is_given_is_not_in_its_last_words(hall: Hall) -> None:
    """The secrets of what a worker has in its environment are not in the sentence that it dies
    with, even where it is a traceback that holds them."""
    pool = hall.pool("raise ValueError('no open of hunter22 for me')\n")
    pool._environment = {"LAMSEARCH_STORAGE": "postgresql://me:hunter22@db/lam"}
    with pytest.raises(WorkFailedError, match=r"ValueError: no open of \*\*\* for me$"):
        pool.run(hall.stop)
    assert not [line for line in hall.said if "hunter22" in line]


def test_bad_input_of_a_worker_is_bad_input_of_the_run(hall: Hall) -> None:
    """A worker that leaves with 2 is not replaced; its sentence becomes the run's own."""
    with pytest.raises(InputError, match=r"^data: no such directory$"):
        hall.pool("print('Error: data: no such directory', file=sys.stderr); sys.exit(2)").run(
            hall.stop
        )
    assert hall.said == []


def test_a_stop_dismisses_the_workers_gracefully(hall: Hall) -> None:
    """When told to stop, the pool sends SIGTERM, waits for its workers and says how to go on."""
    pool = hall.pool(
        "def leave(*_): mark('left'); sys.exit(130)\n"
        "signal.signal(signal.SIGTERM, leave)\n"
        "mark('ready')\n"
        "while True: time.sleep(1)\n"
    )
    thread, raised = in_background(pool, hall.stop)
    hall.until_marked("ready")
    hall.stop.set()
    thread.join(60)
    assert (hall.directory / "left").exists()
    assert isinstance(raised[0], InterruptedWorkError)
    assert str(raised[0]) == "interrupted; run again to go on"


def test_dismissal_kills_one_that_ignores_it(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that ignores SIGTERM is killed once its grace is over."""
    monkeypatch.setattr("lamsearch.pool.local._GRACE_SECONDS", 0.3)
    pool = hall.pool(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nmark('ready')\nwhile True: time.sleep(1)\n"
    )
    thread, raised = in_background(pool, hall.stop)
    hall.until_marked("ready")
    processes = list(pool._processes)
    begun = time.monotonic()
    hall.stop.set()
    thread.join(60)
    assert time.monotonic() - begun < promised(5)
    assert [process.returncode for process in processes] == [-9]
    assert isinstance(raised[0], InterruptedWorkError)


def test_kill_ends_the_workers_at_once(hall: Hall) -> None:
    """``kill`` ends the workers without asking them."""
    pool = hall.pool("mark('ready')\nwhile True: time.sleep(1)\n")
    thread, _ = in_background(pool, hall.stop)
    hall.until_marked("ready")
    while not pool._processes:  # a worker may be quicker than the pool's own list
        time.sleep(0.01)
    process = pool._processes[0]
    pool.kill()
    assert process.wait(promised(5)) == -9
    hall.stop.set()
    thread.join(60)


def test_a_worker_is_asked_by_its_pipe_where_there_are_no_signals(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where terminating is killing, a pool that is stopped closes the pipe that its worker reads;
    the worker leaves by itself, and nobody is killed."""
    monkeypatch.setattr("lamsearch.pool.process._SIGNALS", False)
    pool = hall.pool("mark('ready')\nsys.stdin.read()\nmark('left')\n")
    thread, raised = in_background(pool, hall.stop)
    hall.until_marked("ready")
    hall.stop.set()
    thread.join(60)
    assert isinstance(raised[0], InterruptedWorkError)
    assert (hall.directory / "left").exists()


def test_secrets_go_by_the_environment(hall: Hall) -> None:
    """What the pool is given as environment reaches its workers, and no command line shows it."""
    pool = hall.pool(
        "assert os.environ['SECRET'] == 's3' + 'cret'\n"
        "assert b's3' + b'cret' not in pathlib.Path('/proc/self/cmdline').read_bytes()\n"
    )
    pool.run(hall.stop)
    assert hall.said == []


def test_a_study_that_is_deleted_ends_its_run(hall: Hall) -> None:
    """A pool whose study disappears says so and leaves no worker behind."""
    pool = hall.pool("mark('ready')\nwhile True: time.sleep(1)\n", count=2)
    thread, raised = in_background(pool, hall.stop)
    hall.until_marked("ready")
    processes = list(pool._processes)
    store.delete(hall.database, "small")
    thread.join(60)
    assert isinstance(raised[0], StudyStateError)
    assert all(process.returncode is not None for process in processes)

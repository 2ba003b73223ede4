"""The crew: who is replaced, who is not, whose words are passed on, how it is dismissed."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from study_processes import promised

from lamsearch import dataset, trials
from lamsearch.errors import InputError, InterruptedWorkError, StudyStateError, WorkFailedError
from lamsearch.launch import Crew
from lamsearch.study import Study
from lamsearch.trials import Database, Status
from lamsearch.trials.tables import cohorts


class Hall:
    """A planned study, and crews of workers that are little scripts."""

    def __init__(self, folder: Path, study: Study) -> None:
        self.folder = folder
        self.database = Database(f"sqlite:///{folder / 'studies.db'}")
        trials.create(
            self.database,
            study,
            data_fingerprint=dataset.load(study, folder).fingerprint,
            validation_images={stage: study.validation_images(stage) for stage in study.stages},
            classes=tuple("0123456789"),
            origin=str(folder),
            files=str(folder),
        )
        self.said: list[str] = []
        self.shown: list[Status] = []
        self.stop = threading.Event()

    def crew(self, script: str, count: int = 1, study: str = "small") -> Crew:
        """Return a crew whose workers run ``script`` with ``mark`` naming files of this hall."""
        opening = (
            "import os, pathlib, signal, sys, time\n"
            f"folder = pathlib.Path({str(self.folder)!r})\n"
            "def mark(name): (folder / name).touch()\n"
            "def marked(name): return (folder / name).exists()\n"
        )
        return Crew(
            self.database,
            study,
            count,
            command=[sys.executable, "-S", "-c", opening + script],
            environment={"SECRET": "s3cret"},
            say=self.said.append,
            show=self.shown.append,
        )

    def until_marked(self, name: str) -> None:
        """Wait for a worker's mark."""
        deadline = time.monotonic() + 60
        while not (self.folder / name).exists():
            assert time.monotonic() < deadline, f"no worker came to {name}"
            time.sleep(0.01)


@pytest.fixture
def hall(tmp_path: Path, small_study: Callable[..., Study]) -> Iterator[Hall]:
    """Return a hall with the small study planned."""
    found = Hall(tmp_path, small_study())
    yield found
    found.database.close()


def in_background(crew: Crew, stop: threading.Event) -> tuple[threading.Thread, list[Any]]:
    """Run a crew in a thread; the list gets what it raised."""
    raised: list[Any] = []

    def run() -> None:
        try:
            crew.run(stop)
        except Exception as error:  # whatever it is, the test looks at it
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, raised


def test_a_crew_ends_when_its_workers_are_done(hall: Hall) -> None:
    """Workers that end well are not replaced; lines they say are passed on, progress is shown."""
    hall.crew("print('hello', file=sys.stderr)", count=2).run(hall.stop)
    assert hall.said == ["hello", "hello"]
    assert hall.shown
    assert hall.shown[-1].name == "small"


def test_a_dead_worker_is_replaced(hall: Hall) -> None:
    """A worker that is killed is replaced by another, which ends the work."""
    hall.crew(
        "if marked('killed'): mark('successor')\n"
        "else: mark('killed'); os.kill(os.getpid(), signal.SIGKILL)\n"
    ).run(hall.stop)
    assert (hall.folder / "successor").exists()
    assert len(hall.said) == 1
    assert hall.said[0].endswith("died (exit code -9); another takes its place")


def test_a_crash_loop_is_ended_with_the_last_words(hall: Hall) -> None:
    """Workers that always die end the run after three deaths each, with what the last one said."""
    crew = hall.crew("print('Error: no memory left', file=sys.stderr); sys.exit(1)", count=2)
    with pytest.raises(
        WorkFailedError, match=r"^workers keep dying \(exit code 1\): no memory left$"
    ):
        crew.run(hall.stop)
    replaced = [line for line in hall.said if line.endswith("another takes its place")]
    assert len(replaced) == 5


def test_a_silent_crash_loop_is_ended_too(hall: Hall) -> None:
    """Workers that die without a word end the run with that said."""
    with pytest.raises(WorkFailedError, match=r"\(exit code 3\): it said nothing$"):
        hall.crew("sys.exit(3)").run(hall.stop)


def test_deaths_between_which_work_is_done_are_no_crash_loop(hall: Hall) -> None:
    """Deaths count only in a row: every update done in between starts the count anew."""
    crew = hall.crew(
        "import sqlite3\n"
        "base = sqlite3.connect(folder / 'studies.db', timeout=30, isolation_level=None)\n"
        "base.execute('update lamsearch_cohort set updates = updates + 1')\n"
        "done = base.execute('select max(updates) from lamsearch_cohort').fetchone()[0]\n"
        "sys.exit(0 if done > 5 else 1)\n"
    )
    crew.run(hall.stop)
    with hall.database.read() as unit:
        assert unit.connection.scalar(sa.select(sa.func.max(cohorts.c.updates))) == 6
    assert len(hall.said) == 5


def test_bad_input_of_a_worker_is_bad_input_of_the_run(hall: Hall) -> None:
    """A worker that leaves with 2 is not replaced; its sentence becomes the run's own."""
    with pytest.raises(InputError, match=r"^data: no such folder$"):
        hall.crew("print('Error: data: no such folder', file=sys.stderr); sys.exit(2)").run(
            hall.stop
        )
    assert hall.said == []


def test_a_stop_dismisses_the_workers_politely(hall: Hall) -> None:
    """When told to stop, the crew sends SIGTERM, waits for its workers and says how to go on."""
    crew = hall.crew(
        "def leave(*_): mark('left'); sys.exit(130)\n"
        "signal.signal(signal.SIGTERM, leave)\n"
        "mark('ready')\n"
        "while True: time.sleep(1)\n"
    )
    thread, raised = in_background(crew, hall.stop)
    hall.until_marked("ready")
    hall.stop.set()
    thread.join(60)
    assert (hall.folder / "left").exists()
    assert isinstance(raised[0], InterruptedWorkError)
    assert str(raised[0]) == "interrupted; run again to go on"


def test_dismissal_kills_one_that_ignores_it(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that ignores SIGTERM is killed once its grace is over."""
    monkeypatch.setattr("lamsearch.launch.crew._GRACE_SECONDS", 0.3)
    crew = hall.crew(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nmark('ready')\nwhile True: time.sleep(1)\n"
    )
    thread, raised = in_background(crew, hall.stop)
    hall.until_marked("ready")
    members = list(crew._members)
    begun = time.monotonic()
    hall.stop.set()
    thread.join(60)
    assert time.monotonic() - begun < promised(5)
    assert [member.returncode for member in members] == [-9]
    assert isinstance(raised[0], InterruptedWorkError)


def test_kill_ends_the_workers_at_once(hall: Hall) -> None:
    """``kill`` ends the workers without asking them."""
    crew = hall.crew("mark('ready')\nwhile True: time.sleep(1)\n")
    thread, _ = in_background(crew, hall.stop)
    hall.until_marked("ready")
    member = crew._members[0]
    crew.kill()
    assert member.wait(promised(5)) == -9
    hall.stop.set()
    thread.join(60)


def test_secrets_go_by_the_environment(hall: Hall) -> None:
    """What the crew is given as environment reaches its workers, and no command line shows it."""
    crew = hall.crew(
        "assert os.environ['SECRET'] == 's3' + 'cret'\n"
        "assert b's3' + b'cret' not in pathlib.Path('/proc/self/cmdline').read_bytes()\n"
    )
    crew.run(hall.stop)
    assert hall.said == []


def test_a_study_that_is_deleted_ends_its_run(hall: Hall) -> None:
    """A crew whose study disappears says so and leaves no worker behind."""
    crew = hall.crew("mark('ready')\nwhile True: time.sleep(1)\n", count=2)
    thread, raised = in_background(crew, hall.stop)
    hall.until_marked("ready")
    members = list(crew._members)
    trials.delete(hall.database, "small")
    thread.join(60)
    assert isinstance(raised[0], StudyStateError)
    assert all(member.returncode is not None for member in members)

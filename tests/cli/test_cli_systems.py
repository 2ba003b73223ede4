"""The command line where what only POSIX systems have is missing, as it is on Windows.

Each process begins with ``without_posix/sitecustomize.py``, which takes it away; on Windows itself
nothing has to be.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import forked
import pytest
from cli_studies import SMALL

WITHOUT = Path(__file__).parent / "without_posix"
ANSWER = ("stages", "selected", "final")
# About a third of a second of training a cohort: long enough to be interrupted.
LIVES = SMALL.replace("{name}", "lives").replace("step_size = 15", "step_size = 800")
PACE = ("--checkpoint-seconds", "0.03", "--lease-seconds", "1")
NEW_GROUP = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
if sys.platform == "win32":
    CTRL_C = CTRL_BREAK = signal.CTRL_BREAK_EVENT  # Ctrl-C itself cannot be sent to one process
else:
    CTRL_C, CTRL_BREAK = signal.SIGINT, signal.SIGTTIN  # whose number Windows gives to Ctrl-Break


class Place:
    """A working directory, and processes without POSIX that begin in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "lives.toml").write_text(LIVES, encoding="utf-8")

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a verb."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("LAMSEARCH_")}
        if sys.platform != "win32":
            environment["PYTHONPATH"] = str(WITHOUT)
        environment["PYTHONUTF8"] = "0"  # streams in the encoding of the system, as users have them
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "lamsearch", *words],
            cwd=self.directory, env=environment, stdin=subprocess.DEVNULL, encoding="utf-8",
            errors="replace",
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, creationflags=NEW_GROUP,
        )  # fmt: skip

    def ask(self, *words: str) -> str:
        """Call a verb, which must go well; return what it printed."""
        process = self.start(*words)
        out, said = process.communicate(timeout=300)
        assert process.returncode == 0, said
        assert "Traceback" not in said
        assert "died" not in said
        return out

    def interrupt(self, process: subprocess.Popen[str], number: signal.Signals) -> str:
        """Interrupt a process that trains once it has saved something; return what it said."""
        deadline = time.monotonic() + 120
        while not self.checkpoints():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 130, said
        assert "Traceback" not in said
        return said

    def checkpoints(self) -> list[Path]:
        """What is saved of cohorts in work."""
        return list(self.directory.glob("lamsearch-files/*/checkpoints/*/*.npz"))

    def answer(self) -> dict[str, Any]:
        """The results of the study as its report has them."""
        path = self.directory / "lamsearch-report/lives/results.json"
        document = json.loads(path.read_text(encoding="utf-8"))
        return {key: document[key] for key in ANSWER}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A directory of its own."""
    return Place(tmp_path)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The answer of an undisturbed run on this system with all that it has."""
    place = Place(tmp_path_factory.mktemp("whole"))
    run = [*forked.COMMAND, "run", "lives.toml", "--workers", "1"]
    done = forked.run(run, cwd=place.directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return place.answer()


@pytest.mark.posix
def test_what_is_taken_away_is_not_there() -> None:
    """A process that begins so has no fcntl, no affinity, no groups, no handles of directories."""
    code = (
        "import os, signal; print(hasattr(os, 'sched_getaffinity'), hasattr(os, 'killpg'), "
        "hasattr(signal, 'SIGKILL'), os.supports_dir_fd); import fcntl"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(WITHOUT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "False False False set()\n"
    assert "No module named 'fcntl'" in done.stderr


def test_help_and_check(place: Place) -> None:
    """`--help` names the verbs, and `check` the plan."""
    assert "lr-range" in place.ask("--help")
    assert "coarse" in place.ask("check", "lives.toml")


def test_a_run_is_interrupted_and_goes_on(place: Place, expected: dict[str, Any]) -> None:
    """A run of two workers that Ctrl-C reaches saves what is in work and leaves with 130; the next
    run ends with the same bits as on a system with everything, its report whole."""
    said = place.interrupt(place.start("run", "lives.toml", "--workers", "2", *PACE), CTRL_C)
    assert "leaving: saving what is in work" in said
    assert place.checkpoints()
    place.ask("run", "lives.toml", "--workers", "2")
    report = {one.name for one in (place.directory / "lamsearch-report/lives").iterdir()}
    assert {"results.json", "report.md", "index.html", "trials.csv", "models"} <= report
    assert place.answer() == expected


def test_submitted_studies_are_worked(place: Place, expected: dict[str, Any]) -> None:
    """What is submitted is trained by a worker until Ctrl-Break, and by the next one that leaves
    when nothing is left; the same bits."""
    place.ask("submit", "lives.toml")
    place.interrupt(place.start("worker", *PACE), CTRL_BREAK)
    assert "lives" in place.ask("status")
    place.ask("worker", "--exit-when-idle")
    place.ask("report", "lives")
    assert place.answer() == expected


@pytest.fixture
def served(place: Place) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server of a planned study, and its address."""
    place.ask("submit", "lives.toml")
    server = place.start("serve", "--port", "0")
    assert server.stderr is not None
    assert server.stdout is not None
    found = None
    for line in server.stdout:
        if found := re.search(r"http://127\.0\.0\.1:\d+/", line):
            break
    assert found is not None, server.stderr.read()
    yield found[0], server
    server.kill()
    server.communicate()


def test_a_server_answers_and_ends(served: tuple[str, subprocess.Popen[str]]) -> None:
    """`serve` shows what is queued, and Ctrl-C ends it well."""
    address, server = served
    for page in ("api/studies", ""):
        with urllib.request.urlopen(f"{address}{page}", timeout=60) as answer:  # noqa: S310
            assert "lives" in answer.read().decode()
    server.send_signal(CTRL_C)
    assert server.wait(30) == 0


def test_a_study_file_that_is_none_is_one_sentence(place: Place) -> None:
    """A study file that is too long is one sentence, and nothing is read to its end."""
    (place.directory / "long.toml").write_bytes(b"#" * 1_000_001)
    process = place.start("check", "long.toml")
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert said == ("Error: long.toml: must be a study file: it has more than 1,000,000 bytes\n")

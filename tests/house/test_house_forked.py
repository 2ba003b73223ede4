"""Processes that tests fork instead of starting them are what a start would have made."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import forked
import pytest
from study_processes import Place

from benchmarks.victims import until
from lamsearch.storage import Database


@pytest.mark.parametrize(
    "words", [("--version",), ("status", "--storage", "sqlite:///none.db"), ("check", "größe.toml")]
)
def test_words_and_codes_are_those_of_a_start(words: tuple[str, ...], tmp_path: Path) -> None:
    """A forked command prints the same on both streams and ends with the same code."""
    command = [*forked.COMMAND, *words]
    ours = forked.run(command, cwd=tmp_path, capture_output=True)
    fresh = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert (ours.returncode, ours.stdout, ours.stderr) == (
        fresh.returncode, fresh.stdout, fresh.stderr,
    )  # fmt: skip


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[forked.Popen]:
    """A worker that waits for studies to come, leader of a session of its own."""
    Database(f"sqlite:///{tmp_path / 'studies.db'}").close()
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = forked.Popen(
            [*forked.COMMAND, "worker", "--storage", "sqlite:///studies.db"],
            cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    try:
        until(lambda: "waits for studies" in log.read_text())
        yield process
    finally:
        process.kill()
        process.wait()


def sockets(pid: int) -> set[str]:
    """The sockets that a process has open."""
    links = [str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir()]
    return {link for link in links if link.startswith("socket:")}


def test_it_is_a_process_of_its_own(waiting: forked.Popen, tmp_path: Path) -> None:
    """It leads its session, has its directory and streams alone, and Ctrl-C reaches it."""
    process, log = waiting, tmp_path / "log"
    assert os.getsid(process.pid) == process.pid != os.getsid(0)
    assert Path(f"/proc/{process.pid}/cwd").resolve() == tmp_path
    assert Path(f"/proc/{process.pid}/fd/2").resolve() == log
    server = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[1]
    assert not sockets(process.pid) & sockets(int(server))
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(60) == 130
    assert "Traceback" not in log.read_text()


def test_a_killed_one_is_a_zombie_until_its_code_is_taken(waiting: forked.Popen) -> None:
    """Its pid stays its own until somebody has asked how it ended."""
    process = waiting
    os.kill(process.pid, signal.SIGKILL)
    stat = Path(f"/proc/{process.pid}/stat")
    until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "Z")
    time.sleep(0.1)  # that it is left so has no event
    assert stat.exists()
    assert process.wait(60) == -signal.SIGKILL
    until(lambda: not stat.exists())


def test_the_workers_of_a_run_are_forked_too(tmp_path: Path) -> None:
    """They are children of the run that lead sessions of their own, as what is to make its report
    does, and the run learns how each of them ended."""
    place = Place(tmp_path, f"sqlite:///{tmp_path / 'studies.db'}")
    try:
        run = place.run(workers=2)
        first, second = until(lambda: len(set(found := place.holders())) == 2 and found)
        (maker,) = set(run.children) - {first, second}
        assert [os.getsid(pid) for pid in (first, second, maker)] == [first, second, maker]
        forks = (run.pid, first, second, maker)
        commands = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in forks]
        assert commands == commands[:1] * 4  # none is a program of its own
        os.kill(first, signal.SIGKILL)
        until(lambda: f"worker {first} died (exit code -9)" in run.said)
        run.signal(signal.SIGINT)
        assert run.wait() == 130, run.said
    finally:
        place.close()


def test_what_settles_how_an_interpreter_begins_makes_a_start(tmp_path: Path) -> None:
    """With other settings of Python's or of the language, a process is started, and has them."""
    environment = {**os.environ, "PYTHONVERBOSE": "1"}
    done = forked.run(
        [*forked.COMMAND, "--version"], cwd=tmp_path, env=environment, capture_output=True
    )
    assert b"import 'lamsearch" in done.stderr

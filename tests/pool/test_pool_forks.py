"""Forks that wait to be workers: what they become, and what becomes of those that do not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="forks are of Linux alone")
# A process of its own: this one has threads by now, and may not be forked.
_OPENING = """
import os, sys, time
from pathlib import Path
from lamsearch.pool.forks import WaitingForks
from lamsearch.pool.process import WorkerProcess

def be(words):
    print("is", *words, os.environ.get("GIVEN"), file=sys.stderr)
    print("reads", repr(sys.stdin.read()), os.getsid(0) == os.getpid(), file=sys.stderr)
    if words == ["dies"]:
        os.kill(os.getpid(), 9)
    if words == ["breaks"]:
        raise RuntimeError("as no worker should")
    sys.exit(int(words[0]) if words[0].isdigit() else 0)

def started(forks, *words, said):
    command = [sys.executable, "-S", "-c", "import sys; print('fresh', file=sys.stderr)",
               "lamsearch", *words]
    process = WorkerProcess(command, {"GIVEN": "this"}, said.append, forks)
    process.reap()  # closes the pipe that it reads
    return process.wait(30)

said = []
"""


def answers(script: str, directory: Path) -> list[str]:
    """Run a script with what forks are made of; return the lines that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", _OPENING + script], cwd=directory, capture_output=True, text=True,
        timeout=60, check=False, env={**os.environ, "PYTHONWARNINGS": "error"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()


@LINUX
def test_a_fork_is_the_worker_that_its_command_names(tmp_path: Path) -> None:
    """A fork has the command's words, its environment, a session and pipes of its own, and ends
    with its exit code; when none waits any more, the command itself is started."""
    script = """
with WaitingForks(lambda: None, be) as forks:
    forks.make(2)
    print(started(forks, "3", said=said), started(forks, "0", said=said))
    print(started(forks, "0", said=said))
print(*said, sep="\\n")
"""
    assert answers(script, tmp_path) == [
        "3 0", "0", "is 3 this", "reads '' True", "is 0 this", "reads '' True", "fresh",
    ]  # fmt: skip


@LINUX
def test_the_end_of_a_fork_is_told_as_that_of_any_process(tmp_path: Path) -> None:
    """A fork that is killed has the signal as its exit code; one that raises says
    what, and has 1."""
    script = """
with WaitingForks(lambda: None, be) as forks:
    forks.make(2)
    print(started(forks, "dies", said=said), started(forks, "breaks", said=said))
print(said[-1])
"""
    assert answers(script, tmp_path) == ["-9 1", "RuntimeError: as no worker should"]


@LINUX
def test_forks_that_nobody_wants_are_gone_with_the_block(tmp_path: Path) -> None:
    """What they need is loaded once, and no process is left of forks that never began."""
    script = """
loads = []
with WaitingForks(lambda: loads.append(os.getpid()), be) as forks:
    forks.make(3)
    assert loads == [os.getpid()]
    waiting = [one.pid for one in forks._waiting]
print(len(waiting), [pid for pid in waiting if Path(f"/proc/{pid}").exists()])
"""
    assert answers(script, tmp_path) == ["3 []"]


@LINUX
def test_a_fork_that_was_killed_while_it_waited_is_passed_over(tmp_path: Path) -> None:
    """The next fork takes the place of one that died before it began."""
    script = """
with WaitingForks(lambda: None, be) as forks:
    forks.make(2)
    os.kill(forks._waiting[0].pid, 9)
    os.waitid(os.P_PID, forks._waiting[0].pid, os.WEXITED | os.WNOWAIT)
    print(started(forks, "7", said=said))
"""
    assert answers(script, tmp_path) == ["7"]


_THREAD = "import threading; threading.Thread(target=time.sleep, args=(5,), daemon=True).start()"


@pytest.mark.parametrize(
    "without",
    [_THREAD, "del os.fork", "sys.platform = 'darwin'"],
    ids=["beside a thread", "without fork", "on macOS"],
)
def test_nothing_is_forked_where_a_fork_may_break(tmp_path: Path, without: str) -> None:
    """Beside another thread, or on another system, a worker is started from its command."""
    script = f"""
{without}
with WaitingForks(lambda: None, be) as forks:
    forks.make(2)
    print(len(forks._waiting), started(forks, "0", said=said), *said)
"""
    assert answers(script, tmp_path) == ["0 0 fresh"]

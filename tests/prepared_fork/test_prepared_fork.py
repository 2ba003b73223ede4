"""A fork that prepares itself: what it does, where it is not there, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="forks are of Linux alone")
# A process of its own: this one has threads by now, and may not be forked.
_OPENING = """
import os, signal, sys, threading, time
from pathlib import Path
from lamsearch.forking import fork
from lamsearch.prepared_fork import PreparedFork

here = os.getpid()

def prepare():
    Path("prepared").write_text(str(os.getpid()))
    global ready
    ready = "ready"

def work(*given):
    return given, ready, os.getpid() != here, os.getsid(0) == os.getpid()

def wait_for(name):
    while not Path(name).exists() or not Path(name).read_text():
        time.sleep(0.01)
    return int(Path(name).read_text())

def lives(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
"""


def begun(script: str, directory: Path) -> subprocess.Popen[str]:
    """Start a script with what such forks are made of."""
    return subprocess.Popen(
        [sys.executable, "-c", _OPENING + script], cwd=directory, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )  # fmt: skip


def answers(script: str, directory: Path) -> list[str]:
    """Run a script; return the lines that it prints."""
    said, complaint = (process := begun(script, directory)).communicate(timeout=60)
    assert (process.returncode, complaint) == (0, "")
    return said.splitlines()


@LINUX
def test_it_prepares_itself_and_does_what_it_is_asked(tmp_path: Path) -> None:
    """What it loads is its own; it takes arguments and returns a value of any size, once; it has
    a session of its own, and is gone after the block."""
    script = """
with PreparedFork(prepare, work) as maker:
    process = wait_for("prepared")
    given, *rest = maker.done("x" * 1_000_000, {"a": 1})
    print(len(given[0]), given[1], *rest, "ready" in globals(), maker.done("again"))
print(lives(process))
"""
    assert answers(script, tmp_path) == ["1000000 {'a': 1} ready True True False None", "False"]


@LINUX
def test_what_it_cannot_do_is_not_done(tmp_path: Path) -> None:
    """Work that raises, a fork that is killed before it is asked or at work, what cannot be loaded,
    and what cannot be pickled: nothing is returned, and nothing said."""
    script = """
def fails():
    raise RuntimeError("as nobody should hear")

def ends(*_):
    os._exit(0)

def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)

for before, at_work in ((prepare, fails), (prepare, ends), (prepare, killed), (fails, work)):
    with PreparedFork(before, at_work) as maker:
        print(maker.done("x" * 1_000_000))
Path("prepared").unlink()
with PreparedFork(prepare, work) as maker:
    os.kill(wait_for("prepared"), signal.SIGKILL)
    print(maker.done("x" * 1_000_000))
with PreparedFork(prepare, work) as maker:
    print(maker.done(lambda: None))
with PreparedFork(prepare, lambda: lambda: None) as maker:
    print(maker.done())
"""
    assert answers(script, tmp_path) == ["None"] * 7


@LINUX
def test_where_nothing_may_be_forked_it_is_not_there(tmp_path: Path) -> None:
    """A process with threads has none, nor one that may begin no other; both go on."""
    script = """
end = threading.Event()
threading.Thread(target=end.wait).start()
with PreparedFork(prepare, work) as maker:
    print(maker.done(1))
end.set()
for one in threading.enumerate():
    if one is not threading.main_thread():
        one.join()

def refused():
    raise OSError("Resource temporarily unavailable")

import lamsearch.prepared_fork
lamsearch.prepared_fork.fork = refused
files = len(os.listdir("/proc/self/fd"))
with PreparedFork(prepare, work) as maker:
    print(maker.done(1), len(os.listdir("/proc/self/fd")) - files)
print(Path("prepared").exists())
"""
    assert answers(script, tmp_path) == ["None", "None 0", "False"]


@LINUX
def test_one_that_is_not_asked_ends_with_the_block_or_its_process(tmp_path: Path) -> None:
    """So does one whose process is killed, though other forks of that process live on."""
    script = """
with PreparedFork(prepare, work):
    process = wait_for("prepared")
print(lives(process))
Path("prepared").unlink()
with PreparedFork(prepare, work):
    wait_for("prepared")
    if (other := fork()) == 0:
        signal.pause()
    print(other, flush=True)
    signal.pause()
"""
    process = begun(script, tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == "False\n"
    other = int(process.stdout.readline())
    try:
        process.kill()
        process.wait()
        prepared = Path("/proc") / (tmp_path / "prepared").read_text()
        until = time.monotonic() + 30
        while prepared.exists() and "\nState:\tZ" not in (prepared / "status").read_text():
            assert time.monotonic() < until, "it waits for a process that is gone"
            time.sleep(0.01)
        os.kill(other, 0)
    finally:
        os.kill(other, signal.SIGKILL)
        process.communicate()


@LINUX
def test_one_that_works_clears_up_when_its_process_is_interrupted(tmp_path: Path) -> None:
    """It is interrupted too; should it not leave soon, it is killed."""
    script = """
import lamsearch.prepared_fork
lamsearch.prepared_fork._SECONDS = 0.2

def work(stubborn):
    try:
        Path("works").write_text(str(os.getpid()))
        signal.pause()
    finally:
        Path("cleared").touch()
        while stubborn:
            pass

for stubborn in (False, True):
    Path("works").unlink(missing_ok=True)
    Path("cleared").unlink(missing_ok=True)
    try:
        with PreparedFork(prepare, work) as maker:
            def heard(*_):
                if Path("works").exists() and Path("works").read_text():
                    signal.setitimer(signal.ITIMER_REAL, 0)
                    raise KeyboardInterrupt
            signal.signal(signal.SIGALRM, heard)
            signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
            maker.done(stubborn)
    except KeyboardInterrupt:
        print(Path("cleared").exists(), lives(wait_for("works")))
"""
    assert answers(script, tmp_path) == ["True False", "True False"]

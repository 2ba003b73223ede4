"""Whether this process may be forked, and forking it. Enters: nothing. Leaves: a process.

Only on Linux, and only from a process's one thread: elsewhere libraries of the system's break in a
fork, and a lock that another thread holds is never freed there.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import warnings

_POLL_SECONDS = 0.01
_ONLY_HERE = set[int]()  # open files that no fork has


def may_fork() -> bool:
    """Whether a fork of this process, as it is now, is whole."""
    here = threading.current_thread() is threading.main_thread()
    alone = here and threading.active_count() == 1
    return alone and sys.platform == "linux" and hasattr(os, "fork")


def fork() -> int:
    """Fork: return the child's id, and 0 in the child, where signals do what they do at first."""
    with warnings.catch_warnings():
        # of a library's own threads, which OpenBLAS ends before a fork and begins anew
        warnings.simplefilter("ignore", DeprecationWarning)
        process: int = os.fork()  # type: ignore[attr-defined,unused-ignore]
    if process == 0:
        for number in _ONLY_HERE:
            os.close(number)
        _ONLY_HERE.clear()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return process


def keep_from_forks(*numbers: int) -> None:
    """Have open files closed in every fork: a pipe has ended when all of its ends are closed."""
    _ONLY_HERE.update(numbers)


def close(*numbers: int) -> None:
    """Close open files that were kept from forks."""
    for number in numbers:
        _ONLY_HERE.discard(number)
        os.close(number)


class Forked:
    """A forked process, by names of `subprocess.Popen`."""

    def __init__(self, process: int) -> None:
        self.pid = process
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return its exit code, or minus the signal that ended it; None while it lives."""
        if self.returncode is None:
            try:
                ended, status = os.waitpid(self.pid, os.WNOHANG)  # type: ignore[attr-defined,unused-ignore]
            except ChildProcessError:  # somebody waits for all children
                self.returncode = 0
            else:
                self.returncode = os.waitstatus_to_exitcode(status) if ended else None
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code once it has one.

        Raises:
            subprocess.TimeoutExpired: It still lives after so many seconds.
        """
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired("a fork", timeout or 0.0)
            time.sleep(_POLL_SECONDS)
        return code

    def interrupt(self) -> None:
        """Send it SIGINT, if it lives."""
        self._send(signal.SIGINT)

    def terminate(self) -> None:
        """Send it SIGTERM, if it lives."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, if it lives."""
        self._send(signal.SIGKILL)  # type: ignore[attr-defined,unused-ignore]

    def _send(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

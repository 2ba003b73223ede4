"""Takes from a Python process what Windows does not have.

Enters: its directory on ``PYTHONPATH``, so that worker processes begin with it too. Leaves: `os`,
`signal`, `select` and the standard library without what only POSIX has, each missing as it is
missing there. What the standard library itself keeps of it was imported before.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import multiprocessing.connection
import multiprocessing.resource_tracker
import os
import select
import selectors
import shutil
import signal
import stat
import subprocess
import sys
import types
from collections.abc import Callable
from typing import Any

import platformdirs

# They have chosen by the interpreter's own system.
_KEPT = (asyncio, multiprocessing, selectors, platformdirs)
_MODULES = ("fcntl", "grp", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty")
_OS = (  # but for uname, which NumPy asks wherever it finds itself on Linux
    "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_SYNC", "chown", "fchmod", "fchown",
    "fork", "fwalk", "getegid", "geteuid", "getgid", "getloadavg", "getpgid", "getpgrp",
    "getpriority", "getuid", "killpg", "mkfifo", "nice", "openpty", "pipe2", "posix_spawn",
    "pread", "process_cpu_count", "pwrite", "register_at_fork", "sched_getaffinity",
    "sched_setaffinity", "sendfile", "setsid", "statvfs", "sync", "sysconf", "sysconf_names",
    "wait", "wait3", "wait4", "waitid",
)  # fmt: skip
_SIGNALS = (
    "SIGALRM", "SIGCHLD", "SIGCONT", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGSTOP",
    "SIGTSTP", "SIGUSR1", "SIGUSR2", "alarm", "pause", "pthread_kill", "pthread_sigmask",
    "setitimer", "sigpending", "sigtimedwait", "sigwait", "sigwaitinfo",
)  # fmt: skip
_SIGBREAK = signal.Signals.SIGTTIN  # whose number, 21, Windows gives to Ctrl-Break
_SIGTERM = 15
_HANDLED = {signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGINT, signal.SIGSEGV,
            signal.SIGTERM, _SIGBREAK}  # fmt: skip


class _Missing:
    """Finds that modules are not there."""

    def find_spec(self, name: str, *_: object) -> None:
        if name in _MODULES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def _paths_only(function: Callable[..., Any]) -> Callable[..., Any]:
    """Of open directories Windows knows nothing."""

    def call(path: Any, *rest: Any, **named: Any) -> Any:
        if isinstance(path, int):
            raise TypeError(f"path should be string, bytes or os.PathLike, not int: {path}")
        if any(name.endswith("dir_fd") and value is not None for name, value in named.items()):
            raise NotImplementedError("dir_fd unavailable on this platform")
        return function(path, *rest, **named)

    return call


def _open(path: Any, *rest: Any, **named: Any) -> int:
    """Open a file; a directory cannot be opened."""
    handle = int(_plain_open(path, *rest, **named))
    if stat.S_ISDIR(os.fstat(handle).st_mode):
        os.close(handle)
        raise PermissionError(errno.EACCES, "Permission denied", path)
    return handle


def _select(*lists: Any) -> Any:
    """Wait for sockets, and for the pipe that waitress has in place of one; of files it fails."""
    for one in (one for some in lists[:3] for one in some):
        mode = os.fstat(one if isinstance(one, int) else one.fileno()).st_mode
        if not stat.S_ISSOCK(mode) and not stat.S_ISFIFO(mode):
            raise OSError(10038, "An operation was attempted on something that is not a socket")
    return _plain_select(*lists)


def _signal(number: int, handler: Any) -> Any:
    if number not in _HANDLED:
        raise ValueError("signal number out of range")
    return _plain_signal(number, handler)


def _terminate(process: subprocess.Popen[Any]) -> None:
    """End a process: nothing else can be sent to it."""
    if process.poll() is None:
        os.kill(process.pid, 9)


def _locking(handle: int, mode: int, count: int) -> None:
    """Lock bytes of a file, as far as a lock of the whole file does."""
    if (mode, count) != (msvcrt.LK_NBLCK, 1) or os.lseek(handle, 0, os.SEEK_CUR) != 0:
        raise ValueError("the same byte must be locked by all")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise PermissionError(errno.EACCES, "Permission denied") from None


_plain_open, _plain_select, _plain_signal = _paths_only(os.open), select.select, signal.signal
msvcrt: Any = types.ModuleType("msvcrt")
msvcrt.LK_NBLCK, msvcrt.locking = 2, _locking
sys.modules["msvcrt"] = msvcrt
sys.meta_path.insert(0, _Missing())
for _name in _MODULES:
    sys.modules.pop(_name, None)
for _module, _names in ((os, _OS), (signal, _SIGNALS), (select, ("poll", "epoll"))):
    for _name in _names:
        if hasattr(_module, _name):
            delattr(_module, _name)
for _name in ("listdir", "mkdir", "replace", "rename", "rmdir", "scandir", "unlink", "utime"):
    setattr(os, _name, _paths_only(getattr(os, _name)))
os.open, select.select, signal.signal = _open, _select, _signal
signal.SIGBREAK = _SIGBREAK  # type: ignore[attr-defined,assignment]
for _known in (os.supports_dir_fd, os.supports_fd):
    _known.clear()
shutil._use_fd_functions = shutil._USE_CP_SENDFILE = False  # type: ignore[attr-defined]
subprocess.Popen.terminate = subprocess.Popen.kill = _terminate  # type: ignore[method-assign,assignment]

"""Whether this process may be forked, and forking it. Enters: nothing. Leaves: a process id.

Only on Linux, and only from a process's one thread: elsewhere libraries of the system's break in a
fork, and a lock that another thread holds is never freed there.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings


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
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return process

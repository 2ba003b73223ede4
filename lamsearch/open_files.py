"""How many files and connections this process may have open at once.

Enters: how many it needs. Leaves: the system's limit, raised as far as it lets us; or a sentence.
Refuses to know what they are needed for. It is asked before anything large is imported, for an
import that may open no file ends in somebody's traceback. Windows has no such limit of files, but
one of sockets that a process can wait for.
"""

from __future__ import annotations

import importlib
from contextlib import suppress
from typing import Any

START = 64  # what every verb needs, with room to spare: libraries, storage, files, signals, caches
EACH_WORKER = 3  # its pipes, and one more while it starts
_SELECTED = 512  # sockets that Python's select waits for on Windows, which has no poll
_MANY = 1 << 20  # where there is no limit


def lacking(count: int) -> str | None:
    """See to it that so many files may be open; return a sentence where they may not."""
    resource = _resource()
    if resource is None:
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _holds(soft, count, resource):
        return None
    if _holds(hard, count, resource):
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
        return None
    return f"open files: must be allowed at least {count}, got {hard} (see ulimit -n)"


def most() -> int:
    """Return how many files and sockets may be open and waited for."""
    resource = _resource()
    if resource is None:
        return _SELECTED
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MANY if soft == resource.RLIM_INFINITY else int(soft)


def _holds(limit: int, count: int, resource: Any) -> bool:
    return bool(limit == resource.RLIM_INFINITY or limit >= count)


def _resource() -> Any:
    """The module of limits; None on a system without it."""
    with suppress(ModuleNotFoundError):
        return importlib.import_module("resource")
    return None

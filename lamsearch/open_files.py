"""How many files and connections this process may have open at once.

Enters: how many it needs. Leaves: the system's limit, raised as far as it lets us; or a sentence.
Refuses to know what they are needed for. It is asked before anything large is imported, for an
import that may open no file ends in somebody's traceback.
"""

from __future__ import annotations

import resource

START = 64  # what every verb needs, with room to spare: libraries, storage, files, signals, caches
EACH_WORKER = 3  # its pipes, and one more while it starts


def lacking(count: int) -> str | None:
    """See to it that so many files may be open; return a sentence where they may not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _holds(soft, count):
        return None
    if _holds(hard, count):
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
        return None
    return f"open files: must be allowed at least {count}, got {hard} (see ulimit -n)"


def _holds(limit: int, count: int) -> bool:
    return limit == resource.RLIM_INFINITY or limit >= count

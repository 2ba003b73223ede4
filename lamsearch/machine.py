"""What this machine gives a process: cores, memory, and which cores lie near which memory.

Enters: what the system tells, control groups of containers and batch systems included. Leaves:
numbers, and sets of cores. ``root`` is where the system's own directories hang, for tests alone.
Refuses to know what they are for.
"""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

_ROOT = Path("/")
_GROUPS = "sys/fs/cgroup"
_NODES = "sys/devices/system/node"


def cores(root: Path = _ROOT) -> int:
    """Return how many cores this process may use, at least one.

    Those that it may run on, or fewer where a control group has a quota of processor time.
    """
    there = allowed_cores()
    count = (os.cpu_count() or 1) if there is None else len(there)
    return max(1, int(min(count, _quota(root))))


def allowed_cores() -> frozenset[int] | None:
    """Return the numbers of the cores that this process may run on; None where nobody tells."""
    if sys.platform != "win32" and hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return None


def memory(root: Path = _ROOT) -> float:
    """Return the bytes of memory of this machine, or fewer where a control group has a limit."""
    limits = (_number(file) for file in _files(root, "memory.max"))
    older = _number(root / _GROUPS / "memory/memory.limit_in_bytes")
    return min([_physical(), older, *limits])


def memory_of(process: int, root: Path = _ROOT) -> float:
    """Return the bytes that a process shares with no other; infinite where nobody tells."""
    with suppress(OSError, ValueError):
        text = (root / "proc" / str(process) / "status").read_text(encoding="utf-8")
        if (found := re.search(r"^RssAnon:\s+(\d+) kB$", text, re.MULTILINE)) is not None:
            return 1024.0 * int(found[1])
    return math.inf


def nodes(allowed: Collection[int], root: Path = _ROOT) -> tuple[frozenset[int], ...]:
    """Return the cores of each NUMA node that are allowed, without nodes that have none of them.

    Empty where the system tells of no nodes.
    """
    found = []
    with suppress(OSError):
        for directory in sorted((root / _NODES).glob("node[0-9]*"), key=_node_number):
            text = (directory / "cpulist").read_text(encoding="ascii")
            found.append(frozenset(_listed(text)) & frozenset(allowed))
    return tuple(one for one in found if one)


def _node_number(directory: Path) -> int:
    return int(re.sub(r"\D", "", directory.name))


def _listed(text: str) -> Iterator[int]:
    """The numbers of a list as Linux writes it, such as 0-3,8-11."""
    for first, last in re.findall(r"(\d+)(?:-(\d+))?", text):
        yield from range(int(first), int(last or first) + 1)


def _quota(root: Path) -> float:
    """How many cores' time the control groups allow; infinite without a quota."""
    found = [math.inf]
    for file in _files(root, "cpu.max"):
        with suppress(OSError, ValueError):  # none, or "max 100000"
            quota, period = map(int, file.read_text(encoding="ascii").split())
            found.append(quota / period)
    older = root / _GROUPS / "cpu"
    time, of = (_number(older / f"cpu.cfs_{one}_us") for one in ("quota", "period"))
    if 0 < time < math.inf and of < math.inf:  # -1 where there is none
        found.append(time / of)
    return min(found)


def _files(root: Path, name: str) -> Iterator[Path]:
    """A file of the process's own control group and of all above it (version 2)."""
    groups = root / _GROUPS
    path = Path()
    with suppress(OSError):
        text = (root / "proc/self/cgroup").read_text(encoding="utf-8", errors="replace")
        path = Path(next((line[4:] for line in text.splitlines() if line.startswith("0::/")), ""))
    if ".." in path.parts:  # of a group outside what this process sees
        path = Path()
    for part in dict.fromkeys([path, *path.parents]):
        yield groups / part / name


def _number(file: Path) -> float:
    """The whole number in a file; infinite where there is none."""
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):  # no such file, or "max"
        return math.inf


def _physical() -> float:
    """What is built into this machine; infinite where nobody tells."""
    if sys.platform != "win32" and hasattr(os, "sysconf"):
        return float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")
    with suppress(ImportError):
        import psutil  # of Windows alone

        return float(psutil.virtual_memory().total)
    return math.inf

"""Which cores each local worker may run on: those of one NUMA node, the nodes in turns.

Enters: how many workers, and the cores of each node that this process may use. Leaves: a set of
cores for each worker, or None where it may use all that its pool may. A worker that stays on a node
finds its arrays in that node's memory. Answers do not change: the same machine code runs anywhere.
Refuses to widen what the pool itself was given.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

from lamsearch import machine

Cores = frozenset[int] | None


def places_here(count: int) -> list[Cores]:
    """Return the cores of each of so many workers on this machine."""
    allowed = machine.allowed_cores()
    return places(count, () if allowed is None else machine.nodes(allowed))


def places(count: int, nodes: Sequence[frozenset[int]]) -> list[Cores]:
    """Spread workers over nodes by their cores: next comes the node that has most left for each.

    On one node, or none that the system tells of, nothing is pinned.
    """
    if len(nodes) < 2:
        return [None] * count
    taken, found = [0] * len(nodes), list[Cores]()
    for _ in range(count):
        node = min(range(len(nodes)), key=lambda k: ((taken[k] + 1) / len(nodes[k]), k))
        taken[node] += 1
        found.append(nodes[node])
    return found


def pin(pid: int, cores: Cores) -> None:
    """Have a process run on these cores alone, with the threads that it will start."""
    if cores is not None and hasattr(os, "sched_setaffinity"):
        with suppress(OSError):  # it is gone already, or a core is by now
            os.sched_setaffinity(pid, cores)

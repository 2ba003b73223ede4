"""Which cores workers are given: on one node all, on several those of a node."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest

from lamsearch.pool.pinning import pin, places

TWO = (frozenset({0, 1, 2, 3}), frozenset({4, 5, 6, 7}))


def test_on_one_node_nothing_is_pinned() -> None:
    """A machine of one node, and one that tells of none, leave workers where they may be."""
    assert places(3, ()) == places(3, TWO[:1]) == [None, None, None]


def test_workers_are_spread_over_nodes_by_their_cores() -> None:
    """Nodes take turns; one with three times the cores has three times the workers."""
    assert places(3, TWO) == [TWO[0], TWO[1], TWO[0]]
    wide = (frozenset(range(6)), frozenset({6, 7}))
    assert Counter(places(8, wide)) == {wide[0]: 6, wide[1]: 2}
    assert Counter(places(16, wide)) == {wide[0]: 12, wide[1]: 4}


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="of Linux")
def test_a_process_keeps_to_its_cores_and_one_that_is_gone_is_no_error() -> None:
    """A pinned process may run on these cores alone; without any nothing is done."""
    one = frozenset({min(os.sched_getaffinity(0))})
    with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as child:
        before = os.sched_getaffinity(child.pid)
        pin(child.pid, None)
        assert os.sched_getaffinity(child.pid) == before
        pin(child.pid, one)
        assert os.sched_getaffinity(child.pid) == one
        child.kill()
    pin(child.pid, one)

"""Many workers on one PostgreSQL, half of whom die at once; and through PgBouncer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import thousand
from benchmarks.pooler import PROGRAM, Pooler
from benchmarks.postgres import Server

SIZE = thousand.Size(few=4, many=12, pooled=12, planned=0, seconds=2.0, lease=10.0)
_MISSING = shutil.which(PROGRAM) is None and shutil.which(PROGRAM, path="/usr/sbin") is None


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server of our own, which a pooler can reach."""
    with Server(tcp=True) as found:
        yield found


def test_the_cohorts_of_half_a_crowd_that_dies_are_reclaimed(
    server: Server, tmp_path: Path
) -> None:
    """Of 12 workers, 6 are killed at once: each trial is complete once, with its own value, and
    what the dead held is reclaimed within a lease and ten seconds."""
    found = thousand.run(server, tmp_path / "dying", SIZE.many, 3 * SIZE.many, SIZE, kill=True)
    assert found.wrong == thousand.EXACT
    assert found.reclaimed is not None
    assert found.reclaimed <= SIZE.lease + thousand.RECLAIMED


@pytest.mark.skipif(_MISSING, reason="no pgbouncer")
def test_a_crowd_works_through_few_connections(server: Server, tmp_path: Path) -> None:
    """12 workers with a connection each to a PgBouncer that has four to the server: exact."""
    with Pooler(server.url, pool=4, clients=2 * SIZE.pooled) as pooler:
        found = thousand.run(
            server, tmp_path / "pooled", SIZE.pooled, 2 * SIZE.pooled, SIZE,
            through=pooler.through,
        )  # fmt: skip
    assert found.wrong == thousand.EXACT

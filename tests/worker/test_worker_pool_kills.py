"""A pool of real processes on studies of two priorities, killed at random."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from benchmarks import exact
from benchmarks.pool import in_order
from benchmarks.pool_site import Asked, Disturbance, alone, pool_site
from benchmarks.victims import Size

SIZE = Size(step_size=400, lease_seconds=1.0, checkpoint_seconds=0.05)
ASKED = [
    Asked(name="old", seed=11, priority=0),
    Asked(name="new", seed=12, priority=0),
    Asked(name="high", seed=11, priority=1),
]


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> dict[int, exact.Ended]:
    """How the studies end alone."""
    directory = tmp_path_factory.mktemp("alone")
    return alone(directory, SIZE, directory / "cache", (11, 12))


def test_killed_workers_of_a_pool_cost_no_study_anything(
    tmp_path: Path, storage_url: str, right: dict[int, exact.Ended]
) -> None:
    """Two workers, two SIGKILLs, three studies of which one is paused meanwhile: each ends with the
    bits of itself alone, nothing lost, doubled or beyond its plan, begun in the queue's order; and
    workers that are told to leave say that they were interrupted."""
    with pool_site(tmp_path / "pool", storage_url, SIZE, tmp_path / "cache") as site:
        site.submit(ASKED)
        site.start(2)
        disturbance = Disturbance(
            site=site,
            chance=Random(3),  # noqa: S311 - chance, not secrets
            kills=2,
            mean_seconds=0.7,
            to_pause=("high",),
        )
        disturbance.run()
        assert site.dismiss() == [130, 130]
        for one in ASKED:
            found = exact.compare(exact.ended(storage_url, one.name), right[one.seed])
            assert found.none, (one.name, found)
        assert in_order(site, ASKED)
        assert disturbance.killed == 2

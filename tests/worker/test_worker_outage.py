"""Law 4: a database that goes away in mid-study costs nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks import exact, outages, victims
from benchmarks.postgres import Server
from benchmarks.victims import Size

# four cohorts at first, so that both workers train and renew while the database is away
SIZE = Size(trials=8, step_size=1000, lease_seconds=2.0, checkpoint_seconds=0.5)


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> exact.Ended:
    """Return how the study ends that one worker on SQLite has done in peace."""
    return victims.undisturbed(tmp_path_factory.mktemp("right"), SIZE)


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have reports without figures."""
    seen, hidden = victims._environment, Path(__file__).parents[1] / "undrawn"

    def environment(cache: Path) -> dict[str, str]:
        found = seen(cache)
        return found | {"PYTHONPATH": f"{found['PYTHONPATH']}{os.pathsep}{hidden}"}

    monkeypatch.setattr(victims, "_environment", environment)


@pytest.mark.parametrize("tcp", [True, False], ids=["tcp", "socket"])
def test_a_crash_of_postgresql_costs_nothing(tmp_path: Path, right: exact.Ended, tcp: bool) -> None:
    """PostgreSQL crashes and is back after 2 s: no trial fails, nobody acts, two lines each."""
    with Server(tcp=tcp) as server, victims.site(tmp_path, server.database(), SIZE) as site:
        found = outages.run(site, server, mode="immediate", seconds=2.0)
        assert found.code == 0, found.said
        assert found.failed == 0
        differences = exact.compare(found.ended, right)
        assert differences.none, differences
        assert found.said.count("database away") == outages.WORKERS, found.said
        assert found.said.count("database back") == outages.WORKERS, found.said
        assert "died" not in found.said

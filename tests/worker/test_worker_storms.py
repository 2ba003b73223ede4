"""Law 4 in a storm: the connections of three workers are terminated again and again."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from benchmarks import exact, storms, victims
from benchmarks.victims import Size

SIZE = Size(step_size=500, lease_seconds=2.0, checkpoint_seconds=0.1)
CHANCE = Random(12)  # noqa: S311 - chance, not secrets


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> exact.Ended:
    """Return how the study ends that one worker on SQLite has done in peace."""
    return victims.undisturbed(tmp_path_factory.mktemp("right"), SIZE)


@pytest.mark.parametrize("setting", ["", storms.SERIALIZABLE], ids=["plain", "serializable"])
def test_a_storm_kills_nobody(
    setting: str, tmp_path: Path, postgres_url: str, right: exact.Ended
) -> None:
    """Three workers whose backends are all terminated at random moments, on a database of any
    default isolation, live on and end their study exact."""
    storms.configure(postgres_url, setting)
    with victims.site(tmp_path, postgres_url, SIZE) as site:
        found = storms.run(site, right, CHANCE)
        assert found.terminated > 0
        assert found.dead == ()
        assert found.differences.none, found.differences

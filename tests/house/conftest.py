"""A release as it is published, and a fresh environment in which it is installed."""

from __future__ import annotations

from pathlib import Path

import pytest
import release

EXAMPLE = "examples/own-trainer/"


@pytest.fixture(scope="session")
def built(shared_directory: Path) -> Path:
    """The source archive, and the wheel built from that, as a release has them; no network."""
    return release.built(shared_directory)


@pytest.fixture(scope="session")
def wheel(shared_directory: Path) -> Path:
    """The wheel of the release."""
    return release.wheel(shared_directory)


@pytest.fixture(scope="session")
def outside(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with lamsearch's wheel and the example package, built from its source."""
    work = tmp_path_factory.mktemp("outside")
    release.copied((name for name in release.tracked() if name.startswith(EXAMPLE)), work)
    return release.fresh(work / "environment", wheel, work / EXAMPLE)

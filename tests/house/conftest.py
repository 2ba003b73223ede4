"""A release as it is published, and a fresh environment in which it is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from release import copied, fresh, tracked

EXAMPLE = "examples/own-trainer/"
REPOSITORY = "https://example.org/lamsearch"  # no address of ours: one of RFC 2606


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive, and the wheel built from that, as a release has them; no network."""
    work = tmp_path_factory.mktemp("built")
    source = copied(tracked(), work / "source")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", work / "dist", source],
        capture_output=True, text=True, check=False,
        env={**os.environ, "LAMSEARCH_REPOSITORY": REPOSITORY, "LAMSEARCH_REVISION": "v7"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return work / "dist"


@pytest.fixture(scope="session")
def wheel(built: Path) -> Path:
    """The wheel of the release."""
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="session")
def outside(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with lamsearch's wheel and the example package, built from its source."""
    work = tmp_path_factory.mktemp("outside")
    copied((name for name in tracked() if name.startswith(EXAMPLE)), work)
    return fresh(work / "environment", wheel, work / EXAMPLE)

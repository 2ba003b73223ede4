"""The real data: the source report's figures, against those that were published."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = os.environ.get("LAMSEARCH_DATA")  # the tests' own environment has none


@pytest.mark.skipif(DATA is None, reason="LAMSEARCH_DATA is not set")
def test_one_cycle_reaches_the_published_test_accuracy(
    lamsearch: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """R2 of the source report ends in the published band, widened by the seeds' spread."""
    text = (ROOT / "studies/report/r2.toml").read_text(encoding="utf-8")
    study = tmp_path / "r2.toml"
    study.write_text(text.replace("replicates = 5", "replicates = 2"), encoding="utf-8")
    shared = {"LAMSEARCH_DATA": DATA, "LAMSEARCH_CACHE": str(tmp_path)}
    done = lamsearch("run", study, "--json", env=shared)
    assert done.returncode == 0, done.stderr
    final = json.loads(done.stdout)["final"]
    assert 0.459 - 0.0035 - 0.005 < final["test_accuracy"]["mean"] < 0.463 + 0.0035 + 0.005

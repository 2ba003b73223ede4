"""The README's dashboard commands, on the study that its first command has run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from test_readme import command


@pytest.mark.timeout(300)
def test_the_dashboard_of_the_readme_answers(tmp_path: Path) -> None:
    """After `run`, `dashboard` says where it listens, and the page is there and has the study."""
    run, dashboard, browse = command("dashboard").splitlines()
    root = Path(__file__).parents[2]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LAMSEARCH_")}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    (tmp_path / "studies").symlink_to(root / "studies")
    subprocess.run(run.split(), cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert browse.split()[1] == "http://127.0.0.1:8080/"
    # the port that the README names may be taken on this machine
    process = subprocess.Popen(
        [*dashboard.split(), "--port", "0"], cwd=tmp_path, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
        assert found is not None
        with urllib.request.urlopen(found.group() + "api/studies", timeout=60) as answer:  # noqa: S310 - loopback
            assert "digits/finalists" in answer.read().decode()
    finally:
        process.terminate()
        assert process.wait(20) == 0
        assert process.stdout is not None
        process.stdout.close()

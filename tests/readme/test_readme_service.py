"""docs/operating.md's commands of a service without Docker: queue, worker of the pool, serve."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from test_readme import command

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/operating.md").read_text(encoding="utf-8")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What a user has in a shell at a checkout: its studies, and `lamsearch` on the path."""
    (tmp_path / "studies").symlink_to(ROOT / "studies")
    found = {k: v for k, v in os.environ.items() if not k.startswith("LAMSEARCH_")}
    return {**found, "PATH": f"{Path(sys.executable).parent}:{found['PATH']}"}


@pytest.mark.timeout(300)
def test_the_pool_serves_what_was_submitted(tmp_path: Path, environment: dict[str, str]) -> None:
    """A study that was submitted is done when the worker of the pool leaves, idle."""
    done = subprocess.run(
        ["sh", "-ec", command("pool", PAGE)], cwd=tmp_path, env=environment, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    queue = done.stdout.splitlines()[-1].split()
    assert queue[:4] == ["digits", "done", "100", "%"]
    assert "priority 5" in done.stdout


@pytest.mark.timeout(300)
def test_what_is_served_answers(tmp_path: Path, environment: dict[str, str]) -> None:
    """After `run`, `serve` says where it listens, and the queue, the report and the dashboard are
    there and have the study."""
    run, serve, browse = command("serve", PAGE).splitlines()
    subprocess.run(run.split(), cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert browse.split()[1] == "http://127.0.0.1:8080/"
    # the port that the page names may be taken on this machine
    process = subprocess.Popen(
        [*serve.split(), "--port", "0"], cwd=tmp_path, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
        assert found is not None
        for path, text in (
            ("", "/studies/digits/"), ("studies/digits/", "Test accuracy"),
            ("api/studies", "digits/finalists"), ("api/v1/studies/digits", '"done"'),
        ):  # fmt: skip
            with urllib.request.urlopen(found.group() + path, timeout=60) as answer:  # noqa: S310 - loopback
                assert text in answer.read().decode()
    finally:
        process.terminate()
        assert process.wait(20) == 0
        assert process.stdout is not None
        process.stdout.close()

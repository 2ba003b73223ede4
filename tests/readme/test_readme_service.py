"""docs/operating.md's commands of a service without Docker: queue, worker of the pool, serve."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from page_commands import environment, typed
from release import command

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/operating.md"


@pytest.fixture
def checkout(tmp_path: Path, study_file: Callable[..., Path]) -> Path:
    """A directory with `studies/digits.toml`, of which a small one will do."""
    (tmp_path / "studies").mkdir()
    study_file(name="digits").rename(tmp_path / "studies/digits.toml")
    return tmp_path


@pytest.mark.timeout(300)
def test_the_pool_serves_what_was_submitted(checkout: Path) -> None:
    """A study that was submitted is done when the worker of the pool leaves, idle."""
    said = typed(command("pool", PAGE), checkout)
    assert said.splitlines()[-1].split()[:4] == ["digits", "done", "100", "%"]
    assert "priority 5" in said


@pytest.mark.timeout(300)
def test_what_is_served_answers(checkout: Path) -> None:
    """After `run`, `serve` says where it listens, and the queue, the report and the dashboard are
    there and have the study."""
    run, serve, browse = command("serve", PAGE).splitlines()
    typed(run, checkout)
    assert browse.split()[1] == "http://127.0.0.1:8080/"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    # the port that the page names may be taken on this machine
    process = subprocess.Popen(
        [*serve.split(), "--port", "0"], cwd=checkout, env=environment(PATH=path),
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

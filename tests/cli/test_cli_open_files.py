"""Too few files that may be open: one sentence, whatever the verb, and nothing begun."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_studies import SMALL

VERBS = {
    "run": ("run", "small.toml", "--workers", "1"),
    "create": ("create", "small.toml"),
    "worker": ("worker", "small"),
    "status": ("status",),
    "report": ("report", "small"),
    "dashboard": ("dashboard", "--port", "0"),
}


def limited(soft: int, hard: int) -> Callable[[], None]:
    """What a child does before it begins."""
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def call(
    directory: Path, arguments: tuple[str, ...], soft: int, hard: int
) -> subprocess.CompletedProcess[str]:
    """Call a verb that may open so many files."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LAMSEARCH_")}
    return subprocess.run(
        [sys.executable, "-P", "-m", "lamsearch", *arguments],
        cwd=directory, env=environment, capture_output=True, text=True, check=False, timeout=300,
        preexec_fn=limited(soft, hard),
    )  # fmt: skip


CASES = [*((verb, count) for verb in VERBS for count in (14, 30)), ("run", 20), ("status", 63)]


@pytest.mark.parametrize(("verb", "count"), CASES)
def test_too_few_are_one_sentence(verb: str, count: int, tmp_path: Path) -> None:
    """A verb that may not open as many files as it needs says so in one sentence, with 2, and
    nothing appears."""
    done = call(tmp_path, VERBS[verb], count, count)
    expected = f"Error: open files: must be allowed at least 64, got {count} (see ulimit -n)\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)
    assert list(tmp_path.iterdir()) == []


def test_what_is_asked_for_is_enough(tmp_path: Path) -> None:
    """A run of two workers ends well with as many open files as it asks for, although its soft
    limit is lower; its report too; and of more workers it is said how many they need."""
    (tmp_path / "small.toml").write_text(SMALL.replace("{name}", "small"), encoding="utf-8")
    refused = call(tmp_path, ("run", "small.toml", "--workers", "100"), 14, 70)
    expected = "Error: open files: must be allowed at least 364, got 70 (see ulimit -n)\n"
    assert (refused.returncode, refused.stderr) == (2, expected)
    done = call(tmp_path, ("run", "small.toml", "--workers", "2"), 14, 70)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "lamsearch-report/small/results.json").exists()
    for verb in ("status", "report"):
        assert call(tmp_path, VERBS[verb], 64, 64).returncode == 0

"""The house itself: imports, types, style, and what a clean checkout must hold."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHECKS = {
    "imports go downstairs": ["lint-imports", "--no-cache"],
    "types are whole": ["mypy"],
    "style is kept": ["ruff", "check", "."],
    "format is kept": ["ruff", "format", "--check", "."],
}


@pytest.mark.parametrize("command", CHECKS.values(), ids=CHECKS.keys())
def test_check_passes(command: list[str]) -> None:
    """The tool finds nothing to object to in the whole checkout."""
    tool = Path(sys.executable).parent / command[0]
    done = subprocess.run(
        [tool, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_light_start() -> None:
    """The command line starts without matplotlib, scikit-learn and the dashboard."""
    heavy = ("matplotlib", "sklearn", "optuna_dashboard", "jinja2", "pandas", "torch")
    code = f"import sys, lamsearch.cli; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"

"""The house itself: imports, types, style, and what a clean checkout must hold."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("session", ["style", "types", "imports"])
def test_check_passes(session: str, tmp_path: Path) -> None:
    """The task finds nothing to object to in the whole checkout."""
    nox = [sys.executable, "-m", "nox", "--no-venv", "--envdir", tmp_path, "--session", session]
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        nox, cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "PATH": tools},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_version_is_said_without_loading_a_verb() -> None:
    """`lamsearch --version` loads no array library, database or search library."""
    heavy = ("numpy", "scipy", "optuna", "sqlalchemy", "pydantic", "rich", "fsspec")
    code = (
        "import sys; from lamsearch.cli import cli; cli(['--version'], standalone_mode=False); "
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_light_start() -> None:
    """All verbs are loaded without matplotlib, scikit-learn and the dashboard."""
    heavy = (
        "matplotlib", "sklearn", "optuna_dashboard", "jinja2", "pandas", "torch", "fastapi",
        "a2wsgi", "prometheus_client",
    )  # fmt: skip
    code = (
        "import sys; from lamsearch.cli import VERBS; [VERBS.get(v) for v in VERBS.builtin]; "
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"

"""The house itself: imports, types, style, and what a clean checkout must hold."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lamsearch.space import LAMBDA

ROOT = Path(__file__).parents[2]
MODULE_LINES, FUNCTION_LINES = 300, 50


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


def test_modules_and_functions_are_small() -> None:
    """No module has more than 300 lines, no function more than 50 beside its docstring."""
    found = list[str]()
    for path in sorted((ROOT / "lamsearch").rglob("*.py")):
        text, name = path.read_text(encoding="utf-8"), path.relative_to(ROOT).as_posix()
        if (lines := len(text.splitlines())) > MODULE_LINES:
            found.append(f"{name}: {lines} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                said = (ast.get_docstring(node, clean=False) or "").count("\n") + 1
                lines = (node.end_lineno or 0) - node.lineno + 1 - said
                if lines > FUNCTION_LINES:
                    found.append(f"{name}: {node.name}: {lines} lines")
    assert found == []


def test_the_first_dimension_is_named_in_few_places() -> None:
    """Its name is a constant of `lamsearch.space`; it is spelt out where it is a public key."""
    named = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "lamsearch").rglob("*.py")
        if LAMBDA.name in path.read_text(encoding="utf-8")
    ]
    assert len(named) <= 8, named


def test_the_default_metric_is_named_in_few_places() -> None:
    """Its name stands in `metrics`, where the network counts right answers, and as a public key of
    result documents; elsewhere it is spelt out for readers, in few places."""
    own = ("metrics/", "trainers/network/")
    documents = {"report/result.py", "report/snapshots.py", "report/status.py"}
    named = [
        name
        for path in (ROOT / "lamsearch").rglob("*.py")
        if not (name := path.relative_to(ROOT / "lamsearch").as_posix()).startswith(own)
        and name not in documents
        and "accurac" in path.read_text(encoding="utf-8").lower()
    ]
    assert len(named) <= 5, named


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

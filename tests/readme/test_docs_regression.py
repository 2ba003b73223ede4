"""docs/regression.md is true: its arrays, its study file, its commands and its model's use."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from page_commands import environment, typed

TEXT = (Path(__file__).parents[2] / "docs" / "regression.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.timeout(300)
def test_the_worked_example(tmp_path: Path) -> None:
    """The example's arrays are searched to a test R² as the page says, and its models are used."""
    made, used = blocks("python")
    (study,), (commands,) = blocks("toml"), blocks("sh")
    (tmp_path / "diabetes.toml").write_text(study, encoding="utf-8")
    for language, lines in (("python", made), ("sh", commands), ("python", used)):
        if language == "sh":
            typed(lines, tmp_path)
            continue
        done = subprocess.run(
            [sys.executable, "-c", lines], cwd=tmp_path, env=environment(), check=False,
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads((tmp_path / "lamsearch-report/diabetes/results.json").read_text())
    low, high = found["final"]["test_score"]["interval95"]
    assert f"about {found['final']['test_score']['mean']:.2f}, and {low:.2f} to {high:.2f}" in TEXT

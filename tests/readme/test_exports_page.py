"""docs/exports.md is true: its study, its commands and its code, from top to bottom."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from page_commands import environment, typed

TEXT = (Path(__file__).parents[2] / "docs" / "exports.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(toml|sh|python)\n(.*?)```", TEXT, re.DOTALL)


def test_the_page_runs_as_written(tmp_path: Path) -> None:
    """Its study is exported by its commands and read back by its code, in an empty directory."""
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true"}
    said = ""
    for language, lines in BLOCKS:
        if language == "toml":
            (tmp_path / "digits.toml").write_text(lines, encoding="utf-8")
            continue
        if language == "sh":
            said += typed(lines, tmp_path, **quiet)
            continue
        done = subprocess.run(
            [sys.executable, "-c", lines], cwd=tmp_path, env=environment(**quiet), check=False,
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        said += done.stdout
    assert re.search(r"digits λ = \d\S+ weight_decay = \d", said)
    assert float(re.findall(r"^0\.\d+$", said, re.MULTILINE)[0]) > 0.7  # accuracy of the ensemble
    assert len(list((tmp_path / "runs/wandb").glob("offline-run-*"))) == 1 + 6 + 4 + 2

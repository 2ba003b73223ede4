"""Whole runs whose report once printed an error of zero."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import forked
import numpy as np
import pytest

ALIKE = """
name = "alike"
seed = 1
cohort = 4
[data]
source = "digits"
train = 200
validation = 200
[network]
hidden = 16
[training]
batch_size = 20
step_size = 40
[coarse]
trials = 4
log10_lambda = [-3.001, -3.0]
sampler = "stratified"
[fine]
trials = 4
[finalists]
keep = 4
replicates = 3
rule = "model"
[final]
replicates = 1
"""
FEW = """
name = "few"
seed = 1
cohort = 4
[data]
source = "few.npz"
train = 20
validation = 1
[network]
hidden = 16
[training]
batch_size = 20
step_size = 40
[coarse]
trials = 6
log10_lambda = [-5.0, -0.5]
sampler = "stratified"
[final]
replicates = 2
"""


def run(directory: Path, text: str) -> tuple[str, Any]:
    """Run a study file; return what it printed and its result document."""
    (directory / "study.toml").write_text(text)
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("LAMSEARCH_")}
    done = forked.run(
        [*forked.COMMAND, "run", "study.toml", "--output", "out",
         "--data-dir", "."],
        cwd=directory, env=inherited | forked.UNDRAWN, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads((directory / "out/results.json").read_text())


def test_a_models_choice_is_no_surer_than_its_replicates(tmp_path: Path) -> None:
    """Candidates that hardly differ are as unsure as their three replicates, by the model too."""
    text, found = run(tmp_path, ALIKE)
    row = re.search(r"^finalists .* (\d+\.\d\d) ± (\d+\.\d\d) %$", text, re.MULTILINE)
    said = re.search(r"^(?:Predicted v|V)alidation accuracy: (\S+) ± (\S+) %", text, re.MULTILINE)
    assert row is not None
    assert said is not None
    assert float(said[2]) == pytest.approx(float(row[2]), rel=0.05)
    assert found["selected"]["validation_accuracy"]["se"] > 0.01


def test_one_test_example_is_no_certainty(tmp_path: Path) -> None:
    """One of one right leaves the accuracy between a fifth and 1, and no ± of zero is printed."""
    rng = np.random.default_rng(0)
    centres, y = rng.normal(size=(3, 20)), rng.integers(0, 3, 22)
    np.savez(tmp_path / "few.npz", X=centres[y] + rng.normal(size=(22, 20)), y=y)
    text, found = run(tmp_path, FEW)
    low, high = found["final"]["test_accuracy"]["interval95"]
    assert found["final"]["test_images"] == 1
    assert high - low > 0.7
    assert "± 0.00 %" not in text

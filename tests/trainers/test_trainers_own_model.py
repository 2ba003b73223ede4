"""docs/own-model.md is true: its code runs, and both of its forms train the same models."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from trainers_textbook import digits

from lamsearch.study import parse_study
from lamsearch.trainers import TrainerKind, Training
from lamsearch.trainers.conformance.case import Case, finish

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/own-model.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
STUDY, PACKAGE = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All that the page's code defines, run from top to bottom beside its study file."""
    directory = tmp_path_factory.mktemp("own-model")
    (directory / "plain.toml").write_text(STUDY, encoding="utf-8")
    space: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(directory)
        for block in PYTHON:
            if not block.startswith("# torch"):
                exec(block, space)  # noqa: S102  # our own text
    return space


def test_the_page_s_study_is_searched(told: dict[str, Any]) -> None:
    """The function is found under its name and trained in an Optuna study, where λ matters."""
    study: optuna.Study = told["study"]
    values = [trial.value for trial in study.trials]
    assert len(values) == 4
    assert 0.8 < study.best_value < 1
    assert parse_study(tomllib.loads(STUDY)).trainer.name == told["KIND"].name


def test_the_package_s_entry_point_is_the_page_s_function() -> None:
    """What the page's pyproject.toml registers is named as the study file names it."""
    project = tomllib.loads(PACKAGE)["project"]
    entries = project["entry-points"]["lamsearch.trainers"]
    assert entries == {tomllib.loads(STUDY)["trainer"]["name"]: "my_model.plain:KIND"}


def test_the_cohort_gives_what_the_function_gives(told: dict[str, Any]) -> None:
    """A hundred steps of the class for all models are those of the function for each."""
    found = []
    for name in ("KIND", "TOGETHER"):
        kind: TrainerKind = told[name]
        case = Case(kind=kind, splits=digits(), classes=10, training=Training(step_size=50))
        trainer = case.make()
        finish(trainer)
        found.append(trainer.outcomes())
    for one, same in zip(*found, strict=True):
        assert one.validation_loss == pytest.approx(same.validation_loss, rel=1e-9)
        assert one.scores is not None
        assert same.scores is not None
        np.testing.assert_array_equal(one.scores, same.scores)


def test_the_page_s_vmap_has_every_model_s_gradient() -> None:
    """The gradients of two models at once are those of each by PyTorch's own backward pass."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    (block,) = (one for one in PYTHON if one.startswith("# torch"))
    module = torch.nn.Linear(3, 2)
    space: dict[str, Any] = {"module": module}
    exec(block, space)  # noqa: S102  # our own text
    stacked = {
        name: torch.stack([p.detach(), 2 * p.detach()]) for name, p in module.named_parameters()
    }
    x, y = torch.randn(5, 3), torch.tensor([0, 1, 1, 0, 1])
    gradients, _ = space["gradients"](stacked, x, y)
    torch.nn.functional.cross_entropy(module(x), y).backward()
    for name, parameter in module.named_parameters():
        assert torch.allclose(gradients[name][0], parameter.grad, atol=1e-6)

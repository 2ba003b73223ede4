"""docs/scikit-learn.md is true: its code runs as it stands, its study files are right."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from lamsearch.study import parse_study
from lamsearch.trainers import check
from lamsearch.trainers.scikit.catalogue import MODULES

TEXT = (Path(__file__).parents[2] / "docs/scikit-learn.md").read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore:.*lbfgs failed to converge")
def test_the_page_s_code_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """All of its Python, from top to bottom in one program, as a reader would type it."""
    blocks = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    assert blocks
    program: dict[str, Any] = {"__name__": "page"}
    for block in blocks:
        exec(compile(block, "docs/scikit-learn.md", "exec"), program)  # noqa: S102  # our own page
    assert "out of fold" in capsys.readouterr().out


def test_the_page_s_study_files_are_right() -> None:
    """The first is a whole study; the other's tables take the place of its own."""
    first, second = re.findall(r"^```toml\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    whole, part = tomllib.loads(first), tomllib.loads(second)
    check(parse_study(whole))
    del whole["final"]
    whole["trainer"] = part["trainer"]
    whole["coarse"] |= part["coarse"]
    check(parse_study(whole))


def test_the_page_names_every_estimator() -> None:
    """Its list of estimators is the catalogue's."""
    listed = TEXT.partition("`estimator` is one of ")[2].partition(":")[0]
    assert set(re.findall(r"`(\w+)`", listed)) == set(MODULES)

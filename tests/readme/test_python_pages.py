"""The pages on Python are true: their code is executed, each page from top to bottom."""

from __future__ import annotations

import re
import shutil
import warnings
from pathlib import Path

import pytest
from sklearn.exceptions import ConvergenceWarning

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("page", ["python", "estimators"])
def test_the_code_of_the_page_runs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every Python block of the page runs after those before it, in an empty directory."""
    pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAMSEARCH_CACHE", str(tmp_path / "cache"))
    shutil.copytree(ROOT / "studies", tmp_path / "studies")
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) > 2
    names: dict[str, object] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of so few epochs
        for block in blocks:
            exec(compile(block, f"docs/{page}.md", "exec"), names)  # noqa: S102  # our own page

"""These tests use the report's made-up records, and hundreds of stages of one size."""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib import import_module
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent / "report"))


@pytest.fixture
def drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the resamples' draws, the same for every stage of a size, from one to the next: they
    are most of what an interval costs."""
    module = import_module("lamsearch.statistics.differences")
    monkeypatch.setattr(module, "_draws", lru_cache(maxsize=1)(module._draws))

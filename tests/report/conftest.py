"""What tests of reports share: figures that are drawn once, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from drawn_figures import Drawn, InPlaceOf, drawn_in
from drawn_figures import undrawn as no_figures

from lamsearch.report import writing


@pytest.fixture(scope="session")
def drawn(shared_directory: Path) -> Drawn:
    """A record's figures, drawn once for all tests and processes: they are the same every time."""
    return drawn_in(shared_directory / "drawn")


@pytest.fixture
def drawn_once(monkeypatch: pytest.MonkeyPatch, drawn: Drawn) -> None:
    """Have reports take figures that were drawn before."""
    monkeypatch.setattr(writing, "Drawing", InPlaceOf(drawn))


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have reports written without figures."""
    monkeypatch.setattr(writing, "Drawing", InPlaceOf(no_figures))

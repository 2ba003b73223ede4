"""What tests of reports share: figures that are drawn once."""

from __future__ import annotations

import pytest

from lamsearch.report import to_json, writing
from lamsearch.report.rendering import RenderedFigure, figures
from lamsearch.results import StudyRecord

_DRAWN: dict[str, list[RenderedFigure]] = {}


@pytest.fixture
def drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw each record's figures once: they are the same every time, and slow."""
    monkeypatch.setattr(writing, "Drawing", _Drawn)


class _Drawn:
    def __init__(self, record: StudyRecord) -> None:
        self._record = record

    def finished(self) -> list[RenderedFigure]:
        return _drawn(to_json(self._record), self._record)


def _drawn(key: str, record: StudyRecord) -> list[RenderedFigure]:
    return _DRAWN[key] if key in _DRAWN else _DRAWN.setdefault(key, figures(record))

"""Figures that were drawn before, or none, in the place of those that a report would draw."""

from __future__ import annotations

import fcntl
import pickle
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

from lamsearch.report.rendering import RenderedFigure, figures
from lamsearch.results import StudyRecord

Drawn = Callable[[StudyRecord], Sequence[RenderedFigure]]


def undrawn(_: StudyRecord) -> Sequence[RenderedFigure]:
    """Return no figures."""
    return []


def drawn_in(directory: Path) -> Drawn:
    """Return what draws a record's figures, or takes them from there if anybody has drawn them."""
    directory.mkdir(exist_ok=True)

    def drawn(record: StudyRecord) -> Sequence[RenderedFigure]:
        path = directory / sha256(pickle.dumps(record)).hexdigest()
        with path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            if content := file.read():
                found: list[RenderedFigure] = pickle.loads(content)  # noqa: S301 - our own
                return found
            found = figures(record)
            pickle.dump(found, file)
            return found

    return drawn


class InPlaceOf:
    """A report's ``Drawing`` that draws nothing and has these figures."""

    def __init__(self, drawn: Drawn) -> None:
        self._drawn = drawn
        self._record: StudyRecord | None = None

    def __call__(self, record: StudyRecord) -> InPlaceOf:
        """Begin, as the constructor of a ``Drawing`` does."""
        self._record = record
        return self

    def finished(self) -> Sequence[RenderedFigure]:
        """Return the figures."""
        assert self._record is not None
        return self._drawn(self._record)

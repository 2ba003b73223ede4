"""The report's figures. Enters: a study's record. Leaves: each figure as PNG and SVG.

Refuses to know where they go.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lamsearch.figures import Format, accuracy_over_lambda, learning_curves, render
from lamsearch.report.view import curve_stage
from lamsearch.results import StudyRecord

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One figure in both forms; ``alt`` says what it shows to those who cannot see it."""

    name: str
    title: str
    alt: str
    png: bytes
    svg: bytes

    @property
    def data_uri(self) -> str:
        """The smaller of the two forms, for a page that loads nothing."""
        kind, content = min(
            (("svg+xml", self.svg), ("png", self.png)), key=lambda form: len(form[1])
        )
        return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def figures(record: StudyRecord) -> Iterator[Picture]:
    """Draw accuracy over λ and, once there are any, learning curves."""
    yield _picture(
        accuracy_over_lambda(record),
        name="accuracy_over_lambda",
        title="Accuracy over λ",
        alt="Validation accuracy in percent over log₁₀ λ, all stages, with standard errors; "
        "the numbers are in the tables below",
    )
    stage = curve_stage(record)
    if stage is not None:
        yield _picture(
            learning_curves(record, stage),
            name="learning_curves",
            title="Learning curves",
            alt=f"Accuracy, loss, cost and learning rate over updates of stage {stage}",
        )


def _picture(figure: Figure, *, name: str, title: str, alt: str) -> Picture:
    return Picture(
        name=name, title=title, alt=alt, png=_bytes(figure, "png"), svg=_bytes(figure, "svg")
    )


def _bytes(figure: Figure, form: Format) -> bytes:
    buffer = io.BytesIO()
    render(figure, buffer, form)
    return buffer.getvalue()

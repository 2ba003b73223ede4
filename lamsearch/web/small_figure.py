"""A study's scores over the first dimension, λ, small enough for a line of a list, as SVG.

Enters: scored points and the chosen one. Leaves: an `svg` element that takes its colours from the
page. Refuses to know where it is shown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from lamsearch.metrics import mattering, metric_of
from lamsearch.results import QueuedStudy
from lamsearch.storage import Scored

_WIDTH, _HEIGHT, _EDGE = 200.0, 56.0, 5.0


def small_figure(study: QueuedStudy, points: Sequence[Scored]) -> Markup:
    """Return the figure, empty where there is no score yet."""
    drawn = [one for one in points if math.isfinite(one.at) and math.isfinite(one.score)]
    if not drawn:
        return Markup("")
    chosen = None if study.selected is None else study.selected.point[0]
    xs = [one.at for one in drawn] + ([] if chosen is None else [chosen])
    shown = mattering(metric_of(study.metric), [one.score for one in drawn])
    across, up = _Axis(xs, _WIDTH), _Axis(shown, _HEIGHT)
    parts = [_mark(one, across(one.at), _HEIGHT - up(one.score), min(shown)) for one in drawn]
    if chosen is not None:
        x = across(chosen)
        line = Markup('<line class="chosen" x1="{0:.1f}" x2="{0:.1f}" y1="0" y2="{1:.0f}"/>')
        parts.insert(0, line.format(x, _HEIGHT))
    head = Markup('<svg class="scores" role="img" viewBox="0 0 {:.0f} {:.0f}">').format(
        _WIDTH, _HEIGHT
    )
    return head + Markup("<title>{}</title>").format(_words(study, drawn)) + Markup("").join(
        parts
    ) + Markup("</svg>")  # fmt: skip


def _mark(one: Scored, x: float, y: float, least: float) -> Markup:
    """A circle, or at the lower edge an arrow for what lies below it."""
    if one.score >= least:
        return Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="2.5"/>').format(
            one.stage, x, y
        )
    low = _HEIGHT - 1.0
    return Markup('<path class="{}" d="M{:.1f} {:.0f}h5l-2.5 5z"/>').format(
        one.stage, x - 2.5, low - 5.0
    )


def _words(study: QueuedStudy, drawn: Sequence[Scored]) -> str:
    metric, first = metric_of(study.metric), study.space.dimensions[0]
    best = max(drawn, key=lambda one: one.score)
    low, high = min(one.at for one in drawn), max(one.at for one in drawn)
    return (
        f"Validation {metric.title} over {first.plain_label} from {low:.2f} to {high:.2f}: "
        f"best {metric.words(best.score)} at {best.at:.2f}"
    )


class _Axis:
    """Maps numbers to lengths within an edge."""

    def __init__(self, values: Sequence[float], length: float) -> None:
        self._low, self._span = min(values), (max(values) - min(values)) or 1.0
        self._length = length - 2 * _EDGE

    def __call__(self, value: float) -> float:
        return _EDGE + self._length * (value - self._low) / self._span

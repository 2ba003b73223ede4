"""The learning-rate range test as a figure. Enters: a ramp and what it suggests. Leaves: a figure.

Refuses to know the rule: it draws the suggestion it is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lamsearch.figures.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    PURPLE,
    VERMILION,
    new_figure,
    shortened,
    styled,
)
from lamsearch.figures.units import loss_unit
from lamsearch.results import FloatArray, RateRamp, RateRange

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HEADROOM = 1.12  # of the untrained models' loss: what lies above has diverged


def rate_range(ramp: RateRamp, found: RateRange, *, name: str, at: str) -> Figure:
    """Draw score and loss over the learning rate, and the suggested bounds.

    ``at`` says at which point of the space the models were trained.

    Thick lines are means over the replicates while all are in training, thin ones the replicates.
    """
    metric = ramp.metric
    with styled():
        figure = new_figure(7.4)
        panels = list(figure.subplots(2, 1, sharex=True))
        score = f"validation {metric.title}"
        _draw(panels[0], ramp, metric.number(1.0) * ramp.validation_score, BLUE, "-", score)
        _draw(panels[1], ramp, ramp.training_loss, VERMILION, "-", "training loss")
        _draw(panels[1], ramp, ramp.validation_loss, PURPLE, "--", "validation loss")
        panels[0].set_ylabel(f"validation {metric.label}")
        panels[1].set_ylabel(f"loss ({loss_unit(metric)})")
        panels[1].set_xlabel("learning rate η (no unit)")
        _limit(panels, ramp)
        for axes in panels:
            _mark(axes, found)
        panels[0].set_title(_title(ramp, name, at), parse_math=False)
        figure.legend(handles=_handles(panels), loc="outside lower center", ncols=2)
    return figure


def _title(ramp: RateRamp, name: str, at: str) -> str:
    count = len(ramp.training_loss)
    models = "1 model" if count == 1 else f"mean of {count} models"
    return f"Learning-rate range test: {shortened(name)}\n{models}, {at.replace('-', '−')}"


def _draw(
    axes: Axes, ramp: RateRamp, values: FloatArray, colour: str, style: str, label: str
) -> None:
    rates = ramp.learning_rate
    mean = values.mean(axis=0)  # NaN, and not drawn, once one has left
    marker = "." if np.isfinite(mean).sum() < 12 else "None"
    axes.plot(
        rates, mean, color=colour, linestyle=style, linewidth=1.9, marker=marker, zorder=4,
        label=label,
    )  # fmt: skip
    if len(values) > 1:
        axes.plot(rates, values.T, color=colour, linestyle=style, linewidth=0.5, alpha=0.4)


def _limit(panels: list[Axes], ramp: RateRamp) -> None:
    """Keep a loss that has diverged from flattening all the rest."""
    top = _HEADROOM * ramp.untrained_loss
    losses = np.concatenate([ramp.training_loss.ravel(), ramp.validation_loss.ravel()])
    shown = losses[np.isfinite(losses) & (losses < top)]
    bottom = float(shown.min()) if shown.size else 0.0
    panels[1].set_ylim(bottom - 0.05 * (top - bottom), top)
    if ramp.metric.task == "regression":  # R² has no least value
        scores = ramp.validation_score[np.isfinite(ramp.validation_score)]
        least, best = ramp.untrained_score, max(scores.max(initial=0.0), ramp.untrained_score + 0.1)
        panels[0].set_ylim(least - 0.05 * (best - least), best + 0.05 * (best - least))
    panels[0].set_xlim(ramp.low, float(ramp.learning_rate[-1]))
    for axes in panels:
        axes.margins(x=0.0)


def _mark(axes: Axes, found: RateRange) -> None:
    if found.eta_min is not None and found.eta_max is not None:
        axes.axvspan(found.eta_min, found.eta_max, color=GREEN, alpha=0.10, linewidth=0, zorder=0)
        axes.axvline(
            found.eta_min, color=GREEN, linewidth=2.4, linestyle="-", zorder=3, clip_on=False,
            label=f"suggested eta_min = {_number(found.eta_min)}",
        )  # fmt: skip
        axes.axvline(
            found.eta_max, color=INK, linewidth=1.6, linestyle=(0, (5, 3)), zorder=3,
            label=f"suggested eta_max = {_number(found.eta_max)}",
        )  # fmt: skip
    if found.diverged_at is not None:
        axes.axvline(
            found.diverged_at, color=GREY, linewidth=1.6, linestyle=":", zorder=3,
            label=f"first model diverged at {_number(found.diverged_at)}",
        )  # fmt: skip


def _handles(panels: list[Axes]) -> list[Artist]:
    """The curves first, then the marks, which stand in both panels, once."""
    labelled = [
        pair for axes in panels for pair in zip(*axes.get_legend_handles_labels(), strict=True)
    ]
    once = {label: handle for handle, label in labelled}
    marks = [label for label in once if label.startswith(("suggested", "first"))]
    return [once[label] for label in once if label not in marks] + [once[x] for x in marks]


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")

"""The figure of benchmarks/selection: expected best accuracy over budget, with its band.

Enters: replayed searches as arrays. Leaves: docs/figures/selection.png. Refuses to replay.
After Dodge et al. 2019 (arXiv:1909.03004), who draw the validation accuracy of the best; beside it
stands what that λ is worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.common import ROOT

PICTURE = ROOT / "docs" / "figures" / "selection.png"
_ORANGE, _BLUE, _GREY = "#D55E00", "#0072B2", "#555555"
_BAND = (10, 90)  # percentiles of the searches

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Replayed searches.

    ``reported`` and ``true`` (searches, runs) of a single-seed search after 1, 2, … runs;
    ``ours`` by budget: updates (searches,) and true accuracies (searches,); ``top`` the best λ's
    true accuracy; ``updates`` those of one run.
    """

    reported: Floats
    true: Floats
    ours: Mapping[str, tuple[Floats, Floats]]
    top: float
    updates: int


def draw(paths: Paths) -> None:
    """Draw."""
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    runs = np.arange(1, paths.true.shape[1] + 1) * paths.updates / 1e6
    _line(axes, runs, paths.reported, _GREY, "--", "single-seed best: validation, as reported")
    _line(axes, runs, paths.true, _ORANGE, "-", "single-seed best: what its λ is worth")
    ours = list(paths.ours.values())
    at = np.array([updates.mean() for updates, _ in ours]) / 1e6
    spread = np.array([np.percentile(true, _BAND) for _, true in ours]).T
    means = np.array([true.mean() for _, true in ours])
    error = 100 * np.abs(spread - means)
    axes.errorbar(
        at, 100 * means, yerr=error, color=_BLUE, marker="o", capsize=4, zorder=3,
        label="replicated finalists and model: what its λ is worth",
    )  # fmt: skip
    axes.axhline(100 * paths.top, color=_GREY, linewidth=0.8, linestyle=":")
    axes.annotate("best λ", (0, 100 * paths.top), ha="left", va="bottom", color=_GREY)
    axes.set_xlabel("updates of single nets, millions")
    axes.set_ylabel("accuracy, %")
    # the first runs fall far below: they would flatten all that matters
    axes.set_ylim(100 * paths.top - 1.6, None)
    axes.set_title(
        f"Expected best over budget (bands: {_BAND[0]} to {_BAND[1]} % of searches)", loc="left"
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    figure.savefig(PICTURE, dpi=160, metadata={"Software": None})


def _line(axes: Axes, x: Floats, y: Floats, colour: str, style: str, label: str) -> None:
    low, high = np.percentile(100 * y, _BAND, axis=0)
    axes.fill_between(x, low, high, color=colour, alpha=0.12, linewidth=0)
    axes.plot(x, 100 * y.mean(axis=0), color=colour, linestyle=style, label=label)

"""The confusion matrix as shades. Enters: counts and classes. Leaves: a figure.

Refuses to know whose predictions they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lamsearch.figures.style import INK, is_narrow, new_figure, styled, titled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NUMBERED = 20  # classes up to which counts are written, and all classes named
_NAMES = 10  # classes named on an axis beyond that
_GAMMA = 0.5  # of the shades: a mistake of 2 % is still seen beside 95 % that are right
_LETTERS = 12
_DARK = 0.35  # share of a row from which numbers are white


def confusion_matrix(counts: Sequence[Sequence[int]], classes: Sequence[str], name: str) -> Figure:
    """Draw how often a true class (row) was predicted as each (column), shaded by share of row."""
    from matplotlib.colors import PowerNorm

    table = np.array(counts, np.float64)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1.0)
    size = len(table)
    every = 1 if size <= _NUMBERED else -(-size // _NAMES)
    names = [one if len(one) <= _LETTERS else f"{one[: _LETTERS - 1]}…" for one in classes]
    tilted = size > 2 and sum(map(len, names)) > 2 * _NUMBERED
    with styled():
        figure = new_figure(4.0 if is_narrow() else 6.2)
        axes = figure.subplots()
        drawn = axes.imshow(shares, cmap="Blues", norm=PowerNorm(_GAMMA, 0.0, 1.0))
        axes.set_xticks(
            range(0, size, every), labels=names[::every], parse_math=False,
            rotation=45 if tilted else 0, ha="right" if tilted else "center",
        )  # fmt: skip
        axes.set_yticks(range(0, size, every), labels=names[::every], parse_math=False)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.set_xlabel("predicted class")
        axes.set_ylabel("true class")
        axes.set_title(titled("Confusion matrix of the ensemble, test set", name), parse_math=False)
        if size <= _NUMBERED:
            letters = (7.0 if is_narrow() else 9.5) * min(1.0, 11 / size)
            for (row, column), count in np.ndenumerate(table):
                if count:
                    axes.text(
                        column, row, f"{int(count)}", ha="center", va="center", fontsize=letters,
                        color="white" if shares[row, column] > _DARK else INK,
                    )  # fmt: skip
        if is_narrow():
            axes.set_xlabel("predicted class; shade: share of the true one")
            return figure
        bar = figure.colorbar(drawn, ax=axes, pad=0.02, aspect=30, ticks=[0, 0.05, 0.2, 0.5, 1])
        bar.ax.set_yticklabels(["0 %", "5 %", "20 %", "50 %", "100 %"])
        bar.set_label("share of the true class")
    return figure

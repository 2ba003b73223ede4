"""How much each dimension matters, as bars. Enters: importances. Leaves: a figure.

Refuses to compute them, and to show a share without what chance alone would give.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lamsearch.figures.style import (
    BLUE,
    VERMILION,
    new_figure,
    shortened,
    styled,
    titled_lines,
    wrapped,
)
from lamsearch.points import listed
from lamsearch.results import StudyRecord
from lamsearch.statistics import Importances

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = (BLUE, VERMILION)
_THICK = 0.36


def importance_bars(record: StudyRecord, found: Importances) -> Figure | None:
    """Draw a bar per dimension and evaluator, the most important first; None where none are known.

    An upright line is the largest share that a dimension got by chance.
    """
    if not found.evaluated:
        return None
    dimensions, order = record.space.dimensions, found.order
    with styled():
        figure = new_figure(1.75 + 0.62 * len(dimensions))
        axes = figure.subplots()
        for which, (one, colour) in enumerate(zip(found.evaluated, _COLOURS, strict=False)):
            at = [row + (which - 0.5) * _THICK for row in range(len(order))]
            axes.barh(
                at, [100 * one.shares[index] for index in order], height=0.9 * _THICK,
                color=colour, zorder=2, label=f"{one.evaluator}: {one.about}",
            )  # fmt: skip
            axes.axvline(
                100 * one.chance, color=colour, linestyle=(0, (4, 2)), linewidth=1.6, zorder=3,
                label=f"{one.evaluator}: the most that a shuffled dimension got",
            )  # fmt: skip
        axes.set_yticks(range(len(order)), labels=[dimensions[i].symbol for i in order],
                        parse_math=False)  # fmt: skip
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set_xlim(0, 100)
        axes.set_xlabel("importance (share, %)")
        axes.set_title(
            titled_lines(
                f"Which dimension matters: {shortened(record.name)}, "
                f"{found.trials} trials of {listed(found.stages)}"
            ),
            parse_math=False,
        )  # fmt: skip
        handles, labels = axes.get_legend_handles_labels()
        pairs = sorted(zip(labels, handles, strict=True), key=lambda pair: "shuffled" in pair[0])
        figure.legend(
            [handle for _, handle in pairs], [wrapped(text) for text, _ in pairs],
            loc="outside lower center", ncols=1,
        )  # fmt: skip
    return figure

"""How every figure looks, and how it becomes bytes. Enters: a figure. Leaves: PNG or SVG.

Refuses to know what is drawn.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Format = Literal["png", "svg"]

# Okabe and Ito's palette, told apart with every common colour blindness
# (https://jfly.uni-koeln.de/color/); its yellows are left out: too pale for lines on white.
BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
INK, GREY = "#1a1a1a", "#5c5c5c"
WIDTH = 7.5  # inches; 1,440 pixels in a PNG
DPI = 192  # twice a browser's 96

_STYLE: dict[str, Any] = {
    "font.size": 10.5,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.bbox": None,
    "figure.constrained_layout.w_pad": 0.1,
    "figure.constrained_layout.h_pad": 0.1,
    "svg.hashsalt": "lamsearch",  # else ids in an SVG are drawn anew at every rendering
}
_GATE = threading.RLock()


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the house's style whatever the user's matplotlibrc says; all is put back after.

    matplotlib's settings are one per process, so threads take turns here.
    """
    import matplotlib.style

    with _GATE, matplotlib.style.context(["default", _STYLE]):
        yield


def new_figure(height: float) -> Figure:
    """Return an empty white figure of the house's width and ``height`` inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained")


def shortened(name: str) -> str:
    """Return a study's name cut to what fits in a title; a name may have 100 characters."""
    return name if len(name) <= 22 else name[:21] + "…"


def verbatim(text: str) -> str:
    """Return text from outside as matplotlib draws it where dollars would be mathematics."""
    return text.replace("$", r"\$")


def render(figure: Figure, target: str | Path | IO[bytes], format: Format) -> None:  # noqa: A002  # matplotlib's word
    """Write ``figure`` to a path or a binary buffer as "png" (192 dpi, twice a screen's) or "svg".

    The same figure gives the same bytes: no dates, no versions, no random ids.
    """
    metadata = {"Software": None} if format == "png" else {"Date": None, "Creator": None}
    with styled():
        _lay_out(figure)
        canvas = _canvas(figure, format)
        (canvas.print_png if format == "png" else canvas.print_svg)(target, metadata=metadata)


def _lay_out(figure: Figure) -> None:
    """Settle where everything stands, once for all forms: to ask each text for its size takes as
    long as to draw the figure, and `savefig` asks twice."""
    from matplotlib.layout_engine import PlaceHolderLayoutEngine

    if not isinstance(figure.get_layout_engine(), PlaceHolderLayoutEngine):  # of one laid out
        figure.draw_without_rendering()
        figure.set_layout_engine("none")


def _canvas(figure: Figure, form: Format) -> Any:
    """The figure on what draws that form; its own `savefig` would lay it out once more."""
    if form == "png":
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        return FigureCanvasAgg(figure)
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    return FigureCanvasSVG(figure)

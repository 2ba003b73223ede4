"""How every figure looks, and how it becomes bytes. Enters: a figure. Leaves: PNG or SVG.

Refuses to know what is drawn.
"""

from __future__ import annotations

import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Format = Literal["png", "svg"]

# Okabe and Ito's palette, told apart with every common colour blindness
# (https://jfly.uni-koeln.de/color/); its yellows are left out: too pale for lines on white.
BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
INK, GREY = "#1a1a1a", "#5c5c5c"
DPI = 192  # twice a browser's 96
_PACKING = 4  # of zlib's levels: with 6, its usual one, a PNG takes longer and is hardly smaller

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
    "legend.title_fontsize": 9.5,
    "figure.titlesize": 12,
    "figure.titleweight": "bold",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.bbox": None,
    "figure.constrained_layout.w_pad": 0.1,
    "figure.constrained_layout.h_pad": 0.1,
    "svg.hashsalt": "lamsearch",  # else ids in an SVG are drawn anew at every rendering
}
_GATE = threading.RLock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What a figure is drawn for: its ``width`` in inches, and what fits into that.

    ``letters`` fit in a line below the axes, ``title`` in one above them, and ``columns`` are the
    most of a legend.
    """

    width: float
    letters: int
    title: int
    columns: int
    style: dict[str, Any] = field(default_factory=dict)


WIDE = Sheet(width=7.5, letters=76, title=76, columns=4)  # 1,440 pixels in a PNG
NARROW = Sheet(
    width=3.75, letters=46, title=36, columns=2,
    style={"font.size": 9.5, "axes.titlesize": 10, "legend.fontsize": 8.5,
           "legend.title_fontsize": 8.5, "figure.titlesize": 10,
           "legend.columnspacing": 1.2, "legend.handletextpad": 0.5},
)  # fmt: skip
_SHEET: ContextVar[Sheet] = ContextVar("sheet", default=WIDE)


@contextmanager
def drawn_on(sheet: Sheet) -> Iterator[None]:
    """Draw figures for another width until the block ends."""
    token = _SHEET.set(sheet)
    try:
        yield
    finally:
        _SHEET.reset(token)


def is_narrow() -> bool:
    """Whether figures are drawn for a phone."""
    return _SHEET.get() is NARROW


def columns(most: int) -> int:
    """Return how many columns a legend has, of ``most``."""
    return min(most, _SHEET.get().columns)


def wrapped(text: str, letters: int | None = None) -> str:
    """Return text in lines that fit below the axes, or of so many letters."""
    width = letters or _SHEET.get().letters
    lines = [textwrap.wrap(line, width) or [""] for line in text.split("\n")]
    return "\n".join(one for line in lines for one in line)


def titled_lines(text: str) -> str:
    """Return a title's text in lines that fit above the axes."""
    return wrapped(text, _SHEET.get().title)


def titled(what: str, name: str) -> str:
    """Return a title of what is drawn and of whose it is, where there is room for that."""
    return titled_lines(what if is_narrow() else f"{what}: {shortened(name)}")


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the house's style whatever the user's matplotlibrc says; all is put back after.

    matplotlib's settings are one per process, so threads take turns here.
    """
    import matplotlib.style

    with _GATE, matplotlib.style.context(["default", _STYLE | _SHEET.get().style]):
        yield


def new_figure(height: float) -> Figure:
    """Return an empty white figure of the sheet's width and ``height`` inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(_SHEET.get().width, height), dpi=DPI, layout="constrained")


def prepare() -> None:
    """Load all that draws and all that writes a figure, which takes as long as to draw one."""
    import matplotlib.backends.backend_agg
    import matplotlib.backends.backend_svg
    import matplotlib.figure
    import matplotlib.style  # noqa: F401 - loaded alone
    import PIL.Image  # noqa: F401 - loaded alone


def count_marks(figure: Figure) -> int:
    """Return how many bars, bands and shades a figure has: each is an element of an SVG."""
    found = (one for axes in figure.axes for one in axes.collections)
    return sum(len(one.get_paths()) for one in found)


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
    with styled():
        _lay_out(figure)
        dpi = figure.dpi
        (_write_png if format == "png" else _write_svg)(figure, target)
        figure.dpi = dpi  # an SVG leaves its own


def _lay_out(figure: Figure) -> None:
    """Settle where everything stands, once for all forms and without drawing: to ask each text for
    its size takes as long as to draw the figure, and `savefig` asks twice."""
    from matplotlib.layout_engine import PlaceHolderLayoutEngine

    engine = figure.get_layout_engine()
    if engine is not None and not isinstance(engine, PlaceHolderLayoutEngine):  # of one laid out
        engine.execute(figure)
        figure.set_layout_engine("none")
        _line_up(figure)


def _line_up(figure: Figure) -> None:
    """Have the y labels of panels that share their x stand in one line, and stay there.

    As `Figure.align_ylabels` does, which asks all numbers of all panels for their sizes again
    whenever one of the labels is placed: in the layout and in each form.
    """
    places = dict[Any, tuple[float, float]]()
    for axes in figure.axes:
        if len(axes.get_shared_x_axes().get_siblings(axes)) > 1:
            axes.yaxis.get_tightbbox()  # which places its label
            label = axes.yaxis.label
            here = label.get_transform().transform(label.get_position())
            x, y = axes.transAxes.inverted().transform(here)
            places[axes] = float(x), float(y)
    for axes, (_, y) in places.items():
        panels = axes.get_shared_x_axes().get_siblings(axes)
        axes.yaxis.set_label_coords(min(places[one][0] for one in panels), y)


def _write_png(figure: Figure, target: str | Path | IO[bytes]) -> None:
    """Without transparency, which nothing here has: smaller, and packed in less time.

    Like `_write_svg` past the figure's own `savefig`, which would lay it out once more.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    size = canvas.get_width_height()
    image = Image.frombuffer("RGBA", size, canvas.buffer_rgba(), "raw", "RGBA", 0, 1)
    image.convert("RGB").save(target, "png", dpi=(figure.dpi, figure.dpi), compress_level=_PACKING)


def _write_svg(figure: Figure, target: str | Path | IO[bytes]) -> None:
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    canvas: Any = FigureCanvasSVG(figure)
    canvas.print_svg(target, metadata={"Date": None, "Creator": None})

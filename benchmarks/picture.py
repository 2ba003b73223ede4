"""The README's figure of speed, drawn from RESULTS.md.

Enters: the section `training` of RESULTS.md. Leaves: docs/figures/speed.png.

    python -m benchmarks.picture
"""

from __future__ import annotations

import re

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.common import RESULTS, ROOT

BATCH = "100"
OURS = ("1", "4", "8")
PICTURE = ROOT / "docs" / "figures" / "speed.png"


def bars() -> list[tuple[str, float, bool]]:
    """Return (label, µs per net and update, whether ours) for every contender at its best way."""
    section = RESULTS.read_text(encoding="utf-8").split("## training")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| (\d+) \| (\d+) \| ([\d,]+) \(", section, re.MULTILINE)
    best: dict[str, float] = {}
    for name, batch, cohort, text in rows:
        if batch != BATCH:
            continue
        microseconds = float(text.replace(",", ""))
        if name == "ours" and cohort in OURS:
            best[f"lamsearch, cohort {cohort}"] = microseconds
        elif name != "ours":
            peer = name.split(",")[0]
            best[peer] = min(best.get(peer, microseconds), microseconds)
    ordered = sorted(best.items(), key=lambda item: -item[1])
    return [(name, value, name.startswith("lamsearch")) for name, value in ordered]


def main() -> None:
    """Draw."""
    found = bars()
    figure = Figure(figsize=(7.5, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    colours = ["#0072B2" if ours else "#999999" for _, _, ours in found]
    drawn = axes.barh([name for name, _, _ in found], [v for _, v, _ in found], color=colours)
    axes.bar_label(drawn, fmt="{:,.0f}", padding=3)
    axes.set_xlabel("µs per net and update, all cores busy (shorter is faster)")
    axes.set_title("One update of the CIFAR-10 network, batch 100", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.1)
    figure.savefig(PICTURE, dpi=160, metadata={"Software": None})


if __name__ == "__main__":
    main()

"""The pictures of docs/source-report.md, like the source report's own.

Enters: the runs of studies/report. Leaves: PNG files. Every line is a mean over seeds; training
values are means over the mini-batches since the point before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from benchmarks.source_numbers import Floats, estimate
from benchmarks.source_rows import Found, curves_of, tests, values
from benchmarks.source_sizes import by_epochs, by_updates, peaks
from lamsearch.figures import render
from lamsearch.figures.style import BLUE, DPI, GREEN, GREY, PURPLE, VERMILION, styled
from lamsearch.results import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SPLITS = (("training", BLUE, "--"), ("validation", VERMILION, "-"), ("test", GREEN, ":"))
MEASURES = (("accuracy", "accuracy (%)"), ("loss", "loss (nats)"), ("cost", "cost (nats)"))
MARKS = (("o", BLUE), ("s", VERMILION), ("D", GREEN), ("^", PURPLE))
LAMBDA = "log₁₀ λ (no unit)"
Marks = Mapping[str, tuple[int, float]]  # split, or words and split → updates, accuracy in %


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture: the studies it needs, and what draws it."""

    name: str
    needs: tuple[str, ...]
    draw: Callable[[Found], Figure]


def write(found: Found, directory: Path) -> list[Path]:
    """Draw every picture whose runs are all there."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for one in PICTURES:
        if all(name in found for name in one.needs):
            path = directory / f"source-report-{one.name}.png"
            with styled():
                render(one.draw(found), path, "png")
            written.append(path)
    return written


def _cycles(found: Found) -> Figure:
    titles = {
        "r2": "R2, η_max = 0.1", "r2-low": "R2, η_max = 0.01",
        "r3": "R3, η_max = 0.1", "r3-low": "R3, η_max = 0.01",
    }  # fmt: skip
    return _curves_of(found, titles, "Batch 1 for training, λ = 0.01: mean of 5 seeds")


def _three(found: Found) -> Figure:
    titles = {
        "r5-as-run-first": "λ = 1.4723e-4",
        "r5-as-run-second": "λ = 1.4766e-4",
        "r5-as-run-third": "λ = 1.6985e-4",
    }
    title = "R5: the report's best three λs, 1,176 updates of batch 1000: mean of 5 seeds"
    marks = {"training": (1160, 55.5), "validation": (1160, 52.2), "test": (1160, 50.1)}
    mid = {"middle of training": (784, 53.6)}
    return _curves_of(found, titles, title, {"r5-as-run-second": {**marks, **mid}})


def _best(found: Found) -> Figure:
    figure = _new(11, 3.9)
    panels = figure.subplots(1, 3)
    for axes, (measure, label) in zip(panels, MEASURES, strict=True):
        _draw_curves(axes, curves_of(found["r6-as-run"][0]), measure)
        axes.set_ylabel(label)
        axes.set_xlabel("updates (mini-batches of 100)")
    end = {"training": (11760, 65.0), "validation": (11760, 52.6), "test": (11760, 51.4)}
    _mark(panels[0], {**end, "top of test": (3920, 52.1)})
    figure.suptitle("R6: the report's best run, λ = 1.4766e-4: mean of 5 seeds", **_LEFT)
    _legend(figure, panels[0])
    return figure


def _mark(axes: Axes, points: Marks) -> None:
    """Mark what the report's own picture shows, in the colours of the splits."""
    colours = {split: colour for split, colour, _ in SPLITS}
    for name, (updates, accuracy) in points.items():
        split = name.rpartition(" ")[2]
        axes.plot(
            updates, accuracy, "*", color=colours[split], markersize=11, markeredgecolor="black",
            markeredgewidth=0.6, zorder=5, label="the report's" if name == "training" else None,
        )  # fmt: skip


def _curves_of(
    found: Found, titles: Mapping[str, str], title: str, marks: Mapping[str, Marks] | None = None
) -> Figure:
    figure = _new(11, 8.4)
    panels = figure.subplots(3, len(titles), sharey="row", sharex="col", squeeze=False)
    for column, (name, text) in enumerate(titles.items()):
        curves = curves_of(found[name][0])
        panels[0, column].set_title(text)
        _mark(panels[0, column], (marks or {}).get(name, {}))
        panels[2, column].set_xlabel("updates (mini-batches)")
        for row, (measure, label) in enumerate(MEASURES):
            _draw_curves(panels[row, column], curves, measure)
            if column == 0:
                panels[row, 0].set_ylabel(label)
    figure.align_ylabels(panels[:, 0])
    figure.suptitle(title, **_LEFT)
    _legend(figure, panels[0, 0])
    return figure


def _draw_curves(axes: Axes, curves: Sequence[Curve], measure: str) -> None:
    for split, colour, style in SPLITS:
        rows = np.array([one.values[f"{split}_{measure}"] for one in curves], float)
        rows *= 100.0 if measure == "accuracy" else 1.0
        x, mean = curves[0].updates, rows.mean(axis=0)
        axes.plot(x, mean, linestyle=style, color=colour, linewidth=1.7, label=split)
        if len(rows) > 1:
            sd = rows.std(axis=0, ddof=1)
            axes.fill_between(x, mean - sd, mean + sd, color=colour, alpha=0.15, linewidth=0)
    axes.margins(x=0.02)


def _judges(found: Found) -> Figure:
    """Draw training and validation accuracy over λ, for R4's search and for a long one."""
    figure = _new(11, 4.4)
    panels = figure.subplots(1, 2)
    searches = (
        ("r4", "R4: batch 1000, 90 updates, 5 seeds"),
        ("mistake-a", "batch 100, 3,600 updates, 1 seed"),
    )
    for axes, (name, title) in zip(panels, searches, strict=True):
        for key, (mark, colour), label in (
            ("train_accuracy", MARKS[0], "training"),
            ("validation_accuracy", MARKS[1], "validation"),
        ):
            x = np.concatenate([values(one, "coarse", "log10_lambda") for one in found[name]])
            y = 100 * np.concatenate([values(one, "coarse", key) for one in found[name]])
            axes.plot(x, y, mark, color=colour, markersize=5, alpha=0.8, label=label)
        axes.set_title(title)
        axes.set_xlabel(LAMBDA)
        axes.set_ylabel("accuracy (%)")
    figure.suptitle("What each λ scores, by the two judges", **_LEFT)
    _legend(figure, panels[0])
    return figure


def _costs(found: Found) -> Figure:
    rows = {
        "mistake-b": "λ = 1.4766e-4, batch 1000, one cycle",
        "r6": "the report's λ, 1.4766e-4",
        "mistake-a-training": "chosen by training accuracy",
        "mistake-a-short": "chosen by validation, R4's search",
        "mistake-a-full": "chosen by validation, long search",
        "mistake-c": "chosen by validation, studies/cifar10.toml",
    }
    figure = _new(9, 3.7)
    axes = figure.subplots()
    for place, name in enumerate(rows):
        scores = 100 * np.array(tests(found[name][0]))
        one = estimate(scores)
        axes.plot(scores, np.full(len(scores), place), "o", color=GREY, alpha=0.55, markersize=5)
        axes.errorbar(
            one.mean, place + 0.22, xerr=[[one.mean - one.low], [one.high - one.mean]],
            fmt="D", color=BLUE, capsize=4, markersize=5,
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), rows.values())
    axes.set_ylim(-0.5, len(rows) - 0.3)
    axes.set_xlabel("test accuracy (%); grey: seeds, blue: mean and its 95 % interval")
    axes.set_title("What each mistake costs")
    return figure


def _sizes(found: Found) -> Figure:
    figure = _new(11, 7.6)
    panels = figure.subplots(2, 2, gridspec_kw={"width_ratios": [1.6, 1]}, sharex="col")
    ways = (("3,600 updates", by_updates()), ("8 epochs", by_epochs()))
    for (left, right), (title, names) in zip(panels, ways, strict=True):
        for (mark, colour), (size, name) in zip(MARKS, names.items(), strict=True):
            x = values(found[name][0], "coarse", "log10_lambda")
            grid = 100 * np.array(
                [values(one, "coarse", "validation_accuracy") for one in found[name]]
            )
            _errors(left, x, grid, mark, colour, f"{size:,} images")
        left.set_title(f"{title} whatever the size")
        left.set_ylabel("validation accuracy (%)")
        best = peaks(found, names)
        _errors(right, np.array(list(best)), np.array(list(best.values())).T, "o", BLUE, "")
        for rows in np.array(list(best.values())).T:
            right.plot(list(best), rows, ".", color=GREY, alpha=0.6)
        right.set_title("the best λ")
        right.set_ylabel("best log₁₀ λ (no unit)")
        right.set_xscale("log")
        right.set_xticks(list(best), [f"{size:,}" for size in best])
        right.minorticks_off()
    panels[1, 0].set_xlabel(LAMBDA)
    panels[1, 1].set_xlabel("training images; grey: single seeds")
    seeds = len(found[f"r9-{min(best)}"])
    title = f"R9: does more data want a smaller λ? Bars: 95 % over {seeds} seeds"
    figure.suptitle(title, **_LEFT)
    _legend(figure, panels[0, 0])
    return figure


def _errors(
    axes: Axes, x: Sequence[float] | Floats, rows: Floats, mark: str, colour: str, label: str
) -> None:
    found = [estimate(column) for column in rows.T]
    half = [one.high - one.mean for one in found] if len(rows) > 1 else None
    axes.errorbar(
        x, [one.mean for one in found], yerr=half, fmt=f"{mark}-", color=colour, capsize=3,
        markersize=5, linewidth=1.3, label=label,
    )  # fmt: skip


def _new(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def _legend(figure: Figure, axes: Axes) -> None:
    found = {
        label: line
        for panel in (axes, *figure.axes)
        for line, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(found.values(), found.keys(), loc="outside lower center", ncols=len(found))


_LEFT = {"x": 0.01, "ha": "left", "fontweight": "bold", "fontsize": 12}
_FINALS = ("mistake-b", "r6", "mistake-a-training", "mistake-a-short", "mistake-a-full")
_R5 = ("r5-as-run-first", "r5-as-run-second", "r5-as-run-third")
PICTURES = (
    Picture(name="r2-r3", needs=("r2", "r2-low", "r3", "r3-low"), draw=_cycles),
    Picture(name="r5", needs=_R5, draw=_three),
    Picture(name="r6", needs=("r6-as-run",), draw=_best),
    Picture(name="judges", needs=("r4", "mistake-a"), draw=_judges),
    Picture(name="mistakes", needs=(*_FINALS, "mistake-c"), draw=_costs),
    Picture(
        name="r9", needs=tuple({*by_updates().values(), *by_epochs().values()}), draw=_sizes
    ),
)  # fmt: skip

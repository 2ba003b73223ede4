"""Learning curves of one stage. Enters: a study's record. Leaves: a figure.

Refuses to know what the learning rates below them follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from lamsearch.figures.learning_rates import draw_rates, mark_cycles
from lamsearch.figures.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    PURPLE,
    VERMILION,
    is_narrow,
    new_figure,
    styled,
    titled,
    titled_lines,
    verbatim,
    wrapped,
)
from lamsearch.figures.units import loss_unit
from lamsearch.metrics import DEFAULT_METRIC
from lamsearch.points import nouns
from lamsearch.results import Curve, FloatArray, StageName, StudyRecord
from lamsearch.statistics import CandidateScore, candidate_scores

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = 4  # candidates in one figure; more are a tangle
_LOOKS = ((BLUE, "o"), (VERMILION, "s"), (GREEN, "D"), (PURPLE, "^"))
_NATS = "nats"
_SHARE = DEFAULT_METRIC.name  # of right answers, which curves carry whatever candidates go by
_UNITS = {
    _SHARE: (DEFAULT_METRIC.unit.strip(), DEFAULT_METRIC.factor),
    "loss": (_NATS, 1.0),
    "cost": (_NATS, 1.0),
}
_QUANTITIES = 3  # panels of curves, above that of the learning rate
_SPLITS: tuple[tuple[str, Literal["--", "-", ":"]], ...] = (
    ("training", "--"),
    ("validation", "-"),
    ("test", ":"),
)
_LOG_RATIO = 30.0  # a linear axis shows nothing of the low end beyond this
_LINES_AT_MOST = 8  # replicates drawn one by one; more become a band
_WORDS: dict[StageName, str] = {
    "coarse": "the coarse stage",
    "fine": "the fine stage",
    "finalists": "the finalists",
    "final": "the final training",
}


def has_curves(record: StudyRecord, name: StageName) -> bool:
    """Whether a complete trial of the stage carries its learning curves."""
    return bool(_with_curves(record, name))


def learning_curves(record: StudyRecord, stage: StageName) -> Figure:
    """Draw what a stage's curves carry over updates, the learning rate below.

    Thick lines are means over a candidate's complete replicates, thin ones the replicates (a band
    of ± one standard deviation where they are many). Beyond four candidates the best four by mean
    validation score are drawn, and the title says so.
    """
    found = _with_curves(record, stage)
    shown = found[:SHOWN]
    quantities = _quantities(record, shown)[:_QUANTITIES]
    fewer = _QUANTITIES - len(quantities)
    with styled():
        figure = new_figure(10.2 - 2.6 * fewer)
        ratios = [3, *[2.4] * (len(quantities) - 1), 1.6]
        panels = list(
            figure.subplots(len(ratios), 1, sharex=True, gridspec_kw={"height_ratios": ratios})
        )
        for axes, quantity in zip(panels, quantities, strict=False):
            unit, factor = _unit(record, quantity)
            label = f"{quantity} ({unit})" if unit else quantity
            axes.set_ylabel(label)
            for index, score in enumerate(shown):
                _draw_candidate(axes, _curves(score), quantity, index, factor)
            if factor == 1.0:
                _log_if_wide(axes, label)
        pairs = [(_curves(one)[0], one.point) for one in shown]
        draw_rates(panels[-1], record, stage, pairs, [colour for colour, _ in _LOOKS])
        mark_cycles(panels, record, stage, [one for one, _ in pairs])
        panels[0].set_title(_title(record, stage, len(found)), parse_math=False)
        _finish(figure, panels, record, shown)
    return figure


def _unit(record: StudyRecord, quantity: str) -> tuple[str, float]:
    """The unit of a quantity, and what it is multiplied by for that."""
    unit, factor = _UNITS.get(quantity, ("", 1.0))
    return (loss_unit(record.metric) if unit == _NATS else unit), factor


def _with_curves(record: StudyRecord, name: StageName) -> list[CandidateScore]:
    return [score for score in candidate_scores(record, name) if _curves(score)]


def _quantities(record: StudyRecord, shown: Sequence[CandidateScore]) -> list[str]:
    """What the curves carry, shares first: without curves what they are going to."""
    names = [name for score in shown for curve in _curves(score) for name in curve.values]
    found = list(dict.fromkeys(name.partition("_")[2] for name in names)) or [
        one for one in _UNITS if one != _SHARE or record.metric.task == "classification"
    ]
    return sorted(found, key=lambda one: _UNITS.get(one, ("", 1.0))[1] == 1.0)


def _curves(score: CandidateScore) -> list[Curve]:
    curves = [trial.curve for trial in score.complete if trial.curve is not None]
    return [curve for curve in curves if len(curve.updates)]


def _title(record: StudyRecord, stage: StageName, count: int) -> str:
    title = titled(f"Learning curves of {_WORDS[stage]}", record.name)
    if count > SHOWN:
        best = f"the best {SHOWN} of {count} {_many(record)} by mean validation"
        title += f"\n{titled_lines(f'{best} {record.metric.title}')}"
    return title


def _many(record: StudyRecord) -> str:
    return nouns(record.space) if record.space.several else record.space.symbol


def _draw_candidate(
    axes: Axes, curves: Sequence[Curve], quantity: str, index: int, factor: float
) -> None:
    colour, mark = _LOOKS[index]
    for split, style in _SPLITS:
        values = _values(curves, f"{split}_{quantity}", factor)
        if values is None:
            continue
        x = curves[0].updates
        thick = 1.9 if split == "validation" else 1.5
        axes.plot(
            x, values.mean(axis=0), linestyle=style, color=colour, linewidth=thick, marker=mark,
            markevery=_marked(len(x), index), markersize=5.5, markeredgecolor="white",
            markeredgewidth=0.6, zorder=4 + index / 10, label=f"_{split}-{quantity}",
        )  # fmt: skip
        if 1 < len(values) <= _LINES_AT_MOST:
            axes.plot(x, values.T, linestyle=style, color=colour, linewidth=0.5, alpha=0.35)
        elif len(values) > _LINES_AT_MOST:
            mean, sd = values.mean(axis=0), values.std(axis=0, ddof=1)
            axes.fill_between(x, mean - sd, mean + sd, color=colour, alpha=0.15, linewidth=0)


def _marked(points: int, index: int) -> tuple[int, int]:
    """Return the first marked point and the step to the next.

    Every candidate has points of its own: curves that coincide, as of λs too small to matter, are
    all seen on one another.
    """
    step = max(SHOWN, points // 4)
    return (step // 2 + index * step // SHOWN) % step % points, step


def _values(curves: Sequence[Curve], name: str, factor: float) -> FloatArray | None:
    """Return the replicates' values, (replicates, points), None where one has none.

    Replicates of a stage are sampled at the same updates; should one not be, it is interpolated.
    """
    if any(name not in curve.values for curve in curves):
        return None
    x = curves[0].updates
    rows = [np.interp(x, curve.updates, curve.values[name]) for curve in curves]
    return np.stack(rows) * factor


def _log_if_wide(axes: Axes, label: str) -> None:
    drawn = [np.asarray(line.get_ydata(), dtype=float) for line in axes.get_lines()]
    values = np.concatenate([np.empty(0), *drawn])
    values = values[np.isfinite(values)]
    if values.size and values.min() > 0 and values.max() / values.min() > _LOG_RATIO:
        axes.set_yscale("log")
        axes.set_ylabel(label.replace(")", ", log scale)"))


def _finish(
    figure: Figure, panels: Sequence[Axes], record: StudyRecord, shown: Sequence[CandidateScore]
) -> None:
    if not shown:
        panels[0].text(
            0.5, 0.5, "no learning curves yet", transform=panels[0].transAxes, color=GREY,
            ha="center", va="center", fontsize=13,
        )  # fmt: skip
        return
    for axes in panels:
        axes.margins(x=0.015)
    count = 1 if record.space.several or is_narrow() else 2
    figure.legend(handles=_handles(record, shown), loc="outside lower center", ncols=count)


def _handles(record: StudyRecord, shown: Sequence[CandidateScore]) -> list[Artist]:
    from matplotlib.lines import Line2D

    handles: list[Artist] = []
    for (colour, mark), score in zip(_LOOKS, shown, strict=False):
        handles.append(
            Line2D([], [], color=colour, linewidth=2.4, marker=mark, markersize=6.5,
                   markeredgecolor="white", markeredgewidth=0.6, label=_label(record, score))
        )  # fmt: skip
    for split, style in _SPLITS:
        curves = [curve for score in shown for curve in _curves(score)]
        if any(name.startswith(f"{split}_") for curve in curves for name in curve.values):
            handles.append(Line2D([], [], color=INK, linestyle=style, linewidth=1.6, label=split))
    return handles


def _label(record: StudyRecord, score: CandidateScore) -> str:
    if score.point is None:
        return f"candidate {score.candidate}"
    values = record.space.named_values(score.point, ".3g")
    if not record.space.several:
        values = f"{values} ({record.space.words(score.point, '.3f')})"
    label = verbatim(wrapped(values) if record.space.several else values).replace("-", "−")
    if score.n > 1:
        label += f", mean of {score.n}"
    selected = record.selected
    if selected is not None and selected.point == score.point:
        label += ", given" if selected.score is None else ", chosen"
    return label

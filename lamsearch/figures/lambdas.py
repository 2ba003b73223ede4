"""Validation accuracy over log10 λ. Enters: a study's record, whole or partial. Leaves: a figure.

Refuses to know how λ was chosen: it draws what the record says.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
from lamsearch.results import STAGES, StageName, StudyRecord, TrialState
from lamsearch.statistics import CandidateScore, candidate_scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LOOKS: dict[StageName, tuple[str, str, float]] = {
    "coarse": ("o", BLUE, 5.0),
    "fine": ("s", VERMILION, 4.6),
    "finalists": ("D", GREEN, 6.0),
    "final": ("*", PURPLE, 12.0),
}
_LOST: dict[TrialState, tuple[str, str, str]] = {
    TrialState.FAIL: ("x", INK, "failed"),
    TrialState.PRUNED: ("v", GREY, "pruned"),
}
_X_LABEL = "log₁₀ λ  (λ: L2 penalty per squared weight, no unit)"
_Y_LABEL = "validation accuracy (%)"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """A part of the plane: log10 λ from ``left`` to ``right``, accuracy in % between the others."""

    left: float
    right: float
    bottom: float
    top: float


def accuracy_over_lambda(record: StudyRecord) -> Figure:
    """Draw every candidate's mean validation accuracy (%) over log10 λ, all stages together.

    Bars are ± one standard error (over replicates; binomial for a single one). Where the best
    candidates are crowded into a corner of the whole, a second panel enlarges them.
    """
    scores = {name: _drawable(candidate_scores(record, name)) for name in STAGES}
    whole = _whole_window(record, scores)
    close = _close_window(record, scores, whole)
    with styled():
        figure = new_figure(4.7 if close is None else 8.2)
        panels = figure.subplots(1 if close is None else 2, 1, squeeze=False)[:, 0]
        for axes, window in zip(panels, (whole, close), strict=False):
            if window is not None:
                _draw(axes, record, scores, window)
        _mark_value(panels[0], record, whole)
        panels[0].set_title(_title(record), pad=22, parse_math=False)
        if close is not None:
            panels[1].set_title("Enlarged: where the best are", fontsize=11)
        panels[-1].set_xlabel(_X_LABEL)
        _legend(figure, panels[0])
    return figure


def _title(record: StudyRecord) -> str:
    return f"Validation accuracy of each λ tried: {shortened(record.name)}"


def _drawable(scores: Iterable[CandidateScore]) -> list[CandidateScore]:
    return [s for s in scores if s.log10_lambda is not None and s.mean is not None]


def _draw(
    axes: Axes,
    record: StudyRecord,
    scores: dict[StageName, list[CandidateScore]],
    window: _Window,
) -> None:
    axes.set_xlim(window.left, window.right)
    axes.set_ylim(window.bottom, window.top)
    axes.set_ylabel(_Y_LABEL)
    _shade_fine(axes, record)
    for name in STAGES:
        if scores[name]:
            _draw_stage(axes, name, scores[name])
    _mark_lost(axes, record)
    if record.selected is not None:
        axes.axvline(
            record.selected.log10_lambda, color=INK, linewidth=1.2, linestyle=(0, (5, 3)),
            zorder=1.5, label="_chosen",
        )  # fmt: skip
    if not any(scores.values()):
        axes.text(
            0.5, 0.5, "no trial is complete yet", transform=axes.transAxes, color=GREY,
            ha="center", va="center", fontsize=13,
        )  # fmt: skip


def _shade_fine(axes: Axes, record: StudyRecord) -> None:
    fine = record.stages.get("fine")
    if fine is not None and fine.interval is not None:
        axes.axvspan(
            *fine.interval, color=VERMILION, alpha=0.09, linewidth=0, zorder=0,
            label="interval of fine",
        )  # fmt: skip


def _draw_stage(axes: Axes, name: StageName, scores: list[CandidateScore]) -> None:
    marker, colour, size = _LOOKS[name]
    x = [score.log10_lambda or 0.0 for score in scores]
    y = [100 * (score.mean or 0.0) for score in scores]
    sparse = len(scores) <= 25  # caps of more bars than that run into each other
    bars = [float("nan") if score.se is None else 100 * score.se for score in scores]
    axes.errorbar(
        x, y, yerr=None if all(score.se is None for score in scores) else bars,
        linestyle="none", marker=marker, markersize=size, color=colour, ecolor=colour,
        elinewidth=1.1 if sparse else 0.7, capsize=2.5 if sparse else 0.0,
        markeredgecolor="white", markeredgewidth=0.6,
        zorder=2.5 if name == "final" else 3 + STAGES.index(name),  # the large star hides none
        label=f"{name} ({len(scores)} λ)",
    )  # fmt: skip


def _mark_lost(axes: Axes, record: StudyRecord) -> None:
    """Mark failed and pruned trials at the bottom edge: they have a λ but no accuracy."""
    for state, (marker, colour, word) in _LOST.items():
        trials = [t for s in record.stages.values() for t in s.trials if t.state is state]
        at = [trial.log10_lambda for trial in trials if trial.log10_lambda is not None]
        if at:
            axes.plot(
                at, [0.025] * len(at), transform=axes.get_xaxis_transform(), linestyle="none",
                marker=marker, color=colour, markersize=5.5, zorder=8,
                label=f"{word} ({len(at)} trial{'s' if len(at) > 1 else ''})",
            )  # fmt: skip


def _mark_value(axes: Axes, record: StudyRecord, window: _Window) -> None:
    """Write the chosen λ above the frame, where no point can be; kept within the frame's ends."""
    if record.selected is None:
        return
    at = record.selected.log10_lambda
    word = "given" if record.selected.validation_accuracy is None else "chosen"
    share = (at - window.left) / (window.right - window.left)
    side = "left" if share < 0.25 else "right" if share > 0.75 else "center"
    axes.text(
        at, 1.02, f"{word}: λ = {record.selected.lam:.3g}  (log₁₀ λ = {at:.3f})".replace("-", "−"),
        transform=axes.get_xaxis_transform(), ha=side, va="bottom", fontsize=10.5, color=INK,
    )  # fmt: skip


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if not handles:
        return
    opening = [*STAGES, "interval", *(word for _, _, word in _LOST.values())]
    entries = zip(labels, handles, strict=True)
    ordered = sorted(entries, key=lambda entry: opening.index(entry[0].split()[0]))
    figure.legend(
        [handle for _, handle in ordered], [label for label, _ in ordered],
        loc="outside lower center", ncols=3 if len(handles) in (5, 6) else min(len(handles), 4),
        title="Mark: mean over replicates. Bar: ± 1 standard error.", title_fontsize=9.5,
    )  # fmt: skip


def _whole_window(record: StudyRecord, scores: dict[StageName, list[CandidateScore]]) -> _Window:
    trials = [trial for stage in record.stages.values() for trial in stage.trials]
    x = [trial.log10_lambda for trial in trials if trial.log10_lambda is not None]
    x += [end for stage in record.stages.values() for end in stage.interval or ()]
    x += [] if record.selected is None else [record.selected.log10_lambda]
    return _around(x or [-5.0, -1.0], [score for found in scores.values() for score in found])


def _close_window(
    record: StudyRecord, scores: dict[StageName, list[CandidateScore]], whole: _Window
) -> _Window | None:
    """Return the part worth enlarging, None where the whole shows it well enough."""
    fine, every = record.stages.get("fine"), [s for found in scores.values() for s in found]
    if len(every) < 4:
        return None
    best = max(score.mean or 0.0 for score in every)
    later = scores["finalists"] + scores["final"]
    x = [score.log10_lambda for score in later if score.log10_lambda is not None]
    if fine is not None and fine.interval is not None:
        x += fine.interval
    else:
        x += [s.log10_lambda or 0.0 for s in every if (s.mean or 0.0) > best - 0.03]
    x += [] if record.selected is None else [record.selected.log10_lambda]
    frame = _around(x, [])
    inside = [s for s in every if frame.left <= (s.log10_lambda or 0.0) <= frame.right]
    if len(inside) < 2:
        return None
    close = _around(x, inside)
    narrow = (close.right - close.left) < 0.6 * (whole.right - whole.left)
    flat = (close.top - close.bottom) < 0.4 * (whole.top - whole.bottom)
    return close if narrow or flat else None


def _around(x: list[float], scores: list[CandidateScore]) -> _Window:
    """Return the window around some λs and scores, with air and a least size."""
    ends = [
        100 * ((score.mean or 0.0) + sign * (score.se or 0.0))
        for score in scores
        for sign in (-1, 1)
    ]
    left, right = _widened(min(x), max(x), least=0.4, air=0.04)
    bottom, top = _widened(min(ends, default=0.0), max(ends, default=100.0), least=2.0, air=0.08)
    return _Window(left=left, right=right, bottom=max(bottom, -3.0), top=min(top, 103.0))


def _widened(low: float, high: float, *, least: float, air: float) -> tuple[float, float]:
    half = max(high - low, least) / 2 * (1 + 2 * air)
    middle = (low + high) / 2
    return middle - half, middle + half

"""The panel of learning rates below learning curves. Enters: curves, a stage. Leaves: lines on it.

The schedule itself is drawn where the study's settings give what the curves carry: samples alone
miss its peaks. Refuses to guess: other trainers' learning rates are joined as they were sampled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lamsearch.figures.style import GREY, INK, is_narrow
from lamsearch.results import Curve, FloatArray, StageName, StudyRecord
from lamsearch.schedules import schedule_of
from lamsearch.space import Point
from lamsearch.statistics import cycle_length
from lamsearch.study import Training, recorded_settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FEW = 12  # samples that are marked one by one
_EVENLY = 401  # updates at which a schedule is drawn, beside its corners
_CORNERS_AT_MOST = 2000
_CYCLES_AT_MOST = 20
_SEARCHED = ("eta_min", "eta_max")


def draw_rates(
    axes: Axes,
    record: StudyRecord,
    stage: StageName,
    shown: Sequence[tuple[Curve, Point | None]],
    colours: Sequence[str],
) -> None:
    """Draw the learning rates of curves, each of a candidate's point, over updates.

    One line where all follow one schedule, else one for each in its ``colours``.
    """
    axes.set_ylabel("learning rate η\n(no unit)", fontsize=9.5, labelpad=8)
    axes.set_xlabel("updates (mini-batches)")
    if not shown:
        return
    names = {one.name for one in record.space.dimensions}
    several = not names.isdisjoint(_SEARCHED)
    for index, (curve, point) in enumerate(shown if several else shown[:1]):
        colour = colours[index] if several else INK
        training = _training(record, stage, point)
        follows = training is not None and _follows(curve, training)
        if training is not None and follows:
            x = _updates(int(curve.updates[-1]), training.step_size)
            axes.plot(x, _rates(training, x), color=colour, linewidth=1.3, label="_schedule")
        axes.plot(
            curve.updates, curve.learning_rate, color=colour, linewidth=1.3, markersize=2.5,
            linestyle="none" if follows else "-",
            marker="." if len(curve.updates) < _FEW else "None", label="_rate",
        )  # fmt: skip
    axes.set_ylim(bottom=0.0)


def mark_cycles(
    panels: Sequence[Axes], record: StudyRecord, stage: StageName, shown: Sequence[Curve]
) -> None:
    """Draw an upright line at each end of a cycle, unless these are many."""
    length = cycle_length(record, stage)
    if length is None or not shown:
        return
    last = int(max(curve.updates[-1] for curve in shown))
    if last // length > _CYCLES_AT_MOST:
        return
    between = "\n" if is_narrow() else "; "
    panels[-1].set_xlabel(f"updates (mini-batches){between}upright lines: ends of cycles")
    for axes in panels:
        for end in range(length, last + 1, length):
            axes.axvline(end, color=GREY, linewidth=0.7, alpha=0.6, zorder=1)


def _training(record: StudyRecord, stage: StageName, point: Point | None) -> Training | None:
    """The stage's settings with those of a candidate that are searched."""
    settings = recorded_settings(record.settings, stage)
    if settings is None or point is None:
        return None
    own = record.space.named(point)
    return settings.training.model_copy(
        update={key: own[key] for key in _SEARCHED if isinstance(own.get(key), float)}
    )


def _follows(curve: Curve, training: Training) -> bool:
    return np.allclose(curve.learning_rate, _rates(training, curve.updates), rtol=1e-4, atol=1e-12)


def _updates(last: int, step_size: int) -> FloatArray:
    """Updates at which a schedule is drawn: evenly, and all its corners."""
    evenly = np.linspace(0, last, _EVENLY).round()
    few = last // step_size <= _CORNERS_AT_MOST
    corners = np.arange(0, last + 1, step_size) if few else np.empty(0)
    return np.unique(np.concatenate([evenly, corners]))


def _rates(training: Training, updates: npt.NDArray[Any]) -> FloatArray:
    schedule = schedule_of(training)
    return np.array([schedule(int(update)) for update in updates], np.float64)

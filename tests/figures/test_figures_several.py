"""Figures of searches in several dimensions: slices, what two of them do together, importances."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import several_records as several
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from test_figures_pictures import _texts

from lamsearch.figures import contour, importance_bars, learning_curves, render, scores_over_space
from lamsearch.figures.contour import pair
from lamsearch.figures.style import styled
from lamsearch.results import TrialState
from lamsearch.space import LAMBDA, Dimension, Scale, Space
from lamsearch.statistics import Importances, Shares, candidate_scores

CHOICE = Space(dimensions=(LAMBDA, several.UNITS))
SPACES = {"plane": several.PLANE, "choice": CHOICE, "three": several.THREE, "five": several.FIVE}
KNOWN = Importances(
    stages=("coarse",), trials=28,
    evaluated=(
        Shares(evaluator="fANOVA", about="a", shares=(0.6, 0.1, 0.3), chance=0.2),
        Shares(evaluator="PED-ANOVA", about="b", shares=(0.2, 0.5, 0.3), chance=0.25),
    ),
)  # fmt: skip


def rendered(figure: Figure | None, form: Any = "png") -> bytes:
    """Return the figure's bytes."""
    assert figure is not None
    buffer = io.BytesIO()
    render(figure, buffer, form)
    return buffer.getvalue()


def marks(axes: Axes, label: str) -> Any:
    """Return the one artist whose label opens with ``label``."""
    artists: list[Any] = [*axes.get_lines(), *axes.containers]
    (found,) = [one for one in artists if str(one.get_label()).startswith(label)]
    return found


@pytest.mark.parametrize("name", SPACES)
def test_no_text_lies_on_another(name: str) -> None:
    """Every figure of two, three and five dimensions is drawn without a warning, its texts apart
    and within its edges."""
    record = several.finished(SPACES[name])
    figures = [scores_over_space(record), contour(record, ()), learning_curves(record, "finalists")]
    for figure in figures:
        assert figure is not None
        with styled():
            figure.draw_without_rendering()
            boxes = [(t.get_text(), t.get_window_extent()) for t in _texts(figure)]
        for i, (text, box) in enumerate(boxes):
            assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1, text
            assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1, text
            for other, second in boxes[i + 1 :]:
                assert not box.padded(-1).overlaps(second.padded(-1)), (text, other)


def test_a_slice_has_each_candidate_at_its_value() -> None:
    """On a logarithmic axis a candidate stands at the value itself, whose score is its mean."""
    record = several.finished(several.PLANE)
    figure = scores_over_space(record)
    for index, axes in ((0, figure.axes[0]), (1, figure.axes[2])):
        assert axes.get_xscale() == "log"
        points, _, _ = marks(axes, "fine")
        scores = candidate_scores(record, "fine")
        expected = [10 ** one.point[index] for one in scores if one.point is not None]
        np.testing.assert_allclose(np.asarray(points.get_xdata(), dtype=float), expected)
        np.testing.assert_allclose(
            np.asarray(points.get_ydata(), dtype=float),
            [100 * (one.mean or 0.0) for one in scores],
            rtol=1e-12,
        )
        assert record.selected is not None
        at = 10 ** record.selected.point[index]
        assert list(marks(axes, "_chosen").get_xdata()) == [at, at]


def test_a_choice_has_a_column_for_each_of_its_values() -> None:
    """Candidates of a choice stand within a column named by its value, the untried ones too."""
    record = several.finished(CHOICE)
    axes = scores_over_space(record).axes[2]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["[50]", "[100, 50]", "[400]"]
    for name in ("coarse", "fine", "finalists"):
        points, _, _ = marks(axes, name)
        scores = [one for one in candidate_scores(record, name) if one.mean is not None]
        for x, one in zip(points.get_xdata(), scores, strict=True):
            assert one.point is not None
            assert abs(x - one.point[1]) < 0.5


def test_bars_of_finalists_are_standard_errors() -> None:
    """A finalist's bar reaches one standard error over its replicates to both sides, in each."""
    record = several.finished(several.PLANE)
    best = candidate_scores(record, "finalists")[0]
    assert best.mean is not None
    assert best.se is not None
    for axes in scores_over_space(record).axes:
        _, _, (bars,) = marks(axes, "finalists")
        low, high = bars.get_segments()[0][:, 1]
        assert (low, high) == pytest.approx(
            (100 * (best.mean - best.se), 100 * (best.mean + best.se))
        )


def test_the_two_that_matter_most_are_drawn() -> None:
    """The first two by importance, an ordered one across; of two choices the second gives way."""
    record = several.finished()
    assert pair(record, (1, 0, 2)) == (0, 1)
    assert pair(record, (2, 1, 0)) == (1, 2)
    assert pair(record, ()) == (0, 1)
    other = replace_name(several.UNITS, "activation")
    choices = Space(dimensions=(LAMBDA, several.UNITS, other))

    class Two(several.SeveralRecord):
        space = choices  # type: ignore[assignment]  # a property there

    made = Two(**{name: getattr(record, name) for name in record.__dataclass_fields__})
    assert pair(made, (1, 2, 0)) == (0, 1)


def replace_name(dimension: Dimension, name: str) -> Dimension:
    """Return a dimension under another name."""
    return replace(dimension, name=name, symbol=name)


def test_the_contour_has_every_point_that_was_tried() -> None:
    """Complete candidates of each stage, lost ones and the chosen point lie over the colours; the
    figure says that they are a model's, and of how many points."""
    record = several.finished(several.PLANE)
    figure = contour(record, (0, 1))
    assert figure is not None
    axes = figure.axes[0]
    for name in ("coarse", "fine", "finalists"):
        found = marks(axes, name)
        done = {
            trial.point for trial in record.stages[name].trials
            if trial.state is TrialState.COMPLETE
        }  # fmt: skip
        xs, ys = (list(map(float, data)) for data in (found.get_xdata(), found.get_ydata()))
        expected = sorted((10 ** point[0], 10 ** point[1]) for point in done)
        np.testing.assert_allclose(sorted(zip(xs, ys, strict=True)), expected)
    assert len(marks(axes, "failed").get_xdata()) == len(marks(axes, "pruned").get_xdata()) == 1
    (legend,) = figure.legends
    assert "a Gaussian process over these two" in legend.get_title().get_text()
    assert "44 points of coarse and fine" in legend.get_title().get_text()


def test_a_choice_has_a_line_for_each_of_its_values() -> None:
    """Each value's marks are its own candidates, and its line stays between the outermost ones."""
    record = several.finished(CHOICE)
    figure = contour(record, (0, 1))
    assert figure is not None
    axes = figure.axes[0]
    for index, name in enumerate(("[50]", "[100, 50]", "[400]")):
        found = marks(axes, name)
        own = [
            one.point[0] for stage in ("coarse", "fine") for one in candidate_scores(record, stage)
            if one.mean is not None and one.point is not None and one.point[1] == index
        ]  # fmt: skip
        assert sorted(np.log10(found.get_xdata())) == pytest.approx(sorted(own))
        line = [one for one in axes.get_lines() if one.get_label() == "_model"][index]
        drawn = np.isfinite(np.asarray(line.get_ydata(), dtype=float))
        xs = np.log10(np.asarray(line.get_xdata(), dtype=float)[drawn])
        assert min(own) - 1e-9 <= xs.min() < xs.max() <= max(own) + 1e-9


def test_few_points_make_no_contour() -> None:
    """Of five candidates no surface is drawn."""
    record = several.finished(several.PLANE)
    few = replace(record.stages["coarse"], trials=record.stages["coarse"].trials[5:10])
    assert contour(replace(record, stages={"coarse": few}), ()) is None
    assert contour(replace(record, stages={}), ()) is None


def test_importances_are_bars_in_their_order() -> None:
    """The most important dimension is on top, its bars as long as its shares, chance a line."""
    figure = importance_bars(several.finished(), KNOWN)
    assert figure is not None
    rendered(figure)
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["λ", "hidden", "η_max"]
    widths = [[bar.get_width() for bar in bars] for bars in axes.containers]
    assert widths == [pytest.approx([60, 30, 10]), pytest.approx([20, 30, 50])]
    assert marks(axes, "fANOVA: the most").get_xdata()[0] == pytest.approx(20)
    assert importance_bars(several.finished(), Importances(why="too few")) is None


def test_same_record_same_bytes() -> None:
    """The same record gives the same bytes twice."""
    for draw in (scores_over_space, lambda record: contour(record, ())):
        one, two = (rendered(draw(several.finished(several.PLANE)), "svg") for _ in range(2))
        assert one == two


def test_choices_that_are_text_are_no_mathematics() -> None:
    """A choice with dollar signs, or of many values, is drawn as it is."""
    words = ("$x$", "\\broken $", *(f"a choice of many letters {k}" for k in range(30)))
    odd = Dimension(name="hidden", symbol="hidden", about="", scale=Scale.CHOICE, choices=words)

    class Odd(several.SeveralRecord):
        space = Space(dimensions=(LAMBDA, odd))  # type: ignore[assignment]  # a property there

    record = several.finished(CHOICE)
    made = Odd(**{name: getattr(record, name) for name in record.__dataclass_fields__})
    for figure in (scores_over_space(made), contour(made, (0, 1))):
        assert rendered(figure)
    assert rendered(learning_curves(made, "finalists"))

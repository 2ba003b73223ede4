"""The range test's figure, against the numbers that it draws."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from test_figures_pictures import _texts

from lamsearch.figures import rate_range, render
from lamsearch.results import RateRamp, RateRange

FOUND = RateRange(eta_min=0.02, eta_max=0.5, why="a test", diverged_at=0.9)
NOTHING = RateRange(eta_min=None, eta_max=None, why=None, diverged_at=None)


def ramp(replicates: int = 3) -> RateRamp:
    """Return a ramp of 20 points on which the last replicate diverges at the last two."""
    rates = np.linspace(0.05, 1.0, 20)
    loss = np.array([2.5 - rates + 0.01 * k for k in range(replicates)])
    loss[-1, -2:] = (1e20, np.nan)
    return RateRamp(
        low=1e-5, high=1.0, updates=np.arange(1, 21), learning_rate=rates, training_loss=loss,
        validation_loss=loss + 0.05, validation_score=0.1 + 0 * loss + rates / 2,
        untrained_loss=2.5, untrained_score=0.1,
    )  # fmt: skip


def drawn(found: RateRange = FOUND, replicates: int = 3, name: str = "small") -> Figure:
    """Return the figure."""
    return rate_range(ramp(replicates), found, name=name, at="log₁₀ λ = -3")


def rendered(figure: Figure, form: Any) -> bytes:
    """Return the figure's bytes."""
    buffer = io.BytesIO()
    render(figure, buffer, form)
    return buffer.getvalue()


def test_axes_carry_units_and_the_title_says_what_was_trained() -> None:
    """Both panels and the rate have units; the title has the study, λ and how many nets."""
    top, bottom = drawn().axes
    assert top.get_ylabel() == "validation accuracy (%)"
    assert bottom.get_ylabel() == "loss (nats)"
    assert bottom.get_xlabel() == "learning rate η (no unit)"
    title = top.get_title(loc="left")
    assert "small" in title
    assert "mean of 3 models, log₁₀ λ = −3" in title


def test_the_suggestion_is_marked_in_both_panels_and_named_once() -> None:
    """Upright lines stand at eta_min, eta_max and the divergence; the legend has their values."""
    figure = drawn()
    for axes in figure.axes:
        marks = {str(line.get_label()).split(" = ")[0]: line for line in axes.get_lines()}
        for label, rate in (("suggested eta_min", 0.02), ("suggested eta_max", 0.5)):
            assert list(np.asarray(marks[label].get_xdata())) == [rate, rate]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "validation accuracy", "training loss", "validation loss", "suggested eta_min = 0.02",
        "suggested eta_max = 0.5", "first model diverged at 0.9",
    ]  # fmt: skip


def test_without_a_suggestion_the_curves_stand_alone() -> None:
    """Where nothing is suggested nothing is marked."""
    (legend,) = drawn(NOTHING).legends
    assert len(legend.get_texts()) == 3


def test_thick_lines_are_means() -> None:
    """The thick line is the mean over the replicates, in percent, and ends with the first."""
    line = drawn().axes[0].get_lines()[0]
    shown, expected = np.asarray(line.get_ydata()), 100 * ramp().validation_score.mean(axis=0)
    np.testing.assert_allclose(shown, expected)
    assert np.isnan(shown[-1])


def test_a_diverged_loss_does_not_flatten_the_others() -> None:
    """A loss of 1e20 is beyond the panel, which ends a little above the untrained loss."""
    low, high = drawn().axes[1].get_ylim()
    assert 1.3 < low < 1.6
    assert high == pytest.approx(1.12 * 2.5)


@pytest.mark.parametrize("form", ["png", "svg"])
def test_the_same_ramp_gives_the_same_bytes(form: str) -> None:
    """The same ramp gives the same bytes twice; a PNG is 1,440 pixels wide."""
    one, two = rendered(drawn(), form), rendered(drawn(), form)
    assert one == two
    if form == "png":
        assert int.from_bytes(one[16:20], "big") == 1440


def test_texts_do_not_overlap() -> None:
    """No two texts lie on each other or are cut off, with long names and close marks too."""
    close = replace(FOUND, eta_min=0.88, eta_max=0.89)
    for figure in (drawn(), drawn(NOTHING, 1), drawn(close, name="$x$ " + "w" * 90)):
        rendered(figure, "png")
        boxes = [(t.get_text(), t.get_window_extent()) for t in _texts(figure)]
        for i, (text, box) in enumerate(boxes):
            assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1, text
            assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1, text
            for other, second in boxes[i + 1 :]:
                assert not box.padded(-1).overlaps(second.padded(-1)), (text, other)

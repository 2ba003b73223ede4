import io
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import study_records as made
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lamsearch.figures import (
    NARROW,
    candidate_scores,
    drawn_on,
    learning_curves,
    render,
    scores_over_space,
)
from lamsearch.figures.style import INK
from lamsearch.results import STAGES, StageName, StudyRecord, TrialState

RECORDS: dict[str, Callable[[], StudyRecord]] = {
    "finished": made.finished,
    "unfinished": made.unfinished,
    "planned only": made.planned_only,
    "final only": made.final_only,
    "sixty trials": made.many,
    "hostile texts": made.hostile,
    "nothing at all": lambda: made.finished(
        stages={}, settings={}, selected=None, final=None, finished=False
    ),
    "one trial": lambda: made.finished(
        stages={"coarse": made.stage("coarse", [-3.0], interval=(-5.0, -1.0))}, selected=None
    ),
}


def rendered(figure: Figure, form: Any = "png") -> bytes:
    """Return the figure's bytes."""
    buffer = io.BytesIO()
    render(figure, buffer, form)
    return buffer.getvalue()


def drawn(axes: Axes, label: str) -> Any:
    """Return the one artist whose label opens with ``label``; error bars are containers."""
    artists: list[Any] = [*axes.get_lines(), *axes.containers, *axes.patches]
    found = [artist for artist in artists if str(artist.get_label()).startswith(label)]
    assert len(found) == 1, (label, found)
    return found[0]


@cache
def scores_of(name: str) -> Figure:
    """Return the scores of a record, drawn once."""
    return scores_over_space(RECORDS[name]())


@cache
def curves_of(name: str, stage: StageName) -> Figure:
    """Return the learning curves of a record's stage, drawn once."""
    return learning_curves(RECORDS[name](), stage)


@pytest.mark.parametrize("name", RECORDS)
def test_every_record_can_be_drawn(name: str) -> None:
    """Both figures of every record, however partial, are drawn without a warning, in both forms."""
    first = next(iter(RECORDS[name]().stages), "coarse")
    for figure in (scores_of(name), curves_of(name, first)):
        assert rendered(figure, "png")
        assert rendered(figure, "svg")


def test_same_record_same_bytes() -> None:
    """The same record gives the same bytes twice, without a date in them."""
    for draw in (scores_over_space, lambda record: learning_curves(record, "finalists")):
        one, two = draw(made.finished()), draw(made.finished())
        for form in ("png", "svg"):
            content = rendered(one, form)
            assert content == rendered(two, form)
            assert b"<dc:date>" not in content


def test_png_is_twice_a_screens_density() -> None:
    """A PNG is 1,440 pixels wide: 7.5 inches at twice a browser's 96 dots."""
    content = rendered(scores_of("finished"))
    assert int.from_bytes(content[16:20], "big") == 1440


def test_axes_carry_units() -> None:
    """Every axis says its transaction: %, nats, updates, or that there is none."""
    figure = scores_over_space(made.finished())
    for axes in figure.axes:
        assert axes.get_ylabel() == "validation accuracy (%)"
    assert figure.axes[-1].get_xlabel().startswith("log₁₀ λ")
    assert "no unit" in figure.axes[-1].get_xlabel()
    labels = [axes.get_ylabel() for axes in learning_curves(made.finished(), "finalists").axes]
    assert labels == ["accuracy (%)", "loss (nats)", "cost (nats)", "learning rate η\n(no unit)"]
    assert "updates" in learning_curves(made.finished(), "finalists").axes[-1].get_xlabel()


def test_chosen_lambda_is_marked() -> None:
    """The line of the chosen λ stands at its log10 in every panel, its value above the first."""
    record = made.finished()
    assert record.selected is not None
    record = replace(record, selected=replace(record.selected, point=(-2.7,)))
    figure = scores_over_space(record)
    for axes in figure.axes:
        assert list(drawn(axes, "_chosen").get_xdata()) == [-2.7, -2.7]
    (text,) = [t for t in figure.axes[0].texts if "λ" in t.get_text()]
    assert text.get_text() == "chosen: λ = 0.002  (log₁₀ λ = −2.700)"
    assert text.get_position()[0] == -2.7


def test_given_lambda_is_called_given() -> None:
    """Where the study file gave λ the figure says given, not chosen."""
    texts = [t.get_text() for t in scores_over_space(made.final_only()).axes[0].texts]
    assert texts == ["given: λ = 0.01  (log₁₀ λ = −2.000)"]


def test_error_bars_are_standard_errors() -> None:
    """The finalists' bars reach one standard error, counted by hand, to both sides of the mean."""
    record = made.finished()
    axes = scores_over_space(record).axes[0]
    _, _, (bars,) = drawn(axes, "finalists")
    ends = {round(float(s[0][0]), 9): s[:, 1] for s in bars.get_segments()}
    by_candidate: dict[float, list[float]] = {}
    for trial in record.stages["finalists"].trials:
        assert trial.point[0] is not None
        assert trial.score is not None
        by_candidate.setdefault(trial.point[0], []).append(100 * trial.score)
    assert len(ends) == len(by_candidate) == 4
    for x, values in by_candidate.items():
        se = np.std(values, ddof=1) / math.sqrt(len(values))
        expected = [np.mean(values) - se, np.mean(values) + se]
        np.testing.assert_allclose(ends[round(x, 9)], expected, rtol=1e-12)


def test_single_runs_have_binomial_bars() -> None:
    """A coarse candidate's bar is 100·√(p(1 − p)/5000) percent to each side."""
    record = made.finished()
    axes = scores_over_space(record).axes[0]
    _, _, (bars,) = drawn(axes, "coarse")
    best = candidate_scores(record, "coarse")[0]
    assert best.mean is not None
    (low, high) = bars.get_segments()[0][:, 1]
    assert high - low == pytest.approx(
        2 * 100 * math.sqrt(best.mean * (1 - best.mean) / 5000), rel=1e-9
    )


def test_no_bars_without_image_count() -> None:
    """Single runs get no bars where the number of validation images is unknown."""
    record = made.finished(settings={}, selected=None)
    assert drawn(scores_over_space(record).axes[0], "coarse").has_yerr is False


def test_fine_interval_is_shaded() -> None:
    """The shade of fine spans its interval."""
    patch = drawn(scores_over_space(made.finished()).axes[0], "interval")
    assert (patch.get_x(), patch.get_x() + patch.get_width()) == pytest.approx((-3.45, -2.05))


def test_lost_trials_stand_at_the_bottom() -> None:
    """Failed and pruned trials are marked at their λ, at the lower edge whatever the accuracies."""
    record = made.finished()
    axes = scores_over_space(record).axes[0]
    for state, word in ((TrialState.FAIL, "failed"), (TrialState.PRUNED, "pruned")):
        mark = drawn(axes, word)
        (lost,) = [t for t in record.stages["coarse"].trials if t.state is state]
        assert list(mark.get_xdata()) == [lost.point[0]]
        assert list(mark.get_ydata()) == [0.025]
        assert mark.get_transform() == axes.get_xaxis_transform()


def test_all_points_are_inside_the_first_panel() -> None:
    """No mark of any stage and no bar's end lies outside the first panel."""
    for record in (made.finished(), made.many(), made.unfinished()):
        axes = scores_over_space(record).axes[0]
        (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
        for name in record.stages:
            for score in candidate_scores(record, name):
                if score.mean is not None:
                    assert score.point[0] is not None
                    assert score.se is not None
                    assert left < score.point[0] < right
                    assert bottom < 100 * (score.mean - score.se)
                    assert 100 * (score.mean + score.se) < top


def test_more_than_four_candidates_are_said() -> None:
    """Of thirteen candidates the best four are drawn, and the title says so."""
    figure = learning_curves(made.finished(), "coarse")
    assert "the best 4 of 13 λ" in figure.axes[0].get_title(loc="left")
    lines = [x for x in figure.axes[0].get_lines() if x.get_label() == "_validation-accuracy"]
    best = candidate_scores(made.finished(), "coarse")[:4]
    assert len(lines) == 4
    for line, score in zip(lines, best, strict=True):
        (trial,) = score.complete
        assert trial.curve is not None
        np.testing.assert_allclose(
            np.asarray(line.get_ydata(), dtype=float),
            100 * trial.curve.values["validation_accuracy"],
        )


def test_curves_are_means_over_replicates() -> None:
    """A thick line is the mean of its candidate's replicates, accuracies in percent."""
    record = made.finished()
    axes = learning_curves(record, "finalists").axes
    best = candidate_scores(record, "finalists")[0]
    for panel, measure, factor in ((0, "accuracy", 100), (1, "loss", 1), (2, "cost", 1)):
        for split in ("training", "validation"):
            line = next(
                x for x in axes[panel].get_lines() if x.get_label() == f"_{split}-{measure}"
            )
            curves = [
                t.curve.values[f"{split}_{measure}"] for t in best.complete if t.curve is not None
            ]
            np.testing.assert_allclose(
                np.asarray(line.get_ydata(), dtype=float), factor * np.mean(curves, axis=0)
            )


@pytest.mark.parametrize("points", [4, 5, 8, 28, 200])
def test_coinciding_curves_can_be_distinguished(points: int) -> None:
    """Four candidates with the same curve have marks of four shapes, none on another's."""
    record = made.finished()
    stage = record.stages["finalists"]
    same = made.curve(0.5, -2.5, np.random.default_rng(1), points=points)
    trials = tuple(replace(trial, curve=same) for trial in stage.trials)
    figure = learning_curves(
        replace(record, stages={"finalists": replace(stage, trials=trials)}), "finalists"
    )
    lines = [x for x in figure.axes[0].get_lines() if x.get_label() == "_validation-accuracy"]
    assert len({line.get_marker() for line in lines}) == 4
    marked = [set(range(points)[slice(*_marks(line))]) for line in lines]
    assert all(marked)
    assert sum(map(len, marked)) == len(set().union(*marked))


def _marks(line: Any) -> tuple[int, None, int]:
    first, step = line.get_markevery()
    return first, None, step


def test_learning_rate_is_beneath() -> None:
    """The lowest panel draws the learning rate of the curves over the same updates."""
    record = made.finished()
    axes = learning_curves(record, "finalists").axes
    curve = record.stages["finalists"].trials[0].curve
    assert curve is not None
    line = drawn(axes[3], "_rate")
    np.testing.assert_array_equal(line.get_xdata(), curve.updates)
    np.testing.assert_array_equal(line.get_ydata(), curve.learning_rate)
    assert all(panel.get_shared_x_axes().joined(panel, axes[3]) for panel in axes[:3])


def test_the_schedule_is_drawn_with_its_peaks() -> None:
    """Samples miss the peaks of the learning rate; its line reaches η_max in each cycle."""
    record = made.finished()
    curve = record.stages["finalists"].trials[0].curve
    assert curve is not None
    assert curve.learning_rate.max() < 0.0999
    line = drawn(learning_curves(record, "finalists").axes[3], "_schedule")
    rates = dict(zip(line.get_xdata(), line.get_ydata(), strict=True))
    assert [rates[peak] for peak in (1960, 5880, 9800)] == [0.1] * 3
    assert [rates[end] for end in (0, 3920, 7840, 11760)] == pytest.approx([1e-5] * 4)


def test_rates_of_no_schedule_are_joined_as_they_were_sampled() -> None:
    """Where the settings do not give a curve's learning rates there is no line but theirs."""
    record = made.finished()
    stage = record.stages["finalists"]
    trials = tuple(
        replace(one, curve=replace(one.curve, learning_rate=one.curve.learning_rate / 2))
        for one in stage.trials
        if one.curve is not None
    )
    stages = {**record.stages, "finalists": replace(stage, trials=trials)}
    axes = learning_curves(replace(record, stages=stages), "finalists").axes[3]
    assert [one.get_label() for one in axes.get_lines() if one.get_color() == INK] == ["_rate"]
    assert drawn(axes, "_rate").get_linestyle() == "-"


def test_a_figure_for_a_phone_is_half_as_wide() -> None:
    """On the narrow sheet the same panels are 3.75 inches wide, and the chosen λ is named."""
    record = made.finished()
    with drawn_on(NARROW):
        figure = scores_over_space(record)
    assert figure.get_figwidth() == 3.75
    assert scores_over_space(record).get_figwidth() == 7.5
    figure.draw_without_rendering()
    texts = [one for one in figure.axes[0].texts if one.get_text().startswith("chosen")]
    ends = [one.get_window_extent() for one in texts]
    assert len(ends) == 1
    assert 0 <= ends[0].x0 < ends[0].x1 <= figure.bbox.x1


def test_test_curves_only_where_there_are_some() -> None:
    """Test curves are drawn where a study that selects nothing asked for them, else not named."""
    with_test = learning_curves(made.final_only(), "final")
    without = learning_curves(made.finished(), "final")
    for figure, expected in ((with_test, True), (without, False)):
        (legend,) = figure.legends
        assert ("test" in [t.get_text() for t in legend.get_texts()]) is expected


def test_wide_losses_get_a_log_axis() -> None:
    """A loss panel whose values span more than a factor of 30 is logarithmic and says so."""
    record = made.finished()
    trials = list(record.stages["finalists"].trials)
    curve = trials[0].curve
    assert curve is not None
    cost = curve.values["validation_cost"] * np.linspace(1e4, 1, 28)
    huge = replace(curve, values={**curve.values, "validation_cost": cost})
    trials[0] = replace(trials[0], curve=huge)
    stage = replace(record.stages["finalists"], trials=tuple(trials))
    figure = learning_curves(replace(record, stages={"finalists": stage}), "finalists")
    assert [axes.get_yscale() for axes in figure.axes[1:3]] == ["linear", "log"]
    assert figure.axes[2].get_ylabel() == "cost (nats, log scale)"


def test_global_settings_are_left_alone() -> None:
    """Drawing changes none of matplotlib's settings, and theirs do not change the figure."""
    mine = rendered(scores_over_space(made.finished()))
    with mpl.rc_context({"xtick.labelsize": 30.0, "axes.linewidth": 9.0}):
        before = dict(mpl.rcParams)
        assert rendered(scores_over_space(made.finished())) == mine
        assert dict(mpl.rcParams) == before


def test_importing_figures_loads_no_matplotlib() -> None:
    """Importing the rooms loads neither matplotlib nor Jinja2, drawing loads no pyplot."""
    code = (
        "import sys, lamsearch.figures, lamsearch.report\n"
        "assert not {'matplotlib', 'jinja2'} & set(sys.modules)\n"
        "from lamsearch.results import StudyRecord\n"
        "record = StudyRecord(name='a', seed=1, study_fingerprint='', data_fingerprint='',"
        " settings={})\n"
        "lamsearch.figures.scores_over_space(record)\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_texts_from_outside_are_no_mathematics() -> None:
    """A dollar sign in a name is drawn as a dollar sign."""
    figure = scores_over_space(made.finished(name="$x$ $\\broken"))
    assert rendered(figure)


def test_texts_do_not_overlap() -> None:
    """No two texts of a figure lie on each other, and none is cut off by its edge."""
    figures = [scores_of(name) for name in RECORDS]
    figures += [curves_of("finished", stage) for stage in STAGES]
    for figure in figures:
        rendered(figure)
        boxes = [(t.get_text(), t.get_window_extent()) for t in _texts(figure)]
        for i, (text, box) in enumerate(boxes):
            assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1, text
            assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1, text
            for other, second in boxes[i + 1 :]:
                assert not box.padded(-1).overlaps(second.padded(-1)), (text, other)


def _texts(figure: Figure) -> list[Any]:
    """Return the visible texts; matplotlib keeps labels of ticks that lie outside the axes too."""
    from matplotlib.text import Text

    outside = set()
    for axes in figure.axes:
        for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
            for tick in ticks:
                if not low <= tick.get_loc() <= high:
                    outside |= {id(tick.label1), id(tick.label2)}
    found = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip()]
    return [text for text in found if id(text) not in outside]

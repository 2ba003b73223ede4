"""What the model chose by: in the document, on the page and as a figure."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest
import several_records as several
import study_records as made

from lamsearch.figures import decision
from lamsearch.report import document, markdown, page
from lamsearch.results import StudyRecord
from lamsearch.search.choice import winner
from lamsearch.statistics import deciding_curve


@functools.cache
def modelled() -> StudyRecord:
    """A finished study whose finalists were decided by the model."""
    record = made.finished()
    stage = record.stages["finalists"]
    return replace(record, selected=winner(stage, [], examples=5000, rule="model"))


def test_the_model_is_in_the_document() -> None:
    """Its points are the finalists' means, its curve has at the chosen λ the predicted score."""
    found = document(modelled())["selected"]
    points, (curve,) = found["model"]["points"], found["model"]["curves"]
    assert found["model"]["stage"] == "finalists"
    assert found["score"]["kind"] == "predicted"
    stage = modelled().stages["finalists"]
    means = {
        trial.point: np.mean([t.score for t in stage.trials if t.point == trial.point])
        for trial in stage.trials
    }
    assert [one["params"]["log10_lambda"] for one in points] == sorted(x for (x,) in means)
    assert [one["mean"] for one in points] == pytest.approx([means[x] for x in sorted(means)])
    assert all(one["sd"] > 0 for one in points)
    at = {one["value"]: one for one in curve["values"]}
    assert curve["parameter"] == "log10_lambda"
    assert at[found["log10_lambda"]]["mean"] == pytest.approx(found["score"]["mean"], abs=1e-9)
    assert max(one["mean"] for one in at.values()) <= found["score"]["mean"] + 1e-5


def test_other_rules_have_no_model() -> None:
    """A study that chose by measured means has neither a curve nor the key."""
    assert deciding_curve(made.finished()) is None
    assert "model" not in document(made.finished())["selected"]
    assert "The curve that decided" not in page(made.finished(), [])


def test_a_fit_that_cannot_be_repeated_is_not_shown() -> None:
    """Where the curve does not pass through the stored prediction there is none."""
    record = modelled()
    assert record.selected is not None
    assert record.selected.score is not None
    score = replace(record.selected.score, mean=record.selected.score.mean + 0.01)
    assert deciding_curve(replace(record, selected=replace(record.selected, score=score))) is None


def test_the_figure_has_band_points_and_prediction() -> None:
    """Line and band span the finalists; their means and the prediction stand on it with bars."""
    record = modelled()
    found = deciding_curve(record)
    assert found is not None
    (axes,) = decision(record, found).axes
    _, labels = axes.get_legend_handles_labels()
    assert labels == [
        "± 1 standard deviation of the curve", "mean of the process", "chosen",
        "mean of finalists (4)", "prediction at the chosen one, for new seeds",
    ]  # fmt: skip
    (line,) = [one for one in axes.get_lines() if one.get_label() == "mean of the process"]
    assert line.get_xdata()[[0, -1]].tolist() == [-3.3, -2.183]
    assert max(line.get_ydata()) == pytest.approx(100 * max(found.sections[0].mean))


def test_pages_call_it_a_prediction() -> None:
    """Both pages quote the predicted score as one and name the figure of the curve."""
    for text in (page(modelled(), []), markdown(modelled())):
        assert "Predicted validation accuracy" in text
    assert "](figures/model_over_lambda.png)" in markdown(modelled())


def test_several_dimensions_have_a_curve_each() -> None:
    """Each parameter has its own curve through the chosen point, a choice its tried values."""
    record = several.finished(several.FIVE)
    stage = record.stages["finalists"]
    chosen = winner(stage, [], examples=5000, rule="model", space=record.space)
    found = document(replace(record, selected=chosen))["selected"]["model"]["curves"]
    names = [one.name for one in record.space.dimensions]
    assert [one["parameter"] for one in found] == names
    for curve, dimension in zip(found, record.space.dimensions, strict=True):
        if not dimension.ordered:
            assert len(curve["values"]) <= len(dimension.choices)


def test_the_confusion_matrix_is_in_the_document() -> None:
    """It has the classes' names and a row of counts for each true class."""
    found = document(made.finished())["final"]["confusion_matrix"]
    assert found["classes"] == list(made.CLASSES)
    assert found["counts"][3] == [45, 45, 45, 145, *[45] * 6]
    assert document(made.final_only())["final"]["confusion_matrix"] is None


def test_the_final_is_said_not_to_compare() -> None:
    """Beside the finalists' score the final's is said to be of other sizes, seeds and no choice."""
    text = page(made.finished(), [])
    assert "does not compare with the 53.83 % by which the best of finalists was chosen" in text
    assert "it was trained on 49,000 examples instead of 45,000" in text
    assert "it was validated on 1,000 examples instead of 5,000" in text
    assert "does not compare with" not in page(made.unfinished(), [])


def test_the_page_says_when_and_for_how_long() -> None:
    """When a study was planned and how long it took stand below its state, from its record."""
    record = replace(made.finished(), planned_at="2026-01-02T03:04:05+00:00")
    for text in (page(record, []), markdown(record)):
        assert "Planned 2026-01-02 03:04 UTC; finished after 31 min, waiting included" in text

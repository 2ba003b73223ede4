"""Documents and figures by the metric: accuracy keys are of accuracy alone."""

from __future__ import annotations

import pytest
import study_records as made

from lamsearch import report
from lamsearch.metrics import ACCURACY, METRICS, Metric
from lamsearch.results import StudyRecord

TOP = Metric(name="top2", title="top-2 accuracy", per_example=ACCURACY.per_example, factor=100.0,
             unit=" %", digits=2, proportion=True)  # fmt: skip


def by(name: str) -> StudyRecord:
    """Return a finished study with another metric, and no accuracy beside it."""
    METRICS.register("top2", TOP)
    return made.finished(settings={**made.SETTINGS, "metric": name})


@pytest.mark.parametrize("name", ["top2", "balanced_accuracy", "r2"])
def test_accuracy_keys_are_null_for_any_other_metric(name: str) -> None:
    """Of trials, choice and final, though a score be a share in percent; the table's are empty."""
    record = by(name)
    found = report.document(record)
    trials = [one for stage in found["stages"] for one in stage["trials"]]
    assert {one["validation_accuracy"] for one in trials} == {None}
    assert {one["train_accuracy"] for one in trials} == {None}
    assert any(one["score"] is not None for one in trials)
    assert found["selected"]["validation_accuracy"] is None
    assert found["selected"]["score"] is not None
    final = found["final"]
    assert final["test_accuracy"] is final["accuracies"] is final["ensemble_test_accuracy"] is None
    header, *rows = [line.split(",") for line in report.trials_csv(record).splitlines()]
    at = header.index("validation_accuracy")
    assert {row[at] for row in rows} == {""}


def test_accuracy_keys_are_filled_for_accuracy() -> None:
    """As ever."""
    found = report.document(made.finished())
    assert found["selected"]["validation_accuracy"] == found["selected"]["score"]
    assert found["final"]["test_accuracy"] == found["final"]["test_score"]

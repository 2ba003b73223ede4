"""Test accuracy beside another metric, in every form of a report."""

from __future__ import annotations

from dataclasses import replace

import study_records as made
from test_report_snapshots import FOUND

from lamsearch import report
from lamsearch.results import ScoreBeside, StudyRecord

BESIDE = ScoreBeside(
    mean=0.5274, sd=0.0031, n=5, interval95=(0.5172, 0.5376), ensemble=0.5452,
    scores=(0.5241, 0.5309, 0.5262, 0.5300, 0.5258),
)  # fmt: skip
OF_SNAPSHOTS = replace(BESIDE, mean=0.5402, ensemble=0.5521)


def by_loss(beside: ScoreBeside | None = BESIDE, *, snapshots: bool = False) -> StudyRecord:
    """Return a finished study that chose by log loss, with its accuracy beside it or without."""
    whole = made.finished(settings={**made.SETTINGS, "metric": "log_loss"})
    assert whole.final is not None
    final = replace(whole.final, mean=-1.35, sd=0.01, interval95=(-1.37, -1.33), ensemble=-1.29,
                    scores=(-1.35,) * 5, beside=beside)  # fmt: skip
    found = replace(FOUND, mean=-1.31, ensemble=-1.27, beside=OF_SNAPSHOTS)
    return replace(whole, final=replace(final, snapshots=found if snapshots else None))


def test_the_document_has_numbers_under_the_keys_of_accuracy() -> None:
    """The accuracy keys of the final and its snapshots are of accuracy, `scores` of the metric."""
    found = report.document(by_loss(snapshots=True))["final"]
    assert found["test_accuracy"] == {
        "mean": 0.5274, "sd": 0.0031, "n": 5, "interval95": [0.5172, 0.5376],
    }  # fmt: skip
    assert (found["ensemble_test_accuracy"], found["ensemble_test_score"]) == (0.5452, -1.29)
    assert found["accuracies"] == [0.5241, 0.5309, 0.5262, 0.5300, 0.5258]
    assert found["test_score"]["mean"] == found["scores"][0] == -1.35
    snapshots = found["snapshots"]
    assert snapshots["test_score"]["mean"] == -1.31
    assert snapshots["test_accuracy"]["mean"] == 0.5402
    assert snapshots["ensemble_test_accuracy"] == 0.5521


def test_a_final_of_an_earlier_version_has_null_and_no_line() -> None:
    """Where accuracy was not evaluated, its keys are null and the answer does not speak of it."""
    record = by_loss(None)
    found = report.document(record)["final"]
    assert found["test_accuracy"] is found["accuracies"] is found["ensemble_test_accuracy"] is None
    assert "Test accuracy" not in report.summary(record)


def test_every_form_has_the_accuracy_below_the_loss() -> None:
    """Terminal, Markdown and page have it after the log loss, and say that nothing was chosen by
    it; so has the ensemble's."""
    record = by_loss(snapshots=True)
    said = " ".join(report.summary(record).split())
    for line in (
        "Test log loss, mean of single models: 1.3500 nats",
        "Test accuracy, mean of single models: 52.74 % (95 % interval 51.72 to 53.76 %; evaluated "
        "beside the log loss; nothing was chosen by it)",
        "Test accuracy of the ensemble of 5: 54.52 % (evaluated beside the log loss; nothing was",
        "Test accuracy of one training's snapshots (2 cycle ends), mean over 5: 54.02 %",
        "Test accuracy of the ensemble of 5 × 2: 55.21 %",
    ):
        assert line in said
    for text in (said, report.markdown(record), report.page(record, [])):
        assert 0 < text.index("Test log loss") < text.index("Test accuracy") < text.index("52.74 %")
        assert "nothing was chosen by it" in text

"""Means over cycle ends in every form of a report, apart from the ensemble over replicates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import study_records as made

from lamsearch import report
from lamsearch.errors import OutputError
from lamsearch.report.directory import report_files
from lamsearch.results import SnapshotScore, StudyRecord

FOUND = SnapshotScore(
    updates=(7840, 11760), replicates=(0, 1, 2, 3, 4), mean=0.5402, sd=0.0028, n=5,
    interval95=(0.5301, 0.5503), gain=0.0128, gain_interval95=(0.0071, 0.0185), ensemble=0.5521,
    scores=(0.5371, 0.5429, 0.5392, 0.5423, 0.5395), members=(0.5101, 0.5274),
)  # fmt: skip


def with_snapshots(found: SnapshotScore = FOUND) -> StudyRecord:
    """Return a finished study whose final has snapshots."""
    whole = made.finished()
    assert whole.final is not None
    return replace(whole, final=replace(whole.final, snapshots=found))


def test_the_document_tells_them_apart() -> None:
    """`final.snapshots` has the scores over cycle ends, null without; nothing else is moved."""
    plain, found = report.document(made.finished()), report.document(with_snapshots())
    assert plain["final"].pop("snapshots") is None
    score = {"mean": 0.5402, "sd": 0.0028, "n": 5, "interval95": [0.5301, 0.5503]}
    assert found["final"].pop("snapshots") == {
        "updates": [7840, 11760], "replicates": [0, 1, 2, 3, 4],
        "test_score": score, "test_accuracy": score,
        "ensemble_test_score": 0.5521, "ensemble_test_accuracy": 0.5521,
        "scores": [0.5371, 0.5429, 0.5392, 0.5423, 0.5395], "members": [0.5101, 0.5274],
        "gain": {"mean": 0.0128, "interval95": [0.0071, 0.0185]},
    }  # fmt: skip
    assert found["final"] == plain["final"]


ROWS = (
    ("single models, mean of 5", "52.74 %", "51.72 to 53.76 %", "–", "1", "1"),
    ("snapshots of one, mean of 5", "54.02 %", "53.01 to 55.03 %",
     "+1.28 (+0.71 to +1.85)", "1", "2"),
    ("ensemble of 5", "54.52 %", "–", "–", "5", "5"),
    ("ensemble of 5 × 2", "55.21 %", "–", "–", "5", "10"),
)  # fmt: skip


def test_every_way_of_averaging_is_a_row_with_its_price() -> None:
    """Markdown and page have a row each for one model, one training's snapshots, both ensembles."""
    text, page = report.markdown(with_snapshots()), report.page(with_snapshots(), [])
    for row in ROWS:
        assert f"| {' | '.join(row)} |" in text
        for cell in row:
            assert cell.replace("'", "&#39;") in page
    assert "at updates 7,840 and 11,760" in text
    assert "| 7,840 | 51.01 % |" in text


def test_the_answer_says_what_each_number_is_of() -> None:
    """A terminal's summary names all four numbers; without snapshots it is as before."""
    said = " ".join(report.summary(with_snapshots()).split())
    for line in (
        "Test accuracy, mean of single models: 52.74 %",
        "Test accuracy of the ensemble of 5: 54.52 %",
        "Test accuracy of one training's snapshots (2 cycle ends), mean over 5: 54.02 %",
        "1.28 points better than its last model alone (paired; gain +0.71 to +1.85)",
        "Test accuracy of the ensemble of 5 × 2: 55.21 %",
    ):
        assert line in said
    plain = report.summary(made.finished())
    assert "snapshot" not in plain
    assert "Test accuracy: 52.74 %" in plain


def test_one_replicate_has_no_interval_of_the_gain() -> None:
    """The snapshots of a single training have no ensemble over replicates, and no gain's error."""
    alone = replace(FOUND, replicates=(0,), n=1, scores=(0.54,), gain=-0.0128, gain_interval95=None)
    whole = made.finished()
    assert whole.final is not None
    record = replace(whole, final=replace(whole.final, n=1, scores=(0.52,), snapshots=alone))
    said = " ".join(report.summary(record).split())
    assert "snapshots (2 cycle ends): 54.02 %" in said
    assert "1.28 points worse than its last model alone; 1 replicate shows no noise" in said
    assert "ensemble" not in said
    assert report.document(record)["final"]["snapshots"]["gain"]["interval95"] is None


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("name", "ours"),
    [("final-0-cycle-2", True), ("final-12-cycle-10", True), ("final-0-cycle-x", False),
     ("final-0-cycle-", False), ("best-cycle-2", False)],
)  # fmt: skip
def test_snapshots_are_files_of_a_report(tmp_path: Path, name: str, ours: bool) -> None:
    """A report's directory may hold snapshots, which the next report takes away."""
    models = {"final-0.safetensors": b"last", "final-0-cycle-2.safetensors": b"earlier"}
    report.write(with_snapshots(), tmp_path, models)
    assert (tmp_path / "models/final-0-cycle-2.safetensors").read_bytes() == b"earlier"
    report.write(made.finished(), tmp_path, {"final-0.safetensors": b"last"})
    assert [one.name for one in (tmp_path / "models").iterdir()] == ["final-0.safetensors"]
    (tmp_path / f"models/{name}.safetensors").write_bytes(b"")
    if ours:
        assert f"models/{name}.safetensors" in report_files(tmp_path)
    else:
        with pytest.raises(OutputError, match="was not written by lamsearch"):
            report_files(tmp_path)

"""TensorBoard's event files, read back by TensorBoard itself."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

from lamsearch.errors import InputError, OutputError
from lamsearch.exports import EXPORTERS, Export
from lamsearch.results import StudyRecord

Exporting = Callable[..., Export]


def read(path: Path) -> EventAccumulator:
    """Return what TensorBoard finds in a run's directory."""
    found = EventAccumulator(str(path), size_guidance={"scalars": 0})
    found.Reload()
    return found


def send(export: Export, target: Path) -> str:
    """Export as the command line does."""
    exporter = EXPORTERS.get("tensorboard")
    exporter.check(str(target), export.record.name)
    return exporter.send(export, str(target))


def test_curves_are_read_back_over_updates(
    export: Exporting, record: StudyRecord, tmp_path: Path
) -> None:
    """Each kept curve of a trial is a scalar of its run, its steps the updates."""
    line = send(export(), tmp_path / "runs")
    trials = [one for stage in record.stages.values() for one in stage.trials]
    assert line == f"{len(trials) + 1} runs in {tmp_path / 'runs' / 'small'}"
    trial = record.stages["coarse"].trials[2]
    found = read(tmp_path / "runs" / "small" / "coarse-2-0")
    assert trial.curve is not None
    for name, values in trial.curve.values.items():
        points = found.Scalars(name)
        assert [one.step for one in points] == trial.curve.updates.tolist()
        np.testing.assert_array_equal([one.value for one in points], values.astype(np.float32))
    (score,) = found.Scalars("score")
    assert (score.step, np.float32(trial.score)) == (trial.curve.updates[-1], score.value)


def test_the_parameters_stand_on_the_page_of_hyperparameters(
    export: Exporting, record: StudyRecord, tmp_path: Path
) -> None:
    """A run's session has λ, its logarithm and weight_decay = 2λ as the plugin reads it."""
    send(export(), tmp_path)
    point = record.stages["fine"].trials[0].point
    assert point is not None
    events = read(tmp_path / "small" / "fine-0-0").SummaryMetadata("_hparams_/session_start_info")
    found = metadata.parse_session_start_info_plugin_data(events.plugin_data.content).hparams
    assert found["log10_lambda"].number_value == point[0]
    assert found["lambda"].number_value == 10.0 ** point[0]
    assert found["weight_decay"].number_value == 2 * 10.0 ** point[0]
    assert found["stage"].string_value == "fine"


def test_the_study_has_a_run_of_its_own(
    export: Exporting, record: StudyRecord, tmp_path: Path
) -> None:
    """Its run has the test score and the tags."""
    send(export(), tmp_path)
    found = read(tmp_path / "small" / "small")
    assert record.final is not None
    assert found.Scalars("test_score")[0].value == np.float32(record.final.mean)
    (text,) = found.Tensors("lamsearch/text_summary")
    assert record.study_fingerprint.encode() in text.tensor_proto.string_val[0]


def test_a_trial_that_failed_says_why(export: Exporting, tmp_path: Path) -> None:
    """Its run has no score, and its reason as one cell of the table of tags."""
    send(export(), tmp_path)
    found = read(tmp_path / "small" / "fine-3-0")
    assert found.Tags()["scalars"] == ["updates"]
    (text,) = found.Tensors("lamsearch/text_summary")
    assert b"| lamsearch.reason | cost is / not\\nfinite |" in text.tensor_proto.string_val[0]


def test_exporting_again_takes_the_place_of_the_first(
    export: Exporting, halfway: StudyRecord, tmp_path: Path
) -> None:
    """After a second export every run is there once, with one file, and those to come are."""
    send(export(halfway), tmp_path)
    before = sorted(one.name for one in (tmp_path / "small").iterdir())
    assert "final-0-0" not in before
    send(export(), tmp_path)
    send(export(), tmp_path)
    runs = sorted((tmp_path / "small").iterdir())
    assert {one.name for one in runs} > set(before)
    assert [len(list(one.iterdir())) for one in runs] == [1] * len(runs)
    assert len(read(runs[0]).Scalars("score")) == 1
    assert sorted(one.name for one in tmp_path.iterdir()) == ["report", "small"]


def test_what_others_wrote_stays(export: Exporting, tmp_path: Path) -> None:
    """A directory with another program's files in it is refused, and nothing is changed."""
    mine = tmp_path / "small" / "mine" / "events.out.tfevents.1.host"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    with pytest.raises(OutputError, match="hold nothing but an earlier export, got mine"):
        send(export(), tmp_path)
    assert mine.read_bytes() == b"mine"
    assert [one.name for one in (tmp_path / "small").iterdir()] == ["mine"]


def test_a_link_is_not_followed(export: Exporting, tmp_path: Path) -> None:
    """A link where the study's directory would be is refused."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "small").symlink_to("elsewhere")
    with pytest.raises(OutputError, match="not a link"):
        send(export(), tmp_path)


def test_a_missing_package_is_said(
    export: Exporting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the extra the sentence says how to install it, before anything is written."""
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(InputError, match=r"pip install 'lamsearch\[tensorboard\]'"):
        send(export(), tmp_path / "runs")
    assert not (tmp_path / "runs").exists()

"""W&B's offline runs, read back from their .wandb files."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import wandb_log

from lamsearch.errors import InputError, OutputError
from lamsearch.exports import EXPORTERS, Export
from lamsearch.results import StudyRecord

Exporting = Callable[..., Export]
pytestmark = pytest.mark.filterwarnings("ignore")  # W&B's own


@dataclass
class Told:
    """What a .wandb file says of its run."""

    run: Any = None
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    code: int | None = None


@pytest.fixture(autouse=True)
def _unseen(
    calls_out: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[None]:
    """Give W&B an account in its environment, and a home; nothing may call out all the same."""
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    yield
    assert calls_out == []
    assert os.environ["WANDB_MODE"] == "online"


def send(export: Export, target: Path) -> str:
    """Export as the command line does."""
    exporter = EXPORTERS.get("wandb")
    exporter.check(str(target), export.record.name)
    return exporter.send(export, str(target))


def read(directory: Path) -> dict[str, Told]:
    """Return all runs in a directory by name, each of which is there once."""
    found: dict[str, Told] = {}
    for path in sorted((directory / "wandb").glob("offline-run-*/run-*.wandb")):
        one = Told()
        for record in wandb_log.records(path):
            kind = record.WhichOneof("record_type")
            if kind == "run" and one.run is None:
                one.run, one.config = record.run, wandb_log.told(record.run.config.update)
            elif kind == "history":
                one.history.append(wandb_log.told(record.history.item))
            elif kind == "summary":
                one.summary |= wandb_log.told(record.summary.update)
            elif kind == "files":
                one.files += [file.path for file in record.files.files]
            elif kind == "exit":
                one.code = record.exit.exit_code
        assert one.run.display_name not in found
        found[one.run.display_name] = one
    return found


def test_a_trial_is_a_run_with_its_curve(
    export: Exporting, record: StudyRecord, tmp_path: Path
) -> None:
    """Its config has λ in three forms and tags, its history the curve by updates."""
    line = send(export(), tmp_path)
    assert line == f"12 of 12 runs are new in {tmp_path / 'wandb'}"
    trial, run = record.stages["fine"].trials[1], read(tmp_path)["fine 1/0"]
    assert trial.point is not None
    assert trial.curve is not None
    assert run.config["log10_lambda"] == trial.point[0]
    assert run.config["weight_decay"] == 2 * run.config["lambda"]
    assert run.config["lamsearch.seed"] == "7"
    assert run.config["lamsearch.fingerprint"] == record.study_fingerprint
    assert (run.run.project, run.run.run_group, run.run.job_type) == ("small", "fine", "trial")
    assert [one["_step"] for one in run.history] == trial.curve.updates.tolist()
    losses = [one["training_loss"] for one in run.history]
    assert losses == trial.curve.values["training_loss"].tolist()
    assert run.summary["score"] == trial.score
    assert run.code == 0
    failed = read(tmp_path)["fine 3/0"]
    assert (failed.code, failed.history) == (1, [])
    assert failed.config["lamsearch.reason"] == "cost is | not\nfinite"


def test_the_studys_run_has_the_choice_the_test_and_the_report(
    export: Exporting, record: StudyRecord, tmp_path: Path
) -> None:
    """Its files, which W&B uploads when it is synchronised, are the page and the models."""
    send(export(), tmp_path)
    run = read(tmp_path)["small"]
    assert record.selected is not None
    assert record.final is not None
    assert run.config["log10_lambda"] == record.selected.point[0]
    assert run.config["training.batch_size"] == 20
    assert run.summary["test_score"] == record.final.mean
    assert {"report/index.html", "report/models/final-0.safetensors"} <= set(run.files)
    (there,) = (tmp_path / "wandb").glob(f"*{run.run.run_id}/files/report/models/*.safetensors")
    assert there.read_bytes() == b"a model"


def test_exporting_again_replaces_what_has_changed_and_repeats_nothing(
    export: Exporting, halfway: StudyRecord, record: StudyRecord, tmp_path: Path
) -> None:
    """The study's run is replaced under its id, trials stay, and those that ended since are new."""
    assert send(export(halfway), tmp_path).startswith("10 of 10 runs are new")
    first = read(tmp_path)
    assert "test_score" not in first["small"].summary
    kept = {one.name for one in (tmp_path / "wandb").glob("offline-run-*")}
    assert send(export(), tmp_path).startswith("3 of 12 runs are new")
    assert send(export(), tmp_path).startswith("0 of 12 runs are new")
    second = read(tmp_path)
    assert second["small"].run.run_id == first["small"].run.run_id
    assert "test_score" in second["small"].summary
    now = {one.name for one in (tmp_path / "wandb").glob("offline-run-*")}
    trials = {one for one in now & kept if not one.endswith(second["small"].run.run_id)}
    assert (len(trials), len(now)) == (9, 12)


def test_nothing_is_written_elsewhere(export: Exporting, tmp_path: Path) -> None:
    """Neither the user's home nor their settings are touched; no list of packages is kept."""
    send(export(), tmp_path / "runs")
    assert not (tmp_path / "home").exists()
    assert list(tmp_path.rglob("requirements.txt")) == []
    assert list(tmp_path.rglob("wandb-metadata.json")) == []


def test_what_is_no_directory_is_said(export: Exporting, tmp_path: Path) -> None:
    """A file where the directory should be is refused."""
    (tmp_path / "runs").write_bytes(b"")
    with pytest.raises(OutputError, match="wandb: must be a directory"):
        send(export(), tmp_path / "runs")


def test_a_missing_package_is_said(
    export: Exporting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the extra the sentence says how to install it, before anything is written."""
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(InputError, match=r"pip install 'lamsearch\[wandb\]'"):
        send(export(), tmp_path / "runs")
    assert not (tmp_path / "runs").exists()

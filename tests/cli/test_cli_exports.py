"""Options of report and run that give a study to other programs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime
import pytest

from lamsearch.exports import EXPORTERS, Export

Refused = Callable[..., list[str]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Export, list[str]]]:
    """Stand in for the exporter of MLflow; return what it was sent."""
    found: list[tuple[str, Export, list[str]]] = []

    class Recording:
        takes_report = True

        def check(self, target: str, study: str) -> None:
            """Take any."""

        def send(self, export: Export, target: str) -> str:
            assert export.report is not None
            files = [str(one.relative_to(export.report)) for one in export.report.rglob("*")]
            found.append((target, export, files))
            return "done"

    monkeypatch.setitem(EXPORTERS.here, "mlflow", Recording())
    return found


def test_report_writes_onnx_models_beside_the_others(done_desk: Any, tmp_path: Path) -> None:
    """With --onnx each replicate's model and the ensemble are there, and go without it."""
    output = tmp_path / "report"
    done_desk.well("report", "small", "--onnx", "--output", output)
    names = sorted(one.name for one in (output / "models").glob("*.onnx"))
    assert names == ["ensemble.onnx", "final-0.onnx", "final-1.onnx"]
    session = onnxruntime.InferenceSession((output / "models" / "ensemble.onnx").read_bytes())
    known = session.get_modelmeta().custom_metadata_map
    assert json.loads(known["classes"]) == [str(one) for one in range(10)]
    document = json.loads((output / "results.json").read_bytes())
    assert json.loads(known["lambda"]) == document["selected"]["lambda"]
    done_desk.well("report", "small", "--output", output)
    assert list((output / "models").glob("*.onnx")) == []


def test_onnx_of_a_study_without_models_is_refused(desk: Any, refused: Refused) -> None:
    """Before its final is over a study has nothing to export, and nothing is written."""
    desk.well("create", desk.write())
    before = desk.listing()
    (line,) = refused(desk("report", "small", "--onnx", "--storage", desk.url))
    assert line == "onnx: must be of models, which a study has when its final is over"
    assert desk.listing() == before


def test_a_report_goes_to_a_tracker_whole(done_desk: Any, sent: list[Any], tmp_path: Path) -> None:
    """What is exported is the study and its report as written, said on standard error."""
    result = done_desk.well(
        "report", "small", "--mlflow", "sqlite:///x", "--output", tmp_path / "r"
    )
    ((target, export, files),) = sent
    assert (target, export.record.name, export.report) == ("sqlite:///x", "small", tmp_path / "r")
    assert {"index.html", "results.json", "models/final-0.safetensors"} <= set(files)
    assert result.stderr.splitlines()[-1] == "mlflow: done"


def test_a_document_alone_is_exported_with_a_report_too(done_desk: Any, sent: list[Any]) -> None:
    """With --json and no --output the report goes to the tracker and stays nowhere."""
    before = done_desk.listing()
    result = done_desk.well("report", "small", "--json", "--mlflow", "sqlite:///x")
    assert json.loads(result.stdout)["study"] == "small"
    ((_, export, files),) = sent
    assert "index.html" in files
    assert not export.report.exists()
    assert done_desk.listing() == before


@pytest.mark.parametrize("verb", ["report", "run"])
@pytest.mark.parametrize(
    ("option", "package"),
    [("--onnx", "onnx"), ("--mlflow", "mlflow"), ("--wandb-offline", "wandb"),
     ("--tensorboard", "tensorboardX")],
)  # fmt: skip
def test_a_missing_extra_is_said_before_anything_is_done(
    desk: Any,
    refused: Refused,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
    option: str,
    package: str,
) -> None:
    """The sentence holds the command that installs it, and no file is there that was not before."""
    study, before = desk.write(), desk.listing()
    monkeypatch.setitem(sys.modules, package, None)
    target = [] if option == "--onnx" else ["there"]
    named = study if verb == "run" else "small"
    (line,) = refused(desk(verb, named, option, *target, "--storage", desk.url))
    extra = package.removesuffix("X")
    assert line == (
        f"{extra}: needs {package}, which is not installed: pip install 'lamsearch[{extra}]'"
    )
    assert desk.listing() == before


def test_onnx_needs_a_place(done_desk: Any) -> None:
    """With --json alone there is no report for the models to be in."""
    result = done_desk("report", "small", "--json", "--onnx", "--storage", done_desk.url)
    assert result.exit_code == 2
    assert "--onnx writes into the report" in result.stderr


def test_help_loads_no_exporter(tmp_path: Path) -> None:
    """The help of report names the options and loads neither exporters nor their libraries."""
    code = (
        "import sys; from lamsearch.cli import cli\n"
        "try: cli(['report', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'lamsearch.exports', 'onnx', 'mlflow', 'wandb', 'tensorboardX'}\n"
        "sys.exit(','.join(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.stderr.strip() == ""
    for option in ("--onnx", "--mlflow URI", "--wandb-offline DIR", "--tensorboard DIR"):
        assert option in result.stdout

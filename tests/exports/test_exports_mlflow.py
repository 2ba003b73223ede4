"""MLflow's runs, read back by MLflow's client."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lamsearch.errors import FilesError, InputError
from lamsearch.exports import EXPORTERS, Export
from lamsearch.results import StudyRecord

Exporting = Callable[..., Export]
pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return an MLflow database without experiments: to make one takes MLflow seconds."""
    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow.tracking import MlflowClient

        MlflowClient(tracking_uri=f"sqlite:///{file}")
    return file.read_bytes()


@pytest.fixture
def uri(
    empty: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls_out: list[str]
) -> Iterator[str]:
    """Return the URI of a database of MLflow's in the working directory; nothing is called."""
    for name in ("DISABLE_TELEMETRY", "HTTP_REQUEST_MAX_RETRIES", "HTTP_REQUEST_TIMEOUT"):
        monkeypatch.delenv(f"MLFLOW_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mlflow.db").write_bytes(empty)
    yield f"sqlite:///{tmp_path / 'mlflow.db'}"
    assert calls_out == []


def send(export: Export, uri: str) -> str:
    """Export as the command line does."""
    exporter = EXPORTERS.get("mlflow")
    exporter.check(uri, export.record.name)
    return exporter.send(export, uri)


def runs_of(uri: str) -> tuple[Any, dict[str, Any]]:
    """Return MLflow's client, and the experiment's runs by name, each of which is there once."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    found = client.search_runs([client.get_experiment_by_name("small").experiment_id])
    by_name = {run.info.run_name: run for run in found}
    assert len(by_name) == len(found)
    return client, by_name


def test_trials_are_runs_nested_in_that_of_the_study(
    export: Exporting, record: StudyRecord, uri: str
) -> None:
    """A trial's run has λ in three forms, tags, its curves by update, and the study's as parent."""
    line = send(export(), uri)
    client, runs = runs_of(uri)
    trials = [one for stage in record.stages.values() for one in stage.trials]
    there = f"experiment small at {uri}"
    assert line == f"{len(trials)} of {len(trials)} runs of trials are new in {there}"
    assert len(runs) == len(trials) + 1
    trial, run = record.stages["fine"].trials[1], runs["fine 1/0"]
    assert trial.point is not None
    assert trial.curve is not None
    assert float(run.data.params["log10_lambda"]) == trial.point[0]
    assert float(run.data.params["weight_decay"]) == 2 * float(run.data.params["lambda"])
    assert run.data.tags["mlflow.parentRunId"] == runs["small"].info.run_id
    assert run.data.tags["lamsearch.stage"] == "fine"
    assert run.data.tags["lamsearch.seed"] == "7"
    assert run.data.tags["lamsearch.fingerprint"] == record.study_fingerprint
    assert run.info.status == "FINISHED"
    assert run.data.metrics["score"] == trial.score
    history = client.get_metric_history(run.info.run_id, "training_loss")
    assert [one.step for one in history] == trial.curve.updates.tolist()
    failed = runs["fine 3/0"]
    assert (failed.info.status, failed.data.metrics) == ("FAILED", {"updates": 12.0})
    assert failed.data.tags["lamsearch.reason"] == "cost is | not\nfinite"
    assert [one.value for one in history] == trial.curve.values["training_loss"].tolist()


def test_the_studys_run_has_the_choice_the_test_and_the_report(
    export: Exporting, record: StudyRecord, uri: str
) -> None:
    """Its parameters are the settings and the chosen λ, its artifacts the page and the models."""
    send(export(), uri)
    client, runs = runs_of(uri)
    run = runs["small"]
    assert record.selected is not None
    assert record.final is not None
    assert float(run.data.params["log10_lambda"]) == record.selected.point[0]
    assert run.data.params["training.batch_size"] == "20"
    assert run.data.metrics["test_score"] == record.final.mean
    assert run.info.status == "FINISHED"
    paths = [one.path for one in client.list_artifacts(run.info.run_id, "report")]
    assert paths == ["report/index.html", "report/models"]
    (models,) = client.list_artifacts(run.info.run_id, "report/models")
    assert models.path == "report/models/final-0.safetensors"


def test_exporting_again_brings_up_to_date_and_repeats_nothing(
    export: Exporting, halfway: StudyRecord, record: StudyRecord, uri: str
) -> None:
    """Runs keep their ids, those that ended since are added, and no number is there twice."""
    send(export(halfway), uri)
    _, first = runs_of(uri)
    assert first["small"].info.status == "RUNNING"
    assert "log10_lambda" not in first["small"].data.params
    assert send(export(), uri).startswith("2 of 11 runs of trials are new")
    assert send(export(), uri).startswith("0 of 11 runs of trials are new")
    client, second = runs_of(uri)
    assert {name: run.info.run_id for name, run in second.items() if name in first} == {
        name: run.info.run_id for name, run in first.items()
    }
    assert set(second) - set(first) == {"final 0/0", "final 0/1"}
    for name, metric in (("small", "test_score"), ("final 0/0", "score")):
        assert len(client.get_metric_history(second[name].info.run_id, metric)) == 1
    assert second["small"].data.tags["lamsearch.state"] == "done"


def test_a_run_that_was_begun_is_made_anew(export: Exporting, uri: str) -> None:
    """A trial's run without the tag of its end, as a killed export leaves one, is replaced."""
    send(export(), uri)
    client, first = runs_of(uri)
    client.delete_tag(first["coarse 0/0"].info.run_id, "lamsearch.digest")
    assert send(export(), uri).startswith("1 of 11 runs of trials are new")
    _, second = runs_of(uri)
    assert second["coarse 0/0"].info.run_id != first["coarse 0/0"].info.run_id
    assert second.keys() == first.keys()


def test_what_is_no_uri_is_said(export: Exporting, uri: str) -> None:
    """A path is refused with what must be given instead."""
    with pytest.raises(InputError, match="must be a server or a database, such as sqlite:///"):
        send(export(), "mlruns")


@pytest.mark.parametrize("scheme", ["http", "postgresql"])
def test_a_server_that_is_not_there_is_said(export: Exporting, uri: str, scheme: str) -> None:
    """It is refused at once, before anything is written, and its password is not said."""
    with pytest.raises(InputError, match=r"cannot be used: .*refused") as caught:
        send(export(), f"{scheme}://ann:s3cret-word@127.0.0.1:9/x")
    assert "s3cret" not in str(caught.value)
    assert "***@127.0.0.1:9/x" in str(caught.value)


def test_what_a_library_says_has_no_password(export: Exporting, uri: str) -> None:
    """A store that MLflow does not know is said in its words, without what the URI holds."""
    with pytest.raises(FilesError, match="unavailable") as caught:
        EXPORTERS.get("mlflow").send(export(), "nothing://ann:s3cret-word@127.0.0.1:9/x")
    assert "s3cret" not in str(caught.value)


def test_a_missing_package_is_said(
    export: Exporting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the extra the sentence says how to install it, before anything is written."""
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(InputError, match=r"pip install 'lamsearch\[mlflow\]'"):
        send(export(), f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert not (tmp_path / "mlflow.db").exists()

"""What lamsearch relies on in Optuna's dashboard: each fails where a new version changes that."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path
from typing import Any

import optuna
import optuna_dashboard
import pytest
from optuna.artifacts import FileSystemArtifactStore, upload_artifact
from optuna_dashboard import _app, _bottle_util, _custom_plot_data, _note

from lamsearch.storage import dashboard_bridge


def says(what: str) -> str:
    """What a canary says."""
    version = optuna_dashboard.__version__
    return f"optuna-dashboard {version} has changed {what}: see {dashboard_bridge.__name__}"


@pytest.fixture
def study() -> optuna.Study:
    """A study with one trial, in memory."""
    study = optuna.create_study()
    study.add_trial(optuna.trial.create_trial(value=0.5))
    return study


def attributes(study: optuna.Study) -> dict[str, Any]:
    """Return a study's system attributes."""
    return study._storage.get_study_system_attrs(study._study_id)


def get(application: Any, path: str) -> tuple[str, bytes]:
    """Ask an application for a page."""
    status: list[str] = []
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": "", "SERVER_NAME": "local",
        "SERVER_PORT": "80", "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(),
        "wsgi.url_scheme": "http", "HTTP_ACCEPT_ENCODING": "",
    }  # fmt: skip
    body = application(environ, lambda line, *_: status.append(line))
    return status[0], b"".join(body)


def test_a_note_stands_where_the_dashboard_writes_one(study: optuna.Study) -> None:
    """A short note has the two attributes that ours has, and is read from them."""
    optuna_dashboard.save_note(study, "words")
    found = attributes(study)
    assert found[dashboard_bridge.NOTE] == "words", says("where a note stands")
    assert set(found) == {dashboard_bridge.NOTE, dashboard_bridge.NOTE_VERSION}, says("a note")
    ours = {dashboard_bridge.NOTE: "ours", dashboard_bridge.NOTE_VERSION: 0}
    note = _note.get_note_from_system_attrs(ours, None)
    assert note == {"body": "ours", "version": 0}, says("how a note is read")


def test_a_figure_stands_where_the_dashboard_reads_one() -> None:
    """A figure in one piece, under our key, is read under its HTML id."""
    key = dashboard_bridge.figure_key("name")
    assert key.startswith(dashboard_bridge.FIGURES)
    found = _custom_plot_data.get_plotly_graph_objects({key: "{}"})
    assert found == {"name": "{}"}, says("how figures are read")


def test_the_names_of_metrics_stand_where_optuna_writes_them(study: optuna.Study) -> None:
    """The name of the objective is the attribute that Optuna itself writes."""
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        study.set_metric_names(["accuracy"])
    assert attributes(study)[dashboard_bridge.METRICS] == ["accuracy"], says("names of metrics")


def test_an_artifact_stands_where_optuna_writes_one(study: optuna.Study, tmp_path: Path) -> None:
    """What is said of an artifact has Optuna's key and fields."""
    (tmp_path / "file.csv").write_text("1")
    store = FileSystemArtifactStore(str(tmp_path))
    name = upload_artifact(
        artifact_store=store, file_path=str(tmp_path / "file.csv"), study_or_trial=study
    )
    meta = json.loads(attributes(study)[dashboard_bridge.ARTIFACTS + name])
    assert set(meta) == {"artifact_id", "filename", "mimetype", "encoding"}, says("artifacts")


class Broken:
    """An artifact store that cannot be read."""

    def open_reader(self, _: str) -> object:
        """Break."""
        raise ZeroDivisionError


def test_exceptions_pass_the_application_and_its_log_is_filtered(study: optuna.Study) -> None:
    """The public application answers; what its code does not catch reaches the caller; both of
    its loggers have the filter."""
    heard: list[str] = []

    class Heard(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            heard.append(record.name)
            return False

    application = dashboard_bridge.application(study._storage, None, Heard())
    status, body = get(application, "/api/studies")
    assert status.startswith("200"), says("its addresses")
    assert len(json.loads(body)["study_summaries"]) == 1
    loggers = (_app.logger, _bottle_util.logger)
    for logger in loggers:
        logger.error("something")
    names = ["optuna_dashboard._app", "optuna_dashboard._bottle_util"]
    assert heard == names, says("the names of its loggers")
    meta = {"artifact_id": "a", "filename": "a.csv", "mimetype": "text/csv", "encoding": None}
    files = {f"{dashboard_bridge.ARTIFACTS}a": json.dumps(meta)}
    study.add_trial(optuna.trial.create_trial(value=0.6, system_attrs=files))
    broken = dashboard_bridge.application(study._storage, Broken(), Heard())
    with pytest.raises(ZeroDivisionError):
        get(broken, "/artifacts/0/1/a")
    for logger in loggers:
        logger.filters = [one for one in logger.filters if not isinstance(one, Heard)]

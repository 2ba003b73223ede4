"""MLflow: an experiment for the study, a run for it, and a nested run for each trial.

Enters: a study's record and report, the URI of a tracking server or of its database. Leaves: runs.
Exporting again finds them by their tag ``lamsearch.run``: a trial's that is complete stays as it
is, one that was begun is made anew, the study's own is brought up to date. Usage statistics that
MLflow would send to its makers are off unless the environment says otherwise.
"""

from __future__ import annotations

import logging
import os
import socket
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lamsearch.errors import FilesError, InputError
from lamsearch.exports.content import Run, study_run, trial_runs
from lamsearch.exports.exporter import Export
from lamsearch.exports.packages import loaded, needed
from lamsearch.redaction import scrub, shown

_OPTION = "mlflow"
_KEY, _DIGEST = "lamsearch.run", "lamsearch.digest"
_ENVIRONMENT = {  # what is said there by the user stays
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
_STATUS = {
    "COMPLETE": "FINISHED", "PRUNED": "KILLED", "FAIL": "FAILED",
    "done": "FINISHED", "cancelled": "KILLED", "failed": "FAILED",
}  # fmt: skip
_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
_REACH_SECONDS = 10.0
_BATCH, _PARAMS, _PAGE = 1000, 100, 1000  # what one request may hold
_LONGEST = 5000  # characters of a value


class MlflowExporter:
    """Writes runs by MLflow's own client."""

    takes_report = True

    def check(self, target: str, study: str) -> None:
        """Refuse what is no URI of MLflow's, and a server that does not answer."""
        needed("mlflow", _OPTION)
        if "://" not in target and not target.startswith("databricks"):
            rule = "must be a server or a database, such as sqlite:///mlflow.db"
            raise InputError(f"{_OPTION}: {rule}, got {shown(target)!r}")
        with _speaking(target, InputError):
            _reach(target)
            if target.startswith(("http://", "https://")):
                _client(target).get_experiment_by_name(study)

    def send(self, export: Export, target: str) -> str:
        """Write a study's runs; return how many are new."""
        with _speaking(target, FilesError):
            tracker = _Tracker(_client(target), export.record.name)
            trials = trial_runs(export.record)
            new = tracker.write(study_run(export.record), trials, export.report)
        there = f"experiment {export.record.name} at {shown(target)}"
        return f"{new} of {len(trials)} runs of trials are new in {there}"


EXPORTER = MlflowExporter()


class _Tracker:
    """One experiment, and which runs of ours are in it."""

    def __init__(self, client: Any, experiment: str) -> None:
        self._client, self._types = client, loaded("mlflow.entities")
        known = client.get_experiment_by_name(experiment)
        self._experiment = client.create_experiment(experiment) if known is None else None
        if known is not None:
            self._experiment = known.experiment_id
        self._now = int(time.time() * 1000)

    def write(self, study: Run, trials: list[Run], report: Path | None) -> int:
        """Bring the study's run up to date, then write those of trials; return how many are new."""
        known = self._known(study)
        parent = known.get(study.key) or self._create(study, {})
        self._update(parent, study)
        new = [run for run in trials if self._digest(known.get(run.key)) != run.digest]
        for run in new:
            if run.key in known:  # begun by an export that was killed
                self._client.delete_run(known[run.key].info.run_id)
            self._write_trial(run, parent.info.run_id)
        if report is not None:
            self._client.log_artifacts(parent.info.run_id, str(report), "report")
        if study.state in _STATUS:
            self._client.set_terminated(parent.info.run_id, _STATUS[study.state])
        return len(new)

    def _known(self, study: Run) -> dict[str, Any]:
        """Our runs of this study by their keys."""
        name = "lamsearch.fingerprint"
        rule, found, token = f"tags.`{name}` = '{study.tags[name]}'", dict[str, Any](), None
        while True:
            page = self._client.search_runs(
                [self._experiment], rule, max_results=_PAGE, page_token=token
            )
            found |= {run.data.tags[_KEY]: run for run in page if _KEY in run.data.tags}
            token = page.token
            if not token:
                return found

    @staticmethod
    def _digest(run: Any) -> str | None:
        return None if run is None else run.data.tags.get(_DIGEST)

    def _create(self, run: Run, tags: dict[str, str]) -> Any:
        return self._client.create_run(
            self._experiment, start_time=self._now, run_name=run.name,
            tags={**_cut(run.tags), _KEY: run.key, "mlflow.source.name": "lamsearch", **tags},
        )  # fmt: skip

    def _write_trial(self, run: Run, parent: str) -> None:
        made = self._create(run, {"mlflow.parentRunId": parent}).info.run_id
        points = [*run.points(), (_last(run), dict(run.numbers))]
        self._log(made, run, [self._metric(*one) for one in _flat(points)])
        self._client.set_tag(made, _DIGEST, run.digest)  # the last: it is there whole
        self._client.set_terminated(made, _STATUS[run.state])

    def _update(self, there: Any, run: Run) -> None:
        """Add what is not there yet; a parameter that is stays."""
        params = {k: v for k, v in run.params.items() if k not in there.data.params}
        metrics = there.data.metrics
        numbers = {k: v for k, v in run.numbers.items() if metrics.get(k) != v}
        self._log(
            there.info.run_id, run, [self._metric(0, k, v) for k, v in numbers.items()], params
        )
        for name, value in _cut(run.tags).items():
            self._client.set_tag(there.info.run_id, name, value)

    def _log(
        self, run_id: str, run: Run, metrics: list[Any], params: dict[str, Any] | None = None
    ) -> None:
        given = run.params if params is None else params
        texts = [self._types.Param(name, str(value)[:_LONGEST]) for name, value in given.items()]
        for start in range(0, len(texts), _PARAMS):
            self._client.log_batch(run_id, params=texts[start : start + _PARAMS])
        for start in range(0, len(metrics), _BATCH):
            self._client.log_batch(run_id, metrics=metrics[start : start + _BATCH])

    def _metric(self, step: int, name: str, value: float) -> Any:
        return self._types.Metric(name, value, self._now, step)


def _flat(points: list[tuple[int, dict[str, float]]]) -> Iterator[tuple[int, str, float]]:
    """Points as single numbers, each name once at each step."""
    seen = dict[tuple[int, str], float]()
    for step, numbers in points:
        for name, value in numbers.items():
            seen.setdefault((step, name), value)
    for (step, name), value in seen.items():
        yield step, name, value


def _last(run: Run) -> int:
    """After how many updates the run ended, as far as it is known."""
    if run.curve is not None and len(run.curve.updates):
        return int(run.curve.updates[-1])
    return int(run.numbers.get("updates", 0))


def _cut(tags: Any) -> dict[str, str]:
    return {name: value[:_LONGEST] for name, value in tags.items()}


def _reach(uri: str) -> None:
    """Find out whether something listens where a URI says: MLflow would try for minutes."""
    parts = urlsplit(uri)
    port = parts.port or _PORTS.get(parts.scheme.partition("+")[0])
    if parts.hostname and port:
        socket.create_connection((parts.hostname, port), timeout=_REACH_SECONDS).close()


def _client(uri: str) -> Any:
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    tracking = loaded("mlflow.tracking")
    for name in ("mlflow", "alembic", "urllib3"):  # after MLflow has set them up
        logging.getLogger(name).setLevel(logging.ERROR)
    return tracking.MlflowClient(tracking_uri=uri)


@contextmanager
def _speaking(uri: str, kind: type[FilesError | InputError]) -> Iterator[None]:
    """Make a sentence without secrets of whatever MLflow or its libraries raise."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise kind(f"{_OPTION}: {shown(uri)} cannot be used: {scrub(reason, uri)}") from None

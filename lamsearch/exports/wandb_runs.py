"""Weights & Biases: an offline run for the study and for each trial, for ``wandb sync``.

Enters: a study's record and report, a directory. Leaves: ``DIR/wandb/offline-run-…``. Refuses the
network: runs are offline whatever the environment says, and nothing is told to anybody. Exporting
again leaves a run that is there as it would be written; one that has changed takes the place of the
earlier one, under the same id, so that W&B has it once.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lamsearch.errors import FilesError
from lamsearch.exports.content import Run, study_run, trial_runs
from lamsearch.exports.directories import below, writable
from lamsearch.exports.exporter import Export
from lamsearch.exports.packages import loaded, needed

_OPTION = "wandb"
_MARK = "lamsearch.sha256"  # the digest of what was written, last of all
_ENVIRONMENT = {"WANDB_MODE": "offline", "WANDB_ERROR_REPORTING": "false", "WANDB_SILENT": "true"}
_LONGEST_TAG = 64
_RUNS = "wandb"  # the directory that the library makes


class WandbExporter:
    """Writes offline runs by W&B's own library."""

    takes_report = True

    def check(self, target: str, study: str) -> None:
        """Refuse what is no directory."""
        needed("wandb", _OPTION)
        below(_OPTION, writable(_OPTION, target), study)

    def send(self, export: Export, target: str) -> str:
        """Write a study's runs; return how many are new."""
        directory, record = writable(_OPTION, target), export.record
        runs = [study_run(record), *trial_runs(record)]
        try:
            directory.mkdir(parents=True, exist_ok=True)
            reports = {run.key: export.report if run.group == "study" else None for run in runs}
            new = [run for run in runs if not _is_there(directory, run, reports[run.key])]
            with _library() as wandb:
                for run in new:
                    _write(wandb, directory, record.name, run, reports[run.key])
        except OSError as error:
            raise FilesError(f"{_OPTION}: {directory} cannot be written: {error}") from error
        return f"{len(new)} of {len(runs)} runs are new in {directory / _RUNS}"


EXPORTER = WandbExporter()


@contextmanager
def _library() -> Iterator[Any]:
    """Give W&B's library, offline; end its service afterwards."""
    with (
        tempfile.TemporaryDirectory(prefix="lamsearch-", ignore_cleanup_errors=True) as cache,
        _environment({**_ENVIRONMENT, "WANDB_CACHE_DIR": cache}),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        wandb = loaded("wandb")
        yield wandb
        wandb.teardown()


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Have variables in the environment for a while."""
    before = {name: os.environ.get(name) for name in values}
    os.environ |= values
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _directories(directory: Path, run: Run) -> list[Path]:
    return sorted((directory / _RUNS).glob(f"offline-run-*-{run.key}"))


def _is_there(directory: Path, run: Run, report: Path | None) -> bool:
    """Whether a run is there, whole and as it would be written."""
    marks, wanted = [one / _MARK for one in _directories(directory, run)], _digest(run, report)
    return any(one.is_file() and one.read_text("utf-8") == wanted for one in marks)


def _digest(run: Run, report: Path | None) -> str:
    """What a run tells, and which files are with it."""
    found = () if report is None else sorted(report.rglob("*"))
    names = [str(one.relative_to(report)) for one in found if report is not None]
    return hashlib.sha256("\n".join([run.digest, *names]).encode()).hexdigest()


def _write(wandb: Any, directory: Path, project: str, run: Run, report: Path | None) -> None:
    """Write one run in the place of those of its id that are there."""
    for earlier in _directories(directory, run):  # two of one second would have one name
        shutil.rmtree(earlier)
    made = wandb.init(
        project=project, group=run.group, name=run.name, id=run.key, dir=str(directory),
        mode="offline", reinit="create_new", job_type="study" if report else "trial",
        config={**run.params, **run.tags}, tags=[run.group, run.state[:_LONGEST_TAG]],
        settings=_settings(wandb),
    )  # fmt: skip
    for step, numbers in run.points():
        made.log(numbers, step=step)
    made.summary.update(dict(run.numbers))
    where = Path(made.dir)
    if report is not None:
        shutil.copytree(report, where / "report")
        for file in sorted(one for one in (where / "report").rglob("*") if one.is_file()):
            made.save(str(file), base_path=str(where), policy="end")
    made.finish(exit_code=1 if run.state == "FAIL" else 0)
    (where.parent / _MARK).write_text(_digest(run, report), "utf-8")


def _settings(wandb: Any) -> Any:
    """Settings by which nothing of this machine and its code goes into a run."""
    return wandb.Settings(
        mode="offline", silent=True, console="off", disable_git=True, disable_code=True,
        save_code=False, x_disable_stats=True, x_disable_meta=True, x_save_requirements=False,
    )  # fmt: skip

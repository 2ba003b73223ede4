"""TensorBoard: a directory of event files for each trial, and one for the study.

Enters: a study's record, a directory. Leaves: ``DIR/STUDY/STAGE-CANDIDATE-REPLICATE``, with curves
over updates, and parameters and scores for the HPARAMS page. All are written anew, then take the
place of those of an earlier export; a directory with other files in it is refused.
"""

from __future__ import annotations

import secrets
import shutil
import warnings
from pathlib import Path
from typing import Any

from lamsearch.errors import FilesError, OutputError
from lamsearch.exports.content import Run, study_run, trial_runs
from lamsearch.exports.directories import below, writable
from lamsearch.exports.exporter import Export
from lamsearch.exports.packages import loaded, needed
from lamsearch.visible import visible

_OPTION = "tensorboard"
_SUFFIX = ".lamsearch"  # of our event files, by which they are known


class TensorBoardExporter:
    """Writes event files by tensorboardX."""

    takes_report = False

    def check(self, target: str, study: str) -> None:
        """Refuse a directory that holds what lamsearch did not write."""
        needed("tensorboardX", _OPTION)
        _check_ours(below(_OPTION, writable(_OPTION, target), study))

    def send(self, export: Export, target: str) -> str:
        """Write a study's event files; return where they are."""
        path = below(_OPTION, writable(_OPTION, target), export.record.name)
        runs = [study_run(export.record), *trial_runs(export.record)]
        try:
            _check_ours(path)
            _replace(path, runs)
        except OSError as error:
            raise FilesError(f"{_OPTION}: {path} cannot be written: {error.strerror}") from error
        return f"{len(runs)} runs in {path}"


EXPORTER = TensorBoardExporter()


def _check_ours(path: Path) -> None:
    for file in sorted(path.rglob("*")) if path.is_dir() else ():
        if file.is_symlink() or not (file.is_dir() or file.name.endswith(_SUFFIX)):
            name = file.relative_to(path)
            rule = "must be empty or hold nothing but an earlier export"
            raise OutputError(f"{_OPTION}: {path} {rule}, got {name}")


def _replace(path: Path, runs: list[Run]) -> None:
    """Write runs beside their place, then put them there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{path.name}.*{_SUFFIX}"):  # of an export that was killed
        shutil.rmtree(left)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_SUFFIX}")
    try:
        for run in runs:
            _write(temporary / run.name.replace(" ", "-").replace("/", "-"), run)
        if path.exists():
            shutil.rmtree(path)
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write(directory: Path, run: Run) -> None:
    """Write one run: its curve by updates, what came of it at the last one, its parameters."""
    library, last = loaded("tensorboardX"), 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        writer = library.SummaryWriter(str(directory), filename_suffix=_SUFFIX)
        try:
            for last, numbers in run.points():
                for name, value in numbers.items():
                    writer.add_scalar(name, value, last)
            _write_end(writer, run, int(run.numbers.get("updates", last)))
        finally:
            writer.close()


def _write_end(writer: Any, run: Run, last: int) -> None:
    """Write the numbers that no curve has, tags as a text, and what the HPARAMS page shows."""
    known = () if run.curve is None else run.curve.values
    for name, value in run.numbers.items():
        if name not in known:
            writer.add_scalar(name, value, last)
    rows = [f"| {name} | {visible(value).replace('|', '/')} |" for name, value in run.tags.items()]
    writer.add_text("lamsearch", "\n".join(["| tag | value |", "| --- | --- |", *rows]), last)
    if run.group != "study":
        params = {**run.params, "stage": run.group}
        for summary in loaded("tensorboardX.summary").hparams(params, run.numbers):
            writer.file_writer.add_summary(summary)

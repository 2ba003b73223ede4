"""Options that give a study to other programs, and what they do.

Enters: which exports were asked for, a study's record and models. Leaves: ONNX files in the report,
runs in other programs, a line for each. What an export needs is looked for before anything is done.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from lamsearch import report as reporting
from lamsearch.cli.echo import echo
from lamsearch.errors import InputError
from lamsearch.results import StudyRecord

_TARGETS = {  # option → exporter, metavar, help
    "mlflow": ("mlflow", "URI", "Log the study into an MLflow tracking server or database."),
    "wandb_offline": (
        "wandb", "DIR", "Write offline runs of Weights & Biases, for wandb sync, into a directory.",
    ),
    "tensorboard": ("tensorboard", "DIR", "Write event files of TensorBoard into a directory."),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Exports:
    """What was asked for: ONNX models, and targets by exporter."""

    onnx: bool
    targets: Mapping[str, str]

    def check(self, study: str) -> None:
        """Find out whether all that was asked for can be done with a study; writes nothing.

        Raises:
            InputError: A package is not installed, or a target is none.
        """
        if not self.onnx and not self.targets:
            return
        from lamsearch.exports import EXPORTERS, check_onnx

        if self.onnx:
            check_onnx()
        for name, target in self.targets.items():
            EXPORTERS.get(name).check(target, study)

    def models(self, files: Mapping[str, bytes]) -> dict[str, bytes]:
        """Return a report's models by file name, with those in ONNX where they were asked for.

        Raises:
            InputError: There are none.
        """
        if not self.onnx:
            return dict(files)
        from lamsearch.exports import onnx_models

        return {**files, **onnx_models(files)}

    def models_or_line(self, files: Mapping[str, bytes]) -> dict[str, bytes]:
        """Do as `models` does; where there are none, say so."""
        try:
            return self.models(files)
        except InputError as error:
            echo(f"report: {error}", err=True)
            return dict(files)

    def send(self, record: StudyRecord, files: Mapping[str, bytes], output: Path | None) -> None:
        """Export a study to each target, and say what was done there.

        ``output`` is the directory of its report, None where none was written.
        """
        if not self.targets:
            return
        from lamsearch.exports import EXPORTERS, Export

        exporters = {name: EXPORTERS.get(name) for name in self.targets}
        wanted = any(one.takes_report for one in exporters.values())
        with _report(record, files, output, wanted=wanted) as report:
            for name, exporter in exporters.items():
                line = exporter.send(Export(record=record, report=report), self.targets[name])
                echo(f"{name}: {line}", err=True)


def exports(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; the verb gets them as one argument, ``exports``."""

    @functools.wraps(command)
    def wrapped(*, onnx: bool, **rest: Any) -> Any:
        given = {_TARGETS[option][0]: rest.pop(option) for option in _TARGETS}
        targets = {name: target for name, target in given.items() if target is not None}
        return command(exports=Exports(onnx=onnx, targets=targets), **rest)

    for option, (_, metavar, text) in reversed(_TARGETS.items()):
        flag = f"--{option.replace('_', '-')}"
        wrapped = click.option(flag, option, metavar=metavar, help=text)(wrapped)
    text = "Write the models as ONNX too, with their ensemble as one."
    return click.option("--onnx", is_flag=True, help=text)(wrapped)


@contextmanager
def _report(
    record: StudyRecord, files: Mapping[str, bytes], output: Path | None, *, wanted: bool
) -> Iterator[Path | None]:
    """Give the directory of the report; where none was written, that of a temporary one."""
    if output is not None or not wanted:
        yield output
        return
    with tempfile.TemporaryDirectory(prefix="lamsearch-") as scratch:
        report = Path(scratch) / "report"
        reporting.write(record, report, files)
        yield report

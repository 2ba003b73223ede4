"""The verb check: is a study file right, what will it plan, what will that cost here?

Enters: a study file. Leaves: its plan as a table or a document, and warnings; plans nothing.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from lamsearch import trainers
from lamsearch.cli import options
from lamsearch.cli.check_plan import CheckDocument, StageDocument, checked
from lamsearch.cli.echo import echo
from lamsearch.study import Study, read_study
from lamsearch.terminal import print_json, print_table


@click.command()
@click.argument("study_file", metavar="STUDY.toml", type=options.STUDY_FILE)
@options.data_dir
@options.json_document
def check(study_file: Path, data_dir: Path | None, as_json: bool) -> None:
    """Validate a study file; print its plan and what it will cost here.

    \b
    Example:
      lamsearch check studies/cifar10.toml
    """
    study = trainers.check(read_study(study_file), str(study_file))
    study, found = checked(study, data_dir, study_file.resolve().parent)
    if as_json:
        print_json(json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False))
    else:
        _show(study, found)


def _show(study: Study, found: CheckDocument) -> None:
    header = ["stage", "trials", "cohorts", "updates", "model updates", _searched(study)]
    rows = [_row(stage) for stage in found["stages"]]
    print_table(header, rows, title=f"{study.name}: the file is right")
    if found["estimated_seconds"] is not None:
        echo(f"about {_duration(found['estimated_seconds'])} of training on one core of this "
                   "machine, evaluation and start-up not counted")  # fmt: skip
    echo(found["cohort"]["says"])
    for text in found["notes"]:
        echo(text)
    for text in found["warnings"]:
        echo(f"Warning: {text}")


def _searched(study: Study) -> str:
    """What the bounds are of: λ's are those of its logarithm."""
    first, *further = study.space.dimensions
    return ", ".join([first.plain_label, *(one.symbol for one in further)])


def _row(stage: StageDocument) -> list[str]:
    return [
        stage["name"],
        str(stage["trials"]),
        f"{stage['cohorts']} of {' and '.join(map(str, stage['cohort_sizes']))}",
        str(stage["updates"]),
        str(stage["model_updates"]),
        stage["candidates"],
    ]


def _duration(seconds: float) -> str:
    """A time as people say it, in a unit of which there are few."""
    seconds = max(seconds, 0.1)
    for unit, size in (("seconds", 1), ("minutes", 60), ("hours", 3600)):
        if seconds < 99.5 * size:
            count = seconds / size
            return f"{count:.0f} {unit}" if count >= 9.95 else f"{count:.1f} {unit}"
    return f"{seconds / 86_400:,.0f} days"

"""The verb create: plan a study for workers that are started elsewhere.

Enters: a study file. Leaves: a planned study, unless it was planned already.
"""

from __future__ import annotations

from pathlib import Path

import click

from lamsearch import trainers
from lamsearch.cli import options
from lamsearch.cli.echo import echo
from lamsearch.cli.planning import planned
from lamsearch.study import read_study


@click.command()
@click.argument("study_file", metavar="STUDY.toml", type=options.STUDY_FILE)
@options.storage
@options.data_dir
@options.files
def create(study_file: Path, storage: str | None, data_dir: Path | None, files: str | None) -> None:
    """Plan a study only, for workers started elsewhere.

    \b
    Example:
      lamsearch create studies/cifar10.toml --storage postgresql://lam@db/lam
    """
    study = trainers.check(read_study(study_file), str(study_file))
    _, stored = planned(study, study_file, storage, data_dir, files)
    echo(f"planned {stored.study.name}; join with: lamsearch worker {stored.study.name}")

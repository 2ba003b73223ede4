"""The verb submit: plan a study and queue it for the pool of workers.

Enters: a study file. Leaves: a planned study, unless it was planned already.
"""

from __future__ import annotations

from pathlib import Path

import click

from lamsearch import trainers
from lamsearch.cli import options
from lamsearch.cli.echo import echo
from lamsearch.cli.planning import planned
from lamsearch.storage import check_priority
from lamsearch.study import read_study


@click.command()
@click.argument("study_file", metavar="STUDY.toml", type=options.STUDY_FILE)
@options.storage
@click.option(
    "--priority", type=int, default=0, show_default=True,
    help="Studies of higher priority are served first; of the same, older ones.",
)  # fmt: skip
@options.data_dir
@options.files
def submit(
    study_file: Path, storage: str | None, priority: int, data_dir: Path | None, files: str | None
) -> None:
    """Plan a study and queue it, for workers started elsewhere.

    \b
    Example:
      lamsearch submit studies/cifar10.toml --storage postgresql://lam@db/lam
    """
    check_priority(priority)
    study = trainers.check(read_study(study_file), str(study_file))
    _, stored = planned(study, study_file, storage, data_dir, files, priority=priority)
    echo(f"planned {stored.study.name}; join with: lamsearch worker {stored.study.name}")

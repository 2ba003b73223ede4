"""A study's report as run and report write it.

Enters: a database and a study's name. Leaves: its record and models; files and standard output.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lamsearch import report as reporting
from lamsearch import storage as store
from lamsearch.artifacts import Files, files_of
from lamsearch.cli import options
from lamsearch.cli.echo import echo
from lamsearch.errors import InputError
from lamsearch.results import StudyRecord
from lamsearch.storage import Database
from lamsearch.terminal import print_json, print_text


def gathered(
    database: Database, name: str, files: str | None
) -> tuple[StudyRecord, dict[str, bytes]]:
    """Return all that a study's report is made of: its record, and its models by file name."""
    record = store.read_study(database, name)
    return record, _models(database, record, files)


def write_report(
    record: StudyRecord, models: Mapping[str, bytes], output: Path | None, *, as_json: bool
) -> None:
    """Write a study's report where asked, and its summary or document to standard output."""
    with store.damage_is_said():
        text = reporting.to_json(record) if as_json else reporting.summary(record)
        if output is not None:
            reporting.write(record, output, models)
    if output is not None:
        echo(f"report: {output}", err=True)
    if as_json:
        print_json(text)
    else:
        print_text(text)


def _models(database: Database, record: StudyRecord, files: str | None) -> dict[str, bytes]:
    """The final's models as far as they are in the study's files, by file name.

    Only complete replicates of a study that is over have one.
    """
    stored = store.load(database, record.name)
    final = record.stages.get("final") if stored.over else None
    saved = {} if final is None else files_of(final.trials)
    try:
        stored = options.present_or_beside(database, stored, files)
    except InputError as error:
        if files is not None:
            raise
        if saved:
            echo(f"report: the models are left out: {error}", err=True)
        return {}
    found = Files(stored.files, stored.id)
    models = {
        name: content
        for name, one in saved.items()
        if (content := found.read_model(one.replicate, one.sha256, one.cycle)) is not None
    }
    if lack := len(saved) - len(models):
        what = "1 model is" if lack == 1 else f"{lack} models are"
        echo(f"report: {what} not in {found.shown}, or not as saved", err=True)
    return models

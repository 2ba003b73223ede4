"""A study's report as run and report write it.

Enters: a database and a study's name. Leaves: its record and models; files and standard output.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lamsearch import collecting
from lamsearch import report as reporting
from lamsearch import storage as store
from lamsearch.api import gathering
from lamsearch.cli.echo import echo
from lamsearch.figures.undrawn import undrawn
from lamsearch.prepared_fork import PreparedFork
from lamsearch.results import StudyRecord
from lamsearch.storage import Database
from lamsearch.terminal import print_json, print_text


def gathered(
    database: Database, name: str, files: str | None
) -> tuple[StudyRecord, dict[str, bytes]]:
    """Return all that a study's report is made of: its record, and its models by file name."""
    return gathering.gathered(database, name, files, say=lambda line: echo(line, err=True))


def made(
    record: StudyRecord, models: Mapping[str, bytes], output: Path | None, as_json: bool
) -> str:
    """Write a study's report where asked; return its summary, or its document."""
    with store.damage_is_said():
        if output is not None:
            reporting.write(record, output, models)
        return reporting.to_json(record) if as_json else reporting.summary(record)


def write_report(
    record: StudyRecord,
    models: Mapping[str, bytes],
    output: Path | None,
    *,
    as_json: bool,
    maker: PreparedFork[str] | None = None,
) -> None:
    """Write a study's report where asked, and its summary or document to standard output.

    A ``maker``, which does what `made` does, is asked first.
    """
    text = None if maker is None else maker.done(record, models, output, as_json)
    if text is None:
        if output is not None:
            with collecting.loading():
                reporting.prepare()
        text = made(record, models, output, as_json)
    if output is not None:
        echo(f"report: {output}", err=True)
        if (why := undrawn()) is not None:
            echo(why, err=True)
    if as_json:
        print_json(text)
    else:
        print_text(text)

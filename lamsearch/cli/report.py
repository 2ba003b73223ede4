"""The verb report: what a study says, finished or not.

Enters: a study's name. Leaves: a directory, a summary or a document.
"""

from __future__ import annotations

from pathlib import Path

import click

from lamsearch import collecting
from lamsearch import report as reporting
from lamsearch import storage as store
from lamsearch.cli import options
from lamsearch.cli.exporting import Exports, exports
from lamsearch.cli.locks import until_free
from lamsearch.cli.reports import gathered, write_report


@click.command()
@click.argument("name")
@options.storage
@options.files
@options.output
@options.json_document
@exports
def report(
    name: str,
    storage: str | None,
    files: str | None,
    output: Path | None,
    as_json: bool,
    exports: Exports,
) -> None:
    """Write the report of a study, finished or not; give it to other programs.

    With --json and no --output nothing is written but the document to standard output.

    \b
    Example:
      lamsearch report digits --output digits-report
      lamsearch report digits --onnx --mlflow sqlite:///mlflow.db
    """
    if exports.onnx and as_json and output is None:
        raise click.UsageError("--onnx writes into the report: it needs --output beside --json.")
    exports.check(name)
    database = options.open_storage(storage)
    if output is None and not as_json:
        stored = until_free(lambda: store.load(database, name))
        output = Path("lamsearch-report") / stored.study.name
    if output is not None:
        reporting.check_output(output)
    with collecting.loading():
        if output is None and not exports.targets:
            record = until_free(lambda: store.read_study(database, name))
            models: dict[str, bytes] = {}
        else:
            record, models = until_free(lambda: gathered(database, name, files))
            models = exports.models(models)
    write_report(record, models, output, as_json=as_json)
    exports.send(record, models, output)

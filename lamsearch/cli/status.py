"""The verb status: how far studies are.

Enters: a study's name, or none for all. Leaves: a table or a document; changes nothing.
"""

from __future__ import annotations

import json

import click

from lamsearch import storage as store
from lamsearch.cli import options
from lamsearch.cli.echo import echo
from lamsearch.cli.locks import until_free
from lamsearch.cli.watching import read
from lamsearch.cli.watching import watch as watch_studies
from lamsearch.terminal import print_json, print_status


@click.command()
@click.argument("name", required=False)
@options.storage
@click.option("--watch", is_flag=True, help="Go on until the study, or all of them, are over.")
@options.json_document
def status(name: str | None, storage: str | None, watch: bool, as_json: bool) -> None:
    """Show how far a study is; without a name, all studies.

    \b
    Example:
      lamsearch status digits --watch
    """
    database = options.open_storage(storage)
    if watch and as_json:
        raise click.UsageError("--watch and --json do not go together")
    found = watch_studies(database, name) if watch else until_free(lambda: read(database, name))
    if as_json:
        from lamsearch.report.status import status_document

        documents = [status_document(one) for one in found]
        print_json(json.dumps(documents[0] if name else documents, indent=1, allow_nan=False))
        return
    with store.damage_is_said():
        for one in found:
            print_status(one, plotted=len(found) == 1)
    if not found:
        echo("no studies", err=True)

"""The verb status: how far a study is, or the queue.

Enters: a study's name, or none for all. Leaves: a table or a document; changes nothing.
"""

from __future__ import annotations

import json
from typing import Any

import click

from lamsearch import storage as store
from lamsearch.cli import options
from lamsearch.cli.echo import echo
from lamsearch.cli.locks import until_free
from lamsearch.cli.watching import watch_queue, watch_study
from lamsearch.storage import Database
from lamsearch.terminal import print_json, print_queue, print_status


@click.command()
@click.argument("name", required=False)
@options.storage
@click.option("--watch", is_flag=True, help="Go on until the study, or all of them, are over.")
@options.json_document
def status(name: str | None, storage: str | None, watch: bool, as_json: bool) -> None:
    """Show how far a study is; without a name, the queue of all studies.

    \b
    Example:
      lamsearch status digits --watch
    """
    database = options.open_storage(storage)
    if watch and as_json:
        raise click.UsageError("--watch and --json do not go together")
    if name is None:
        _queue(database, watch=watch, as_json=as_json)
        return
    found = (
        watch_study(database, name)
        if watch
        else until_free(lambda: store.read_status(database, name))
    )
    if as_json:
        from lamsearch.report.status import status_document

        _print(status_document(found))
        return
    with store.damage_is_said():
        print_status(found)


def _queue(database: Database, *, watch: bool, as_json: bool) -> None:
    """Show all studies, each in a line."""
    found = watch_queue(database) if watch else until_free(lambda: store.read_queue(database))
    if as_json:
        from lamsearch.report.status import queue_document

        _print(queue_document(found))
        return
    print_queue(found)
    if not found:
        echo("no studies", err=True)


def _print(document: Any) -> None:
    print_json(json.dumps(document, indent=1, allow_nan=False))

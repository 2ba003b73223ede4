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
from lamsearch.defaults import STORAGE
from lamsearch.letters import print_json
from lamsearch.storage import Database

_NO_STUDIES = (
    "no studies yet; to start one: lamsearch run STUDY.toml; "
    "for a study file of your own data: lamsearch init DATA"
)


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
    if watch and as_json:
        raise click.UsageError("--watch and --json do not go together")
    if name is None and _nothing_planned(storage):
        _say_none(as_json=as_json)
        return
    database = options.open_storage(storage)
    if name is None:
        _queue(database, watch=watch, as_json=as_json)
        return
    if watch:
        from lamsearch.cli.watching import watch_study

        found = watch_study(database, name)
    else:
        found = until_free(lambda: store.read_status(database, name))
    if as_json:
        from lamsearch.report.status import status_document

        _print(status_document(found))
        return
    from lamsearch.terminal import print_status  # the document needs no console

    with store.damage_is_said():
        print_status(found)


def _queue(database: Database, *, watch: bool, as_json: bool) -> None:
    """Show all studies, each in a line."""
    if watch:
        from lamsearch.cli.watching import watch_queue

        found = watch_queue(database)
    else:
        found = tuple(until_free(lambda: store.read_queue(database)))
    if as_json:
        from lamsearch.report.status import queue_document

        _print(queue_document(found))
        return
    from lamsearch.terminal import print_queue

    print_queue(found)
    if not found:
        echo("no studies", err=True)


def _nothing_planned(storage: str | None) -> bool:
    """Whether no storage was named and there is none where it is looked for then."""
    if storage is not None or options.storage_url(storage) != STORAGE:
        return False
    file = store.sqlite_file(store.parse_url(STORAGE))
    return file is not None and not file.exists()


def _say_none(*, as_json: bool) -> None:
    """Say that there are no studies, and how one comes to be; as a document: none."""
    if as_json:
        _print([])
    else:
        echo(_NO_STUDIES, err=True)


def _print(document: Any) -> None:
    print_json(json.dumps(document, indent=1, allow_nan=False))

"""The verb prioritize: move a study in the queue. Enters: its name, a number. Leaves: it, moved."""

from __future__ import annotations

import click

from lamsearch import storage as store
from lamsearch.cli import options
from lamsearch.cli.moves import moved


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("priority", metavar="N", type=int)
@options.storage
def prioritize(name: str, priority: int, storage: str | None) -> None:
    """Give a study another priority; studies of higher priority are served first.

    \b
    Example:
      lamsearch prioritize digits 10
    """
    said = f"{name} has priority {priority}"
    moved(storage, lambda database: store.prioritize(database, name, priority), said)

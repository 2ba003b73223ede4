"""The verb finish: search no more. Enters: a study's name. Leaves: its finalists or final next."""

from __future__ import annotations

import click

from lamsearch import storage as store
from lamsearch.cli import options
from lamsearch.cli.moves import moved


@click.command()
@click.argument("name")
@options.storage
def finish(name: str, storage: str | None) -> None:
    """End the search of a study: finalists and final follow with what is there.

    \b
    Example:
      lamsearch finish cifar10
    """
    said = f"the search of {name} has ended; finalists and final follow"
    moved(storage, lambda database: store.finish(database, name), said)

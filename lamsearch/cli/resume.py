"""The verb resume: let a paused study go on. Enters: its name. Leaves: it, queued."""

from __future__ import annotations

import click

from lamsearch import storage as store
from lamsearch.cli import options
from lamsearch.cli.moves import moved


@click.command()
@click.argument("name")
@options.storage
def resume(name: str, storage: str | None) -> None:
    """Let a paused study go on where it stopped.

    \b
    Example:
      lamsearch resume digits
    """
    moved(storage, lambda database: store.resume(database, name), f"resumed {name}")

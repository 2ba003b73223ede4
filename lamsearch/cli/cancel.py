"""The verb cancel: end a study where it is. Enters: its name. Leaves: it, cancelled."""

from __future__ import annotations

import click

from lamsearch import storage as store
from lamsearch.cli import options
from lamsearch.cli.moves import moved


@click.command()
@click.argument("name")
@options.storage
def cancel(name: str, storage: str | None) -> None:
    """Cancel a study for good: what has ended stays, and nothing of it is started again.

    \b
    Example:
      lamsearch cancel digits
    """
    moved(storage, lambda database: store.cancel(database, name), f"cancelled {name}")

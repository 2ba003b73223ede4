"""The verb pause: let nothing of a study be started. Enters: its name. Leaves: it, paused."""

from __future__ import annotations

import click

from lamsearch import storage as store
from lamsearch.cli import options
from lamsearch.cli.moves import moved


@click.command()
@click.argument("name")
@options.storage
def pause(name: str, storage: str | None) -> None:
    """Pause a study: what runs of it is saved and given back, and waits for resume.

    \b
    Example:
      lamsearch pause digits
    """
    moved(storage, lambda database: store.pause(database, name), f"paused {name}")

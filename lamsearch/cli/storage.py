"""Verbs on a storage: check, upgrade."""

from __future__ import annotations

import click

from lamsearch.cli import options
from lamsearch.cli.echo import echo
from lamsearch.storage import SCHEMA_VERSION, Mode


@click.group()
def storage() -> None:
    """Check and upgrade the tables of a storage."""


@storage.command()
@options.storage
def check(storage: str | None) -> None:
    """Say whether a storage is as this version of lamsearch needs it; changes nothing.

    Exit code 2 and one sentence where it must be upgraded first, or where a newer lamsearch wrote
    it.

    \b
    Example:
      lamsearch storage check
    """
    database = options.open_storage(storage)
    echo(f"{database.redacted}: {database.versions}")


@storage.command()
@options.storage
def upgrade(storage: str | None) -> None:
    """Bring the tables that an earlier lamsearch wrote up to this version; loses nothing.

    It is one transaction. Stop workers of the earlier version first: they cannot go on with the
    new tables, and what they did since their last checkpoint is done again.

    \b
    Example:
      lamsearch storage upgrade --storage postgresql://lam@db/lam
    """
    database = options.open_storage(storage, Mode.WORK)
    if database.upgraded is None:
        echo(f"{database.redacted}: schema version {SCHEMA_VERSION} already", err=True)

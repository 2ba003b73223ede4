"""Verbs on a storage: check, upgrade."""

from __future__ import annotations

import click

from lamsearch.cli import options
from lamsearch.cli.echo import echo
from lamsearch.cli.inventory import compare
from lamsearch.storage import SCHEMA_VERSION, Mode, parse_url, sqlite_file


@click.group()
def storage() -> None:
    """Check and upgrade the tables of a storage."""


@storage.command()
@options.storage
@click.option(
    "--files", metavar="URL", multiple=True,
    help="Where files are looked for; may be repeated. Else $LAMSEARCH_FILES and beside the "
    "database.",
)  # fmt: skip
def check(storage: str | None, files: tuple[str, ...]) -> None:
    """Say whether a storage is as this version of lamsearch needs it; changes nothing.

    Exit code 2 and one sentence where it must be upgraded first, or where a newer lamsearch wrote
    it. A line each, and exit code 0, for files of no study and studies without files: only
    directories that lamsearch marked as its own are looked at.

    \b
    Example:
      lamsearch storage check
    """
    database = options.open_storage(storage)
    echo(f"{database.redacted}: {database.versions}")
    for line in compare(database, options.files_default(options.storage_url(storage)), files):
        echo(line)


@storage.command()
@options.storage
def upgrade(storage: str | None) -> None:
    """Bring the tables that an earlier lamsearch wrote up to this version; loses nothing.

    In a database of a server that has no tables yet they are made.

    It is one transaction. Stop workers of the earlier version first: they cannot go on with the
    new tables, and what they did since their last checkpoint is done again.

    \b
    Example:
      lamsearch storage upgrade --storage postgresql://lam@db/lam
    """
    is_file = sqlite_file(parse_url(options.storage_url(storage))) is not None
    database = options.open_storage(storage, Mode.WORK if is_file else Mode.CREATE)
    if database.upgraded is None:
        echo(f"{database.redacted}: schema version {SCHEMA_VERSION} already", err=True)

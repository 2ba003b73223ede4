"""The verb delete: remove a study with all its results.

Enters: a study's name, and a yes. Leaves: neither its rows nor what lamsearch wrote of its files.
"""

from __future__ import annotations

import click

from lamsearch import planning
from lamsearch.cli import options
from lamsearch.cli.echo import echo
from lamsearch.cli.locks import until_free
from lamsearch.errors import StudyStateError
from lamsearch.storage import Mode


@click.command()
@click.argument("name")
@options.storage
@options.files
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(name: str, storage: str | None, files: str | None, yes: bool) -> None:
    """Start over: remove the trials, leases and files of a study.

    Of its files what lamsearch wrote is removed, and nothing else. Where its row is damaged its
    files are left: what it says of them is not believed.
    """
    database = options.open_storage(storage, Mode.WORK)
    study = planning.check_removable(
        database,
        name,
        lambda stored: options.present_or_beside(database, stored, files),
        attempt=until_free,
    )
    _confirm(name, yes)
    planning.remove(database, study, attempt=until_free)
    left = "" if study.damage is None else f"; its files are left where they are: {study.damage}"
    echo(f"deleted {name}{left}", err=True)


def _confirm(name: str, yes: bool) -> None:
    if not yes and not click.confirm(f"Delete the study {name!r} with all its results?", err=True):
        raise StudyStateError(f"study: {name!r} was not deleted: not confirmed")

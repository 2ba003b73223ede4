"""The verb delete: remove a study with all its results.

Enters: a study's name, and a yes. Leaves: neither its rows nor what lamsearch wrote of its files.
"""

from __future__ import annotations

import click

from lamsearch import storage as store
from lamsearch.artifacts import Files
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
    if (damage := until_free(lambda: store.damage_of(database, name))) is not None:
        _confirm(name, yes)
        until_free(lambda: store.delete(database, name))
        echo(f"deleted {name}; its files are left where they are: {damage}", err=True)
        return
    stored = until_free(lambda: store.load(database, name))
    stored = options.present_or_beside(database, stored, files)
    own = Files(stored.files, stored.id)
    own.check_ours()  # what cannot be reached or removed is said while all is there
    _confirm(name, yes)
    until_free(lambda: store.delete(database, name))
    own.remove_all()
    echo(f"deleted {name}", err=True)


def _confirm(name: str, yes: bool) -> None:
    if not yes and not click.confirm(f"Delete the study {name!r} with all its results?", err=True):
        raise StudyStateError(f"study: {name!r} was not deleted: not confirmed")

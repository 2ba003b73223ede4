"""The verb delete: remove a study with all its results, or all that are over and old.

Enters: a study's name, or an age and states; and a yes. Leaves: neither their rows nor what
lamsearch wrote of their files.
"""

from __future__ import annotations

import click

from lamsearch import planning
from lamsearch.cli import options
from lamsearch.cli.echo import echo
from lamsearch.cli.locks import until_free
from lamsearch.cli.pruning import prune, seconds_from
from lamsearch.errors import StudyStateError
from lamsearch.results import StudyState
from lamsearch.storage import Database, Mode

_OVER = sorted(str(state) for state in StudyState if state.over)


@click.command()
@click.argument("name", required=False)
@options.storage
@options.files
@click.option(
    "--older-than", metavar="TIME", callback=seconds_from,
    help="Instead of NAME: all studies of the given states that are older, such as 90d or 12h.",
)  # fmt: skip
@click.option(
    "--state", "states", multiple=True, type=click.Choice(_OVER),
    help="With --older-than: the states of the studies to delete; may be repeated.",
)  # fmt: skip
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(
    name: str | None, storage: str | None, files: str | None, older_than: float | None,
    states: tuple[str, ...], yes: bool,
) -> None:  # fmt: skip
    """Start over: remove the trials, leases and files of a study, or of all that are over and old.

    Of its files what lamsearch wrote is removed, and nothing else. Where its row is damaged its
    files are left: what it says of them is not believed.

    A study is as old as it has been done. Of those that were cancelled or have failed, the age
    counts from when a worker was last seen on it, else from when it was submitted.

    \b
    Example:
      lamsearch delete --older-than 90d --state cancelled --state failed
    """
    if (name is None) == (older_than is None):
        raise click.UsageError("delete takes a NAME, or --older-than with --state")
    if bool(states) != (older_than is not None):
        raise click.UsageError("--older-than and --state go together")
    database = options.open_storage(storage, Mode.WORK)
    if older_than is not None:
        prune(database, files, older_than, {StudyState(one) for one in states}, yes=yes)
    elif name is not None:
        _delete(database, name, files, yes=yes)


def _delete(database: Database, name: str, files: str | None, *, yes: bool) -> None:
    """Delete one study."""
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

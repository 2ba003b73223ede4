"""Deleting all studies that are over and old.

Enters: an age, states, and a yes. Leaves: none of them that could be removed with its files, and a
line for each that could not. Never touches a study in which anything may still run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import click

from lamsearch import storage as store
from lamsearch.cli import options
from lamsearch.cli.echo import echo
from lamsearch.cli.locks import until_free
from lamsearch.errors import FilesError, InputError, StudyStateError, WorkFailedError
from lamsearch.planning import Removable, check_removable, remove
from lamsearch.results import StudyState
from lamsearch.storage import Database, KeptStudy
from lamsearch.study.limits import seconds_of

T = TypeVar("T")

_UNITS = (("days", 86_400.0), ("hours", 3_600.0), ("minutes", 60.0))


def seconds_from(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> float | None:
    """Return the seconds of an option that is a duration."""
    if value is None:
        return None
    try:
        return seconds_of(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}, got {value!r}") from None


def prune(
    database: Database,
    files: str | None,
    older_than: float,
    states: Iterable[StudyState],
    *,
    yes: bool,
) -> None:
    """Delete the studies of these states that are older; say which, and ask.

    Raises:
        StudyStateError: Nobody confirmed it; nothing is changed.
        WorkFailedError: Some could not be deleted, and are as they were.
    """
    wanted = frozenset(states)
    kept = until_free(lambda: store.read_kept(database))
    old = [one for one in kept if one.state in wanted and one.state.over and one.age > older_than]
    meant = {one.name: one for one in old}
    found = [one for study in old if (one := _removable(database, study, files)) is not None]
    for one in found:
        study = meant[one.name]
        echo(f"{study.name}: {study.state}, {_age(study.age)} {study.since}", err=True)
    if found and not yes:
        question = f"Delete these {len(found)} studies with all their results?"
        if not click.confirm(question, err=True):
            raise StudyStateError("study: none was deleted: not confirmed")
    deleted = sum(_delete(database, one) for one in found)
    echo(f"deleted {deleted} {'study' if deleted == 1 else 'studies'}", err=True)
    if deleted < len(old):
        raise WorkFailedError(f"{len(old) - deleted} of {len(old)} studies could not be deleted")


def _removable(database: Database, study: KeptStudy, files: str | None) -> Removable | None:
    """A study whose files can be reached and are lamsearch's own; else say why it is not."""

    def checked() -> Removable:
        found = check_removable(
            database,
            study.name,
            lambda stored: options.present_or_beside(database, stored, files),
            attempt=until_free,
        )
        if found.id != study.id:
            raise StudyStateError(found.damage or "study: another has its name now")
        return found

    return _or_left(study.name, checked)


def _delete(database: Database, study: Removable) -> bool:
    """Delete one; say how that went."""

    def removed() -> bool:
        remove(database, study, attempt=until_free)
        echo(f"deleted {study.name}", err=True)
        return True

    return bool(_or_left(study.name, removed))


def _or_left(name: str, action: Callable[[], T]) -> T | None:
    """What an action returns; None where it cannot be done, which is said."""
    try:
        return action()
    except (InputError, FilesError) as error:
        echo(f"left {name}: {error}", err=True)
        return None


def _age(seconds: float) -> str:
    """An age in its largest unit, for instance ``93 days``."""
    for unit, length in _UNITS:
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"

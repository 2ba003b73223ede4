"""Removing a study with all its results.

Enters: a study's name. Leaves: neither its rows nor what lamsearch wrote of its files; where its
row is damaged its files are left, for what it says of them is not believed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lamsearch import storage as store
from lamsearch.artifacts import Files
from lamsearch.planning.attempts import Attempt
from lamsearch.storage import Database, PlannedStudy


@dataclass(frozen=True, slots=True, kw_only=True)
class Removable:
    """A study that may be removed: its files, or why they are left where they are.

    ``id`` is that of the study that was meant, whatever bears its name later.
    """

    name: str
    id: str | None
    files: Files | None
    damage: str | None


def check_removable(
    database: Database,
    name: str,
    located: Callable[[PlannedStudy], PlannedStudy],
    *,
    attempt: Attempt,
) -> Removable:
    """Return what is to be removed; what cannot be is said while all is there.

    ``located`` says where a study's files are now.

    Raises:
        StudyStateError: There is none of that name.
        FilesError: Its files cannot be reached or removed.
    """
    if (damage := attempt(lambda: store.damage_of(database, name))) is not None:
        return Removable(name=name, id=None, files=None, damage=damage)
    stored = located(attempt(lambda: store.load(database, name)))
    files = Files(stored.files, stored.id)
    files.check_ours()
    return Removable(name=name, id=stored.id, files=files, damage=None)


def remove(database: Database, study: Removable, *, attempt: Attempt) -> None:
    """Remove a study, its rows first.

    Raises:
        StudyStateError: A worker holds a lease in it.
    """
    attempt(lambda: store.delete(database, study.name, study.id))
    if study.files is not None:
        study.files.remove_all()

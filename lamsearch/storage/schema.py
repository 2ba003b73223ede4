"""The version of our tables: made new, brought up from an earlier version, or refused.

Enters: an engine or a connection. Leaves: tables of this version, or a sentence why not. It is one
transaction: two processes make it once, and a crash in it undoes it. Refuses to know how a version
leads to the next, which `migrations` says, and Optuna's own tables, which have a version of theirs.
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lamsearch.errors import StorageError, shown
from lamsearch.storage.migrations import migrate
from lamsearch.storage.tables import metadata, studies, version

VERSION = 7
_UPGRADE = "lamsearch storage upgrade"
_LOCK = 5_201_314_159  # of PostgreSQL's advisory locks, the one for this


def prepare(connection: Connection) -> str | None:
    """Make our tables where there are none, and upgrade those of an earlier version.

    Returns:
        A sentence where something was upgraded.

    Raises:
        StorageError: A later version of lamsearch wrote the tables.
    """
    if version_of(connection) == VERSION:
        return None  # no lock: hundreds may begin at once
    lock(connection)
    found = version_of(connection)
    if found is None:
        metadata.create_all(connection)
        connection.execute(sa.insert(version).values(version=VERSION))
    if found is None or found == VERSION:
        return None
    _refuse_newer(found)
    migrate(connection, found, VERSION)
    version.create(connection, checkfirst=True)
    connection.execute(sa.delete(version))
    connection.execute(sa.insert(version).values(version=VERSION))
    return f"storage: upgraded from schema version {found} to {VERSION}"


def lock(connection: Connection) -> None:
    """Let others who would make tables wait for the end of the transaction."""
    if connection.dialect.name == "postgresql":  # SQLite has one writer anyway
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def check(connection: Connection) -> int | None:
    """Refuse tables of another version; that there are none of ours is no matter here.

    Returns:
        The version, None where there are none.

    Raises:
        StorageError: They must be upgraded first, or a later version of lamsearch wrote them.
    """
    found = version_of(connection)
    if found is None:
        return None
    _refuse_newer(found)
    if found < VERSION:
        raise StorageError(
            f"storage: must have schema version {VERSION}, got {found}, which an earlier "
            f"lamsearch wrote; upgrade it with: {_UPGRADE}"
        )
    return found


def all_columns(tables: Iterable[sa.Table]) -> str:
    """Return a query of no row that names every column of tables: what is missing makes it fail.

    One after the other, for PostgreSQL would look for the best order to join them in.
    """
    parts = []
    for table in tables:
        named = " OR ".join(f"{table.name}.{column.name} IS NULL" for column in table.c)
        parts.append(f"SELECT 1 FROM {table.name} WHERE 1 = 0 AND ({named})")  # noqa: S608 - no value
    return " UNION ALL ".join(parts)


def version_of(connection: Connection) -> int | None:
    """Return the version of our tables, None where there are none; the first wrote none down."""
    there = sa.inspect(connection)
    if there.has_table(version.name):
        found = connection.scalar(sa.select(sa.func.max(version.c.version)))
        return None if found is None else _whole(found)
    return 1 if there.has_table(studies.name) else None


def _whole(found: object) -> int:
    if not isinstance(found, int) or found < 1:
        raise StorageError(
            f"storage: the schema version must be a whole number from 1 on, got {shown(found)}: "
            "the database is damaged"
        )
    return found


def _refuse_newer(found: int) -> None:
    if found > VERSION:
        raise StorageError(
            f"storage: was written by a newer lamsearch: must have schema version {VERSION} or "
            f"earlier, got {found}"
        )

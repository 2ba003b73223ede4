"""Migrations of our tables: Alembic's revisions, one per schema version, from the first to now.

Enters: a connection in a transaction, and the version that its tables have. Leaves: tables of a
later version, in the same transaction. Refuses to know where the version stands: `schema` writes it
down, as every version of lamsearch has read it, so that Alembic is imported for an upgrade alone,
and its table of versions, which is Optuna's here, is left to Optuna. A revision names tables and
columns as they were then, never as `tables` has them.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

_DIRECTORY = Path(__file__).parent


def migrate(connection: Connection, found: int, wanted: int) -> None:
    """Run the revisions that lead from one version to a later one."""
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(_DIRECTORY), version_locations=[str(_DIRECTORY / "versions")])
    revisions = list(scripts.iterate_revisions(str(wanted), str(found)))
    with Operations.context(MigrationContext.configure(connection)):
        for revision in reversed(revisions):
            revision.module.upgrade()


def has_column(connection: Connection, table: str, name: str) -> bool:
    """Whether a table has a column: one that was added past lamsearch is left as it is."""
    return name in {column["name"] for column in sa.inspect(connection).get_columns(table)}

"""What a database holds before lamsearch touches it: whose tables, in which encoding.

Enters: a connection that cannot write. Leaves: the names of tables, and a refusal of what is
another program's. Refuses to know rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lamsearch.errors import StorageError
from lamsearch.storage import optuna_bridge, tables


class Mode(Enum):
    """What a database is opened for; only the last may make it a storage of lamsearch."""

    READ = "reading: nothing is written, not even the form of its tables"
    WORK = "working on studies that are there"
    CREATE = "planning studies: what is not there is made"


# Both visible by the search path; what belongs to an extension is nobody's program.
_TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') "
    "AND name NOT LIKE 'sqlite!_%' ESCAPE '!'",
    "postgresql": "SELECT c.relname FROM pg_catalog.pg_class c "
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND pg_catalog.pg_table_is_visible(c.oid) "
    "AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND NOT EXISTS "
    "(SELECT 1 FROM pg_catalog.pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')",
}
# Of SQL_ASCII the server looks at no byte: what is written in UTF-8 comes back.
_ENCODINGS = ("UTF8", "SQL_ASCII")
_OWN = "give lamsearch a database or schema of its own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The tables of a database, the revisions that alembic has noted there, and its encoding."""

    tables: frozenset[str]
    revisions: tuple[str, ...]
    encoding: str

    def refuse(self, mode: Mode, shown: str) -> None:
        """Refuse a database that cannot be used in a mode; ``shown`` is its URL.

        Raises:
            StorageError: It is another program's, holds no studies, or cannot hold their words.
        """
        if not all(map(optuna_bridge.REVISION.fullmatch, self.revisions)):
            raise StorageError(
                f"storage: {optuna_bridge.REVISION_TABLE} in this database belongs to another "
                f"program; {_OWN}"
            )
        ours = tables.studies.name in self.tables
        known = {*optuna_bridge.TABLE_NAMES, optuna_bridge.REVISION_TABLE, *tables.metadata.tables}
        foreign = self.tables - known
        if mode is not Mode.CREATE and not ours:
            raise StorageError(f"storage: {shown} holds no lamsearch studies")
        if foreign and not ours and not self.tables >= optuna_bridge.MARKS:
            some = ", ".join(map(repr, sorted(foreign)[:3]))
            raise StorageError(
                f"storage: {shown} holds tables of another program ({some}"
                f"{', …' if len(foreign) > 3 else ''}); {_OWN}"
            )
        if mode is not Mode.READ and self.encoding not in _ENCODINGS:
            raise StorageError(
                f"storage: {shown} must be a database encoded in UTF8, got {self.encoding}"
            )


def look(connection: Connection) -> Contents:
    """Return what a database holds."""
    kind = connection.dialect.name
    found = frozenset(connection.scalars(sa.text(_TABLES[kind])))
    revisions: list[str] = []
    if optuna_bridge.REVISION_TABLE in found:
        noted = connection.scalars(optuna_bridge.REVISIONS_NOTED)
        revisions = [str(revision) for revision in noted]
    encoding = "UTF8"
    if kind == "postgresql":
        encoding = str(connection.scalar(sa.text("SHOW server_encoding")))
    return Contents(tables=found, revisions=tuple(revisions), encoding=encoding)

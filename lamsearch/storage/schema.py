"""The version of our tables: made new, brought up from an earlier version, or refused.

Enters: an engine or a connection. Leaves: tables of this version, or a sentence why not. It is one
transaction: two processes make it once, and a death in it undoes it. Refuses to know Optuna's own
tables, which have a version of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from lamsearch.errors import StorageError, shown
from lamsearch.storage.tables import LEASED, metadata, studies, version

VERSION = 3
_UPGRADE = "lamsearch storage upgrade"
_LOCK = 5_201_314_159  # of PostgreSQL's advisory locks, the one for this


def prepare(engine: Engine) -> str | None:
    """Make our tables where there are none, and upgrade those of an earlier version.

    Returns:
        A sentence where something was upgraded.

    Raises:
        StorageError: A later version of lamsearch wrote the tables.
    """
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":  # SQLite has one writer anyway
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        found = version_of(connection)
        if found is None:
            metadata.create_all(connection)
            connection.execute(sa.insert(version).values(version=VERSION))
        if found is None or found == VERSION:
            return None
        _refuse_newer(found)
        for step in range(found, VERSION):
            _STEPS[step](connection)
        version.create(connection, checkfirst=True)
        connection.execute(sa.delete(version))
        connection.execute(sa.insert(version).values(version=VERSION))
    return f"storage: upgraded from schema version {found} to {VERSION}"


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
    """Return a query of no row that names every column of tables: what is missing makes it fail."""
    known = list(tables)
    columns = ", ".join(f"{table.name}.{column.name}" for table in known for column in table.c)
    return f"SELECT {columns} FROM {', '.join(table.name for table in known)} WHERE 1 = 0"  # noqa: S608 - no value


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


def _from_1(connection: Connection) -> None:
    """Data facts; the length of leases; curves keyed by what a trial is, not by Optuna's id, with
    digests of models.

    A worker of the first version that is still at work finds a column gone that it renews leases
    and claims with: it loses its cohort and ends, rather than hold it for ever.
    """
    double = "DOUBLE" if connection.dialect.name == "sqlite" else "DOUBLE PRECISION"
    connection.exec_driver_sql(
        "ALTER TABLE lamsearch_cohort RENAME COLUMN recovered TO resumed_update"
    )
    _add_column(connection, "lamsearch_study", "data_facts", "JSON")
    _add_column(connection, "lamsearch_cohort", "lease_seconds", double)
    connection.exec_driver_sql(
        "UPDATE lamsearch_cohort SET lease_seconds = expires - renewed "  # noqa: S608 - a constant
        f"WHERE state = {LEASED}"
    )
    connection.exec_driver_sql("ALTER TABLE lamsearch_curve RENAME TO lamsearch_curve_1")
    keyed = sa.Table(
        "lamsearch_curve",
        sa.MetaData(),
        sa.Column("study_id", sa.String(32), primary_key=True),
        sa.Column("stage", sa.String(20), primary_key=True),
        sa.Column("candidate", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("replicate", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("arrays", sa.LargeBinary, nullable=False),
        sa.Column("model_sha256", sa.String(64)),
    )
    keyed.create(connection)
    # trial by trial, each found by its primary key, and no curve leaves the database
    if keys := _keys_of_1(connection):
        connection.execute(
            sa.text(
                "INSERT INTO lamsearch_curve (study_id, stage, candidate, replicate, arrays) "
                "SELECT :study_id, :stage, :candidate, :replicate, arrays FROM lamsearch_curve_1 "
                "WHERE trial = :trial AND study = :study"
            ),
            keys,
        )
    connection.exec_driver_sql("DROP TABLE lamsearch_curve_1")


def _from_2(connection: Connection) -> None:
    """What computes: where a study was planned, and in each of its workers.

    Of what was done before it is not known; no worker is refused for that.
    """
    _add_column(connection, "lamsearch_study", "environment", "JSON")
    sa.Table(
        "lamsearch_environment",
        sa.MetaData(),
        sa.Column("study_id", sa.String(32), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.Column("mixed", sa.Integer, nullable=False),
        sa.Column("joined", sa.Double, nullable=False),
    ).create(connection)


def _keys_of_1(connection: Connection) -> list[dict[str, object]]:
    """What each planned trial of the first version is keyed by from now on, with its old key."""
    cohorts = sa.table(
        "lamsearch_cohort", sa.column("study"), sa.column("stage"), sa.column("replicate"),
        sa.column("slots", sa.JSON),
    )  # fmt: skip
    study = sa.table("lamsearch_study", sa.column("name"), sa.column("id"))
    query = sa.select(cohorts, study.c.id).join(study, study.c.name == cohorts.c.study)
    return [
        {
            "study_id": row.id, "stage": row.stage, "candidate": candidate,
            "replicate": row.replicate, "trial": trial, "study": row.study,
        }
        for row in connection.execute(query)
        for trial, candidate, _ in row.slots
    ]  # fmt: skip


def _add_column(connection: Connection, table: str, name: str, kind: str) -> None:
    there = {column["name"] for column in sa.inspect(connection).get_columns(table)}
    if name not in there:
        connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")


# What leads from a version to the next; a step names tables as they were then.
_STEPS: Mapping[int, Callable[[Connection], None]] = {1: _from_1, 2: _from_2}

"""Points of any number of dimensions: of planned trials, of stages' bounds, of a cohort's best.

A worker of an earlier version that is still at work finds columns gone that it claims and reports
with: it loses its cohort and ends.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from lamsearch.storage.migrations import has_column

revision = "6"
down_revision: str | None = "5"


def upgrade() -> None:
    """Bring the fifth version's tables up to the sixth's."""
    op.alter_column("lamsearch_cohort", "slots", new_column_name="trials")
    connection = op.get_bind()
    for table, name in (("lamsearch_cohort", "best_point"), ("lamsearch_stage", "bounds")):
        if not has_column(connection, table, name):
            op.add_column(table, sa.Column(name, sa.JSON))
    _write_trials(connection)
    _write_bests(connection)
    _write_bounds(connection)
    with op.batch_alter_table("lamsearch_cohort") as cohorts:  # for SQLite before 3.35
        cohorts.drop_column("best_at")
    with op.batch_alter_table("lamsearch_stage") as stages:
        stages.drop_column("low")
        stages.drop_column("high")


def _write_trials(connection: sa.Connection) -> None:
    """Make a planned trial's coordinate a point."""
    cohorts = _table("lamsearch_cohort", ("study", "stage", "number"), "trials")
    rows = [
        {"a": row.study, "b": row.stage, "c": row.number, "value": list(map(_entry, row.trials))}
        for row in connection.execute(sa.select(cohorts))
        if isinstance(row.trials, list)
    ]
    where = (cohorts.c.study == sa.bindparam("a"), cohorts.c.stage == sa.bindparam("b"),
             cohorts.c.number == sa.bindparam("c"))  # fmt: skip
    _update(connection, sa.update(cohorts).where(*where), "trials", rows)


def _write_bests(connection: sa.Connection) -> None:
    """Make the coordinate of a cohort's best a point."""
    cohorts = _table("lamsearch_cohort", ("study", "stage", "number", "best_at"), "best_point")
    query = sa.select(cohorts.c.best_at).where(cohorts.c.best_at.is_not(None)).distinct()
    rows = [{"a": at, "value": [at]} for at in connection.scalars(query)]
    where = cohorts.c.best_at == sa.bindparam("a")
    _update(connection, sa.update(cohorts).where(where), "best_point", rows)


def _write_bounds(connection: sa.Connection) -> None:
    """Make a stage's interval bounds."""
    stages = _table("lamsearch_stage", ("study", "name", "low", "high"), "bounds")
    query = sa.select(stages).where(stages.c.low.is_not(None))
    rows = [
        {"a": row.study, "b": row.name, "value": [[row.low, row.high]]}
        for row in connection.execute(query)
    ]
    where = (stages.c.study == sa.bindparam("a"), stages.c.name == sa.bindparam("b"))
    _update(connection, sa.update(stages).where(*where), "bounds", rows)


def _entry(entry: Any) -> Any:
    """A planned trial as it is from now on; what is damaged stays, and is refused when read."""
    if isinstance(entry, list) and len(entry) == 3 and entry[2] is not None:
        return [*entry[:2], [entry[2]]]
    return entry


def _table(name: str, columns: tuple[str, ...], document: str) -> sa.TableClause:
    return sa.table(name, *map(sa.column, columns), sa.column(document, sa.JSON))


def _update(
    connection: sa.Connection, update: sa.Update, column: str, rows: list[dict[str, Any]]
) -> None:
    if rows:
        connection.execute(update.values({column: sa.bindparam("value", type_=sa.JSON)}), rows)

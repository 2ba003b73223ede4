"""Data facts; the length of leases; curves keyed by what a trial is, not by Optuna's id, with
digests of models.

A worker of the first version that is still at work finds a column gone that it renews leases and
claims with: it loses its cohort and ends, rather than hold it for ever.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lamsearch.storage.migrations import has_column

revision = "2"
down_revision: str | None = "1"
_LEASED = 1  # the state of a cohort that a worker has


def upgrade() -> None:
    """Bring the first version's tables up to the second's."""
    op.alter_column("lamsearch_cohort", "recovered", new_column_name="resumed_update")
    connection = op.get_bind()
    if not has_column(connection, "lamsearch_study", "data_facts"):
        op.add_column("lamsearch_study", sa.Column("data_facts", sa.JSON))
    if not has_column(connection, "lamsearch_cohort", "lease_seconds"):
        op.add_column("lamsearch_cohort", sa.Column("lease_seconds", sa.Double))
    cohorts = sa.table(
        "lamsearch_cohort",
        *map(sa.column, ("lease_seconds", "expires", "renewed", "state")),
    )
    length = cohorts.c.expires - cohorts.c.renewed
    op.execute(sa.update(cohorts).where(cohorts.c.state == _LEASED).values(lease_seconds=length))
    op.rename_table("lamsearch_curve", "lamsearch_curve_1")
    op.create_table(
        "lamsearch_curve",
        sa.Column("study_id", sa.String(32), primary_key=True),
        sa.Column("stage", sa.String(20), primary_key=True),
        sa.Column("candidate", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("replicate", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("arrays", sa.LargeBinary, nullable=False),
        sa.Column("model_sha256", sa.String(64)),
    )
    # trial by trial, each found by its primary key, and no curve leaves the database
    if keys := _keys(connection):
        connection.execute(
            sa.text(
                "INSERT INTO lamsearch_curve (study_id, stage, candidate, replicate, arrays) "
                "SELECT :study_id, :stage, :candidate, :replicate, arrays FROM lamsearch_curve_1 "
                "WHERE trial = :trial AND study = :study"
            ),
            keys,
        )
    op.drop_table("lamsearch_curve_1")


def _keys(connection: sa.Connection) -> list[dict[str, object]]:
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

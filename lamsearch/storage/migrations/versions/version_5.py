"""The queue: what has been asked of a study, its priority, and which hosts cannot serve it.

Studies of before wait in the order in which they were planned, and have no priority over others.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lamsearch.storage.migrations import has_column

revision = "5"
down_revision: str | None = "4"

_STUDY = "lamsearch_study"


def upgrade() -> None:
    """Bring the fourth version's tables up to the fifth's."""
    for column in (
        sa.Column("halted", sa.String(20)),
        sa.Column("priority", sa.Integer, nullable=False, server_default="0"),
        sa.Column("started", sa.Double),
        sa.Column("paused_at", sa.Double),
        sa.Column("paused_seconds", sa.Double, nullable=False, server_default="0"),
        sa.Column("search_ended", sa.Text),
        sa.Column("expected_updates", sa.Double),
    ):
        if not has_column(op.get_bind(), _STUDY, column.name):
            op.add_column(_STUDY, column)
    active = sa.text("finished IS NULL AND failure IS NULL AND halted IS NULL")
    op.create_index(
        "lamsearch_study_active", _STUDY, [sa.text("priority DESC"), "created"],
        postgresql_where=active, sqlite_where=active,
    )  # fmt: skip
    op.create_table(
        "lamsearch_unable",
        sa.Column("study_id", sa.String(32), primary_key=True),
        sa.Column("host", sa.String(200), primary_key=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
    )

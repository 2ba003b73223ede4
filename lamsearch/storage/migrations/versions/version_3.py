"""What computes: where a study was planned, and in each of its workers.

Of what was done before it is not known; no worker is refused for that.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lamsearch.storage.migrations import has_column

revision = "3"
down_revision: str | None = "2"


def upgrade() -> None:
    """Bring the second version's tables up to the third's."""
    if not has_column(op.get_bind(), "lamsearch_study", "environment"):
        op.add_column("lamsearch_study", sa.Column("environment", sa.JSON))
    op.create_table(
        "lamsearch_environment",
        sa.Column("study_id", sa.String(32), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.Column("mixed", sa.Integer, nullable=False),
        sa.Column("joined", sa.Double, nullable=False),
    )

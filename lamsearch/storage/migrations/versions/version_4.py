"""Decisions: each batch of a stage's candidates, as it was decided.

Of stages that were planned before, none are known: what comes next in them is derived as it was.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lamsearch.storage.migrations import has_column

revision = "4"
down_revision: str | None = "3"


def upgrade() -> None:
    """Bring the third version's tables up to the fourth's."""
    if not has_column(op.get_bind(), "lamsearch_stage", "decisions"):
        op.add_column("lamsearch_stage", sa.Column("decisions", sa.JSON))

"""An index by which a lease that has run out is found without a look at those that hold, and who
makes a stage's transition.

Nothing that is stored changes: a worker of an earlier version that is at work goes on.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lamsearch.storage.migrations import has_column

revision = "7"
down_revision: str | None = "6"

_COHORT, _STUDY = "lamsearch_cohort", "lamsearch_study"


def upgrade() -> None:
    """Bring the sixth version's tables up to the seventh's."""
    if not has_column(op.get_bind(), _STUDY, "transition_until"):
        op.add_column(_STUDY, sa.Column("transition_until", sa.Double))
    op.create_index(
        "lamsearch_cohort_expires", _COHORT, ["state", "study", "expires"], if_not_exists=True
    )

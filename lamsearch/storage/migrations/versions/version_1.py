"""The first version, which wrote no version down.

Its tables stand in tests/storage/storages/version-1.sql; nothing leads to them, for a new storage
is made by `tables` as that is now.
"""

from __future__ import annotations

revision = "1"
down_revision: str | None = None


def upgrade() -> None:
    """Do nothing: the first tables are there."""

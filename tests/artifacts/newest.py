"""The newest checkpoint that is whole, as most tests of checkpoints ask for it."""

from __future__ import annotations

from lamsearch.artifacts import Files
from lamsearch.artifacts.checkpoints import State


def newest_checkpoint(files: Files, stage: str, cohort: int) -> State | None:
    """Return the newest state that is whole, None where there is none."""
    return next((state for _, state in files.checkpoints(stage, cohort)), None)

"""Which stage decides, and whether it is over. Enters: a study's record. Leaves: a stage."""

from __future__ import annotations

from lamsearch.results import StageName, StageRecord, StudyRecord


def deciding(record: StudyRecord) -> StageRecord | None:
    """Return the stage that decided, or will; None as long as nothing is planned."""
    order: tuple[StageName, ...] = ("finalists", "fine", "coarse")
    return next((record.stages[name] for name in order if name in record.stages), None)


def finished(stage: StageRecord) -> bool:
    """Whether every planned trial of a stage has ended."""
    return all(trial.state.finished for trial in stage.trials)

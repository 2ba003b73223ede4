"""What a stage's training took. Enters: a study's record. Leaves: updates planned and trained.

Refuses to guess: what the settings or the trials do not tell is None. What is counted here are
model updates: one mini-batch for one model, so that a cohort's update is as many as it has models
in training. Everywhere else an update is one mini-batch, for all models of its cohort at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from lamsearch.results import StageName, StudyRecord, TrialRecord, TrialState
from lamsearch.study import recorded_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Updates:
    """A stage's model updates: planned of all its trials, trained in those that have ended.

    ``spared`` are those that halving saved.
    """

    planned: int
    trained: int
    spared: int


def stage_updates(record: StudyRecord, name: StageName) -> Updates | None:
    """Return the updates of a planned stage, None where they are not known."""
    stage, settings = record.stages.get(name), recorded_settings(record.settings, name)
    if stage is None or settings is None:
        return None
    full = settings.training.updates
    ended = [trial for trial in stage.trials if trial.state.finished]
    trained = [_trained(trial, full) for trial in ended]
    known = [count for count in trained if count is not None]
    if len(known) < len(ended):
        return None
    return Updates(
        planned=full * stage.planned,
        trained=sum(known),
        spared=sum(full - count for trial, count in zip(ended, known, strict=True) if trial.halved),
    )


def updates_document(updates: Updates) -> dict[str, int]:
    """Return planned and trained model updates as plain JSON values."""
    return {"planned": updates.planned, "trained": updates.trained}


def _trained(trial: TrialRecord, full: int) -> int | None:
    return full if trial.state is TrialState.COMPLETE else trial.updates

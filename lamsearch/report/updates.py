"""What a stage's training took. Enters: a study's record. Leaves: updates planned and trained.

Refuses to guess: what the settings or the trials do not tell is None. An update here is one
mini-batch for one net, so that a cohort counts as many as it has nets in training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lamsearch.results import StageName, StudyRecord, TrialRecord, TrialState
from lamsearch.study import resolved


@dataclass(frozen=True, slots=True, kw_only=True)
class Updates:
    """A stage's updates: planned of all its trials, trained in those that have ended.

    ``spared`` are those that pruned trials did not need.
    """

    planned: int
    trained: int
    spared: int


def stage_updates(record: StudyRecord, name: StageName) -> Updates | None:
    """Return the updates of a planned stage, None where they are not known."""
    stage, full = record.stages.get(name), _schedule(record.settings, name)
    if stage is None or full is None:
        return None
    ended = [trial for trial in stage.trials if trial.state.finished]
    trained = [_trained(trial, full) for trial in ended]
    known = [count for count in trained if count is not None]
    if len(known) < len(ended):
        return None
    return Updates(
        planned=full * stage.planned,
        trained=sum(known),
        spared=sum(
            full - count
            for trial, count in zip(ended, known, strict=True)
            if trial.state is TrialState.PRUNED
        ),
    )


def _trained(trial: TrialRecord, full: int) -> int | None:
    return full if trial.state is TrialState.COMPLETE else trial.updates


def _schedule(settings: Mapping[str, object], name: StageName) -> int | None:
    """Updates of one whole training of the stage, 2 · step_size · cycles."""
    found = resolved(settings, name)
    step_size, cycles = found["step_size"], found["cycles"]
    if not isinstance(step_size, int) or not isinstance(cycles, int):
        return None
    return 2 * step_size * cycles

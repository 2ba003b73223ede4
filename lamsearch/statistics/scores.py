"""Candidates' scores as figures and tables show them. Enters: a record. Leaves: means and errors.

Refuses to rank for selection: nothing is decided here.
"""

from __future__ import annotations

from lamsearch.results import StageName, StudyRecord, once_per_record
from lamsearch.statistics.candidates import CandidateScore, score_candidates
from lamsearch.study import recorded_settings

_UNTRAINED = {"sample_every"}  # settings that no weight depends on


def candidate_scores(record: StudyRecord, name: StageName) -> list[CandidateScore]:
    """Return the scores of all candidates of stage ``name``, as `score_candidates` does.

    A stage that the record does not have yields an empty list.
    """
    return list(_candidate_scores(record, name))


@once_per_record
def _candidate_scores(record: StudyRecord, name: StageName) -> tuple[CandidateScore, ...]:
    stage = record.stages.get(name)
    return () if stage is None else tuple(score_candidates(stage, validation_images(record, name)))


def best_score(record: StudyRecord, name: StageName) -> CandidateScore | None:
    """Return the first of `candidate_scores` that has a mean: the stage's best, if it has one."""
    return next((one for one in _candidate_scores(record, name) if one.mean is not None), None)


def validation_images(record: StudyRecord, name: StageName) -> int | None:
    """Return how many examples the stage validates with, None where the settings do not say.

    [final] may have a split of its own, and a source's table may assign examples itself.
    """
    settings = recorded_settings(record.settings, name)
    return None if settings is None else settings.validation_examples or None


def resplit(record: StudyRecord, name: StageName) -> float | None:
    """Return the validation examples per training example where splits are redrawn.

    None where a stage's replicates share one split.
    """
    settings = recorded_settings(record.settings, name)
    if settings is None or not settings.resplit or not settings.train_examples:
        return None
    return (settings.validation_examples or 0) / settings.train_examples


def differing(record: StudyRecord, one: StageName, other: StageName) -> tuple[str, ...]:
    """Return the settings in which two stages are trained differently, split and features too."""
    first, second = (recorded_settings(record.settings, name) for name in (one, other))
    if first is None or second is None:
        return ()
    pairs = zip(first.trained_by().items(), second.trained_by().values(), strict=True)
    return tuple(key for (key, a), b in pairs if a != b and key not in _UNTRAINED)


def cycle_length(record: StudyRecord, name: StageName) -> int | None:
    """Return the updates of one learning-rate cycle (2·n_s) in the stage, None if not known."""
    settings = recorded_settings(record.settings, name)
    return None if settings is None else 2 * settings.training.step_size

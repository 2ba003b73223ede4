"""Candidates' scores as figures and tables show them. Enters: a record. Leaves: means and errors.

Refuses to rank for selection: nothing is decided here.
"""

from __future__ import annotations

from lamsearch.results import StageName, StudyRecord
from lamsearch.statistics.candidates import CandidateScore, score_candidates
from lamsearch.study import CIFAR10_BATCH, resolved


def candidate_scores(record: StudyRecord, name: StageName) -> list[CandidateScore]:
    """Return the scores of all candidates of stage ``name``, as `score_candidates` does.

    A stage that the record does not have yields an empty list.
    """
    stage = record.stages.get(name)
    return [] if stage is None else score_candidates(stage, validation_images(record, name))


def validation_images(record: StudyRecord, name: StageName) -> int | None:
    """Return how many examples the stage validates with, None where the settings do not say.

    [final] may have a split of its own; whole CIFAR-10 batches hold 10,000 images each.
    """
    settings = resolved(record.settings, name)
    batches, size = settings["validation_batches"], settings["validation"]
    if isinstance(batches, (list, tuple)):
        return CIFAR10_BATCH * len(batches) or None
    return size if isinstance(size, int) and size > 0 else None


def cycle_length(record: StudyRecord, name: StageName) -> int | None:
    """Return the updates of one learning-rate cycle (2·n_s) in the stage, None if not known."""
    step_size = resolved(record.settings, name)["step_size"]
    return 2 * step_size if isinstance(step_size, int) and step_size > 0 else None

"""A candidate's means over its replicates, and pairs of candidates."""

from __future__ import annotations

import pytest

from lamsearch.results import StageRecord, TrialRecord, TrialState
from lamsearch.statistics import paired_differences, rank


def stage(*rows: list[tuple[float, float]]) -> StageRecord:
    """Return a stage whose candidates have these (accuracy, loss) in their replicates."""
    trials = tuple(
        TrialRecord(
            candidate=candidate, replicate=replicate, cohort=0, point=(float(-candidate),),
            state=TrialState.COMPLETE, score=accuracy, validation_loss=loss,
        )
        for candidate, row in enumerate(rows)
        for replicate, (accuracy, loss) in enumerate(row)
    )  # fmt: skip
    return StageRecord(name="finalists", bounds=None, trials=trials[::-1])


def test_paired_differences_are_taken_replicate_by_replicate() -> None:
    """Each replicate of one candidate is compared with the same replicate of the other, in order,
    whatever order the trials have."""
    found = stage([(0.5, 1.0), (0.7, 1.0), (0.6, 1.0)], [(0.4, 1.0), (0.8, 1.0), (0.6, 1.0)])
    assert paired_differences(found, 0, 1) == pytest.approx([0.1, -0.1, 0.0])
    assert paired_differences(found, 1, 0) == pytest.approx([-0.1, 0.1, 0.0])


def test_a_candidate_s_loss_is_its_mean_and_decides_between_equals() -> None:
    """Of two candidates as accurate, the one whose mean loss is lower comes first."""
    first, second = rank(stage([(0.5, 1.0), (0.7, 1.5)], [(0.7, 0.5), (0.5, 1.5)]), 100)
    assert (first.candidate, first.loss) == (1, pytest.approx(1.0))
    assert (second.candidate, second.loss) == (0, pytest.approx(1.25))

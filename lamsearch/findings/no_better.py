"""Whether anything was learned: candidates on validation, and the final on test, against what no
learning gets.

Enters: a study's record. Leaves: sentences where it may as well not have been. Of many candidates
the best seems better than chance by chance, so each is tested at the level of all, divided by how
many points were tried (Bonferroni; Dunn 1961).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.findings.baseline import Baseline, baseline
from lamsearch.findings.stages import deciding, finished
from lamsearch.results import StageRecord, StudyRecord, unpacked
from lamsearch.statistics import (
    BEYOND,
    CandidateScore,
    Gain,
    best_score,
    binomial_error,
    candidate_scores,
    gain_over,
    gain_over_splits,
    unpaired_better,
    validation_images,
)
from lamsearch.statistics.candidates import mean_error
from lamsearch.statistics.differences import example_scores


def sentences(record: StudyRecord) -> Iterator[str]:
    """Say that no candidate, or not the final, is better than what no learning gets."""
    found = baseline(record)
    if found is not None:
        yield from _candidates(record, found)
        yield from _final(record, found)


def _candidates(record: StudyRecord, found: Baseline) -> Iterator[str]:
    stage, always = deciding(record), found.validation
    if stage is None or always is None or not finished(stage):
        return
    examples = validation_images(record, stage.name)
    best = best_score(record, stage.name)
    if best is None or best.mean is None or examples is None:
        return
    if not _any_better(record, stage, always, examples):
        yield (
            f"no candidate of {stage.name} is better on validation than {found.words}, "
            f"{record.metric.words(always)}, beyond the noise of {examples:,} "
            f"examples: the best has {record.metric.words(best.mean)}"
        )


def _final(record: StudyRecord, found: Baseline) -> Iterator[str]:
    if record.final is None or found.test is None:
        return
    interval = found.gain_interval95
    better = record.final.interval95[0] > found.test if interval is None else interval[0] > 0
    if not better:
        yield (
            f"the final is not better on test than {found.words}, "
            f"{record.metric.words(found.test)}, beyond its 95 % interval: it has "
            f"{record.metric.words(record.final.mean)}"
        )


def _tried(record: StudyRecord) -> int:
    """How many points had a chance to seem the best."""
    stages = [stage for name, stage in record.stages.items() if name != "final"]
    return max(1, len({one.point for stage in stages for one in stage.trials}))


def _any_better(record: StudyRecord, stage: StageRecord, always: float, examples: int) -> bool:
    """Whether a candidate scores higher than the constant answer, beyond the draw of examples."""
    rows, numbers = example_scores(stage), _constant_numbers(record, stage)
    beyond = BEYOND / _tried(record)
    for one in candidate_scores(record, stage.name):
        if one.mean is None or one.mean <= always:
            continue
        own = None if one.point is None else rows.get(one.point)
        gain = None if own is None else _paired(own, numbers, beyond)
        if gain is None or gain.interval95 is None:
            better = _unpaired(one, one.mean, always, examples, beyond)
        else:
            better = gain.interval95[0] > 0
        if better:
            return True
    return False


def _paired(
    own: npt.NDArray[Any], numbers: Sequence[npt.NDArray[np.float32]], beyond: float
) -> Gain | None:
    """The gain of a candidate's numbers (R, examples); None where none can be paired with them."""
    if not numbers or any(len(one) != own.shape[1] for one in numbers):
        return None
    if len(numbers) == 1:
        return gain_over(own, numbers[0], beyond=beyond)
    if len(numbers) != len(own):
        return None
    return gain_over_splits(own, numbers, beyond=beyond)


def _unpaired(
    one: CandidateScore, mean: float, always: float, examples: int, beyond: float
) -> bool:
    known = mean_error(one.complete)
    if known is not None:  # the constant answer's own error is taken to be as large
        return unpaired_better(mean, known, always, known, beyond=beyond)
    own, other = (binomial_error(share, examples) for share in (mean, always))
    return unpaired_better(mean, own, always, other, beyond=beyond)


def _constant_numbers(record: StudyRecord, stage: StageRecord) -> list[npt.NDArray[np.float32]]:
    """The constant answer's numbers per example, of each split; none where they are damaged."""
    texts = () if record.data is None else record.data.per_example.get(stage.name, ())
    try:
        return [unpacked(text) for text in texts]
    except ValueError:  # anybody may have written them
        return []

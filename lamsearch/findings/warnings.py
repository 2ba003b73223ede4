"""Every warning of a study, made or gathered here. Enters: a study's record. Leaves: sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lamsearch.findings import no_better, reproducibility, versions
from lamsearch.results import STAGES, StageRecord, StudyRecord, TrialState, once_per_record


def warnings(record: StudyRecord) -> list[str]:
    """Return the warnings of data, stages, selection and final, each once, in that order."""
    return list(_warnings(record))


@once_per_record
def _warnings(record: StudyRecord) -> tuple[str, ...]:
    stages = [record.stages[name] for name in STAGES if name in record.stages]
    found = list(record.data.warnings) if record.data is not None else []
    for stage in stages:
        found += [*stage.warnings, *_failures(stage)]
    if record.selected is not None:
        found += record.selected.warnings
    found += [*reproducibility.sentences(record), *versions.sentences(record)]
    found += [*_damaged(stages), *no_better.sentences(record)]
    return tuple(dict.fromkeys(found))


def _damaged(stages: Iterable[StageRecord]) -> Iterator[str]:
    """Say how many learning curves are no longer as they were written."""
    count = sum(trial.damaged for stage in stages for trial in stage.trials)
    if count:
        whose = "1 trial" if count == 1 else f"{count} trials"
        yield (
            f"the learning curves of {whose} are damaged in the database: what cannot be read of "
            "them is left out"
        )


def _failures(stage: StageRecord) -> Iterator[str]:
    """Say that most candidates of a stage failed; of the final's one candidate, its replicates."""
    final = stage.name == "final"
    trials = [(one.replicate if final else one.candidate, one.state) for one in stage.trials]
    planned = len({number for number, _ in trials})
    failed = len({number for number, state in trials if state is TrialState.FAIL})
    if 2 * failed > planned:
        yield (
            f"{failed} of {planned} {'replicates' if final else 'candidates'} of {stage.name} "
            "failed, so what follows rests on the few others; each has its reason in the report"
        )

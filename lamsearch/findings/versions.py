"""What computed a study, and whether other versions took part. Enters: a study's record. Leaves:
the facts by name, sentences.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from lamsearch.environment import Environment, differences
from lamsearch.results import Joined, StudyRecord


def is_mixed(record: StudyRecord) -> bool:
    """Whether a worker was admitted although its numbers could differ from those of the others."""
    return any(one.mixed for one in record.workers)


def computing(record: StudyRecord) -> Environment | None:
    """Return what the study's first worker computed with, before that what planned it."""
    return record.workers[0].environment if record.workers else record.environment


def devices(record: StudyRecord) -> tuple[str, ...]:
    """Return what a study's trials were trained on, in the order in which that came about."""
    counts = _counts(record)
    found = (one.environment.device for one in record.workers if counts[one.number])
    return tuple(dict.fromkeys(found))


def document(record: StudyRecord) -> dict[str, Any] | None:
    """Return what computed a study as plain values; None where that was not recorded."""
    found = computing(record)
    if found is None:
        return None
    counts = _counts(record)
    return {
        **_plain(found),
        "mixed": is_mixed(record),
        "planned": None if record.environment is None else _plain(record.environment),
        "workers": [
            {**_plain(one.environment), "mixed": one.mixed, "trials": counts[one.number]}
            for one in record.workers
        ],
    }


def sentences(record: StudyRecord) -> Iterator[str]:
    """Say which trials other versions have computed than the rest, and which nobody knows of."""
    counts = _counts(record)
    for one in record.workers:
        if one.mixed and counts[one.number]:
            yield (
                f"{_trials(counts[one.number])} computed with other versions, admitted by "
                f"--mixed-versions ({'; '.join(_how(record, one))}): numbers may differ in their "
                "last digits from those of a run with one version"
            )
    unknown = counts[None]
    if unknown and record.workers:
        yield (
            f"{_trials(unknown)} computed by an earlier lamsearch, which did not record its "
            "versions: numbers may differ in their last digits from those of a run with one version"
        )


def _plain(environment: Environment) -> dict[str, Any]:
    """An environment as JSON has it."""
    values = environment.document()
    return {key: list(one) if isinstance(one, tuple) else one for key, one in values.items()}


def _how(record: StudyRecord, one: Joined) -> list[str]:
    first = record.workers[0].environment
    return differences(one.environment, planned=record.environment, first=first)


def _counts(record: StudyRecord) -> Mapping[int | None, int]:
    """How many computed trials each of the workers' environments has computed."""
    trials = (trial for stage in record.stages.values() for trial in stage.trials)
    return Counter(trial.environment for trial in trials if trial.computed)


def _trials(count: int) -> str:
    return "1 trial was" if count == 1 else f"{count:,} trials were"

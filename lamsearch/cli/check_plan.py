"""What `check` finds out of a study file: its plan, and what that costs here.

Enters: a study, the place of its data. Leaves: the study in numbers, and a document of plain JSON
values. Refuses to plan anything, and to know how it is shown.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any, TypedDict

from lamsearch import data as datasets
from lamsearch import trainers
from lamsearch.cli import options
from lamsearch.errors import DataError
from lamsearch.planning import (
    Suited,
    cohort_line,
    lacking,
    redrawn,
    suited,
)
from lamsearch.points import listed
from lamsearch.results import StageName
from lamsearch.search import CohortPlan, StagePlan, expected, halving
from lamsearch.study import Network, Sizes, Study, Training, cautions, sized, with_cohort


class StageDocument(TypedDict):
    """One stage as it will be planned; what follows from earlier stages is said in words.

    ``updates`` are those of one trial, ``model_updates`` those of all of them: one mini-batch for
    one model. ``search_space`` has the bounds by name, None where candidates are given or follow
    from other stages; ``candidates`` says all of that in words.
    """

    name: str
    trials: int
    cohorts: int
    cohort_sizes: list[int]
    updates: int
    model_updates: int
    search_space: dict[str, Any] | None
    candidates: str


class CohortDocument(TypedDict):
    """How many models are trained together, and how many would suit this machine.

    ``chosen`` says that the study leaves the number to the machine that plans it. ``bytes`` are
    what all ``workers`` would need then, ``memory_bytes`` what the machine has, ``time`` the
    estimated time as a share of that with the study's own number; None where the trainer does not
    declare what a cohort asks for. ``says`` is all of that in a sentence.
    """

    models: int
    chosen: bool
    suits: int
    workers: int
    bytes: float | None
    memory_bytes: float | None
    time: float | None
    says: str


class CheckDocument(TypedDict):
    """A study file that is right; ``estimated_seconds`` are of training on one core of this
    machine, None where that is not known."""

    study: str
    fingerprint: str
    cohort: CohortDocument
    stages: list[StageDocument]
    estimated_seconds: float | None
    notes: list[str]
    warnings: list[str]


def checked(study: Study, data_dir: Path | None, origin: Path) -> tuple[Study, CheckDocument]:
    """Return a study in numbers of examples, and what it will plan and cost.

    Raises:
        DataError: The plan needs the data, which are not there or not right.
    """
    study, features, classes, seen = _seen(study, data_dir, origin)
    suits = suited(study, features, classes)
    line, chosen = cohort_line(study, suits), study.cohort == "auto"
    study = with_cohort(study, suits.cohort) if chosen else study
    small = list(lacking(study, features, classes))
    known = not small and study.uses_network  # what others cost is not known
    stages, seconds = [], 0.0
    costs = _Costs(study, features, classes, measured=known)
    splitting = trainers.splitting(study)
    for stage in study.stages:
        planned, models = expected(study, stage, splitting), 0
        for cohort in planned.cohorts:
            counts = _models(study, stage, cohort)
            models += sum(counts)
            seconds += sum(costs.of_cycle(stage, cohort, count) for count in counts)
        stages.append(_stage(study, planned, models))
    return study, {
        "study": study.name,
        "fingerprint": study.fingerprint,
        "cohort": _cohort(study, suits, line, chosen=chosen),
        "stages": stages,
        "estimated_seconds": seconds if known else None,
        "notes": _notes(study, features, splitting),
        "warnings": [*cautions(study), *small, *seen],
    }


def _notes(study: Study, features: int, splitting: Collection[str]) -> list[str]:
    """What else will happen, a sentence each."""
    notes = []
    if splitting:
        notes.append(
            f"after coarse as many cohorts are counted as {' and '.join(sorted(splitting))} may "
            "lead to: which values are left decides that, and what they cost"
        )
    if cycles := study.snapshot_cycles:
        length = 2 * study.training_of("final").step_size
        ends = listed([f"{length * cycle:,}" for cycle in cycles])
        notes.append(
            f"final's models at the ends of its last {len(cycles)} cycles, at updates {ends}, are "
            "kept and averaged for the test"
        )
    if (line := redrawn(study, features)) is not None:
        notes.append(line)
    if growing := [name for name in study.stages if getattr(getattr(study, name), "extend", False)]:
        notes.append(f"more where {' or '.join(growing)} is extended")
    return notes


def _cohort(study: Study, suits: Suited, line: str, *, chosen: bool) -> CohortDocument:
    known = suits.memory is not None and math.isfinite(suits.memory)
    return {
        "models": study.cohort_size,
        "chosen": chosen,
        "suits": suits.cohort,
        "workers": suits.workers,
        "bytes": suits.bytes,
        "memory_bytes": suits.memory if known else None,
        "time": suits.time,
        "says": line,
    }


def _stage(study: Study, planned: StagePlan, model_cycles: int) -> StageDocument:
    from lamsearch.report.dimensions import ranges_document  # with all that a report needs

    training = study.settings_of(planned.stage).training
    section = getattr(study, planned.stage)
    bounds = None if getattr(section, "values", None) else getattr(section, "bounds", None)
    return {
        "name": planned.stage,
        "trials": planned.trials,
        "cohorts": len(planned.cohorts),
        "cohort_sizes": sorted({len(cohort.trials) for cohort in planned.cohorts}, reverse=True),
        "updates": training.updates,
        "model_updates": model_cycles * 2 * training.step_size,
        "search_space": None if bounds is None else ranges_document(study.space, bounds),
        "candidates": _interval(study, planned),
    }


class _Costs:
    """What training costs here, measured once for each size."""

    def __init__(self, study: Study, features: int, classes: int, *, measured: bool) -> None:
        self._study, self._features, self._classes = study, features, classes
        self._measured = measured  # what does not fit into memory is not tried
        self._seconds: dict[str, float] = {}

    def of_cycle(self, stage: StageName, cohort: CohortPlan, count: int) -> float:
        """Return the seconds of one cycle of ``count`` models of a cohort trained together."""
        if not self._measured:
            return 0.0
        points = [one.point for one in cohort.trials if one.point is not None]
        network, training = trainers.settings(self._study, stage, points)
        assert isinstance(network, Network)  # noqa: S101  # what others cost is not measured
        features = self._study.settings_of(stage).components or self._features
        key = f"{network!r} {features} {count} {training.batch_size} {training.optimiser}"
        if key not in self._seconds:
            self._seconds[key] = _seconds(network, training, self._classes, features, count)
        return self._seconds[key] * 2 * training.step_size


def _seen(
    study: Study, data_dir: Path | None, origin: Path
) -> tuple[Study, int, int, tuple[str, ...]]:
    """The study in numbers of examples, features, classes, and what bears on the answer.

    Data whose sizes are known are looked at only where they are.
    """
    directory, sizes = options.data_directory(data_dir), study.data.sizes
    if sizes is not None and not _is_here(study, directory):
        return (
            _sized(study, sizes),
            sizes.features,
            sizes.classes,
            (),
        )
    try:
        found = datasets.load(
            study, directory, origin=origin, cache=options.cache_directory(), look=True
        )
    except DataError as error:
        if sizes is not None:
            unable = f"the data cannot be used: {error}"
            return (
                _sized(study, sizes),
                sizes.features,
                sizes.classes,
                (unable,),
            )
        raise DataError(f"check: the plan needs the data: {error}") from error
    study.check_features(found.features)
    said = found.seen.warnings if found.seen else ()
    return found.study, found.features, len(found.classes), said


def _sized(study: Study, known: Sizes) -> Study:
    return sized(study, known.examples, own_test=study.data.has_test)


def _is_here(study: Study, directory: Path) -> bool:
    with suppress(DataError):  # a directory that may not be looked into
        return datasets.is_present(study, directory)
    return False


def _models(study: Study, stage: StageName, cohort: CohortPlan) -> list[int]:
    """How many models of a cohort are in training in each cycle."""
    settings, planned = study.settings_of(stage), len(cohort.trials)
    cycles = settings.training.cycles
    if not settings.halving:
        return [planned] * cycles
    return [halving.survivors(planned, cycle=cycle, cycles=cycles) for cycle in range(cycles)]


def _interval(study: Study, planned: StagePlan) -> str:
    section = getattr(study, planned.stage)
    if getattr(section, "values", None):
        return f"{len(section.values)} given"
    bounds = getattr(section, "bounds", None)
    if bounds is not None:
        return ", ".join(
            dimension.span_words(interval)
            for dimension, interval in zip(study.space.dimensions, bounds, strict=True)
        )
    point = getattr(section, "point", None)
    if point is not None:
        return study.space.numbers(point, "g")
    return {"fine": "span of coarse's best", "finalists": "best apart"}.get(planned.stage, "winner")


def _seconds(
    network: Network, training: Training, classes: int, features: int, cohort: int
) -> float:
    from lamsearch.diagnostics.calibration import calibrate

    return calibrate(
        features, network, classes, cohort, training.batch_size,
        optimiser=training.optimiser, seconds=0.3,
    )  # fmt: skip

"""A study's trainer: of which kind, with which options, made for a stage's cohort.

Enters: a checked study. Leaves: its trainer's kind, its task, or all issues of its options.
Refuses to know how a cohort is trained and who trains it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import BaseModel, ValidationError

from lamsearch.defaults import AUTO
from lamsearch.environment import CPU
from lamsearch.errors import InputError, Issue, StudyFileError, shown
from lamsearch.metrics import metric_of
from lamsearch.results import FloatArray, StageName, TargetArray
from lamsearch.space import Point
from lamsearch.study import Study, Training, issues_of
from lamsearch.trainers.failures import Guarded
from lamsearch.trainers.kind import TrainerKind
from lamsearch.trainers.protocol import Device, Splits, Task
from lamsearch.trainers.registry import kind_named
from lamsearch.trainers.searched import options_of, searched_issues, settings_at
from lamsearch.trainers.searched import splitting as splitting_of


def kind_of(study: Study) -> TrainerKind:
    """Return the kind of trainer that a study names.

    Raises:
        InputError: It is not registered here, or cannot be loaded.
    """
    return kind_named(study.trainer.name)


def splitting(study: Study) -> frozenset[str]:
    """Return the names of what a study searches that its trainer cannot train in one cohort.

    Raises:
        InputError: The study's trainer is not registered here, or cannot be loaded.
    """
    return splitting_of(study, kind_of(study)) if study.space.several else frozenset()


def settings(study: Study, stage: StageName, points: Sequence[Point]) -> tuple[BaseModel, Training]:
    """Return the trainer's own settings and [training] for a cohort's points.

    Where a sampler is yet to choose those, there are none, and the study's own are returned.

    Raises:
        InputError: The study's trainer is not registered here, or cannot be loaded.
    """
    kind = kind_of(study)
    if not points:
        return options_of(study, kind, {}), study.training_of(stage)
    found = settings_at(study, kind, stage, points)
    return found.options, found.training


def check(study: Study, where: str = "study") -> Study:
    """Check what a study asks of its trainer, by the trainer's own rules; return the study.

    Raises:
        InputError: The trainer is not registered here, or cannot be loaded.
        StudyFileError: It has issues; ``where`` opens every line.
    """
    try:
        kind = kind_of(study)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    found = list(_issues(study, kind))
    if found:
        raise StudyFileError(
            Issue(where=f"{where}: {one.where}", rule=one.rule, value=one.value) for one in found
        )
    return study


def device_for(study: Study, wanted: str = AUTO) -> Device:
    """Return what a study's trainer trains on here, of what is ``wanted``.

    Raises:
        InputError: There is none such, or its trainer knows none.
    """
    kind = kind_of(study)
    if kind.device is None:
        if wanted in (AUTO, CPU):
            return Device()
        rule = f"trainer {kind.name!r} trains on the processor alone: must be {CPU} or {AUTO}"
        raise InputError(f"device: {rule}, got {shown(wanted)}")
    try:
        found = kind.device(wanted)
    except ValueError as error:
        raise InputError(f"device: {error}") from error
    if not isinstance(found, Device):
        rule = f"device of trainer {kind.name!r} must return a lamsearch.trainers.Device"
        raise InputError(f"device: {rule}, got {type(found).__name__}")
    return found


def trainer_for(
    study: Study,
    stage: StageName,
    points: Sequence[Point],
    *,
    splits: Splits,
    classes: int,
    seed: Sequence[int],
    test: tuple[FloatArray, TargetArray] | None = None,
    device: Device | None = None,
) -> Guarded:
    """Return what trains ``points``, one for each trial, at a stage's settings.

    It does so on the device given, else on what its trainer chooses.

    Raises:
        InputError: The study's trainer is not registered here, or cannot be loaded; or its points
            hold what no study file may.
        TrainerFailedError: It raised.
    """
    kind = kind_of(study)
    settings = settings_at(study, kind, stage, points)
    task = Task(
        points=tuple(points),
        splits=splits,
        training=settings.training,
        options=settings.options,
        augment=settings.augment,
        per_model=settings.per_model,
        classes=classes,
        seed=tuple(seed),
        test=test,
        metric=metric_of(study.metric),
        device=(device or device_for(study)).name,
    )
    return Guarded(kind, task)


def _issues(study: Study, kind: TrainerKind) -> Iterator[Issue]:
    options = study.trainer.options
    allowed = kind.options.model_fields if kind.table == "trainer" else {}
    open_ended = kind.table == "trainer" and kind.options.model_config.get("extra") == "allow"
    unknown = [key for key in options if key not in allowed and not open_ended]
    for key in unknown:
        has = f": it has {', '.join(allowed) or 'no options'}" if kind.table == "trainer" else (
            f": its options stand in [{kind.table}]"
        )  # fmt: skip
        yield Issue(where=f"trainer.{key}", rule=f"unknown key of trainer {kind.name!r}{has}")
    if kind.table == "trainer":
        if study.has_network_table:
            yield Issue(where="network", rule=f"must not be given with trainer {kind.name!r}")
        try:
            known = {k: v for k, v in options.items() if k not in unknown}
            yield from kind.issues(study, kind.options.model_validate(known))
        except ValidationError as error:
            yield from issues_of(error, ("trainer",), kind.options)
    yield from _unread(study, kind)
    yield from searched_issues(study, kind)
    yield from study.most_varied.trainer_issues(kind.name, augments=kind.augments)
    if study.data.weight is not None and not kind.weights:
        rule = f"needs a trainer that weights its training examples, which {kind.name!r} does not"
        yield Issue(where="data.weight", rule=rule, value=study.data.weight)
    for stage in study.stages:
        if study.halves(stage) and not kind.prunes:
            rule = f"needs a trainer that lets trials go early, which {kind.name!r} does not"
            yield Issue(where=f"{stage}.halving", rule=rule, value=True)
    if study.final is not None and not kind.exports:
        rule = f"needs a trainer whose models can be kept, which those of {kind.name!r} cannot"
        yield Issue(where="final", rule=rule)
    elif study.snapshot_cycles and not kind.snapshots:
        rule = "needs a trainer whose models can be kept at cycle ends, which those of "
        yield Issue(where="final.snapshots", rule=f"{rule}{kind.name!r} cannot", value=True)


def _unread(study: Study, kind: TrainerKind) -> Iterator[Issue]:
    """What a study says of [training] to a trainer that does not follow it, where it says it."""
    if kind.reads is None:
        return
    fields = Training.model_fields
    unread = [key for key in fields if key not in kind.reads and not fields[key].is_required()]
    for where in ("training", *study.stages):
        for key in unread:
            value = getattr(getattr(study, where), key, None)
            if value not in (None, fields[key].default):
                rule = f"is not followed by trainer {kind.name!r}"
                yield Issue(where=f"{where}.{key}", rule=rule, value=value)

"""The verb check: is a study file right, what will it plan, what will that cost here?

Enters: a study file. Leaves: its plan as a table, and warnings; plans nothing.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from lamsearch import data as datasets
from lamsearch import trainers
from lamsearch.cli import options
from lamsearch.cli.echo import echo
from lamsearch.errors import DataError
from lamsearch.planning import lacking, redrawn
from lamsearch.points import listed
from lamsearch.results import StageName
from lamsearch.search import CohortPlan, StagePlan, expected, halving
from lamsearch.study import Network, Sizes, Study, Training, cautions, read_study, sized
from lamsearch.terminal import print_table


@click.command()
@click.argument("study_file", metavar="STUDY.toml", type=options.STUDY_FILE)
@options.data_dir
def check(study_file: Path, data_dir: Path | None) -> None:
    """Validate a study file; print its plan and what it will cost here.

    \b
    Example:
      lamsearch check studies/cifar10.toml
    """
    study = trainers.check(read_study(study_file), str(study_file))
    study, features, classes, seen = _seen(study, data_dir, study_file.resolve().parent)
    small = list(lacking(study, features, classes))
    rows, seconds = [], 0.0
    costs = _Costs(study, features, classes, measured=not small and study.uses_network)
    splitting = trainers.splitting(study)
    for stage in study.stages:
        planned, models = expected(study, stage, splitting), 0
        for cohort in planned.cohorts:
            counts = _models(study, stage, cohort)
            models += sum(counts)
            seconds += sum(costs.of_cycle(stage, cohort, count) for count in counts)
        rows.append(_row(study, planned, models))
    header = ["stage", "trials", "cohorts", "updates", "in all", _searched(study)]
    print_table(header, rows, title=f"{study.name}: the file is right")
    if not small and study.uses_network:  # what others cost is not known
        echo(f"about {_duration(seconds)} of training on one core of this machine, "
                   "evaluation and start-up not counted")  # fmt: skip
    if splitting:
        echo(f"after coarse as many cohorts are counted as {' and '.join(sorted(splitting))} may "
             "lead to: which values are left decides that, and what they cost")  # fmt: skip
    if cycles := study.snapshot_cycles:
        length = 2 * study.training_of("final").step_size
        ends = listed([f"{length * cycle:,}" for cycle in cycles])
        echo(f"final's models at the ends of its last {len(cycles)} cycles, at updates {ends}, are "
             "kept and averaged for the test")  # fmt: skip
    if (line := redrawn(study, features)) is not None:
        echo(line)
    if growing := [name for name in study.stages if getattr(getattr(study, name), "extend", False)]:
        echo(f"more where {' or '.join(growing)} is extended")
    for text in [*cautions(study), *small, *seen]:
        echo(f"Warning: {text}")


def _searched(study: Study) -> str:
    """What the bounds are of: λ's are those of its logarithm."""
    first, *further = study.space.dimensions
    return ", ".join([first.plain_label, *(one.symbol for one in further)])


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


def _row(study: Study, planned: StagePlan, model_cycles: int) -> list[str]:
    training = study.settings_of(planned.stage).training
    widths = sorted({len(cohort.trials) for cohort in planned.cohorts}, reverse=True)
    return [
        planned.stage,
        str(planned.trials),
        f"{len(planned.cohorts)} of {' and '.join(map(str, widths))}",
        str(training.updates),
        str(model_cycles * 2 * training.step_size),
        _interval(study, planned),
    ]


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


def _duration(seconds: float) -> str:
    """A time as people say it, in a unit of which there are few."""
    seconds = max(seconds, 0.1)
    for unit, size in (("seconds", 1), ("minutes", 60), ("hours", 3600)):
        if seconds < 99.5 * size:
            count = seconds / size
            return f"{count:.0f} {unit}" if count >= 9.95 else f"{count:.1f} {unit}"
    return f"{seconds / 86_400:,.0f} days"

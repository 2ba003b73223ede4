"""Verbs that look: status, report, check, gradcheck."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from lamsearch import data as datasets
from lamsearch import report as reporting
from lamsearch import storage as store
from lamsearch import trainers
from lamsearch.artifacts import Files
from lamsearch.cli import options
from lamsearch.cli.echo import echo
from lamsearch.cli.locks import until_free
from lamsearch.cli.memory import lacking
from lamsearch.cli.watching import read
from lamsearch.cli.watching import watch as watch_studies
from lamsearch.errors import DataError, InputError, LamsearchError
from lamsearch.results import StageName, StudyRecord, TrialState
from lamsearch.search import Cohort, StagePlan, halving, plan_candidates, plan_search
from lamsearch.storage import Database
from lamsearch.study import KNOWN_SOURCES, Study, cautions, read_study
from lamsearch.terminal import print_json, print_status, print_table, print_text


@click.command()
@click.argument("name", required=False)
@options.storage
@click.option("--watch", is_flag=True, help="Go on until the study, or all of them, are over.")
@options.json_document
def status(name: str | None, storage: str | None, watch: bool, as_json: bool) -> None:
    """Show how far a study is; without a name, all studies.

    \b
    Example:
      lamsearch status digits --watch
    """
    database = options.open_storage(storage)
    if watch and as_json:
        raise click.UsageError("--watch and --json do not go together")
    found = watch_studies(database, name) if watch else until_free(lambda: read(database, name))
    if as_json:
        documents = [_finite(asdict(one)) for one in found]
        print_json(json.dumps(documents[0] if name else documents, indent=1, allow_nan=False))
        return
    with store.damage_is_said():
        for one in found:
            print_status(one, plotted=len(found) == 1)
    if not found:
        echo("no studies", err=True)


@click.command()
@click.argument("name")
@options.storage
@options.files
@options.output
@options.json_document
def report(
    name: str, storage: str | None, files: str | None, output: Path | None, as_json: bool
) -> None:
    """Write the report of a study, finished or not.

    With --json and no --output nothing is written but the document to standard output.

    \b
    Example:
      lamsearch report digits --output digits-report
    """
    database = options.open_storage(storage)
    if output is None and not as_json:
        stored = until_free(lambda: store.load(database, name))
        output = Path("lamsearch-report") / stored.study.name
    if output is not None:
        reporting.check_output(output)
    if output is None:
        record = until_free(lambda: store.read_study(database, name))
        write_report(record, {}, None, as_json=as_json)
    else:
        record, models = until_free(lambda: gathered(database, name, files))
        write_report(record, models, output, as_json=as_json)


@click.command()
@click.argument("study_file", metavar="STUDY.toml", type=click.Path(path_type=Path))
@options.data_dir
def check(study_file: Path, data_dir: Path | None) -> None:
    """Validate a study file; print its plan and what it will cost here.

    \b
    Example:
      lamsearch check studies/cifar10.toml
    """
    study = trainers.check(read_study(study_file), str(study_file))
    features, classes, told = _seen(study, data_dir, study_file.resolve().parent)
    small = list(lacking(study, features, classes))
    warnings = [*cautions(study), *small, *told]
    rows, seconds = [], 0.0
    costs: dict[tuple[int, int, int], float] = {}
    for stage in study.stages:
        planned, training = _expected(study, stage), study.training_of(stage)
        seen = study.components_of(stage) or features
        nets = [net for cohort in planned.cohorts for net in _nets(study, stage, cohort)]
        for count in nets:
            size = (seen, count, training.batch_size)
            if size not in costs:  # what does not fit into memory is not tried
                costs[size] = (
                    0.0 if small or not study.uses_network else _seconds(study, classes, *size)
                )
            seconds += costs[size] * 2 * training.step_size
        widths = sorted({len(cohort.slots) for cohort in planned.cohorts}, reverse=True)
        sizes = " and ".join(map(str, widths))
        rows.append([
            stage, str(planned.trials), f"{len(planned.cohorts)} of {sizes}", str(training.updates),
            str(sum(nets) * 2 * training.step_size), _interval(study, planned),
        ])  # fmt: skip
    title = f"{study.name}: the file is right"
    header = ["stage", "trials", "cohorts", "updates", "in all", "log10 λ"]
    print_table(header, rows, title=title)
    if not small and study.uses_network:  # what others cost is not known
        echo(f"about {_duration(seconds)} of training on one core of this machine, "
                   "evaluation and start-up not counted")  # fmt: skip
    if growing := [name for name in study.stages if getattr(getattr(study, name), "extend", False)]:
        echo(f"more where {' or '.join(growing)} is extended")
    for text in warnings:
        echo(f"Warning: {text}")


@click.command()
def gradcheck() -> None:
    """Compare analytic with numerical gradients; exit 1 past the tolerance.

    Every parameter array of the very update that training takes, in float64, against central
    differences and against the complex step. Printed is max|a − n| / max|a|, the worst of all
    seeds; entries whose step crosses a ReLU kink are counted and left out.
    """
    from lamsearch.diagnostics import gradcheck as probe

    found = probe.check()
    rows = [
        [
            row.array, f"{row.lam:g}", str(row.batch_size), f"{row.central_error:.1e}",
            f"{row.oracle_error:.1e}", str(row.entries), str(row.kinks),
            "ok" if row.passed else "FAILED",
        ]
        for row in found.rows()
    ]  # fmt: skip
    print_table(["array", "λ", "batch", "central", "complex", "entries", "kinks", ""], rows)
    echo(
        f"tolerances: central differences {probe.CENTRAL_TOLERANCE:g}, "
        f"complex step {probe.ORACLE_TOLERANCE:g}"
    )
    if not found.passed:
        raise LamsearchError("gradcheck: a gradient is past its tolerance")


def gathered(
    database: Database, name: str, files: str | None
) -> tuple[StudyRecord, dict[str, bytes]]:
    """Return all that a study's report is made of: its record, and its models by file name."""
    record = store.read_study(database, name)
    return record, _models(database, record, files)


def write_report(
    record: StudyRecord, models: Mapping[str, bytes], output: Path | None, *, as_json: bool
) -> None:
    """Write a study's report where asked, and its summary or document to standard output."""
    with store.damage_is_said():
        text = reporting.to_json(record) if as_json else reporting.summary(record)
        if output is not None:
            reporting.write(record, output, models)
    if output is not None:
        echo(f"report: {output}", err=True)
    if as_json:
        print_json(text)
    else:
        print_text(text)


def _models(database: Database, record: StudyRecord, files: str | None) -> dict[str, bytes]:
    """The final's models as far as they are in the study's files, by file name.

    Only complete replicates of a study that is over have one.
    """
    stored = store.load(database, record.name)
    final = record.stages.get("final") if stored.over else None
    trained = [] if final is None else [t for t in final.trials if t.state is TrialState.COMPLETE]
    try:
        stored = options.present_or_beside(database, stored, files)
    except InputError as error:
        if files is not None:
            raise
        if trained:
            echo(f"report: the models are left out: {error}", err=True)
        return {}
    found = Files(stored.files, stored.id)
    models = {
        f"final-{trial.replicate}.safetensors": content
        for trial in trained
        if (content := found.read_model(trial.replicate, trial.model_sha256)) is not None
    }
    if lack := len(trained) - len(models):
        what = "1 model is" if lack == 1 else f"{lack} models are"
        echo(f"report: {what} not in {found.shown}, or not as saved", err=True)
    return models


def _finite(value: Any) -> Any:
    """A document with null where a number is none: JSON has no infinity."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _seen(study: Study, data_dir: Path | None, origin: Path) -> tuple[int, int, tuple[str, ...]]:
    """Features, classes, and what of the data bears on the answer.

    The sizes of the known sources are known: their data are looked at only where they are.
    """
    directory, known = options.data_directory(data_dir), KNOWN_SOURCES.get(study.data.kind)
    if known is not None and not _is_there(study.data.kind, directory):
        return (*known[1:], ())
    try:
        found = datasets.load(
            study, directory, origin=origin, cache=options.cache_directory(), look=True
        )
    except DataError as error:
        if known is not None:
            return (*known[1:], (f"the data cannot be used: {error}",))
        raise DataError(f"check: the plan needs the data: {error}") from error
    study.check_features(found.features)
    return found.features, len(found.classes), found.seen.warnings if found.seen else ()


def _is_there(name: str, directory: Path) -> bool:
    with suppress(DataError):  # a directory that may not be looked into
        return any(one.present for one in datasets.sources(directory) if one.name == name)
    return False


def _nets(study: Study, stage: StageName, cohort: Cohort) -> list[int]:
    """How many nets of a cohort are in training in each cycle."""
    planned, cycles = len(cohort.slots), study.training_of(stage).cycles
    if not study.halves(stage):
        return [planned] * cycles
    return [halving.survivors(planned, cycle=cycle, cycles=cycles) for cycle in range(cycles)]


def _expected(study: Study, stage: StageName) -> StagePlan:
    """The plan of a stage with all its rounds; where results decide, as many as there can be."""
    once = _once(study, stage)
    return replace(once, cohorts=once.cohorts * getattr(getattr(study, stage), "rounds", 1))


def _once(study: Study, stage: StageName) -> StagePlan:
    if stage == "coarse":
        return plan_search(study, stage)
    if stage == "fine" and study.fine is not None:
        given = study.fine.values or study.fine.log10_lambda
        return plan_search(study, stage, None if given else (-1.0, 1.0))
    count = study.finalists.keep if stage == "finalists" and study.finalists else 1
    return plan_candidates(study, stage, [float(place) for place in range(count)])


def _interval(study: Study, planned: StagePlan) -> str:
    section = getattr(study, planned.stage)
    if getattr(section, "values", None):
        return f"{len(section.values)} given"
    bounds = getattr(section, "log10_lambda", None)
    if isinstance(bounds, tuple):
        return f"{bounds[0]:g} to {bounds[1]:g}"
    if isinstance(bounds, float):
        return f"{bounds:g}"
    return {"fine": "span of coarse's best", "finalists": "best apart"}.get(planned.stage, "winner")


def _seconds(study: Study, classes: int, features: int, cohort: int, batch_size: int) -> float:
    from lamsearch.diagnostics.calibration import calibrate

    return calibrate(features, study.network.hidden, classes, cohort, batch_size, seconds=0.3)


def _duration(seconds: float) -> str:
    """A time as people say it, in a unit of which there are few."""
    seconds = max(seconds, 0.1)
    for unit, size in (("seconds", 1), ("minutes", 60), ("hours", 3600)):
        if seconds < 99.5 * size:
            count = seconds / size
            return f"{count:.0f} {unit}" if count >= 9.95 else f"{count:.1f} {unit}"
    return f"{seconds / 86_400:,.0f} days"

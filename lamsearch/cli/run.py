"""The verb run: a study from its file to its report, by local workers or a Dask cluster.

Enters: a study file. Leaves: its report. After an interruption it goes on where it stopped.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lamsearch import defaults, environment, open_files, trainers
from lamsearch import report as reporting
from lamsearch.artifacts import Files
from lamsearch.cli import options, sources
from lamsearch.cli.exporting import Exports, exports
from lamsearch.cli.planning import planned
from lamsearch.cli.reports import gathered, made, write_report
from lamsearch.cli.signals import leaving
from lamsearch.errors import InputError, WorkFailedError
from lamsearch.pool import Cluster, LocalPool, WaitingForks, Watch, connect, cores
from lamsearch.prepared_fork import PreparedFork
from lamsearch.results import StudyRecord, StudyState
from lamsearch.statistics.loading import load as load_statistics
from lamsearch.storage import Database, PlannedStudy, load_opening
from lamsearch.study import read_study
from lamsearch.terminal import Screen
from lamsearch.worker import Retry

if TYPE_CHECKING:  # the extra; loaded where it is used
    from distributed import Client

_SECONDS = 4.8  # to leave gracefully in
# Of a worker's waits for the others to end a stage: together they ask the storage 50 times a second
_LONGEST_WAIT, _WAIT_OF_EACH = 0.3, 0.02


@click.command()
@click.argument("study_file", metavar="STUDY.toml", type=options.STUDY_FILE)
@options.storage
@click.option("--workers", type=click.IntRange(1, 1024), help="Local workers; else one per core.")
@click.option(
    "--dask",
    metavar="ADDRESS",
    help="Scheduler of a Dask cluster, each of whose workers then runs one; instead of --workers.",
)
@options.data_dir
@options.files
@options.output
@options.json_document
@exports
@options.device
@options.mixed_versions
@options.timing
def run(
    study_file: Path,
    storage: str | None,
    workers: int | None,
    dask: str | None,
    data_dir: Path | None,
    files: str | None,
    output: Path | None,
    as_json: bool,
    exports: Exports,
    device: str | None,
    mixed_versions: bool,
    checkpoint_seconds: float,
    lease_seconds: float,
) -> None:
    """Run a study to its report; after an interruption, go on where it stopped.

    \b
    Example:
      lamsearch run studies/digits.toml --workers 2
      lamsearch run studies/digits.toml --dask tcp://scheduler:8786 --storage postgresql://lam@db/lam
    """
    if dask is not None and workers is not None:
        raise click.UsageError("--workers and --dask exclude each other: Dask's workers are used.")
    if too_few := open_files.lacking(open_files.START + open_files.EACH_WORKER * _count(workers)):
        raise InputError(too_few)
    study = trainers.check(read_study(study_file), str(study_file))
    if dask is None:  # its workers have devices of their own
        trainers.device_for(study, defaults.device(device))
    exports.check(study.name)
    output = output or Path("lamsearch-report") / study.name
    # an output that cannot be, and a scheduler that does not answer, before anything is planned
    reporting.check_output(output)
    maker = PreparedFork(partial(reporting.prepare, modelled=study.modelled), made)
    forks = WaitingForks(partial(_load_worker, storage), _be_worker)
    with maker:
        with forks, nullcontext() if dask is None else connect(dask) as client:
            before = partial(forks.make, 0 if dask else _count(workers))
            database, stored = planned(study, study_file, storage, data_dir, files, before=before)
            timing = options.timing_arguments(
                checkpoint_seconds, lease_seconds, mixed=mixed_versions, device=device
            )
            timing += ["--data-origin", str(sources.given_by(study, study_file))]
            setup = _Setup(
                database=database, stored=stored, data_dir=data_dir, options=timing, forks=forks,
                environment=options.environment(storage, files, everywhere=client is not None),
            )  # fmt: skip
            record, models = _finished(setup, client, workers, files)
        models = exports.models_or_line(models)
        write_report(record, models, output, as_json=as_json, maker=maker)
    exports.send(record, models, output)
    if record.failure is not None:
        raise WorkFailedError(record.failure)
    if record.state is StudyState.CANCELLED:
        raise WorkFailedError(f"study: {record.name} was cancelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setup:
    """A planned study and what its workers are started with."""

    database: Database
    stored: PlannedStudy
    data_dir: Path | None
    options: list[str]
    environment: dict[str, str]
    forks: WaitingForks


def _load_worker(storage: str | None) -> None:
    """Load what every worker does."""
    import lamsearch.cli.worker
    import lamsearch.worker.study_worker  # noqa: F401 - loaded alone

    environment.here()  # is remembered
    load_statistics(modelled=False)
    load_opening(options.storage_url(storage))


def _be_worker(words: list[str]) -> None:
    from lamsearch.cli import cli

    cli(words, prog_name="lamsearch")


def _finished(
    setup: _Setup, client: Client | None, workers: int | None, files: str | None
) -> tuple[StudyRecord, dict[str, bytes]]:
    """Run a study until it is over; return its record and models."""
    database, stored = setup.database, setup.stored
    with Screen() as screen:
        launched: LocalPool | Cluster
        if client is None:
            launched = _local_pool(setup, workers, screen)
        else:
            launched = _cluster(setup, client, screen)
        with leaving(screen.say, within=_SECONDS, at_once=launched.kill) as stop:
            if not stored.over:
                launched.run(stop)
            # all is committed: a database that is away just now is waited for
            return Retry(stop, screen.say)(lambda: gathered(database, stored.study.name, files))


def _count(workers: int | None) -> int:
    """How many local workers are meant."""
    return workers or cores()


def _local_pool(setup: _Setup, workers: int | None, screen: Screen) -> LocalPool:
    name = setup.stored.study.name
    longest = max(_LONGEST_WAIT, _WAIT_OF_EACH * _count(workers))
    return LocalPool(
        setup.database,
        name,
        _count(workers),
        command=[
            sys.executable, "-P", "-m", "lamsearch", "worker", name, "--supervised",
            "--longest-wait", str(longest),
            "--data-dir", str(options.data_directory(setup.data_dir)), *setup.options,
        ],
        environment=setup.environment,
        say=screen.say,
        show=screen.show,
        files=Files(setup.stored.files, setup.stored.id),
        forks=setup.forks,
        # a number that was asked for is not exceeded; what another's training takes, nobody knows
        fills_up=workers is None and setup.stored.study.uses_network,
    )  # fmt: skip


def _cluster(setup: _Setup, client: Client, screen: Screen) -> Cluster:
    """The other hosts have their own working directories and, unless told, data directories."""
    stored, name = setup.stored, setup.stored.study.name
    options.warn_of_sqlite(setup.environment[options.STORAGE_VARIABLE], screen.say)
    where = options.data_dir_everywhere(setup.data_dir)
    return Cluster(
        client,
        Watch(setup.database, name, screen.show, Files(stored.files, stored.id), screen.say),
        name,
        arguments=["worker", name, "--supervised", *where, *setup.options],
        # Dask's workers have other working directories
        environment={options.FILES_VARIABLE: stored.files} | setup.environment,
        say=screen.say,
    )

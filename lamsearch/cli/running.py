"""Verbs that work: run, worker, create, delete."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from lamsearch import data as datasets
from lamsearch import environment, open_files
from lamsearch import report as reporting
from lamsearch import storage as store
from lamsearch.artifacts import Files
from lamsearch.cli import options, sources
from lamsearch.cli.echo import echo
from lamsearch.cli.inspection import gathered, write_report
from lamsearch.cli.locks import until_free
from lamsearch.cli.memory import lacking
from lamsearch.cli.signals import leaving
from lamsearch.errors import InputError, StudyStateError, WorkFailedError
from lamsearch.pool import Cluster, LocalPool, connect
from lamsearch.storage import Database, Mode, PlannedStudy
from lamsearch.study import Study, cautions, read_study
from lamsearch.terminal import Screen
from lamsearch.worker import Retry, Settings, Worker

if TYPE_CHECKING:  # the extra; loaded where it is used
    from distributed import Client

T = TypeVar("T")

_STUDY_FILE = click.Path(path_type=Path)
_WORKER_SECONDS, _RUN_SECONDS = 4.0, 4.8  # to leave gracefully in


@click.command()
@click.argument("study_file", metavar="STUDY.toml", type=_STUDY_FILE)
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
    if lacking_files := open_files.lacking(
        open_files.START + open_files.EACH_WORKER * _count(workers)
    ):
        raise InputError(lacking_files)
    study = read_study(study_file)
    output = output or Path("lamsearch-report") / study.name
    # an output that cannot be, and a scheduler that does not answer, before anything is planned
    reporting.check_output(output)
    with nullcontext() if dask is None else connect(dask) as client:
        database, stored = _planned(study, study_file, storage, data_dir, files)
        name = stored.study.name
        timing = ["--checkpoint-seconds", str(checkpoint_seconds),
                "--lease-seconds", str(lease_seconds)]  # fmt: skip
        timing += ["--mixed-versions"] if mixed_versions else []
        timing += ["--data-origin", str(sources.given_by(study, study_file))]
        settings = _settings(storage, files, everywhere=client is not None)
        if client is not None:  # Dask's workers have other working directories
            settings.setdefault(options.FILES_VARIABLE, stored.files)
        with Screen() as screen:
            if client is None:
                launched = _local_pool(
                    database, stored, workers, settings, data_dir, timing, screen
                )
            else:
                launched = _cluster(client, database, stored, settings, data_dir, timing, screen)
            with leaving(screen.say, within=_RUN_SECONDS, at_once=launched.kill) as stop:
                if not stored.over:
                    launched.run(stop)
                # all is committed: a database that is away just now is waited for
                record, models = Retry(stop, screen.say)(lambda: gathered(database, name, files))
    write_report(record, models, output, as_json=as_json)
    if record.failure is not None:
        raise WorkFailedError(record.failure)


@click.command()
@click.argument("name")
@options.storage
@options.data_dir
@options.files
@click.option("--supervised", is_flag=True, hidden=True, help="Leave when standard input closes.")
@click.option("--data-origin", type=click.Path(path_type=Path), hidden=True)
@options.mixed_versions
@options.timing
def worker(
    name: str,
    storage: str | None,
    data_dir: Path | None,
    files: str | None,
    supervised: bool,
    data_origin: Path | None,
    mixed_versions: bool,
    checkpoint_seconds: float,
    lease_seconds: float,
) -> None:
    """Join a study that run or create has planned, from any machine.

    \b
    Example:
      LAMSEARCH_STORAGE=postgresql://lam@db/lam lamsearch worker digits
    """
    settings = Settings(
        data_directory=options.data_directory(data_dir),
        cache_directory=options.cache_directory(),
        lease_seconds=lease_seconds,
        checkpoint_seconds=checkpoint_seconds,
        mixed_versions=mixed_versions,
    )
    with leaving(_say, within=_WORKER_SECONDS) as stop:
        if supervised:
            threading.Thread(target=_leave_with_pool, args=(stop,), daemon=True).start()
        retry = Retry(stop, _say)
        # who started a pool has reached the storage: to its workers one that is away is an outage
        database = (retry if supervised else _once)(
            lambda: options.open_storage(storage, Mode.WORK)
        )
        stored = retry(lambda: store.load(database, name))
        stored = options.present(database, stored, options.files_given(files), quiet=supervised)
        stored = sources.permitted(database, stored, settings.data_directory, data_origin)
        Worker(database, stored, settings, stop=stop, say=_say).run()
        failure = retry(lambda: store.load(database, name).failure)
    if failure is not None and not supervised:
        raise WorkFailedError(failure)


@click.command()
@click.argument("study_file", metavar="STUDY.toml", type=_STUDY_FILE)
@options.storage
@options.data_dir
@options.files
def create(study_file: Path, storage: str | None, data_dir: Path | None, files: str | None) -> None:
    """Plan a study only, for workers started elsewhere.

    \b
    Example:
      lamsearch create studies/cifar10.toml --storage postgresql://lam@db/lam
    """
    _, stored = _planned(read_study(study_file), study_file, storage, data_dir, files)
    echo(f"planned {stored.study.name}; join with: lamsearch worker {stored.study.name}")


@click.command()
@click.argument("name")
@options.storage
@options.files
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(name: str, storage: str | None, files: str | None, yes: bool) -> None:
    """Start over: remove the trials, leases and files of a study.

    Of its files what lamsearch wrote is removed, and nothing else. Where its row is damaged its
    files are left: what it says of them is not believed.
    """
    database = options.open_storage(storage, Mode.WORK)
    if (damage := until_free(lambda: store.damage_of(database, name))) is not None:
        _confirm(name, yes)
        until_free(lambda: store.delete(database, name))
        echo(f"deleted {name}; its files are left where they are: {damage}", err=True)
        return
    stored = until_free(lambda: store.load(database, name))
    stored = options.present_or_beside(database, stored, files)
    own = Files(stored.files, stored.id)
    own.check_ours()  # what cannot be reached or removed is said while all is there
    _confirm(name, yes)
    until_free(lambda: store.delete(database, name))
    own.remove_all()
    echo(f"deleted {name}", err=True)


def _confirm(name: str, yes: bool) -> None:
    if not yes and not click.confirm(f"Delete the study {name!r} with all its results?", err=True):
        raise StudyStateError(f"study: {name!r} was not deleted: not confirmed")


def _count(workers: int | None) -> int:
    """How many local workers are meant."""
    return workers or len(os.sched_getaffinity(0))


def _local_pool(
    database: Database,
    stored: PlannedStudy,
    workers: int | None,
    settings: dict[str, str],
    data_dir: Path | None,
    timing: list[str],
    screen: Screen,
) -> LocalPool | Cluster:
    return LocalPool(
        database,
        stored.study.name,
        _count(workers),
        command=[
            sys.executable, "-P", "-m", "lamsearch", "worker", stored.study.name, "--supervised",
            "--data-dir", str(options.data_directory(data_dir)), *timing,
        ],
        environment=settings,
        say=screen.say,
        show=screen.show,
        files=Files(stored.files, stored.id),
    )  # fmt: skip


def _cluster(
    client: Client,
    database: Database,
    stored: PlannedStudy,
    settings: dict[str, str],
    data_dir: Path | None,
    timing: list[str],
    screen: Screen,
) -> LocalPool | Cluster:
    """The other hosts have their own working directories and, unless told, data directories."""
    if settings[options.STORAGE_VARIABLE].startswith("sqlite"):
        screen.say("--dask on sqlite: right only where all Dask workers are on this host")
    where = [] if data_dir is None else ["--data-dir", str(data_dir.resolve())]
    return Cluster(
        client,
        database,
        stored.study.name,
        arguments=["worker", stored.study.name, "--supervised", *where, *timing],
        environment=settings,
        say=screen.say,
        show=screen.show,
        files=Files(stored.files, stored.id),
    )


def _settings(storage: str | None, files: str | None, *, everywhere: bool) -> dict[str, str]:
    """What the workers find in their environment: places, which may hold passwords."""
    url = options.storage_url_everywhere(storage) if everywhere else options.storage_url(storage)
    given = options.files_given(files)
    return {options.STORAGE_VARIABLE: url} | (
        {} if given is None else {options.FILES_VARIABLE: given}
    )


def _planned(
    study: Study,
    study_file: Path,
    storage: str | None,
    data_dir: Path | None,
    files: str | None,
) -> tuple[Database, PlannedStudy]:
    """Check the study's data, then plan it or find it planned; bad input changes nothing."""
    url = options.storage_url(storage)
    given = options.files_given(files)
    origin = study_file.resolve().parent
    _check_recordable(str(origin), given or options.files_default(url))
    found = datasets.load(
        study,
        options.data_directory(data_dir),
        origin=origin,
        cache=options.cache_directory(),
        look=True,
    )
    study.check_features(found.features)
    for text in [*cautions(study), *lacking(study, found.features, len(found.classes))]:
        echo(f"Warning: {text}", err=True)
    Files(given or options.files_default(url), "check").check()
    database = options.open_storage(storage, Mode.CREATE)
    is_new = study.name not in until_free(lambda: store.names(database))
    stored = until_free(
        lambda: store.create(
            database,
            study,
            data_fingerprint=found.fingerprint,
            validation_images={stage: study.validation_images(stage) for stage in study.stages},
            classes=found.classes,
            origin=str(origin),
            files=given or options.files_default(url),
            facts=found.seen,
            environment=environment.here(),
        )
    )
    if is_new and found.seen is not None:
        for line in found.seen.warnings:
            echo(f"Warning: {line}", err=True)
    stored = options.present(database, stored, given)
    if is_new:  # later this tells that the directory is lamsearch's
        Files(stored.files, stored.id).mark()
    return database, stored


def _check_recordable(*texts: str) -> None:
    """Refuse paths that a database cannot hold: Python keeps bytes that are no UTF-8 apart."""
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InputError(f"a path that is recorded must be UTF-8, got {text!r}") from None


def _once(action: Callable[[], T]) -> T:
    return action()


def _say(line: str) -> None:
    # a worker whose pool was killed has nobody to tell, but still something to give back
    with suppress(BrokenPipeError):
        echo(line, err=True)


def _leave_with_pool(stop: threading.Event) -> None:
    """Leave gracefully when the pipe of the pool that started us closes: it is gone."""
    sys.stdin.read()
    stop.set()

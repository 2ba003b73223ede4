"""The verb worker: join the pool from any machine, for every study or for those that are named.

Enters: names of studies, or none. Leaves: their cohorts, trained as far as there are any for this
worker; a line per event on standard error.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import click

from lamsearch import defaults, logs
from lamsearch import storage as store
from lamsearch.cli import options, sources
from lamsearch.cli.dask_pool import serve_on_cluster
from lamsearch.cli.echo import echo
from lamsearch.cli.logging_options import Logging, logging_options
from lamsearch.cli.signals import leaving
from lamsearch.errors import UnknownStudyError, WorkFailedError
from lamsearch.statistics.loading import load as load_statistics
from lamsearch.storage import Database, Mode, PlannedStudy
from lamsearch.worker import PoolWorker, Retry, Settings, StudyWorker
from lamsearch.worker.idling import LONGEST_WAIT

T = TypeVar("T")
Say = Callable[[str], None]

_SECONDS = 4.0  # to leave gracefully in
_log = logging.getLogger(f"{logs.NAME}.worker")


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@options.storage
@options.data_dir
@options.files
@click.option("--exit-when-idle", is_flag=True, help="Leave when no study is left to go on with.")
@click.option(
    "--dask",
    metavar="ADDRESS",
    help="Scheduler of a Dask cluster, each of whose workers then runs one that serves all.",
)
@click.option("--supervised", is_flag=True, hidden=True, help="Leave when standard input closes.")
@click.option("--once", is_flag=True, hidden=True, help="Leave after one cohort.")
@click.option(
    "--longest-wait", type=click.FloatRange(0.05, 60.0), default=LONGEST_WAIT, hidden=True
)
@click.option("--data-origin", type=click.Path(path_type=Path), hidden=True)
@options.device
@options.mixed_versions
@options.timing
@logging_options
def worker(
    names: tuple[str, ...],
    storage: str | None,
    data_dir: Path | None,
    files: str | None,
    exit_when_idle: bool,
    dask: str | None,
    supervised: bool,
    once: bool,
    longest_wait: float,
    data_origin: Path | None,
    device: str | None,
    mixed_versions: bool,
    checkpoint_seconds: float,
    lease_seconds: float,
    log: Logging,
) -> None:
    """Join the pool: serve every study, now and to come, or only those that are named.

    \b
    Example:
      LAMSEARCH_STORAGE=postgresql://lam@db/lam lamsearch worker
      lamsearch worker digits cifar10 --storage postgresql://lam@db/lam
    """
    if not supervised:
        log.configure(options.storage_url(storage))
    if dask is not None:
        if names or exit_when_idle:
            raise click.UsageError("--dask serves every study until it is asked to leave: "
                                   "it takes neither NAME nor --exit-when-idle")  # fmt: skip
        timing = options.timing_arguments(
            checkpoint_seconds, lease_seconds, mixed=mixed_versions, device=device
        )
        with log.erring():
            serve_on_cluster(dask, storage, data_dir, files, timing, _log.info)
        return
    load_statistics(modelled=False)  # before there are threads
    settings = Settings(
        data_directory=options.data_directory(data_dir),
        cache_directory=options.cache_directory(),
        lease_seconds=lease_seconds,
        checkpoint_seconds=checkpoint_seconds,
        mixed_versions=mixed_versions,
        longest_wait=longest_wait,
        device=defaults.device(device),
    )
    open_ = partial(options.open_storage, storage, Mode.WORK)
    admit = partial(_admitted, settings, options.files_given(files), data_origin, supervised)
    with log.erring():
        _serve(
            names, settings, open_, admit,
            leaves_idle=exit_when_idle, once=once, supervised=supervised,
        )  # fmt: skip


def _serve(
    names: tuple[str, ...],
    settings: Settings,
    open_storage: Callable[[], Database],
    admit: Callable[[Database, PlannedStudy], PlannedStudy],
    *,
    leaves_idle: bool,
    once: bool,
    supervised: bool,
) -> None:
    """Be a member of the pool until there is a reason to leave."""
    names = tuple(dict.fromkeys(names))
    plainly = _plainly if len(names) == 1 else _with_study
    say, warn = (plainly, plainly) if supervised else (_log.info, _log.warning)
    with leaving(say, within=_SECONDS) as stop:
        if supervised:
            threading.Thread(target=_leave_with_pool, args=(stop,), daemon=True).start()
        retry = Retry(stop, warn)
        # who started a pool has reached the storage: to its workers one that is away is an outage
        database = (retry if supervised else _once)(open_storage)
        member = _Member(database, settings, stop, say, warn, retry, partial(admit, database))
        if len(names) == 1:
            member.serve_one(names[0], leaves_idle=leaves_idle, once=once)
        else:
            member.serve(names, leaves_idle=leaves_idle)
        if not supervised:
            member.find_well(names)


@dataclass(frozen=True, slots=True)
class _Member:
    """A member of the pool, with all that it works with."""

    database: Database
    settings: Settings
    stop: threading.Event
    say: Say
    warn: Say
    retry: Retry
    admit: Callable[[PlannedStudy], PlannedStudy]

    def serve_one(self, name: str, *, leaves_idle: bool, once: bool) -> None:
        """Work on one study until it is over; that it cannot be is bad input."""
        with logs.about(study=name):
            stored = self.admit(self.retry(lambda: store.load(self.database, name)))
            StudyWorker(
                self.database, stored, self.settings, stop=self.stop, say=self.say,
                retried=self.retry,
            ).run(leaves_idle=leaves_idle, once=once)  # fmt: skip

    def serve(self, names: Sequence[str], *, leaves_idle: bool) -> None:
        """Work on the named studies until all are over; where none is named, on all there are."""
        for name in names:  # what is not there now is a slip of the pen
            self.retry(partial(store.load, self.database, name))
        PoolWorker(
            self.database, self.settings, stop=self.stop, say=self.say, warn=self.warn,
            admit=self.admit, names=names or None, leaves_idle=leaves_idle,
        ).run()  # fmt: skip

    def find_well(self, names: Sequence[str]) -> None:
        """Refuse to leave well when a named study failed.

        Raises:
            WorkFailedError: One did.
        """
        wrong = []
        for name in names:
            with suppress(UnknownStudyError):  # deleted since it was done
                if why := _failure(self.retry(partial(store.load, self.database, name))):
                    wrong.append(why if len(names) == 1 else f"{name}: {why}")
        if wrong:
            raise WorkFailedError("\n".join(wrong))


def _failure(stored: PlannedStudy) -> str | None:
    if stored.cancelled:
        return f"study: {stored.study.name} was cancelled"
    return stored.failure


def _admitted(
    settings: Settings,
    files: str | None,
    data_origin: Path | None,
    quiet: bool,
    database: Database,
    stored: PlannedStudy,
) -> PlannedStudy:
    """Return a study with the places of its files and data that this process may use.

    Raises:
        InputError: There are none.
    """
    stored = options.present(database, stored, files, quiet=quiet)
    return sources.permitted(database, stored, settings.data_directory, data_origin)


def _once(action: Callable[[], T]) -> T:
    return action()


def _plainly(line: str) -> None:
    # a worker whose pool was killed has nobody to tell, but still something to give back
    with suppress(BrokenPipeError):
        echo(line, err=True)


def _with_study(line: str) -> None:
    study = logs.study()
    _plainly(line if study is None else f"{study}: {line}")


def _leave_with_pool(stop: threading.Event) -> None:
    """Leave gracefully when the pipe of the pool that started us closes: it is gone."""
    sys.stdin.read()
    stop.set()

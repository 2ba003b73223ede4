"""The verb worker: join a study from any machine.

Enters: a study's name. Leaves: its cohorts, trained as far as there are any for this worker.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import click

from lamsearch import storage as store
from lamsearch.cli import options, sources
from lamsearch.cli.echo import echo
from lamsearch.cli.signals import leaving
from lamsearch.errors import WorkFailedError
from lamsearch.storage import Mode
from lamsearch.worker import Retry, Settings, Worker

T = TypeVar("T")

_SECONDS = 4.0  # to leave gracefully in


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
    with leaving(_say, within=_SECONDS) as stop:
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

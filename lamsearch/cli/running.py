"""Verbs that work: run, worker, create, delete."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from lamsearch import dataset, trials
from lamsearch.cli import options
from lamsearch.cli.inspection import write_report
from lamsearch.errors import InputError, InterruptedWorkError, StudyStateError, WorkFailedError
from lamsearch.files import Files
from lamsearch.launch import Crew
from lamsearch.screen import Screen
from lamsearch.study import read_study
from lamsearch.trials import Database, Stored
from lamsearch.worker import Settings, Worker

_STUDY_FILE = click.Path(path_type=Path)
_LEAVE = (signal.SIGINT, signal.SIGTERM)


@click.command()
@click.argument("study_file", metavar="STUDY.toml", type=_STUDY_FILE)
@options.storage
@click.option("--workers", type=click.IntRange(min=1), help="Local workers; else one per core.")
@options.data_dir
@options.files
@options.output
@options.json_document
@options.pace
def run(
    study_file: Path,
    storage: str | None,
    workers: int | None,
    data_dir: Path | None,
    files: str | None,
    output: Path | None,
    as_json: bool,
    checkpoint_seconds: float,
    lease_seconds: float,
) -> None:
    """Run a study to its report; after an interruption, go on where it stopped.

    \b
    Example:
      lamsearch run studies/digits.toml --workers 2
    """
    database, stored = _planned(study_file, storage, data_dir, files)
    name = stored.study.name
    command = [
        sys.executable, "-P", "-m", "lamsearch", "worker", name, "--crew",
        "--data-dir", str(options.data_folder(data_dir)),
        "--checkpoint-seconds", str(checkpoint_seconds), "--lease-seconds", str(lease_seconds),
    ]  # fmt: skip
    with Screen() as screen:
        crew = Crew(
            database,
            name,
            workers or len(os.sched_getaffinity(0)),
            command=command,
            environment={options.STORAGE_VARIABLE: options.storage_url(storage)},
            say=screen.say,
            show=screen.show,
        )
        with _leaving(screen.say, at_once=crew.kill) as stop:
            if not stored.over:
                crew.run(stop)
    write_report(database, name, output or Path("lamsearch-report") / name, as_json=as_json)
    failure = trials.load(database, name).failure
    if failure is not None:
        raise WorkFailedError(failure)


@click.command()
@click.argument("name")
@options.storage
@options.data_dir
@options.files
@click.option("--crew", is_flag=True, hidden=True, help="Leave when standard input closes.")
@options.pace
def worker(
    name: str,
    storage: str | None,
    data_dir: Path | None,
    files: str | None,
    crew: bool,
    checkpoint_seconds: float,
    lease_seconds: float,
) -> None:
    """Join a study that run or create has planned, from any machine.

    \b
    Example:
      LAMSEARCH_STORAGE=postgresql://lam@db/lam lamsearch worker digits
    """
    database = options.open_storage(storage)
    stored = trials.load(database, name)
    _check_files(stored, files)
    settings = Settings(
        data_folder=options.data_folder(data_dir),
        cache_folder=options.cache_folder(),
        lease_seconds=lease_seconds,
        checkpoint_seconds=checkpoint_seconds,
    )
    with _leaving(_say) as stop:
        if crew:
            threading.Thread(target=_leave_with_crew, args=(stop,), daemon=True).start()
        Worker(database, stored, settings, stop=stop, say=_say).run()
    failure = trials.load(database, name).failure
    if failure is not None and not crew:
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
    _, stored = _planned(study_file, storage, data_dir, files)
    click.echo(f"planned {stored.study.name}; join with: lamsearch worker {stored.study.name}")


@click.command()
@click.argument("name")
@options.storage
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(name: str, storage: str | None, yes: bool) -> None:
    """Start over: remove the trials, leases and files of a study."""
    database = options.open_storage(storage)
    trials.load(database, name)
    if not yes and not click.confirm(f"Delete the study {name!r} with all its results?", err=True):
        raise StudyStateError(f"study: {name!r} was not deleted: not confirmed")
    stored = trials.delete(database, name)
    Files(stored.files, stored.id).remove_all()
    click.echo(f"deleted {name}", err=True)


def _planned(
    study_file: Path, storage: str | None, data_dir: Path | None, files: str | None
) -> tuple[Database, Stored]:
    """Check the study and its data, then plan it or find it planned; bad input changes nothing."""
    study = read_study(study_file)
    url = options.storage_url(storage)
    given = options.files_given(files)
    origin = study_file.resolve().parent
    found = dataset.load(
        study, options.data_folder(data_dir), origin=origin, cache=options.cache_folder()
    )
    Files(given or options.files_default(url), "check")  # refuses a URL that is none
    database = options.open_storage(storage, must_exist=False)
    stored = trials.create(
        database,
        study,
        data_fingerprint=found.fingerprint,
        validation_images={stage: study.validation_images(stage) for stage in study.stages},
        classes=found.classes,
        origin=str(origin),
        files=given or options.files_default(url),
    )
    _check_files(stored, files)
    return database, stored


def _check_files(stored: Stored, files: str | None) -> None:
    given = options.files_given(files)
    if given is not None and given != stored.files:
        raise InputError(
            f"files: {stored.study.name!r} was created with {stored.files!r}, got {given!r}"
        )


def _say(line: str) -> None:
    # a worker whose crew was killed has nobody to tell, but still something to give back
    with suppress(BrokenPipeError):
        click.echo(line, err=True)


def _leave_with_crew(stop: threading.Event) -> None:
    """Leave politely when the pipe of the crew that started us closes: it is gone."""
    sys.stdin.read()
    stop.set()


@contextmanager
def _leaving(
    say: Callable[[str], None], at_once: Callable[[], None] | None = None
) -> Iterator[threading.Event]:
    """Turn the first SIGINT or SIGTERM into a polite stop, and the second into leaving at once.

    A thread hears them. Python's own handlers run between two steps of the main thread, which may
    be waiting inside a database's code, or hold the very lock that its own handler would need.
    """
    stop = threading.Event()
    ear, mouth = socket.socketpair()
    mouth.setblocking(False)

    def listen() -> None:
        while number := ear.recv(1):
            if number[0] not in _LEAVE:
                continue
            if stop.is_set():
                if at_once is not None:
                    at_once()
                os._exit(InterruptedWorkError.exit_code)
            stop.set()
            say("leaving: saving what is in work; once more to leave at once")

    listener = threading.Thread(target=listen, name="signals", daemon=True)
    listener.start()
    woken = signal.set_wakeup_fd(mouth.fileno())
    # a handler must be there for the number to be written to the socket
    before = {number: signal.signal(number, lambda *_: None) for number in _LEAVE}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(woken)
        mouth.close()
        listener.join()
        ear.close()

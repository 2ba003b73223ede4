"""Options that several verbs share, and what they fall back to."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import click

from lamsearch import planning
from lamsearch.cli.echo import echo
from lamsearch.cli.locks import until_free
from lamsearch.defaults import (
    STORAGE,
    STORAGE_VARIABLE,
    cache_directory,
    data_directory,
    storage_url,
)
from lamsearch.planning import FILES_VARIABLE, files_default, files_given
from lamsearch.storage import Database, Mode, PlannedStudy, parse_url, sqlite_file

__all__ = [
    "FILES_VARIABLE", "STORAGE_VARIABLE", "STUDY_FILE", "cache_directory", "data_dir",
    "data_dir_everywhere", "data_directory", "device", "environment", "files", "files_default",
    "files_given", "finite", "json_document", "mixed_versions", "open_storage", "output", "present",
    "present_or_beside", "storage", "storage_url", "storage_url_everywhere", "timing",
    "timing_arguments", "warn_of_sqlite",
]  # fmt: skip

F = TypeVar("F", bound=Callable[..., Any])

STUDY_FILE = click.Path(path_type=Path)
_LONGEST_SECONDS = 7 * 86_400.0


def storage(command: F) -> F:
    """Add --storage."""
    text = f"Database of the studies; else ${STORAGE_VARIABLE}, else {STORAGE}."
    return click.option("--storage", metavar="URL", help=text)(command)


def data_dir(command: F) -> F:
    """Add --data-dir."""
    return click.option(
        "--data-dir",
        metavar="DIR",
        type=click.Path(path_type=Path, file_okay=False),
        help="Directory of the data; else $LAMSEARCH_DATA, else the user's cache directory.",
    )(command)


def files(command: F) -> F:
    """Add --files."""
    return click.option(
        "--files",
        metavar="URL",
        help="Where checkpoints and models are (directory or s3:// URL); else $LAMSEARCH_FILES, "
        "else lamsearch-files beside the SQLite file. Recorded when the study is created.",
    )(command)


def output(command: F) -> F:
    """Add --output."""
    return click.option(
        "--output",
        metavar="DIR",
        type=click.Path(path_type=Path),
        help="Directory of the report, empty or an earlier one's; else lamsearch-report/NAME.",
    )(command)


def json_document(command: F) -> F:
    """Add --json."""
    text = "Print one JSON document and nothing else."
    return click.option("--json", "as_json", is_flag=True, help=text)(command)


def mixed_versions(command: F) -> F:
    """Add --mixed-versions."""
    return click.option(
        "--mixed-versions", is_flag=True,
        help="Work on the study though versions, or the processor's kernels, are not those that "
        "its other workers have: last digits may differ, which the report then says.",
    )(command)  # fmt: skip


def device(command: F) -> F:
    """Add --device."""
    return click.option(
        "--device", metavar="NAME",
        help="What trainers that know devices train on: cpu, cuda, cuda:1, mps …, or auto, what "
        "there is; else $LAMSEARCH_DEVICE, else auto.",
    )(command)  # fmt: skip


def timing(command: F) -> F:
    """Add --checkpoint-seconds and --lease-seconds."""
    # a wait of more seconds than a machine's clock has would be no wait
    positive = click.FloatRange(min=0, min_open=True, max=_LONGEST_SECONDS)
    command = click.option(
        "--checkpoint-seconds", type=positive, callback=finite, default=30.0, show_default=True,
        help="Seconds between two checkpoints of a cohort.",
    )(command)  # fmt: skip
    return click.option(
        "--lease-seconds", type=click.FloatRange(1.0, _LONGEST_SECONDS), callback=finite,
        default=20.0, show_default=True,
        help="Seconds without a sign after which a worker's cohort is given to another.",
    )(command)  # fmt: skip


def timing_arguments(
    checkpoint_seconds: float, lease_seconds: float, *, mixed: bool, device: str | None
) -> list[str]:
    """Return the arguments by which another worker is given the same timing, leave and device."""
    seconds = [
        "--checkpoint-seconds",
        str(checkpoint_seconds),
        "--lease-seconds",
        str(lease_seconds),
    ]
    named = [] if device is None else ["--device", device]
    return [*seconds, *(["--mixed-versions"] if mixed else []), *named]


def storage_url_everywhere(given: str | None) -> str:
    """Return the storage URL in force so that it means the same in any working directory."""
    text = storage_url(given)
    url = parse_url(text)
    file = sqlite_file(url)
    if file is None:
        return text
    uri = (url.database or "").startswith("file:")
    name = "file:" + quote(str(file.resolve())) if uri else str(file.resolve())
    return url.set(database=name).render_as_string()


def open_storage(given: str | None, mode: Mode = Mode.READ, *, connections: int = 1) -> Database:
    """Return the storage in force, reached once; unless told otherwise, to read alone.

    Where its tables had to be upgraded, that is said.
    """
    database = until_free(lambda: Database(storage_url(given), mode, connections=connections))
    if (context := click.get_current_context(silent=True)) is not None:
        # the last one to leave tidies up beside SQLite's file
        context.call_on_close(database.close)
    if database.upgraded:
        echo(database.upgraded, err=True)
    return database


def environment(storage: str | None, files: str | None, *, everywhere: bool) -> dict[str, str]:
    """Return what worker processes find in their environment: places, which may hold passwords."""
    url = storage_url_everywhere(storage) if everywhere else storage_url(storage)
    given = files_given(files)
    return {STORAGE_VARIABLE: url} | ({} if given is None else {FILES_VARIABLE: given})


def data_dir_everywhere(given: Path | None) -> list[str]:
    """Return the options that name a data directory on hosts that may have their own."""
    return [] if given is None else ["--data-dir", str(given.resolve())]


def warn_of_sqlite(storage: str | None, say: Callable[[str], None]) -> None:
    """Say where workers on several hosts could not share a storage."""
    if storage_url(storage).startswith("sqlite"):
        say("--dask on sqlite: right only where all Dask workers are on this host")


def present(
    database: Database,
    stored: PlannedStudy,
    given: str | None = None,
    *,
    quiet: bool = False,
) -> PlannedStudy:
    """Return a study with the places where its files and its data are now; see `planning`."""
    return planning.present(database, stored, given, say=None if quiet else _say)


def present_or_beside(database: Database, stored: PlannedStudy, files: str | None) -> PlannedStudy:
    """Do as `present` does; $LAMSEARCH_FILES is only used where the study's files are there.

    Raises:
        InputError: As `present`.
    """
    given = None if files is None else files_given(files)
    return planning.present_or_beside(database, stored, given, files_given(None), say=_say)


def _say(line: str) -> None:
    echo(line, err=True)


def finite(_context: click.Context, _option: click.Parameter, value: float) -> float:
    """Refuse what a range lets through: nan is not below any bound."""
    if not math.isfinite(value):
        raise click.BadParameter(f"must be finite, got {value}")
    return value

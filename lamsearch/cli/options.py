"""Options that several verbs share, and what they fall back to."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from platformdirs import user_cache_path

from lamsearch.trials import Database, parse_url

F = TypeVar("F", bound=Callable[..., Any])

STORAGE_VARIABLE = "LAMSEARCH_STORAGE"
_LONGEST_SECONDS = 7 * 86_400.0
_DEFAULT_STORAGE = "sqlite:///lamsearch.db"


def storage(command: F) -> F:
    """Add --storage."""
    text = f"Database of the studies; else ${STORAGE_VARIABLE}, else {_DEFAULT_STORAGE}."
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
        help="Where checkpoints and models live (folder or fsspec URL); else $LAMSEARCH_FILES, "
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


def pace(command: F) -> F:
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


def storage_url(given: str | None) -> str:
    """Return the storage URL in force."""
    return given or os.environ.get(STORAGE_VARIABLE) or _DEFAULT_STORAGE


def storage_url_everywhere(given: str | None) -> str:
    """Return the storage URL in force so that it means the same in any working directory."""
    text = storage_url(given)
    url = parse_url(text)
    if url.get_backend_name() != "sqlite" or not url.database or url.database.startswith("file:"):
        return text
    return url.set(database=str(Path(url.database).resolve())).render_as_string()


def open_storage(given: str | None, *, must_exist: bool = True) -> Database:
    """Return the storage in force, reached once."""
    return Database(storage_url(given), must_exist=must_exist)


def data_folder(given: Path | None) -> Path:
    """Return the data folder in force."""
    if given is not None:
        return given
    named = os.environ.get("LAMSEARCH_DATA")
    return Path(named) if named else user_cache_path("lamsearch") / "data"


def cache_folder() -> Path:
    """Return where this host's workers share normalised data."""
    named = os.environ.get("LAMSEARCH_CACHE")
    return Path(named) if named else user_cache_path("lamsearch")


def files_given(given: str | None) -> str | None:
    """Return where files were asked to live, absolute where it is a folder; None if nowhere."""
    url = given or os.environ.get("LAMSEARCH_FILES")
    if url is None or "://" in url or "::" in url:
        return url
    return str(Path(url).resolve())


def files_default(storage: str) -> str:
    """Return the folder beside the SQLite file, else in the working directory."""
    url = parse_url(storage)
    beside = (
        Path(url.database).parent if url.get_backend_name() == "sqlite" and url.database else Path()
    )
    return str((beside / "lamsearch-files").resolve())


def finite(_context: click.Context, _option: click.Parameter, value: float) -> float:
    """Refuse what a range lets through: nan is not below any bound."""
    if not math.isfinite(value):
        raise click.BadParameter(f"must be finite, got {value}")
    return value

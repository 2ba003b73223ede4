"""The report's files. Enters: a study's record and its models. Leaves: one report, whole.

Refuses to leave half a file or two reports mixed: all files are written beside their places and
synced, then moved into them; files of the report before it go. From the first move to the last
there is no results.json.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from lamsearch.errors import FilesError
from lamsearch.figures import prepare as load_drawing
from lamsearch.figures.undrawn import undrawn
from lamsearch.file_locks import LockHeldError, lock, open_directory
from lamsearch.report.directory import RESULTS, SUBDIRECTORIES, left_behind, report_files
from lamsearch.report.html_page import load_page, page
from lamsearch.report.markdown_page import markdown
from lamsearch.report.rendering import Drawing
from lamsearch.report.result import to_json, trials_csv
from lamsearch.results import StudyRecord
from lamsearch.statistics.loading import load as load_statistics

_NO_MODELS: Mapping[str, bytes] = {}
_MODELS_LINKED = 10
_LOCK_SECONDS = 60.0  # for another process to end its report in the same directory
_log = logging.getLogger(__name__)


def write(
    record: StudyRecord, output: Path, models: Mapping[str, bytes] = _NO_MODELS
) -> list[Path]:
    """Make the directory ``output`` the report, with ``models`` (file name → content) in it.

    Returns the files written; results.json is the last, so where it is new all are. What an
    earlier report had and this one has not is removed; hidden files and those of the learning
    rate range test stay.

    Raises:
        OutputError: ``output`` holds what lamsearch did not write; nothing was changed.
        FilesError: A file cannot be written.
    """
    output = Path(output)
    for name in models:
        if PurePosixPath(name).name != name or "\\" in name or name in ("", ".", ".."):
            raise FilesError(f"{output}: a model's name must be a plain file name, got {name!r}")
    contents = list(_contents(record, models))
    if output.is_dir():
        report_files(output)
    with _said(output / contents[0][0]):
        output.mkdir(parents=True, exist_ok=True)
    with _alone(output) as alone:
        if alone:
            _remove(output, [output / name for name in left_behind(output)])
        temporary: dict[str, Path] = {}
        try:
            for name, content in contents:
                temporary[name] = _written_beside(output / name, content)
            _replace(output, temporary, dict(contents)[RESULTS])
        finally:
            _remove(output, temporary.values())
    return [output / name for name in temporary]


def prepare(*, modelled: bool = False) -> None:
    """Load all that a report is made with, which takes as long as to make a small one.

    That of a study which a model chose in, ``modelled``, is made with that too.
    """
    load_page()
    load_statistics(modelled=modelled)
    if not undrawn():
        load_drawing()


def _contents(record: StudyRecord, models: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    drawing = None if undrawn() else Drawing(record)
    try:  # forks draw meanwhile
        table, text, document = trials_csv(record), markdown(record), to_json(record)
    finally:
        drawn = [] if drawing is None else drawing.finished()
    for figure in drawn:
        yield f"figures/{figure.name}.png", figure.png
        yield f"figures/{figure.name}.svg", figure.svg
    for name, content in models.items():
        yield f"models/{name}", content
    yield "trials.csv", _utf8(table)
    yield "report.md", _utf8(text)
    yield "index.html", _utf8(page(record, drawn, list(_links(models))))
    yield RESULTS, _utf8(document)


def _links(models: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    """What lies beside the page."""
    for name in (RESULTS, "trials.csv", "report.md"):
        yield name, name
    for name in list(models)[:_MODELS_LINKED]:
        yield name.removesuffix(".safetensors"), f"models/{quote(name)}"
    if len(models) > _MODELS_LINKED:
        yield f"all {len(models)} models", "models/"


def _utf8(text: str) -> bytes:
    # a file name in a reason may hold bytes that are no UTF-8 (lone surrogates here)
    return text.encode("utf-8", errors="replace")


def _written_beside(path: Path, content: bytes) -> Path:
    """Write a file's content beside its place, synced; return where."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    with _said(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return temporary


def _replace(output: Path, temporary: Mapping[str, Path], results: bytes) -> None:
    """Move the files into their places, results.json last; remove what an earlier report left."""
    document = output / RESULTS
    with _said(document):
        # pages of two reports must not stand beside one document, should we be killed in between
        if document.exists() and document.read_bytes() != results:
            document.unlink()
    for name, written in temporary.items():
        if name == RESULTS:
            old = [one for one in report_files(output) if one not in temporary]
            _remove(output, [output / one for one in old])
            _sync({one.parent for one in temporary.values()})
        with _said(output / name):
            os.replace(written, output / name)  # noqa: PTH105  # the house's word for it
    _sync([output])


@contextmanager
def _alone(output: Path) -> Iterator[bool]:
    """Keep other writers of the same directory out where its file system can; say whether.

    Raises:
        FilesError: Another process has been writing there for long.
    """

    def say(line: str) -> None:
        _log.warning("output: %s: %s", output, line)

    handle = open_directory(output)
    try:
        try:
            lock(handle, seconds=_LOCK_SECONDS, say=say)
        except LockHeldError as error:
            rule = "must be written by one process at a time"
            raise FilesError(f"output: {output} {rule}: {error}") from error
        except OSError:
            alone = False
        else:
            alone = True
        yield alone
    finally:
        os.close(handle)


def _remove(output: Path, paths: Iterable[Path]) -> None:
    """Remove files of the output directory, and directories in it that are empty then."""
    for path in paths:
        with _said(path):
            path.unlink(missing_ok=True)
    for directory in SUBDIRECTORIES:
        with suppress(OSError):  # not there, or not empty
            (output / directory).rmdir()


def _sync(directories: Iterable[Path]) -> None:
    """Make the new names themselves survive a power cut, where the file system can."""
    for directory in directories:
        try:
            handle = os.open(directory, os.O_RDONLY)
        except PermissionError:  # Windows opens none
            continue
        try:
            with suppress(OSError):
                os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def _said(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FilesError(f"{path}: cannot be written: {error.strerror or error}") from error

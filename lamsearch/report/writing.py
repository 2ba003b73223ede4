"""The report's folder. Enters: a study's record and its models. Leaves: files, each whole.

Refuses to leave half a file: each is written beside its place, synced, then moved into it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from lamsearch.errors import FilesError
from lamsearch.report.html_page import page
from lamsearch.report.markdown_page import markdown
from lamsearch.report.pictures import pictures
from lamsearch.report.result import to_json, trials_csv
from lamsearch.results import StudyRecord

_NO_MODELS: Mapping[str, bytes] = {}


def write(
    record: StudyRecord, output: Path, models: Mapping[str, bytes] = _NO_MODELS
) -> list[Path]:
    """Write the report and ``models`` (file name → content) into the folder ``output``.

    Returns the files written; results.json is the last, so where it is new all are.

    Raises:
        FilesError: A file cannot be written; those before it are whole and stay.
    """
    for name in models:
        if PurePosixPath(name).name != name or "\\" in name or name in ("", ".", ".."):
            raise FilesError(f"{output}: a model's name must be a plain file name, got {name!r}")
    written = []
    for name, content in _contents(record, models):
        path = Path(output) / name
        _write_whole(path, content)
        written.append(path)
    return written


def _contents(record: StudyRecord, models: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    drawn = list(pictures(record))
    for picture in drawn:
        yield f"figures/{picture.name}.png", picture.png
        yield f"figures/{picture.name}.svg", picture.svg
    for name, content in models.items():
        yield f"models/{name}", content
    yield "trials.csv", _utf8(trials_csv(record))
    yield "report.md", _utf8(markdown(record))
    yield "index.html", _utf8(page(record, drawn))
    yield "results.json", _utf8(to_json(record))


def _utf8(text: str) -> bytes:
    # a file name in a reason may hold bytes that are no UTF-8 (lone surrogates here)
    return text.encode("utf-8", errors="replace")


def _write_whole(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)  # noqa: PTH105  # the house's word for it
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise FilesError(f"{path}: cannot be written: {error.strerror or error}") from error

"""The output directory: which files in it lamsearch wrote, so that a report may replace them.

Enters: a path. Leaves: the report's files found there, or a refusal that names the first thing
that is not lamsearch's. Refuses to change anything, and to follow a symbolic link out of it.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from lamsearch.errors import OutputError

RESULTS = "results.json"
# What the report pages open with, in this version and in those before it.
_OPENINGS = {
    "index.html": b"<title>\xce\xbb for ", "report.md": b"# \xce\xbb for ",
    "trials.csv": b"stage,candidate,replicate,cohort,",
}  # fmt: skip
_KEYS = {
    RESULTS: {"study", "seed", "fingerprint", "stages"},
    "lr_range.json": {"study", "seed", "fingerprint", "points", "suggested"},
}
_REPORT = re.compile(
    r"models/(final-\d+|ensemble)\.onnx|"
    r"results\.json|report\.md|trials\.csv|index\.html"
    r"|figures/([a-z0-9_]+_over_[a-z_]+|learning_curves|confusion_matrix)\.(png|svg)"
    r"|models/final-\d+(-cycle-\d+)?\.safetensors"
)
_RANGE_TEST = re.compile(r"lr_range\.json|figures/lr_range\.(png|svg)")  # stay with a new report
_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{8}\.tmp")
SUBDIRECTORIES = ("figures", "models")
_READ_BYTES = 8192


def check_output(output: Path) -> None:
    """Refuse a directory that a report cannot be written to; changes nothing.

    Raises:
        OutputError: It is no directory, cannot be written, or holds what lamsearch did not write.
    """
    place = _nearest(Path(output))
    if not place.is_dir():
        raise OutputError(f"output: must be a directory, got {output}: {place} is none")
    if not os.access(place, os.W_OK | os.X_OK):
        raise OutputError(f"output: must be writable, got {output}: {place} is not")
    if place == Path(output):
        report_files(place)


def report_files(output: Path) -> list[str]:
    """Return the files of an earlier report in ``output``, whole or half-written, by their names.

    Hidden files are neither the report's nor in its way.

    Raises:
        OutputError: Something else lies there.
    """
    try:
        found = [name for name in _names(output) if not _is_hidden(name)]
        for name in found:
            if not _REPORT.fullmatch(name) and not _RANGE_TEST.fullmatch(name):
                raise _refusal(output, name)
            _check_plain(output / name)
        if not _has_document(output, found):
            for name in found:
                if not _opens_as_ours(output / name):
                    raise _refusal(output, name)
    except OSError as error:
        raise OutputError(f"output: {output} cannot be read: {error.strerror or error}") from error
    return [name for name in found if _REPORT.fullmatch(name)]


def left_behind(output: Path) -> list[str]:
    """Return the temporary files of a report that was not written to its end."""
    return [name for name in _names(output) if _temporary_of(name) is not None]


def _nearest(path: Path) -> Path:
    """The path, or what there is of it."""
    while True:
        try:
            path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            path = path.parent
        except OSError as error:
            raise OutputError(f"output: cannot be {path}: {error.strerror or error}") from error
        else:
            return path


def _names(output: Path) -> Iterator[str]:
    """All that lies in the directory, and in the two below it that a report has."""
    for entry in sorted(os.scandir(output), key=lambda one: one.name):
        if entry.name in SUBDIRECTORIES and entry.is_dir(follow_symlinks=False):
            inside = sorted(one.name for one in os.scandir(entry.path))
            yield from (f"{entry.name}/{name}" for name in inside)
        else:
            yield entry.name


def _has_document(output: Path, found: list[str]) -> bool:
    """Whether a document of ours vouches for the rest; results.json may still wait to be moved."""
    waiting = [name for name in left_behind(output) if _temporary_of(name) == RESULTS]
    named = [(name, name) for name in found if name in _KEYS] + [(one, RESULTS) for one in waiting]
    return any(_is_document(output / name, _KEYS[kind]) for name, kind in named)


def _is_document(path: Path, keys: set[str]) -> bool:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and keys <= found.keys()


def _opens_as_ours(path: Path) -> bool:
    """Whether a file that no document vouches for is one that an unfinished writing left."""
    if path.name in _KEYS:
        return False
    with path.open("rb") as file:
        return _OPENINGS.get(path.name, b"") in file.read(_READ_BYTES)


def _check_plain(path: Path) -> None:
    mode = path.lstat().st_mode
    if stat.S_ISREG(mode):
        return
    kind = "a directory" if stat.S_ISDIR(mode) else "a link or device"
    raise OutputError(f"output: {path}: cannot be written: it is {kind}, no file of a report")


def _refusal(output: Path, name: str) -> OutputError:
    return OutputError(
        f"output: must be empty or hold nothing but a report, got {output}, "
        f"where {name} was not written by lamsearch"
    )


def _is_hidden(name: str) -> bool:
    return Path(name).name.startswith(".")


def _temporary_of(name: str) -> str | None:
    """The file that a temporary one is to become, None where it is not a report's."""
    found = _TEMPORARY.fullmatch(Path(name).name)
    final = None if found is None else str(PurePosixPath(name).with_name(found[1]))
    return final if final is not None and _REPORT.fullmatch(final) else None

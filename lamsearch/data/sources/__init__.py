"""The sources by name: reading, listing and fetching them.

Enters: a study's [data] or a source's name, and a directory. Leaves: what the source holds.
Refuses to know splits, and any source by more than its name: each has a module here, listed in
`lamsearch.registries`, or is another package's.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import cast

from lamsearch.data import quantities
from lamsearch.data.images import Contents
from lamsearch.data.source import Progress, Source, SourceInfo
from lamsearch.errors import InputError
from lamsearch.metrics import Task
from lamsearch.registries import BrokenEntryError, UnknownNameError
from lamsearch.study import SOURCES, Data, Study, source_of


def read(
    data: Data, directory: Path, origin: Path | None, task: Task = "classification"
) -> Contents:
    """Read the source that a study names, its targets as classes or as quantities.

    Raises:
        DataError: It is missing or damaged, or its targets are not of that kind.
    """
    source = _of(data.source)
    if task == "classification":
        return source.read(data, Path(directory), origin)
    return quantities.checked(source.read_quantities(data, Path(directory), origin))


def files(data: Data, directory: Path, origin: Path | None) -> list[Path]:
    """Return the files that `read` reads; none for a source that comes with a library.

    Raises:
        DataError: They are not where they should be.
    """
    return _of(data.source).files(data, Path(directory), origin)


def located(study: Study, directory: Path, *, origin: Path | None) -> list[Path]:
    """Return the files that a study's examples are read from, unopened.

    Raises:
        DataError: They are not where they should be.
    """
    return files(study.data, directory, origin)


def is_present(study: Study, directory: Path) -> bool:
    """Whether the source of a study that bears its own name is here, as `sources` says.

    Raises:
        DataError: A directory may not be looked into.
    """
    source = _of(study.data.source)
    return any(info.present for info in source.listed(directory) if info.name == source.name)


def sources(directory: Path) -> list[SourceInfo]:
    """Return what there is; of a broken package's source, the sentence that says so."""
    found: list[SourceInfo] = []
    for name in SOURCES.names:
        try:
            found += cast("Source", SOURCES.get(name)).listed(Path(directory))
        except BrokenEntryError as error:
            found.append(SourceInfo(name=name, description=str(error), present=False, where=None))
    return found


def named(name: str, *, by_path: bool = True) -> Source:
    """Return a source that is meant as a whole: by its name, or by the path of its file.

    Raises:
        InputError: The name is unknown, or a source only with a path; the sentence says which are
            known.
        BrokenEntryError: The source is a package's that is broken.
    """
    known = [one for one in SOURCES.names if _suffix(one) is None and not _needs_path(one)]
    if name in known:
        return _of(name)
    if by_path and name not in SOURCES.names:
        with suppress(UnknownNameError):
            return _of(name)
    raise InputError(f"data source: must be one of {', '.join(known)}, got {name!r}")


def fetch(
    name: str, directory: Path, *, progress: Progress | None = None, url: str | None = None
) -> Path:
    """Get a source into ``directory`` and return where it lies; one that is there is only read.

    ``progress`` is called with bytes done and bytes in total; ``url`` names a mirror, which must
    hold the same archive.

    Raises:
        InputError: The name or the URL is of an unknown kind.
        DataError: The network failed, or what came is not what was published.
        FilesError: The directory cannot be written to.
    """
    source = named(name, by_path=False)
    return source.fetch(Path(directory), progress=progress, url=url)


def _of(text: str) -> Source:
    return cast("Source", source_of(text))


def _suffix(name: str) -> str | None:
    try:
        suffix: str | None = SOURCES.get(name).suffix
    except BrokenEntryError:
        return None
    return suffix


def _needs_path(name: str) -> bool:
    """Whether only a study file says where a source's files are."""
    try:
        path = SOURCES.get(name).table.model_fields.get("path")
    except BrokenEntryError:
        return False
    return path is not None and bool(path.is_required())

"""Normalised splits in files, so that all workers of a host map one copy.

Enters: a directory, a key, and a way to make the arrays. Leaves: read-only arrays mapped from
files. Written once, whole, by whoever needs them first; refuses to know how they are made, and to
believe what is no longer as it was written: each file is compared with its SHA-256 when a process
opens it.

float32, row by row: a mini-batch is then gathered as whole rows, ready for the matrix product.
Bytes would take a quarter of the space, but cost a conversion at every update.
"""

from __future__ import annotations

import hashlib
import json
import logging
import mmap
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from lamsearch.file_locks import LockHeldError, lock

Arrays = Mapping[str, npt.NDArray[Any]]
Fits = Callable[[Arrays], bool]
Signature = list[tuple[str, int, int, int, int, int]]  # of files
_LAYOUT = 2  # grows when what the files hold, or the arithmetic behind it, changes
_UNUSED_DAYS = 14
_LOCK_SECONDS = 120.0  # for another process to make an entry; then this one has a copy of its own
_DIGESTS = "sha256.json"  # of each file of an entry
# Files that this process has compared already, as they were then: a stage costs no second reading.
_VERIFIED: dict[tuple[object, ...], str] = {}
_log = logging.getLogger(__name__)


def signature_of(files: Sequence[Path]) -> Signature | None:
    """Return what changes when files do (size, times, inode); None where one is not to be had.

    A copy may keep the time of its values' change, never that of its own.
    """
    try:
        stats = [(str(file.resolve()), file.stat()) for file in files]
    except OSError:
        return None
    return [
        (name, s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino, s.st_dev) for name, s in stats
    ]


class Cache:
    """A directory of a host's cached arrays and of facts about source files."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def arrays(
        self, key: object, make: Callable[[], Arrays], fits: Fits = lambda _: True
    ) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays of ``key``, mapped; made by ``make`` where they are not there yet.

        They are made anew where they are damaged, or ``fits`` says that they are none of these.
        Where the directory cannot be written, or another process holds an entry's lock for long,
        the arrays are this process's own.
        """
        place = self._directory / "splits" / _digest(key)
        try:
            if not place.is_dir():
                self._make(place, make)
            os.utime(place)
            found = _opened(place, fits)  # outside the lock: all workers of a host at a time
            return self._made_anew(place, make, fits) if isinstance(found, str) else found
        except LockHeldError as error:
            _log.warning("the cached split %s: %s: a copy of its own is made", place, error)
        except OSError as error:  # read-only or full: the search goes on without a shared copy
            _log.debug("no shared copy: %s", error)
        return dict(make())

    def facts(self, signature: Signature, about: object = None) -> dict[str, Any] | None:
        """Return what was remembered of files of a signature, which have not changed since.

        ``about`` is what else the facts follow from, as for `arrays`. None where nothing was, or
        what was is damaged.
        """
        try:
            found = json.loads(self._facts_of(signature, about).read_bytes())
            facts: object = found["facts"]
            whole = isinstance(facts, dict) and found["sha256"] == _sha256(facts)
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None
        return facts if whole and isinstance(facts, dict) else None

    def remember(
        self, signature: Signature, facts: Mapping[str, Any], about: object = None
    ) -> None:
        """Remember facts about files for as long as they do not change."""
        try:
            path = self._facts_of(signature, about)
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", dir=path.parent, delete=False, encoding="utf-8"
            ) as file:
                json.dump({"facts": facts, "sha256": _sha256(facts)}, file)
            Path(file.name).replace(path)
        except OSError:
            return  # next time they are read again

    def _facts_of(self, signature: Signature, about: object) -> Path:
        return self._directory / "sources" / f"{_digest([signature, about])}.json"

    def _make(self, place: Path, make: Callable[[], Arrays]) -> None:
        """Make an entry, unless another process has done so meanwhile."""
        with self._alone(place):
            if not place.is_dir():
                self._drop_unused()
                self._write(place, make())

    def _made_anew(
        self, place: Path, make: Callable[[], Arrays], fits: Fits
    ) -> dict[str, npt.NDArray[Any]]:
        """Replace a damaged entry, unless another process has done so meanwhile."""
        with self._alone(place):
            found = _opened(place, fits)
            if isinstance(found, str):
                _log.warning("the cached split %s %s: it is made anew", place, found)
                shutil.rmtree(place, ignore_errors=True)
                self._write(place, make())
                found = _opened(place, fits)
        if isinstance(found, str):
            raise OSError(f"{place} {found}, just after it was written")
        return found

    @contextmanager
    def _alone(self, place: Path) -> Iterator[None]:
        """Hold the lock of one entry; the kernel frees it when a process dies."""
        place.parent.mkdir(parents=True, exist_ok=True)

        def say(line: str) -> None:
            _log.warning("the cached split %s: %s", place, line)

        with place.with_suffix(".lock").open("a") as file:
            lock(file.fileno(), seconds=_LOCK_SECONDS, say=say)
            yield

    def _write(self, place: Path, arrays: Arrays) -> None:
        temporary = Path(tempfile.mkdtemp(prefix=".", dir=place.parent))
        try:
            digests = {}
            for name, array in arrays.items():
                with (temporary / f"{name}.npy").open("wb") as file:
                    digesting = _Digesting(file)
                    np.save(digesting, array, allow_pickle=False)
                    _sync(file)
                digests[f"{name}.npy"] = digesting.digest.hexdigest()
            with (temporary / _DIGESTS).open("wb") as file:
                file.write(json.dumps(digests).encode())
                _sync(file)
            temporary.rename(place)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _drop_unused(self) -> None:
        """Remove what no study has used for a while, and what a crash left half written."""
        before = time.time() - _UNUSED_DAYS * 86_400
        for entry in (self._directory / "splits").iterdir():
            if entry.is_dir() and entry.stat().st_mtime < before:
                shutil.rmtree(entry, ignore_errors=True)


class _Digesting:
    """A file that is written to, and the SHA-256 of what was meant to be written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.digest = file, hashlib.sha256()

    def write(self, content: bytes) -> int:
        self.digest.update(content)
        return self._file.write(content)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _opened(place: Path, fits: Fits) -> dict[str, npt.NDArray[Any]] | str:
    """The arrays of an entry, mapped, or what is wrong with it."""
    try:
        digests = json.loads((place / _DIGESTS).read_bytes())
    except FileNotFoundError:
        return "has no checksums"
    except (OSError, ValueError, RecursionError):
        return "is damaged"
    files = sorted(place.glob("*.npy"))
    if not isinstance(digests, dict) or digests.keys() != {file.name for file in files}:
        return "is not whole"
    for file in files:
        if digests[file.name] != _digest_of(file):
            return f"is damaged ({file.name})"
    found = _loaded(files)
    return found if found is not None and fits(found) else "does not hold what it should"


def _digest_of(file: Path) -> str | None:
    """A file's SHA-256, None where it cannot be read; from memory where it was not changed."""
    try:
        with file.open("rb") as content:
            s = os.fstat(content.fileno())
            key = (str(file), s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino, s.st_dev)
            if key not in _VERIFIED:
                with mmap.mmap(content.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                    _VERIFIED[key] = hashlib.sha256(mapped).hexdigest()
            return _VERIFIED[key]
    except (OSError, ValueError):  # an empty file cannot be mapped
        return None


def _loaded(files: Sequence[Path]) -> dict[str, npt.NDArray[Any]] | None:
    """Files as arrays, None where one is none: digests can be written by others too."""
    try:
        return {file.stem: _mapped(file) for file in files}
    except Exception as error:  # what NumPy raises at foreign bytes has many types
        _log.debug("a cached split cannot be read: %s", error)
        return None


def _mapped(file: Path) -> npt.NDArray[Any]:
    return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))


def _sha256(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _digest(key: object) -> str:
    text = json.dumps([_LAYOUT, key], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()

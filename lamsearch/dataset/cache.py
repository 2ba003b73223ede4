"""Normalised splits in files, so that all workers of a host map one copy.

Enters: a folder, a key, and a way to make the arrays. Leaves: read-only arrays mapped from files.
Written once, whole, by whoever needs them first; refuses to know how they are made.

float32, row by row: a mini-batch is then gathered as whole rows, ready for the matrix product.
Bytes would take a quarter of the space, but cost a conversion at every update.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = Mapping[str, npt.NDArray[Any]]
_LAYOUT = 2  # grows when what the files hold, or the arithmetic behind it, changes
_UNUSED_DAYS = 14


class Cache:
    """A folder of a host's cached arrays and of facts about source files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def arrays(self, key: object, make: Callable[[], Arrays]) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays of ``key``, mapped; made by ``make`` where they are not there yet.

        Where the folder cannot be written, the arrays are this process's own.
        """
        place = self._folder / "splits" / _digest(key)
        try:
            with self._alone(place):
                if not place.is_dir():
                    self._drop_unused()
                    self._write(place, make())
                os.utime(place)
                return {file.stem: _mapped(file) for file in sorted(place.glob("*.npy"))}
        except OSError:  # read-only or full: the search goes on without a shared copy
            return dict(make())

    def facts(self, files: Sequence[Path], about: object = None) -> dict[str, Any] | None:
        """Return what was remembered of files that have not changed since (size, times, inode).

        ``about`` is what else the facts follow from, as for `arrays`.
        """
        try:
            text = self._facts_of(files, about).read_text(encoding="utf-8")
            facts: dict[str, Any] = json.loads(text)
        except (OSError, ValueError):
            return None
        return facts

    def remember(
        self, files: Sequence[Path], facts: Mapping[str, Any], about: object = None
    ) -> None:
        """Remember facts about files for as long as they do not change."""
        try:
            path = self._facts_of(files, about)
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", dir=path.parent, delete=False, encoding="utf-8"
            ) as file:
                json.dump(facts, file)
            Path(file.name).replace(path)
        except OSError:
            return  # next time they are read again

    def _facts_of(self, files: Sequence[Path], about: object) -> Path:
        stats = [(str(file.resolve()), file.stat()) for file in files]
        signature = [  # a copy may keep the time of its values' change, never that of its own
            (name, s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino, s.st_dev) for name, s in stats
        ]
        return self._folder / "sources" / f"{_digest([signature, about])}.json"

    @contextmanager
    def _alone(self, place: Path) -> Iterator[None]:
        """Hold the lock of one entry; the kernel frees it when a process dies."""
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self, place: Path, arrays: Arrays) -> None:
        temporary = Path(tempfile.mkdtemp(prefix=".", dir=place.parent))
        try:
            for name, array in arrays.items():
                with (temporary / f"{name}.npy").open("wb") as file:
                    np.save(file, array, allow_pickle=False)
                    file.flush()
                    os.fsync(file.fileno())
            temporary.rename(place)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _drop_unused(self) -> None:
        """Remove what no study has used for a while, and what a crash left half written."""
        before = time.time() - _UNUSED_DAYS * 86_400
        for entry in (self._folder / "splits").iterdir():
            if entry.is_dir() and entry.stat().st_mtime < before:
                shutil.rmtree(entry, ignore_errors=True)


def _mapped(file: Path) -> npt.NDArray[Any]:
    return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))


def _digest(key: object) -> str:
    text = json.dumps([_LAYOUT, key], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()

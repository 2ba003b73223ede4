"""One place for files, by an fsspec URL: whole files at paths below it, or one sentence.

Enters: a URL; paths below it, bytes. Leaves: the bytes, names, or None where there is nothing.
Refuses to know what files mean, and credentials: those of an object store are in the environment,
and a password in the URL is shown to nobody.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

from lamsearch.errors import FilesError, InputError
from lamsearch.local_files import (
    find_below,
    list_below,
    read_below,
    remove_below,
    remove_empty_below,
    write_below,
)
from lamsearch.locations import check_protocol
from lamsearch.redaction import scrub, shown

_CHECK_SECONDS = 10.0
# Where directories are but parts of names; asked to make one, s3fs would make a missing bucket.
_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oci", "memory"})


class Store:
    """Files below one URL.

    Methods raise whatever the file system's library raises; `saying` makes a sentence of it.

    Args:
        url: a directory, or any URL that fsspec knows.

    Raises:
        InputError: The URL means nothing here, its protocol is not allowed, or its file system's
            library is not installed.
    """

    def __init__(self, url: str) -> None:
        import fsspec  # by whoever opens files: to read a storage takes none

        check_protocol(url)
        self.url, self.shown = url, shown(url)
        try:
            self._fs, root = fsspec.core.url_to_fs(url)
        except ImportError as error:
            raise InputError(f"files: {self.shown}: {_install(url, error)}") from None
        except Exception as error:  # some file systems connect here, with errors of their own
            rule = "must be a directory or a URL that fsspec knows"
            raise InputError(f"files: {rule}, got {self.shown}: {self._reason(error)}") from None
        self._base = root.rstrip("/")
        kinds = self._fs.protocol
        self._kinds = frozenset([kinds] if isinstance(kinds, str) else kinds)
        self.is_local = "file" in self._kinds

    @contextmanager
    def saying(self, what: str, path: str) -> Iterator[None]:
        """Turn whatever a file system's library raises into one sentence.

        Raises:
            FilesError: "files: PATH cannot be ``what``", and why.
        """
        try:
            yield
        except Exception as error:  # libraries of object stores raise more than OSError
            raise FilesError(
                f"files: {self.name_of(path)} cannot be {what}: {self._reason(error)}"
            ) from None  # the cause's text is in it, its password is not

    def name_of(self, path: str) -> str:
        """Return a path below the URL as it may be shown."""
        return f"{self._base if self.is_local else self.shown.rstrip('/')}/{path}"

    def exists(self, path: str) -> bool:
        """Whether there is anything at a path."""
        return bool(self._fs.exists(self._full(path)))

    def read(self, path: str) -> bytes | None:
        """Return a file's content, None where there is none."""
        try:
            if self.is_local:
                return read_below(Path(self._base), path)
            return cast("bytes", self._fs.cat_file(self._full(path)))
        except FileNotFoundError:
            return None

    def write(self, path: str, content: bytes) -> None:
        """Make a file appear whole; object stores do so by themselves."""
        if self.is_local:
            write_below(Path(self._base), path, content)
        else:
            self._put(path, content)

    def names(self, directory: str) -> list[str]:
        """Return the names in a directory, "." is the place itself; none where it is not there."""
        try:
            self._fs.invalidate_cache()  # others write here too
            if self.is_local:
                return list_below(Path(self._base), directory)
            full = self._base if directory == "." else self._full(directory)
            return [Path(path).name for path in self._fs.ls(full, detail=False)]
        except FileNotFoundError:
            return []

    def find(self, directory: str) -> list[str]:
        """Return all names of files below a directory, by their paths below it."""
        try:
            if self.is_local:
                return find_below(Path(self._base), directory)
            self._fs.invalidate_cache()
            names = self._fs.find(self._full(directory))
        except FileNotFoundError:
            return []
        root = f"{self._full(directory)}/"
        return [name[len(root) :] for name in names if name.startswith(root)]

    def delete(self, path: str) -> None:
        """Remove a file or, locally, a directory; one that is not there is removed already."""
        with suppress(FileNotFoundError):  # there is none, or another worker was first
            if self.is_local:
                remove_below(Path(self._base), path)
                return
            self._fs.invalidate_cache()
            self._fs.rm_file(self._full(path))

    def remove_empty(self, directory: str) -> None:
        """Remove a directory and those in it as far as they are empty, where there are such."""
        if self.is_local:
            with suppress(FileNotFoundError, NotADirectoryError):
                remove_empty_below(Path(self._base), directory)

    def check(self) -> None:
        """Find out whether files can be written here; nothing is left behind.

        Raises:
            InputError: They cannot, or the place does not answer within ten seconds.
        """
        if self.is_local:
            self._check_directory()
            return
        errors: list[Exception] = []
        # In a thread, for where nobody answers some libraries wait for minutes.
        prober = threading.Thread(target=self._probe, args=(errors,), daemon=True)
        prober.start()
        prober.join(_CHECK_SECONDS)
        rule = f"files: {self.shown} must be a place where files can be written"
        if prober.is_alive():
            raise InputError(f"{rule}, got no answer within {_CHECK_SECONDS:.0f} seconds")
        if errors:
            raise InputError(f"{rule}, got: {self._reason(errors[0])}")

    def _full(self, path: str) -> str:
        return f"{self._base}/{path}"

    def _put(self, path: str, content: bytes) -> None:
        """Write elsewhere; where a file can appear in parts, its checksum tells."""
        full = self._full(path)
        if not self._kinds & _OBJECT_STORES:
            self._fs.makedirs(full.rpartition("/")[0], exist_ok=True)
        self._fs.pipe_file(full, content)

    def _probe(self, errors: list[Exception]) -> None:
        path = f".check-{uuid.uuid4().hex}"
        try:
            self._put(path, b"can be written")
            self._fs.rm_file(self._full(path))
        except Exception as error:  # whatever it is, it is said
            errors.append(error)

    def _check_directory(self) -> None:
        """See whether the directory can be written, or made, without making it."""
        directory = Path(self._base)
        there = next(path for path in (directory, *directory.parents) if os.access(path, os.F_OK))
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            raise InputError(f"files: must be a directory that can be written, got {self.shown!r}")

    def _reason(self, error: Exception) -> str:
        text = scrub(str(getattr(error, "strerror", None) or error), self.url)
        return " ".join(text.split()) or type(error).__name__


def _install(url: str, error: ImportError) -> str:
    """What to install where the library of a file system is not there."""
    if url.startswith(("s3://", "s3a://")):
        return "needs s3fs: pip install 'lamsearch[s3]'"
    return " ".join(str(error).split())

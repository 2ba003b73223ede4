"""Getting CIFAR-10 from its published address.

Enters: a directory. Leaves: the published files in it, whole or not at all. Refuses everything
whose checksum is not the published one, and every archive member that is not expected.
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import shutil
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lamsearch.data import cifar10_files as cifar10
from lamsearch.data.source import Progress
from lamsearch.errors import DataError, FilesError, InputError
from lamsearch.redaction import scrub, shown

ATTEMPTS = 4  # in a row without a single new byte
SECONDS = 30.0  # of silence before a connection counts as dropped
CHUNK = 1 << 18
MEMBERS = (cifar10.META, *cifar10.BATCHES, cifar10.TEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A published archive. ``pause`` is how many seconds pass before a dropped try is repeated."""

    url: str = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    size: int = 170_498_071
    # of the file with the published MD5 c58f30108f718f92721af3b95e74349a
    sha256: str = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
    pause: float = 1.0


class _DroppedError(Exception):
    """The connection ended early; what has arrived is kept."""


def fetch_cifar10(directory: Path, archive: Archive, progress: Progress | None = None) -> Path:
    """Get CIFAR-10 into ``directory`` and return where it lies; one that is there is only read.

    ``progress`` is called with bytes done and bytes in total.

    Raises:
        InputError: The URL is of an unknown kind.
        DataError: The network failed, or what came is not what was published.
        FilesError: The directory cannot be written to.
    """
    if not archive.url.startswith(("https://", "http://")):
        raise InputError(f"url: must start with https:// or http://, got {shown(archive.url)!r}")
    layout = cifar10.located(directory)
    if layout is not None:
        cifar10.read(directory)  # damaged files are the user's to remove, not ours to replace
        return layout.directory
    try:
        directory.mkdir(parents=True, exist_ok=True)
        part = directory / "cifar-10-python.tar.gz.part"
        _download(archive, part, progress or (lambda done, total: None))
        _check(archive, part)
        place = _extracted(part, directory)
        part.unlink(missing_ok=True)
    except OSError as error:
        raise FilesError(f"{directory}: cannot be written: {error}") from error
    return place


def _download(archive: Archive, part: Path, progress: Progress) -> None:
    failures, most = 0, _size(part)
    while _size(part) < archive.size:
        try:
            _append(archive, part, progress)
            return
        except _DroppedError as error:
            failures = 0 if _size(part) > most else failures + 1
            most = max(most, _size(part))
            if failures >= ATTEMPTS:
                rule = f"could not be fetched; {_size(part)} of {archive.size} bytes are kept"
                reason = scrub(str(error), archive.url)
                raise DataError(f"{shown(archive.url)}: {rule}: {reason}") from error
            time.sleep(archive.pause * failures)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _append(archive: Archive, part: Path, progress: Progress) -> None:
    """Ask for what is missing and write what comes, to the end of what the server has."""
    have = _size(part)
    response = _answer(archive.url, have)
    if response is None:
        return
    with response:
        # A server that ignores Range, or answers another one, starts over.
        resumed = (response.headers.get("Content-Range") or "").startswith(f"bytes {have}-")
        done = have if resumed and response.status == http.HTTPStatus.PARTIAL_CONTENT else 0
        with part.open("ab" if done else "wb") as file:
            for chunk in _chunks(response):
                file.write(chunk)
                done += len(chunk)
                progress(min(done, archive.size), archive.size)
                if done > archive.size:
                    return
        if done < archive.size and response.length != 0:  # http.client: what was still promised
            raise _DroppedError("the connection was closed early")


def _answer(url: str, have: int) -> http.client.HTTPResponse | None:
    """Return the server's answer, None where it has nothing beyond ``have`` bytes."""
    headers = {"User-Agent": "lamsearch"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        # The scheme was checked to be http or https.
        request = urllib.request.Request(url, headers=headers)  # noqa: S310
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=SECONDS)  # noqa: S310
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            return None
        if error.code < http.HTTPStatus.INTERNAL_SERVER_ERROR:
            reason = scrub(str(error), url)
            raise DataError(f"{shown(url)}: the server refused: {reason}") from error
        raise _DroppedError(str(error)) from error
    except ValueError as error:
        raise InputError(f"url: must be a URL, got {shown(url)!r}") from error
    except urllib.error.URLError as error:
        raise _DroppedError(str(error.reason)) from error
    except (OSError, http.client.HTTPException) as error:
        raise _DroppedError(str(error) or type(error).__name__) from error
    return response


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    while True:
        try:
            chunk = response.read(CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise _DroppedError(str(error) or type(error).__name__) from error
        if not chunk:
            return
        yield chunk


def _check(archive: Archive, part: Path) -> None:
    with part.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != archive.sha256:
        part.unlink()
        rule = f"must have the published SHA-256 {archive.sha256}"
        raise DataError(f"{shown(archive.url)}: {rule}, got {found}; what came was removed")


def _extracted(part: Path, directory: Path) -> Path:
    place = directory / cifar10.PYTHON_FOLDER
    with tempfile.TemporaryDirectory(
        dir=directory, prefix=".cifar10-", ignore_cleanup_errors=True
    ) as t:
        inside = Path(t) / cifar10.PYTHON_FOLDER
        inside.mkdir()
        try:
            with tarfile.open(part, "r:gz") as tar:
                found = {_extract(tar, member, inside) for member in tar}
        except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DataError(f"{part}: must be a whole tar.gz archive: {error}") from error
        missing = [name for name in MEMBERS if name not in found]
        if missing:
            raise DataError(f"{part}: must hold {', '.join(MEMBERS)}, but lacks {missing}")
        inside.replace(place)
    return place


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, inside: Path) -> str:
    """Write one expected member under a name of ours; names in the archive are only compared."""
    archive = str(tar.name)
    top, _, name = member.name.partition("/")
    if top != cifar10.PYTHON_FOLDER or name not in ("", "readme.html", *MEMBERS):
        raise DataError(f"{archive}: must hold the published files only, got {member.name!r}")
    if member.isdir() if not name else member.isreg() and member.size <= cifar10.MOST_BYTES:
        source = tar.extractfile(member) if name in MEMBERS else None
        if source is not None:
            with source, (inside / name).open("xb") as file:
                shutil.copyfileobj(source, file)
        return name
    raise DataError(f"{archive}: {member.name} must be a plain file of a published size")

"""Files: checkpoints and models, each whole or not at all, in a directory or an object store.

Enters: an fsspec URL and a study's id; arrays and models. Leaves: the same again, or None where
there is none that is whole. Refuses to know what the arrays mean, and credentials: those of an
object store are in the environment, and a password in the URL is shown to nobody.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import re
import threading
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import fsspec
import numpy as np
import numpy.typing as npt
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from lamsearch.errors import FilesError, InputError
from lamsearch.local_files import (
    find_below,
    list_below,
    read_below,
    remove_below,
    remove_empty_below,
    write_below,
)
from lamsearch.locations import check_protocol, is_local, local_path
from lamsearch.redaction import scrub, shown
from lamsearch.results import Model

Arrays = Mapping[str, npt.NDArray[np.generic]]
State = dict[str, npt.NDArray[np.generic]]
DEFAULT_NAME = "lamsearch-files"  # beside an SQLite file, where nothing else is said
_KEPT = 2  # the newest checkpoint and, until the next is safe, the one before
_DIGEST = hashlib.sha256().digest_size
_CHECK_SECONDS = 10.0
# Where directories are but parts of names; asked to make one, s3fs would make a missing bucket.
_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oci", "memory"})
_MARKER = ".lamsearch-study"  # in a study's directory: lamsearch made it
_CHECKPOINT = re.compile(r"\d{12,15}\.npz")
# All that is written in a study's directory, temporary files too; or links laid in its place.
_OURS = re.compile(
    r"(?:checkpoints(?:/[a-z]+-\d+)?|models|"
    r"\.?(?:\.lamsearch-study)(?:\.[0-9a-f]+)?|"
    r"checkpoints/[a-z]+-\d+/\.?\d{12,15}\.npz(?:\.[0-9a-f]+)?|"
    r"models/\.?final-\d+\.safetensors(?:\.[0-9a-f]+)?)",
    re.A,
)
_log = logging.getLogger(__name__)


class Files:
    """The files of one study below one URL.

    Args:
        url: a directory, or any URL that fsspec knows.
        study_id: the id drawn at the study's creation; all paths begin with it.

    Raises:
        InputError: The URL means nothing here, its protocol is not allowed, or its file system's
            library is not installed.
    """

    def __init__(self, url: str, study_id: str) -> None:
        check_protocol(url)
        self.url, self.shown = url, shown(url)
        self._id, self._marked = study_id, False
        try:
            self._fs, root = fsspec.core.url_to_fs(url)
        except ImportError as error:
            raise InputError(f"files: {self.shown}: {_install(url, error)}") from None
        except Exception as error:  # some file systems connect here, with errors of their own
            rule = "must be a directory or a URL that fsspec knows"
            raise InputError(f"files: {rule}, got {self.shown}: {self._reason(error)}") from None
        self._base = root.rstrip("/")
        self._root = f"{self._base}/{study_id}"
        kinds = self._fs.protocol
        self._kinds = frozenset([kinds] if isinstance(kinds, str) else kinds)
        self._local = "file" in self._kinds

    @property
    def exist(self) -> bool:
        """Whether there are any."""
        with self._saying("read", self._root):
            return bool(self._fs.exists(self._root))

    def check(self) -> None:
        """Find out whether files can be written here; nothing is left behind.

        Raises:
            InputError: They cannot, or the place does not answer within ten seconds.
        """
        if self._local:
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

    def save_checkpoint(self, stage: str, cohort: int, updates: int, state: Arrays) -> None:
        """Write a trainer's state after ``updates`` updates; the one before is kept.

        Raises:
            FilesError: It could not be written; the earlier checkpoints are untouched.
        """
        buffer = io.BytesIO()
        np.savez(buffer, **cast("dict[str, Any]", dict(state)))
        body = buffer.getvalue()
        directory = self._checkpoints(stage, cohort)
        path = f"{directory}/{updates:012d}.npz"
        self._mark(path)
        self._write(path, hashlib.sha256(body).digest() + body)
        for name in self._list(directory)[:-_KEPT]:
            self._remove(f"{directory}/{name}")

    def load_checkpoint(self, stage: str, cohort: int) -> State | None:
        """Return the newest state that is whole, or None; a damaged one is reported."""
        return next((state for _, state in self.checkpoints(stage, cohort)), None)

    def checkpoints(self, stage: str, cohort: int) -> Iterator[tuple[str, State]]:
        """Yield the name and state of each checkpoint that is whole, the newest first.

        A damaged one is reported, and removed: it would take the place of those to come.
        """
        directory = self._checkpoints(stage, cohort)
        for name in reversed(self._list(directory)):
            content = self._read(f"{directory}/{name}")
            state = None if content is None else _state_from(content)
            if state is not None:
                yield name, state
            else:
                _log.warning("checkpoint %s of %s cohort %d is damaged", name, stage, cohort)
                self.drop_checkpoint(stage, cohort, name)

    def newest_checkpoints(self) -> dict[str, int]:
        """Return the updates of each cohort's newest checkpoint, by ``STAGE-COHORT``.

        Only of a local directory: an object store may keep one waiting for minutes.
        """
        if not self._local:
            return {}
        with self._saying("read", self._root):
            found = [name for name in self._find() if name.startswith("checkpoints/")]
        paths = [Path(name) for name in sorted(found) if _CHECKPOINT.fullmatch(Path(name).name)]
        return {path.parent.name: int(path.stem) for path in paths}

    def drop_checkpoint(self, stage: str, cohort: int, name: str) -> None:
        """Remove one checkpoint."""
        self._remove(f"{self._checkpoints(stage, cohort)}/{name}")

    def drop_checkpoints(self, stage: str, cohort: int) -> None:
        """Remove the checkpoints of a cohort whose results are told."""
        self._remove_ours(self._checkpoints(stage, cohort))

    def drop_all_checkpoints(self) -> None:
        """Remove what checkpoints are left of a study that is over."""
        self._remove_ours(f"{self._root}/checkpoints")

    def save_model(self, replicate: int, model: Model, metadata: Mapping[str, object]) -> bytes:
        """Write a model as safetensors; return its bytes."""
        content = model_bytes(model, metadata)
        path = self._model(replicate)
        self._mark(path)
        self._write(path, content)
        return content

    def read_model(self, replicate: int, sha256: str | None = None) -> bytes | None:
        """Return a model's bytes, or None where there is none that is whole.

        ``sha256`` is the digest of what was saved; without one any model is taken that is whole
        in itself.
        """
        content = self._read(self._model(replicate))
        if content is None:
            return None
        try:
            if sha256 not in (None, digest_of(content)):
                raise ValueError("its SHA-256 is not the one that was recorded with its trial")
            model_from(content)
        except ValueError as error:
            _log.warning("model of replicate %d is damaged: %s", replicate, error)
            return None
        return content

    def save_artifact(self, name: str, content: bytes) -> None:
        """Write what somebody attached in the dashboard."""
        self._write(f"{self._root}/{name}", content)

    def read_artifact(self, name: str) -> bytes | None:
        """Return what somebody attached, or None where there is none."""
        return self._read(f"{self._root}/{name}")

    def remove_artifact(self, name: str) -> None:
        """Remove what somebody attached."""
        self._remove(f"{self._root}/{name}")

    def mark(self) -> None:
        """Write into the study's directory that lamsearch made it, unless others wrote in it.

        Raises:
            FilesError: It could not be written.
        """
        self._mark(f"{self._root}/{_MARKER}")

    def check_ours(self) -> None:
        """Find out whether the study's directory is one that lamsearch made.

        Raises:
            FilesError: It is not, or cannot be read.
        """
        with self._saying("removed", self._root):
            self._ours()

    def remove_all(self) -> None:
        """Remove every file of the study; what lamsearch did not write is left, and said.

        Raises:
            FilesError: Some could not be removed, or lamsearch did not make the directory.
        """
        with self._saying("removed", self._root):
            foreign = self._delete_ours("")
        if foreign:
            _log.warning("files: %s is left: lamsearch did not write all in it", self._root)

    def _below(self, path: str) -> str:
        return path[len(self._base) + 1 :]

    def _checkpoints(self, stage: str, cohort: int) -> str:
        return self._own(f"checkpoints/{stage}-{cohort}")

    def _model(self, replicate: int) -> str:
        return self._own(f"models/final-{replicate}.safetensors")

    def _own(self, name: str) -> str:
        """The path of one of our names; stages and numbers come from a database."""
        if not _OURS.fullmatch(name):
            raise FilesError(f"files: must be named by a stage and numbers, got {name!r}")
        return f"{self._root}/{name}"

    def _list(self, directory: str) -> list[str]:
        """The names of whole files in a directory, oldest first; temporary ones left out."""
        with self._saying("read", directory):
            try:
                self._fs.invalidate_cache()  # others write here too
                if self._local:
                    names = list_below(Path(self._base), self._below(directory))
                else:
                    names = [Path(path).name for path in self._fs.ls(directory, detail=False)]
            except FileNotFoundError:
                return []
        return sorted(name for name in names if _CHECKPOINT.fullmatch(name))

    def _write(self, path: str, content: bytes) -> None:
        """Make the file appear whole; object stores do so by themselves."""
        with self._saying("written", path):
            self._write_whole(path, content)

    def _write_whole(self, path: str, content: bytes) -> None:
        if self._local:
            write_below(Path(self._base), self._below(path), content)
        else:
            self._put(path, content)

    def _mark(self, path: str) -> None:
        """Mark the study's directory before a path in it is written."""
        if self._marked:
            return
        with self._saying("written", path):
            names = self._find()
            if _MARKER not in names and all(map(_OURS.fullmatch, names)):
                self._write_whole(f"{self._root}/{_MARKER}", f"{self._id}\n".encode())
        self._marked = True

    def _put(self, path: str, content: bytes) -> None:
        """Write elsewhere; where a file can appear in parts, its checksum tells."""
        if not self._kinds & _OBJECT_STORES:
            self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        self._fs.pipe_file(path, content)

    def _read(self, path: str) -> bytes | None:
        with self._saying("read", path):
            try:
                if self._local:
                    return read_below(Path(self._base), self._below(path))
                return cast("bytes", self._fs.cat_file(path))
            except FileNotFoundError:
                return None

    def _remove(self, path: str) -> None:
        """Remove what is not needed any more; where that fails, it only takes room."""
        try:
            with self._saying("removed", path):
                self._delete(path)
        except FilesError as error:
            _log.warning("%s", error)

    def _remove_ours(self, path: str) -> None:
        """Remove what lamsearch wrote below a directory; where that fails, it only takes room."""
        try:
            with self._saying("removed", path):
                self._delete_ours(path[len(self._root) + 1 :])
        except FilesError as error:
            _log.warning("%s", error)

    def _delete_ours(self, directory: str) -> bool:
        """Delete our files below a directory of the study; return whether others are there."""
        ours, foreign = self._ours()
        # the marker last: who is killed in between can go on
        for name in sorted(ours, key=lambda name: name == _MARKER):
            if not directory or name == directory or name.startswith(f"{directory}/"):
                self._delete(f"{self._root}/{name}".rstrip("/"))
        if self._local:
            with suppress(FileNotFoundError, NotADirectoryError):
                within = f"{self._root}/{directory}".rstrip("/")
                remove_empty_below(Path(self._base), self._below(within))
        return bool(foreign)

    def _ours(self) -> tuple[list[str], list[str]]:
        """The names in the study's directory that lamsearch wrote, and those that it did not.

        Raises:
            PermissionError: It is not known to be a study's directory.
        """
        names = self._find()
        ours = [name for name in names if not name or _OURS.fullmatch(name)]
        foreign = [name for name in names if name and not _OURS.fullmatch(name)]
        if foreign and _MARKER not in names:
            raise PermissionError(f"it holds {foreign[0]!r}, which lamsearch did not write")
        return ours, foreign

    def _find(self) -> list[str]:
        """All names of files below the study's directory, by their paths below it."""
        try:
            if self._local:
                return find_below(Path(self._base), self._below(self._root))
            self._fs.invalidate_cache()
            names = self._fs.find(self._root)
        except FileNotFoundError:
            return []
        start = len(self._root) + 1
        return [name[start:] for name in names if name.startswith(f"{self._root}/")]

    def _delete(self, path: str) -> None:
        try:
            if self._local:
                remove_below(Path(self._base), self._below(path))
                return
            self._fs.invalidate_cache()
            self._fs.rm_file(path)
        except FileNotFoundError:
            pass  # there is none, or another worker was first

    def _probe(self, errors: list[Exception]) -> None:
        path = f"{self._base}/.check-{uuid.uuid4().hex}"
        try:
            self._put(path, b"can be written")
            self._fs.rm_file(path)
        except Exception as error:  # whatever it is, it is said
            errors.append(error)

    def _check_directory(self) -> None:
        """See whether the directory can be written, or made, without making it."""
        directory = Path(self._base)
        there = next(path for path in (directory, *directory.parents) if os.access(path, os.F_OK))
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            raise InputError(f"files: must be a directory that can be written, got {self.shown!r}")

    @contextmanager
    def _saying(self, what: str, path: str) -> Iterator[None]:
        """Turn whatever a file system's library raises into one sentence."""
        try:
            yield
        except Exception as error:  # libraries of object stores raise more than OSError
            where = path if self._local else self.shown.rstrip("/") + path[len(self._base) :]
            raise FilesError(
                f"files: {where} cannot be {what}: {self._reason(error)}"
            ) from None  # the cause's text is in it, its password is not

    def _reason(self, error: Exception) -> str:
        text = scrub(str(getattr(error, "strerror", None) or error), self.url)
        return " ".join(text.split()) or type(error).__name__


def locate(recorded: str, study_id: str, *, database: Path | None) -> str | None:
    """Return where the files of a study are beside its database; None where they are elsewhere.

    What a database says is believed only as far as it names a place that belongs to it: the
    default directory beside its SQLite file (for PostgreSQL, in the working directory), or another
    directory beside it that bears the study's id, wherever that file was moved or copied. Files
    that stayed behind may belong to the database that this one is a copy of.

    Args:
        recorded: where they were when the study was planned.
        study_id: the id drawn then.
        database: the SQLite file as it was opened; None on PostgreSQL.
    """
    if not is_local(recorded):
        return None
    try:
        return _beside(local_path(recorded), study_id, database)
    except (OSError, ValueError, RuntimeError):  # too long, not a path, links in a circle
        return None


def _beside(kept: Path, study_id: str, database: Path | None) -> str | None:
    default = kept.name == DEFAULT_NAME
    if database is None:
        here = Path(DEFAULT_NAME).resolve()
        return str(here) if kept == here else None
    if kept.name in ("", ".."):
        return None
    beside = (database.parent / kept.name).resolve()
    if (beside / study_id).is_dir():
        return str(beside)
    if not default:
        return None
    same = (kept.parent / database.name).exists() and database.samefile(kept.parent / database.name)
    return str(kept) if same and (kept / study_id).is_dir() else str(beside)


def holds(url: str, study_id: str) -> bool:
    """Whether files of a study are below a URL, as far as it can be read.

    Raises:
        InputError: The URL means nothing here.
    """
    try:
        return Files(url, study_id).exist
    except FilesError:
        return False


def _install(url: str, error: ImportError) -> str:
    """What to install where the library of a file system is not there."""
    if url.startswith(("s3://", "s3a://")):
        return "needs s3fs: pip install 'lamsearch[s3]'"
    return " ".join(str(error).split())


def model_bytes(model: Model, metadata: Mapping[str, object]) -> bytes:
    """Return a model as safetensors bytes; values of the metadata are written as text or JSON.

    All is float32, but for ``mean`` and ``std`` of features that float32 cannot centre.
    """
    with np.errstate(over="ignore"):  # moments that overflow are not equal
        tensors = {name: np.ascontiguousarray(getattr(model, name), np.float32)
                   for name in ("W1", "b1", "W2", "b2", "mean", "std")}  # fmt: skip
    for name in ("mean", "std"):
        if not np.array_equal(tensors[name], exact := getattr(model, name)):
            tensors[name] = np.ascontiguousarray(exact, np.float64)
    text = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in metadata.items()
    }
    return save_tensors(tensors, metadata=text)


def _state_from(content: bytes) -> State | None:
    """The arrays of a checkpoint, None where it is not as it was written."""
    digest, body = content[:_DIGEST], content[_DIGEST:]
    if hashlib.sha256(body).digest() != digest:
        return None
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            if any(one.compress_type != zipfile.ZIP_STORED for one in archive.infolist()):
                return None  # `save_checkpoint` compresses nothing, and others might too well
        with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
            return dict(arrays)
    except Exception as error:  # what zipfile and NumPy raise at foreign bytes has many types
        _log.debug("a checkpoint cannot be read: %s", error)
        return None


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of a file's content."""
    return hashlib.sha256(content).hexdigest()


def model_from(content: bytes) -> Model:
    """Return the model of safetensors bytes.

    Raises:
        ValueError: They are none, or their arrays do not fit together.
    """
    try:
        tensors = load_tensors(content)
    except Exception as error:  # safetensors has no public error type
        raise ValueError(f"a model must be a safetensors file: {error}") from error
    names = {field.name for field in fields(Model)}
    if tensors.keys() != names:
        raise ValueError(f"a model must hold {sorted(names)}, got {sorted(tensors)}")
    if any(tensors[name].ndim != 2 for name in ("W1", "W2")):
        raise ValueError("a model's W1 and W2 must be matrices")
    (features, hidden), classes = tensors["W1"].shape, tensors["W2"].shape[1]
    shapes = {
        "W1": (features, hidden), "b1": (hidden,), "W2": (hidden, classes), "b2": (classes,),
        "mean": (features,), "std": (features,),
    }  # fmt: skip
    for name, array in tensors.items():
        types = (np.float32, np.float64) if name in ("mean", "std") else (np.float32,)
        if array.shape != shapes[name] or array.dtype not in types:
            got = f"{array.dtype} of the shape {array.shape}"
            raise ValueError(f"a model's {name} must be float32 of {shapes[name]}, got {got}")
        if not np.isfinite(array).all():
            raise ValueError(f"a model's {name} must be finite")
    return Model(**tensors)

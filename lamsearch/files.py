"""Files: checkpoints and models, each whole or not at all, in a folder or an object store.

Enters: an fsspec URL and a study's id; arrays and models. Leaves: the same again, or None where
there is none that is whole. Refuses to know what the arrays mean.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import fsspec
import numpy as np
import numpy.typing as npt
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from lamsearch.errors import FilesError, InputError
from lamsearch.results import Model

Arrays = Mapping[str, npt.NDArray[np.generic]]
_KEPT = 2  # the newest checkpoint and, until the next is safe, the one before
_DIGEST = hashlib.sha256().digest_size
_log = logging.getLogger(__name__)


class Files:
    """The files of one study below one URL.

    Args:
        url: a folder, or any URL that fsspec knows.
        study_id: the id drawn at the study's creation; all paths begin with it.
    """

    def __init__(self, url: str, study_id: str) -> None:
        self.url = url
        try:
            self._fs, root = fsspec.core.url_to_fs(url)
        except (ValueError, ImportError, OSError) as error:
            law = "must be a folder or a URL that fsspec knows"
            raise InputError(f"files: {law}: {error}") from None
        self._root = f"{root.rstrip('/')}/{study_id}"
        self._local = "file" in self._fs.protocol

    def save_checkpoint(self, stage: str, cohort: int, updates: int, state: Arrays) -> None:
        """Write a trainer's state after ``updates`` updates; the one before is kept.

        Raises:
            FilesError: It could not be written; the earlier checkpoints are untouched.
        """
        buffer = io.BytesIO()
        np.savez(buffer, **cast("dict[str, Any]", dict(state)))
        body = buffer.getvalue()
        folder = self._checkpoints(stage, cohort)
        self._write(f"{folder}/{updates:012d}.npz", hashlib.sha256(body).digest() + body)
        for name in self._list(folder)[:-_KEPT]:
            self._remove(f"{folder}/{name}")

    def load_checkpoint(self, stage: str, cohort: int) -> dict[str, npt.NDArray[np.generic]] | None:
        """Return the newest state that is whole, or None; a damaged one is reported."""
        folder = self._checkpoints(stage, cohort)
        for name in reversed(self._list(folder)):
            content = self._read(f"{folder}/{name}")
            if content is not None:
                digest, body = content[:_DIGEST], content[_DIGEST:]
                if hashlib.sha256(body).digest() == digest:
                    with np.load(io.BytesIO(body), allow_pickle=False) as archive:
                        return dict(archive)
            _log.warning("checkpoint %s of %s cohort %d is damaged", name, stage, cohort)
        return None

    def drop_checkpoints(self, stage: str, cohort: int) -> None:
        """Remove the checkpoints of a cohort whose results are told."""
        self._remove(self._checkpoints(stage, cohort))

    def save_model(self, replicate: int, model: Model, metadata: Mapping[str, object]) -> bytes:
        """Write a model as safetensors; return its bytes."""
        content = model_bytes(model, metadata)
        self._write(self._model(replicate), content)
        return content

    def read_model(self, replicate: int) -> bytes | None:
        """Return a model's bytes, or None where there is none that is whole."""
        content = self._read(self._model(replicate))
        try:
            return content if content is not None and load_tensors(content) else None
        except Exception as error:  # safetensors has no public error type
            _log.warning("model of replicate %d is damaged: %s", replicate, error)
            return None

    def remove_all(self) -> None:
        """Remove every file of the study."""
        self._remove(self._root)

    def _checkpoints(self, stage: str, cohort: int) -> str:
        return f"{self._root}/checkpoints/{stage}-{cohort}"

    def _model(self, replicate: int) -> str:
        return f"{self._root}/models/final-{replicate}.safetensors"

    def _list(self, folder: str) -> list[str]:
        """The names of whole files in a folder, oldest first; temporary ones left out."""
        try:
            self._fs.invalidate_cache()
            names = [Path(path).name for path in self._fs.ls(folder, detail=False)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._failed("read", folder, error) from error
        return sorted(name for name in names if name.endswith(".npz"))

    def _write(self, path: str, content: bytes) -> None:
        """Make the file appear whole; object stores do so by themselves."""
        try:
            if self._local:
                write_whole(Path(path), content)
            else:
                self._fs.pipe_file(path, content)
        except OSError as error:
            raise self._failed("written", path, error) from error

    def _read(self, path: str) -> bytes | None:
        try:
            return cast("bytes", self._fs.cat_file(path))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failed("read", path, error) from error

    def _remove(self, path: str) -> None:
        try:
            if self._fs.exists(path):
                self._fs.rm(path, recursive=True)
        except FileNotFoundError:
            pass  # another worker was first
        except OSError as error:
            _log.warning("files: %s could not be removed: %s", path, error.strerror or error)

    def _failed(self, what: str, path: str, error: OSError) -> FilesError:
        return FilesError(f"files: {path} cannot be {what}: {error.strerror or error}")


def write_whole(path: Path, content: bytes) -> None:
    """Write a local file so that it appears whole or not at all, and survives a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make the new name itself survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def model_bytes(model: Model, metadata: Mapping[str, object]) -> bytes:
    """Return a model as safetensors bytes; values of the metadata are written as text or JSON."""
    tensors = {name: np.ascontiguousarray(getattr(model, name), np.float32)
               for name in ("W1", "b1", "W2", "b2", "mean", "std")}  # fmt: skip
    text = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in metadata.items()
    }
    return save_tensors(tensors, metadata=text)


def model_from(content: bytes) -> Model:
    """Return the model of safetensors bytes."""
    return Model(**load_tensors(content))

"""The files of one study: checkpoints, models, and what was attached in the dashboard.

Enters: an fsspec URL and a study's id; arrays, models, bytes. Leaves: the same again, or None where
there is none that is whole. Refuses to touch what lamsearch did not write.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from lamsearch.artifacts.checkpoints import Arrays, State, state_bytes, state_from
from lamsearch.artifacts.models import ModelFile, digest_of, model_bytes, model_from
from lamsearch.artifacts.store import Store
from lamsearch.errors import FilesError
from lamsearch.results import Model

_KEPT = 2  # the newest checkpoint and, until the next is safe, the one before
MARKER = ".lamsearch-study"  # in a study's directory: lamsearch made it
_CHECKPOINT = re.compile(r"\d{12,15}\.npz")
# All that is written in a study's directory, temporary files too; or links laid in its place.
_OURS = re.compile(
    r"(?:checkpoints(?:/[a-z]+-\d+)?|models|"
    r"\.?(?:\.lamsearch-study)(?:\.[0-9a-f]+)?|"
    r"checkpoints/[a-z]+-\d+/\.?\d{12,15}\.npz(?:\.[0-9a-f]+)?|"
    r"models/\.?final-\d+(?:-cycle-\d+)?\.safetensors(?:\.[0-9a-f]+)?)",
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
        self._store, self._id, self._marked = Store(url), study_id, False
        self.url, self.shown = self._store.url, self._store.shown

    @property
    def exist(self) -> bool:
        """Whether there are any."""
        with self._store.saying("read", self._id):
            return self._store.exists(self._id)

    def check(self) -> None:
        """Find out whether files can be written here; nothing is left behind.

        Raises:
            InputError: They cannot, or the place does not answer within ten seconds.
        """
        self._store.check()

    def save_checkpoint(self, stage: str, cohort: int, updates: int, state: Arrays) -> None:
        """Write a trainer's state after ``updates`` updates; the one before is kept.

        Raises:
            FilesError: It could not be written; the earlier checkpoints are untouched.
        """
        directory = self._checkpoints(stage, cohort)
        self._write(f"{directory}/{updates:012d}.npz", state_bytes(state))
        for name in self._list(directory)[:-_KEPT]:
            self._remove(f"{directory}/{name}")

    def checkpoints(self, stage: str, cohort: int) -> Iterator[tuple[str, State]]:
        """Yield the name and state of each checkpoint that is whole, the newest first.

        A damaged one is reported, and removed: it would take the place of those to come.
        """
        directory = self._checkpoints(stage, cohort)
        for name in reversed(self._list(directory)):
            content = self._read(f"{directory}/{name}")
            state = None if content is None else state_from(content)
            if state is not None:
                yield name, state
            else:
                _log.warning("checkpoint %s of %s cohort %d is damaged", name, stage, cohort)
                self.drop_checkpoint(stage, cohort, name)

    def newest_checkpoints(self) -> dict[str, int]:
        """Return the updates of each cohort's newest checkpoint, by ``STAGE-COHORT``.

        Only of a local directory: an object store may keep one waiting for minutes.
        """
        if not self._store.is_local:
            return {}
        with self._store.saying("read", self._id):
            names = self._store.find(self._id)
        found = [Path(name) for name in sorted(names) if name.startswith("checkpoints/")]
        paths = [path for path in found if _CHECKPOINT.fullmatch(path.name)]
        return {path.parent.name: int(path.stem) for path in paths}

    def drop_checkpoint(self, stage: str, cohort: int, name: str) -> None:
        """Remove one checkpoint."""
        self._remove(f"{self._checkpoints(stage, cohort)}/{name}")

    def drop_checkpoints(self, stage: str, cohort: int) -> None:
        """Remove the checkpoints of a cohort whose results are reported."""
        self._remove_ours(self._checkpoints(stage, cohort))

    def drop_all_checkpoints(self) -> None:
        """Remove what checkpoints are left of a study that is over."""
        self._remove_ours("checkpoints")

    def save_model(
        self,
        replicate: int,
        model: Model,
        metadata: Mapping[str, object],
        cycle: int | None = None,
    ) -> bytes:
        """Write a model as safetensors; return its bytes. ``cycle`` is one that is not the last."""
        content = model_bytes(model, metadata)
        self._write(self._model(replicate, cycle), content)
        return content

    def read_model(
        self, replicate: int, sha256: str | None = None, cycle: int | None = None
    ) -> bytes | None:
        """Return a model's bytes, or None where there is none that is whole.

        ``sha256`` is the digest of what was saved; without one any model is taken that is whole
        in itself.
        """
        content = self._read(self._model(replicate, cycle))
        if content is None:
            return None
        try:
            if sha256 not in (None, digest_of(content)):
                raise ValueError("its SHA-256 is not the one that was recorded with its trial")
            model_from(content)
        except ValueError as error:
            words = ModelFile(replicate=replicate, cycle=cycle).words
            _log.warning("%s is damaged: %s", words, error)
            return None
        return content

    def save_artifact(self, name: str, content: bytes) -> None:
        """Write what somebody attached in the dashboard."""
        with self._store.saying("written", path := self._path(name)):
            self._store.write(path, content)

    def read_artifact(self, name: str) -> bytes | None:
        """Return what somebody attached, or None where there is none."""
        return self._read(name)

    def remove_artifact(self, name: str) -> None:
        """Remove what somebody attached."""
        self._remove(name)

    def mark(self) -> None:
        """Write into the study's directory that lamsearch made it, unless others wrote in it.

        Raises:
            FilesError: It could not be written.
        """
        self._mark(MARKER)

    def check_ours(self) -> None:
        """Find out whether the study's directory is one that lamsearch made.

        Raises:
            FilesError: It is not, or cannot be read.
        """
        with self._store.saying("removed", self._id):
            self._ours()

    def remove_all(self) -> None:
        """Remove every file of the study; what lamsearch did not write is left, and said.

        Raises:
            FilesError: Some could not be removed, or lamsearch did not make the directory.
        """
        with self._store.saying("removed", self._id):
            foreign = self._delete_ours("")
        if foreign:
            where = self._store.name_of(self._id)
            _log.warning("files: %s is left: lamsearch did not write all in it", where)

    def _path(self, name: str) -> str:
        return f"{self._id}/{name}" if name else self._id

    def _checkpoints(self, stage: str, cohort: int) -> str:
        return _own(f"checkpoints/{stage}-{cohort}")

    def _model(self, replicate: int, cycle: int | None) -> str:
        return _own(f"models/{ModelFile(replicate=replicate, cycle=cycle).name}")

    def _list(self, directory: str) -> list[str]:
        """The names of whole checkpoints in a directory, oldest first; temporary ones left out."""
        with self._store.saying("read", path := self._path(directory)):
            return sorted(name for name in self._store.names(path) if _CHECKPOINT.fullmatch(name))

    def _write(self, name: str, content: bytes) -> None:
        self._mark(name)
        with self._store.saying("written", path := self._path(name)):
            self._store.write(path, content)

    def _mark(self, name: str) -> None:
        """Mark the study's directory before a file in it is written."""
        if self._marked:
            return
        with self._store.saying("written", self._path(name)):
            names = self._store.find(self._id)
            if MARKER not in names and all(map(_OURS.fullmatch, names)):
                self._store.write(self._path(MARKER), f"{self._id}\n".encode())
        self._marked = True

    def _read(self, name: str) -> bytes | None:
        with self._store.saying("read", path := self._path(name)):
            return self._store.read(path)

    def _remove(self, name: str) -> None:
        """Remove what is not needed any more; where that fails, it only takes room."""
        try:
            with self._store.saying("removed", path := self._path(name)):
                self._store.delete(path)
        except FilesError as error:
            _log.warning("%s", error)

    def _remove_ours(self, directory: str) -> None:
        """Remove what lamsearch wrote below a directory; where that fails, it only takes room."""
        try:
            with self._store.saying("removed", self._path(directory)):
                self._delete_ours(directory)
        except FilesError as error:
            _log.warning("%s", error)

    def _delete_ours(self, directory: str) -> bool:
        """Delete our files below a directory of the study; return whether others are there."""
        ours, foreign = self._ours()
        # the marker last: who is killed in between can go on
        for name in sorted(ours, key=lambda name: name == MARKER):
            if not directory or name == directory or name.startswith(f"{directory}/"):
                self._store.delete(self._path(name))
        self._store.remove_empty(self._path(directory))
        return bool(foreign)

    def _ours(self) -> tuple[list[str], list[str]]:
        """The names in the study's directory that lamsearch wrote, and those that it did not.

        Raises:
            PermissionError: It is not known to be a study's directory.
        """
        names = self._store.find(self._id)
        ours = [name for name in names if not name or _OURS.fullmatch(name)]
        foreign = [name for name in names if name and not _OURS.fullmatch(name)]
        if foreign and MARKER not in names:
            raise PermissionError(f"it holds {foreign[0]!r}, which lamsearch did not write")
        return ours, foreign


def _own(name: str) -> str:
    """One of our names; stages and numbers come from a database."""
    if not _OURS.fullmatch(name):
        raise FilesError(f"files: must be named by a stage and numbers, got {name!r}")
    return name

"""Arrays, MNIST's files and directories of images, as somebody has them.

Enters: a path. Leaves: the entries of its [data] table and its sizes, or what its source says
against it.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.data import arrays
from lamsearch.data.image_files import images_below, size_of
from lamsearch.data.sources import idx, read
from lamsearch.drafting.examined import Decided, Entry, Examined, decided
from lamsearch.errors import DataError
from lamsearch.metrics import Task
from lamsearch.study import SOURCES, Data

_LOOKED_AT = 100  # images of a directory
_LARGEST = 64  # pixels along a side that fully connected layers take as they are
_USUAL = (32, 32)
_DIRECTORIES = "classes: a directory for each"
_LABELS = "classes: idx files hold labels"


def of_arrays(path: Path, task: Task | None, *, written: str) -> Examined:
    """Return what an .npz file is.

    Raises:
        DataError: It cannot be used.
    """
    found = decided(_targets(path), task, "y")
    contents = arrays.read(path, task=found.task)
    entry = Entry(key="source", value="npz", comment=found.reason)
    return Examined.of((entry, Entry(key="path", value=written)), found, contents)


def of_idx(path: Path, *, written: str) -> Examined:
    """Return what the idx files in a directory are.

    Raises:
        DataError: Several sets of them are there, or one is damaged.
    """
    prefixes = sorted({prefix_of(one) for one in idx.training_images(path)})
    if len(prefixes) > 1:
        names = ", ".join(prefixes)
        raise DataError(f"{path}: name one file of images: there are sets that begin {names}")
    return of_idx_set(path, prefixes[0] if prefixes else "", written=written)


def prefix_of(images: Path) -> str:
    """Return what the names of a set of idx files begin with, by its file of training images."""
    return images.name.partition("train-images")[0]


def of_idx_set(path: Path, prefix: str, *, written: str) -> Examined:
    """Return what those of a directory's idx files are whose names begin with a prefix."""
    entries = [
        Entry(key="source", value="idx", comment=_LABELS),
        Entry(key="path", value=written),
        *([Entry(key="prefix", value=prefix)] if prefix else ()),
    ]
    return _read(path, entries, _LABELS)


def of_images(path: Path, *, written: str) -> Examined:
    """Return what a directory of images is.

    Raises:
        DataError: It holds no directories of images, or one is damaged.
    """
    found = images_below(path)
    heads = [size_of(one) for one in found[:: max(1, len(found) // _LOOKED_AT)]]
    sizes = Counter((height, width) for height, width, _ in heads)
    (usual, _), *others = sizes.most_common() or [(_USUAL, 0)]
    small = not others and max(usual) <= _LARGEST
    size = usual if small else _USUAL
    comment = "that of all" if small else "all are scaled to it; larger ones take longer"
    colour = any(has for _, _, has in heads)
    entries = [
        Entry(key="source", value="images", comment=_DIRECTORIES),
        Entry(key="path", value=written),
        Entry(key="size", value=list(size), comment=f"height and width: {comment}"),
        *([] if colour else [Entry(key="colour", value=False, comment="none of them has any")]),
    ]
    return _read(path, entries, _DIRECTORIES)


def _read(path: Path, entries: list[Entry], reason: str) -> Examined:
    """What a source finds whose targets are classes."""
    own: dict[str, Any] = {one.key: one.value for one in entries} | {"path": str(path.absolute())}
    table: type[Data] = SOURCES.get(own["source"]).table
    contents = read(table.model_validate(own), path.parent, None)
    return Examined.of(
        tuple(entries), Decided(task="classification", reason=reason), contents
    )  # fmt: skip


def _targets(path: Path) -> npt.NDArray[Any]:
    """The array y of an .npz file; one text where that cannot be read, which its source says."""
    try:
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)["y"]
            return np.asarray(found)
    except Exception:  # whatever it is, the source has a sentence for it
        return np.array(["text"])

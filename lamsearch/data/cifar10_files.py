"""CIFAR-10 in either published layout (Krizhevsky 2009, cs.toronto.edu/~kriz/cifar.html).

Enters: a directory. Leaves: 50 000 training and 10 000 test images of 3072 uint8 values (red plane,
green plane, blue plane), the same for both layouts. Refuses to know how the files came there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lamsearch.data.images import Contents, LabelledImages
from lamsearch.data.pickles import read_dictionary, text, uint8_array, whole_numbers
from lamsearch.errors import DataError
from lamsearch.study import ImageShape

BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST = "test_batch"
META = "batches.meta"
CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
IMAGES, FEATURES = 10_000, 3072  # of one batch
IMAGE = ImageShape(height=32, width=32, channels=3, planar=True)
MOST_BYTES = 64_000_000  # twice the largest published file
PYTHON_FOLDER, BINARY_FOLDER = "cifar-10-batches-py", "cifar-10-batches-bin"
PUBLISHED_MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
    "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
}

Batch = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A directory that holds the data, and in which of the two published forms."""

    directory: Path
    binary: bool


def located(directory: Path) -> Layout | None:
    """Return where the data are: in ``directory`` or below it, the Python layout preferred.

    Others keep them in a directory "cifar10" of all their data, which is looked into too.

    Raises:
        DataError: The directory may not be looked into.
    """
    for binary, name, suffix in ((False, PYTHON_FOLDER, ""), (True, BINARY_FOLDER, ".bin")):
        for place in (directory / name, directory, directory / "cifar10" / name):
            if any(_is_there(place / f"{batch}{suffix}") for batch in (*BATCHES, TEST)):
                return Layout(directory=place, binary=binary)
    return None


def read(directory: Path) -> Contents:
    """Read and check all of CIFAR-10.

    Raises:
        DataError: A file is missing or not as published; the sentence names it.
    """
    layout = _required(directory)
    read_batch: Callable[[Path], Batch] = _binary_batch if layout.binary else _python_batch
    suffix = ".bin" if layout.binary else ""
    read_classes = _binary_classes if layout.binary else _python_classes
    classes = read_classes(layout.directory)
    x = np.empty((IMAGES * len(BATCHES), FEATURES), np.uint8)
    y = np.empty(len(x), np.int64)
    for index, name in enumerate(BATCHES):
        rows = slice(index * IMAGES, (index + 1) * IMAGES)
        x[rows], y[rows] = read_batch(layout.directory / f"{name}{suffix}")
    test_x, test_y = read_batch(layout.directory / f"{TEST}{suffix}")
    return Contents(
        name="cifar10",
        classes=classes,
        pool=LabelledImages(x=x, y=y),
        test=LabelledImages(x=test_x, y=test_y),
        image=IMAGE,
    )


def files(directory: Path) -> list[Path]:
    """Return the files that `read` reads.

    Raises:
        DataError: They are not there.
    """
    layout = _required(directory)
    suffix = ".bin" if layout.binary else ""
    names = [layout.directory / f"{name}{suffix}" for name in (*BATCHES, TEST)]
    meta = layout.directory / (META if not layout.binary else f"{META}.txt")
    return [file for file in (*names, meta) if file.is_file()]


def unpublished(layout: Layout) -> list[str]:
    """Return the names of the files whose MD5 is not the published one (all, if binary).

    The published MD5s are those of the Python layout alone.
    """
    if layout.binary:
        return [f"{name}.bin" for name in (*BATCHES, TEST)]
    return [name for name, md5 in PUBLISHED_MD5.items() if file_md5(layout.directory / name) != md5]


def file_md5(path: Path) -> str:
    """Return the MD5 of a file, the only checksum that CIFAR-10's authors published."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, _md5).hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _required(directory: Path) -> Layout:
    layout = located(directory)
    if layout is None:
        raise DataError(
            f"{directory}: must hold {PYTHON_FOLDER} or {BINARY_FOLDER}; "
            "`lamsearch data fetch cifar10` gets it, --data-dir names another directory"
        )
    return layout


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _md5() -> hashlib._Hash:
    return hashlib.md5(usedforsecurity=False)


def _bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise DataError(f"{path}: must be smaller than {MOST_BYTES} bytes, got {size}")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{path}: is missing; `lamsearch data fetch cifar10` gets it") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _python_batch(path: Path) -> Batch:
    content = read_dictionary(_bytes(path), str(path))
    for key in ("data", "labels"):
        if key not in content:
            raise DataError(f"{path}: must have the key {key!r}, got {str(sorted(content))[:200]}")
    try:
        x = uint8_array(content["data"], (IMAGES, FEATURES), f"{path}: data")
        y = whole_numbers(content["labels"], IMAGES, f"{path}: labels")
    except DataError as error:
        raise DataError(f"{error}; what is made of CIFAR-10 in another form is read from an .npz "
                        "file, see docs/study-file.md") from error  # fmt: skip
    return x, _labels(y, path)


def _binary_batch(path: Path) -> Batch:
    raw = _bytes(path)
    row = FEATURES + 1  # the label stands before its image
    if len(raw) != IMAGES * row:
        rule = f"must be {IMAGES * row} bytes ({IMAGES} images of {row})"
        raise DataError(f"{path}: {rule}, got {len(raw)}")
    rows = np.frombuffer(raw, np.uint8).reshape(IMAGES, row)
    return np.ascontiguousarray(rows[:, 1:]), _labels(rows[:, 0].astype(np.int64), path)


def _labels(y: npt.NDArray[np.int64], path: Path) -> npt.NDArray[np.int64]:
    bad = np.flatnonzero((y < 0) | (y >= len(CLASSES)))
    if bad.size:
        where = f"{path}: label of image {bad[0]}"
        raise DataError(f"{where}: must be in 0..{len(CLASSES) - 1}, got {y[bad[0]]}")
    return y


def _python_classes(directory: Path) -> tuple[str, ...]:
    path = directory / META
    names = read_dictionary(_bytes(path), str(path)).get("label_names")
    if not isinstance(names, list) or not all(isinstance(name, str | bytes) for name in names):
        raise DataError(f"{path}: label_names: must be a list of names")
    return _ten([text(name) for name in names], path)


def _binary_classes(directory: Path) -> tuple[str, ...]:
    path = directory / f"{META}.txt"
    if not path.exists():
        return CLASSES
    return _ten(_bytes(path).decode("latin-1").split(), path)


def _ten(names: list[str], path: Path) -> tuple[str, ...]:
    if len(set(names)) != len(CLASSES) or len(names) != len(CLASSES):
        rule = f"must name {len(CLASSES)} different classes"
        raise DataError(f"{path}: {rule}, got {str(names)[:200]}")
    return tuple(names)

"""SVHN's MATLAB files: what they hold, and what they could do to whoever reads them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from lamsearch.data.images import Contents
from lamsearch.data.mat_files import read_arrays
from lamsearch.data.sources import read, svhn
from lamsearch.errors import DataError, StudyFileError
from lamsearch.study import ImageShape, Study

MakeStudy = Callable[..., Study]
RNG = np.random.default_rng(4)
TRAIN, TEST = "train_32x32.mat", "test_32x32.mat"
SIZES = {TRAIN: 20, TEST: 10}
Arrays = dict[str, dict[str, Any]]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Arrays:
    """A directory with both files, but of fewer examples."""
    monkeypatch.setattr(svhn, "FILES", SIZES)
    found: Arrays = {}
    for name, count in SIZES.items():
        x = RNG.integers(0, 256, (32, 32, 3, count), np.uint8)
        y = (np.arange(count, dtype=np.uint8) % 10 + 1)[:, None]
        found[name] = {"X": x, "y": y}
        savemat(tmp_path / name, found[name], do_compression=True)
    return found


@pytest.fixture
def contents(tmp_path: Path, study: MakeStudy) -> Callable[..., Contents]:
    """A reader of the test's directory."""
    return lambda: read(study(source="svhn", train=1, validation=1).data, tmp_path, None)


@pytest.mark.parametrize("packed", [True, False])
def test_images_and_labels(
    packed: bool, small: Arrays, contents: Callable[..., Contents], tmp_path: Path
) -> None:
    """Images stand row by row, colours together, and the label 10 is the digit 0."""
    for name, arrays in small.items():
        savemat(tmp_path / name, arrays, do_compression=packed)
    found = contents()
    x = small[TRAIN]["X"]
    assert found.pool.x.shape == (20, 3072)
    assert found.pool.x[7].reshape(32, 32, 3)[5, 6].tolist() == x[5, 6, :, 7].tolist()
    assert found.pool.y.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0] * 2
    assert found.classes == tuple("0123456789")
    assert found.test is not None
    assert len(found.test) == 10
    assert found.image == ImageShape(height=32, width=32, channels=3)


def cells(depth: int) -> Any:
    """Return cells within cells."""
    inner: Any = np.zeros(1)
    for _ in range(depth):
        outer = np.empty(1, object)
        outer[0] = inner
        inner = outer
    return inner


def element(kind: int, body: bytes) -> bytes:
    """Return one element of a MATLAB file."""
    return struct.pack("<II", kind, len(body)) + body


def mat(arrays: dict[str, Any], **keys: Any) -> bytes:
    """Return a MATLAB file."""
    stream = io.BytesIO()
    savemat(stream, arrays, **keys)
    return stream.getvalue()


X = RNG.integers(0, 256, (32, 32, 3, 20), np.uint8)
Y = np.ones((20, 1), np.uint8)
WHOLE = mat({"X": X, "y": Y})
MISTAKES: dict[str, bytes] = {
    "must be a MATLAB file of version 5": b"",
    "must be a whole MATLAB file of version 5: it is cut off": WHOLE[:-4000],
    "version 5: it is cut off": WHOLE + b"123",
    "must hold arrays alone, got the type 1": WHOLE + element(1, b"12345678"),
    "version 5: Error -3 while decompressing": WHOLE[:128] + element(15, b"no zlib at all"),
    "must be whole, and not larger once unpacked than such files are": (
        WHOLE[:128] + element(15, zlib.compress(bytes(2_000_000)))),
    "not larger once unpacked": WHOLE[:128] + element(15, zlib.compress(bytes(200))[:-9]),
    "must have one array in each compressed part": (
        WHOLE[:128] + element(15, zlib.compress(WHOLE[128:]))),
    "X: is required": mat({"y": Y}),
    "X: must be an array of numbers": mat({"X": cells(40), "y": Y}),
    "y: must be an array of numbers": mat({"X": X, "y": {"a": 1}}),
    "X: must be of the shape (32, 32, 3, 20), got (32, 32, 3, 19)": mat({"X": X[..., 1:], "y": Y}),
    "X: must be of type uint8, got float64": mat({"X": X * 1.0, "y": Y}),
    "X: must be there once": WHOLE + mat({"X": X})[128:],
    "y: must be of the shape (20, 1), got (1, 20)": mat({"X": X, "y": Y.T}),
    "y: image 3: must be a label in 1..10 (10 is the digit 0), got 0": (
        mat({"X": X, "y": np.where(np.arange(20) == 3, 0, 1)[:, None]})),
    "got 1.5": mat({"X": X, "y": np.full((20, 1), 1.5)}),
}  # fmt: skip


@pytest.mark.parametrize("rule", MISTAKES)
def test_mistake_gets_one_sentence(
    rule: str, small: Arrays, contents: Callable[..., Contents], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """What is not the two arrays is one sentence, before anything nested or huge is read."""
    monkeypatch.setattr(svhn, "_MOST_BYTES", 1_000_000)
    (tmp_path / TRAIN).write_bytes(MISTAKES[rule])
    with pytest.raises(DataError) as caught:
        contents()
    assert rule in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / TRAIN}: ")
    assert len(str(caught.value).splitlines()) == 1


def test_the_same_as_scipy_reads(tmp_path: Path) -> None:
    """Arrays of every type, packed or not, and beside others, are those that SciPy wrote."""
    arrays = {kind: np.arange(6, dtype=kind).reshape(2, 3) for kind in
              ("u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8", "u8", "i8")}  # fmt: skip
    others = {"a_longer_name": cells(3), "text": "text", "b": {"c": 1}, "one": np.uint8(7)}
    for packed in (True, False):
        path = tmp_path / "a.mat"
        path.write_bytes(mat({**others, **arrays}, do_compression=packed))
        found = read_arrays(path, [*arrays, "one"], 10**6)
        assert found.pop("one").tolist() == [[7]]
        for kind, array in arrays.items():
            assert found[kind].dtype == array.dtype
            assert np.array_equal(found[kind], array)


def test_damage_anywhere(tmp_path: Path) -> None:
    """A byte that changed anywhere in the headers of an array is refused, or changes a value; so
    are bytes that are lacking."""
    path, plain = tmp_path / "a.mat", mat({"X": X[..., :1], "y": Y})
    ends = range(0, len(plain), 7)
    changed = [
        plain[:index] + bytes([plain[index] ^ bits]) + plain[index + 1 :]
        for index in [*range(120, 220), *range(len(plain) - 90, len(plain))]
        for bits in (0x01, 0x41, 0x80, 0xFF)
    ]
    refused = 0
    for content in [*(plain[:end] for end in ends), *changed]:
        path.write_bytes(content)
        try:
            found = read_arrays(path, ["X", "y"], 10**6)
        except DataError as error:
            refused += 1
            assert len(str(error).splitlines()) == 1  # noqa: PT017  # some bytes are values
        else:
            assert all(array.size for array in found.values())
    assert refused > len(ends)


def test_not_there(contents: Callable[..., Contents], study: MakeStudy, tmp_path: Path) -> None:
    """Absent files are said with the option that names another directory."""
    with pytest.raises(
        DataError, match=r"must hold train_32x32\.mat and test_32x32\.mat, or a dir"
    ):
        contents()
    with pytest.raises(StudyFileError, match="must be at most the 73257 images of svhn"):
        study(source="svhn", train=73_257, validation=1)
    (info,) = svhn.SOURCE.listed(tmp_path)
    assert not info.present

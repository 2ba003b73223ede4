"""IDX files: MNIST's layout, and headers that are believed only as far as the files go."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lamsearch.data import load
from lamsearch.data.images import Contents
from lamsearch.data.sources import idx, read
from lamsearch.errors import DataError, StudyFileError
from lamsearch.study import ImageShape, Study

MakeStudy = Callable[..., Study]
RNG = np.random.default_rng(1)
X, TEST_X = RNG.integers(0, 256, (12, 3, 4), np.uint8), RNG.integers(0, 256, (6, 3, 4), np.uint8)
Y, TEST_Y = np.arange(12, dtype=np.uint8) % 5, np.arange(6, dtype=np.uint8) % 5


def content(array: np.ndarray) -> bytes:
    """Return an array of bytes as an IDX file."""
    head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return head + array.tobytes()


def saved(directory: Path, *, prefix: str = "", sign: str = "-", end: str = "") -> Path:
    """Write the four files of MNIST's layout."""
    directory.mkdir(parents=True, exist_ok=True)
    for part, x, y in (("train", X, Y), ("t10k", TEST_X, TEST_Y)):
        for kind, array in (("images", X if x is X else x), ("labels", y)):
            raw = content(array)
            name = f"{prefix}{part}-{kind}{sign}idx{array.ndim}-ubyte{end}"
            (directory / name).write_bytes(gzip.compress(raw) if end else raw)
    return directory


@pytest.fixture
def contents(tmp_path: Path, study: MakeStudy) -> Callable[..., Contents]:
    """A reader of the directory m, with keys of [data]."""

    def read_it(**keys: object) -> Contents:
        asked = {"path": "m", "train": 1, "validation": 1} | keys
        return read(study(source="idx", **asked).data, tmp_path, None)

    return read_it


@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize("sign", ["-", "."])
def test_images_and_labels(
    sign: str, end: str, tmp_path: Path, contents: Callable[..., Contents]
) -> None:
    """Training and test examples are the bytes of the four files, however these are called."""
    saved(tmp_path / "m", sign=sign, end=end)
    found = contents()
    assert np.array_equal(found.pool.x, X.reshape(12, 12))
    assert np.array_equal(found.pool.y, Y)
    assert found.test is not None
    assert np.array_equal(found.test.x, TEST_X.reshape(6, 12))
    assert np.array_equal(found.test.y, TEST_Y)
    assert found.classes == tuple("01234")
    assert found.image == ImageShape(height=3, width=4)


def test_one_of_several_sets(tmp_path: Path, contents: Callable[..., Contents]) -> None:
    """A prefix chooses among the sets of a directory; without it, what is lacking is named."""
    saved(tmp_path / "m", prefix="emnist-digits-", end=".gz")
    assert len(contents(prefix="emnist-digits-").pool) == 12
    with pytest.raises(DataError, match=r"m: must hold train-images-idx3-ubyte, gzip or not"):
        contents()
    with pytest.raises(StudyFileError, match=r"data\.prefix: must be the beginning of a file's"):
        contents(prefix="../")


def test_a_test_set_is_not_asked_for(tmp_path: Path, study: MakeStudy) -> None:
    """The files have a test set: the study that asks for another one is refused."""
    saved(tmp_path / "m")
    assert load(study(source="idx", path="m", train=8, validation=4), tmp_path).test_images == 6
    with pytest.raises(StudyFileError, match=r"data\.test: must not be given"):
        study(source="idx", path="m", train=1, validation=1, test=1)


IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
HUGE = bytes([0, 0, 8, 3]) + np.array([2**32 - 1] * 3, ">u4").tobytes()
MISTAKES: dict[str, tuple[str, bytes]] = {
    "must begin as an IDX file of bytes with 3 axes": (IMAGES, b""),
    "got b'\\x00\\x00\\x0c\\x03'": (IMAGES, b"\0\0\x0c\3" + content(X)[4:]),
    "got b'\\x00\\x00\\x08\\x01'": (IMAGES, content(Y) + bytes(20)),
    "must hold the 144 values it announces, got 143": (IMAGES, content(X)[:-1]),
    "must hold the 144 values it announces, got more": (IMAGES, content(X) + b"1"),
    "must announce between 1 and 1,073,741,824 values, got 4294967295 x": (IMAGES, HUGE),
    "must announce between 1 and 1,073,741,824 values, got 0 x 3 x 4": (IMAGES, content(X[:0])),
    "must have a label for each of the 12 images, got 11": (LABELS, content(Y[1:])),
    "t10k-images-idx3-ubyte: must have images of 4 x 3 pixels, as for training, got 3 x 4": (
        IMAGES, content(X.reshape(12, 4, 3))),
    "t10k-labels-idx1-ubyte: row 4: must be a label that y has (0, 1, 2, 3)": (
        LABELS, content(Y.clip(max=3))),
}  # fmt: skip


@pytest.mark.parametrize("rule", MISTAKES)
@pytest.mark.parametrize("end", ["", ".gz"])
def test_mistake_gets_one_sentence(
    rule: str, end: str, tmp_path: Path, contents: Callable[..., Contents]
) -> None:
    """A file that is not what its header says is named, packed or not."""
    name, raw = MISTAKES[rule]
    saved(tmp_path / "m", end=end)
    (tmp_path / "m" / f"{name}{end}").write_bytes(gzip.compress(raw) if end else raw)
    with pytest.raises(DataError) as caught:
        contents()
    assert rule.replace("ubyte:", f"ubyte{end}:") in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / 'm'}")
    assert len(str(caught.value).splitlines()) == 1


def test_a_bomb_is_not_unpacked(
    tmp_path: Path, contents: Callable[..., Contents], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a packed file no more is read than its header announces, and a byte."""
    saved(tmp_path / "m", end=".gz")
    bomb = tmp_path / "m" / f"{IMAGES}.gz"
    bomb.write_bytes(gzip.compress(content(X) + bytes(50_000_000)))
    asked: list[int] = []
    plain = gzip.GzipFile.read

    def counted(self: gzip.GzipFile, size: int = -1) -> bytes:
        asked.append(size)
        return plain(self, size)

    monkeypatch.setattr(gzip.GzipFile, "read", counted)
    with pytest.raises(DataError, match="got more"):
        contents()
    assert asked[:2] == [16, 145]


@pytest.mark.parametrize(
    "raw", [b"", b"no gzip", gzip.compress(content(X), mtime=0)[:40]], ids=["empty", "none", "cut"]
)
def test_damaged_archives(raw: bytes, tmp_path: Path, contents: Callable[..., Contents]) -> None:
    """What is no whole gzip file is refused by name."""
    saved(tmp_path / "m", end=".gz")
    (tmp_path / "m" / f"{IMAGES}.gz").write_bytes(raw)
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz: must be"):
        contents()


def test_listed(tmp_path: Path) -> None:
    """`data list` has a line for each directory with such files, and one where there is none."""
    assert [info.present for info in idx.SOURCE.listed(tmp_path)] == [False]
    saved(tmp_path / "m")
    assert [info.where for info in idx.SOURCE.listed(tmp_path)] == [tmp_path / "m"]

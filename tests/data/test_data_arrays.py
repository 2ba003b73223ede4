"""People's own arrays: what is read, and every issue at once."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lamsearch.data import load
from lamsearch.data.arrays import read
from lamsearch.errors import DataError
from lamsearch.study import Study

MakeStudy = Callable[..., Study]
X = np.arange(24.0).reshape(4, 2, 3)
Y = np.array([0, 2, 0, 1])


def saved(path: Path, **arrays: object) -> Path:
    """Write an .npz file, with pickles where objects are in it."""
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("kind", ["f2", ">f4", "f8", "i2", "u4", "u1"])
def test_images_are_flat_and_float32_or_uint8(tmp_path: Path, kind: str) -> None:
    """uint8 stays uint8, every other number becomes float32; images become rows."""
    contents = read(saved(tmp_path / "a.npz", X=X.astype(kind), y=Y.astype("u1")))
    assert contents.pool.x.dtype == (np.uint8 if kind == "u1" else np.float32)
    assert np.array_equal(contents.pool.x, X.reshape(4, 6))
    assert contents.pool.y.dtype == np.int64
    assert contents.classes == ("0", "1", "2")
    assert contents.test is None


def test_own_test_set_is_kept_apart(tmp_path: Path, study: MakeStudy) -> None:
    """X_test and y_test are the test set, whose labels are those that y has."""
    saved(tmp_path / "a.npz", X=X, y=Y, X_test=X[:3], y_test=[0, 1, 1])
    data = load(study(source="a.npz", train=3, validation=1), tmp_path)
    assert (data.images, data.test_images, len(data.classes)) == (4, 3, 3)
    with pytest.raises(DataError, match=r"data\.test: must not be given"):
        load(study(source="a.npz", train=2, validation=1, test=1), tmp_path)
    with pytest.raises(DataError, match=r"must be at most the 4 images of .* got 5"):
        load(study(source="a.npz", train=4, validation=1), tmp_path)


NAN, HUGE = X.copy(), X.copy()
NAN[2, 1, 1] = np.nan
HUGE[3, 0, 0] = -1e39
OWN = {"X": X, "y": Y, "y_test": Y}
MISTAKES = {
    "X: is required": {"y": Y},
    "y: is required": {"X": X},
    "y_test: is required where the other": {"X": X, "y": Y, "X_test": X},
    "Z: unknown key; known are X, y": {"X": X, "y": Y, "Z": Y},
    "X: row 2: must be finite, got nan": {"X": NAN, "y": Y},
    "X_test: row 3: must fit into float32, got -1e+39": OWN | {"X_test": HUGE},
    "X: must be of type uint8 or float, got 'complex128'": {"X": X + 0j, "y": Y},
    "X: must be of type uint8 or float, got '<U1'": {"X": [["a"]], "y": [0]},
    "X: must have two or more dimensions": {"X": Y, "y": Y},
    "y: must have one label for each of the 4 images of X, got 3": {"X": X, "y": Y[1:]},
    "y: row 1: must be a whole number, as labels are": {"X": X, "y": Y / 4},
    "y: must have one dimension": {"X": X, "y": Y[:, None]},
    "y: row 1: must be a label in 0..65535, got -2": {"X": X, "y": -Y},
    "y: row 0: must be a label in 0..65535, got 1000000": {"X": X, "y": Y + 10**6},
    "X_test: must have images of the shape (2, 3), as X": OWN | {"X_test": X[:, :1]},
    "X_test: must be uint8 where X is": OWN | {"X": X.astype("u1"), "X_test": X},
    "X: must be a whole array without pickled objects": {"X": X.astype(object), "y": Y},
}  # fmt: skip


@pytest.mark.parametrize("rule", MISTAKES)
def test_mistake_gets_one_sentence(tmp_path: Path, rule: str) -> None:
    """Each issue is said once, with the file, the array, the rule and the value."""
    path = saved(tmp_path / "a.npz", **MISTAKES[rule])
    with pytest.raises(DataError) as caught:
        read(path)
    assert f"{path}: {rule}" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_all_mistakes_are_reported_together(tmp_path: Path) -> None:
    """Three issues in one file make three lines."""
    with pytest.raises(DataError) as caught:
        read(saved(tmp_path / "a.npz", X=NAN, y=Y - 5, more=Y))
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut off", b"\x80\x02}."])
def test_unreadable_file_is_named(tmp_path: Path, content: bytes) -> None:
    """What is no whole .npz file is refused by name."""
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.npz: must be a whole \.npz file"):
        read(path)


def test_truncated_and_flipped_archives_are_refused(tmp_path: Path) -> None:
    """An archive that was cut, or one with a changed byte in an array, is not read."""
    path = saved(tmp_path / "a.npz", X=np.zeros((100, 9)), y=np.zeros(100, int))
    whole = path.read_bytes()
    path.write_bytes(whole[:-300])
    with pytest.raises(DataError, match=r"a\.npz: must be a whole"):
        read(path)
    path.write_bytes(whole[:1000] + b"\x01" + whole[1001:])
    with pytest.raises(DataError, match=r"a\.npz: X: must be a whole array"):
        read(path)


def test_single_array_is_refused(tmp_path: Path) -> None:
    """An .npy file under an .npz name is refused."""
    with (tmp_path / "a.npz").open("wb") as file:
        np.save(file, X)
    with pytest.raises(DataError, match=r"must be an \.npz archive, got a single array"):
        read(tmp_path / "a.npz")


def test_relative_path_is_looked_for_in_both_directories(tmp_path: Path, study: MakeStudy) -> None:
    """The data directory comes first, then the study file's; the error names both."""
    directory, origin = tmp_path / "data", tmp_path / "studies"
    directory.mkdir()
    origin.mkdir()
    wanted = study(source="npz", path="a.npz", train=2, validation=1)
    with pytest.raises(DataError) as caught:
        load(wanted, directory, origin=origin)
    assert str(directory / "a.npz") in str(caught.value)
    assert str(origin / "a.npz") in str(caught.value)
    saved(origin / "a.npz", X=X, y=Y)
    assert len(load(wanted, directory, origin=origin).classes) == 3
    saved(directory / "a.npz", X=X, y=Y % 2)
    assert len(load(wanted, directory, origin=origin).classes) == 2
    absolute = study(source=str(origin / "a.npz"), train=2, validation=1)
    assert len(load(absolute, directory).classes) == 3

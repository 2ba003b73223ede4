"""CIFAR-10: both published layouts, and every way in which their files can be damaged."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from published_files import CLASSES, Published, python2_array, python2_batch, python2_meta

from lamsearch.data import load, open_test, sources, verify
from lamsearch.data.cifar10_files import located, read
from lamsearch.errors import DataError, InputError
from lamsearch.results import TestOpening
from lamsearch.study import Study

MakeStudy = Callable[..., Study]
LABELS = [0] * 10_000
SMALL = python2_array(bytes(30_720_000))

DATA = os.environ.get("LAMSEARCH_DATA")  # other tests keep it out of their environment


def replaced(path: Path, content: bytes) -> None:
    """Write a file anew; the old one may be linked elsewhere."""
    path.unlink()
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["", "cifar-10-batches-py", "cifar-10-batches-bin"])
def test_reads_what_was_written(published: Published, name: str) -> None:
    """All images and labels are read in file order, from above a layout's directory or in it."""
    contents = read(published.directory / name)
    assert np.array_equal(contents.pool.x, np.concatenate(published.x[:5]))
    assert np.array_equal(contents.pool.y, np.concatenate(published.y[:5]))
    assert contents.test is not None
    assert np.array_equal(contents.test.x, published.x[5])
    assert np.array_equal(contents.test.y, published.y[5])
    assert contents.classes == tuple(CLASSES)


def test_both_layouts_have_one_fingerprint(published: Published, study: MakeStudy) -> None:
    """The data fingerprint is that of the content, not of the files around it."""
    wanted = study(source="cifar10", train=100, validation=10)
    python = load(wanted, published.directory / "cifar-10-batches-py")
    binary = load(wanted, published.directory / "cifar-10-batches-bin")
    assert python.fingerprint == binary.fingerprint
    assert (python.images, python.features, python.test_images) == (50_000, 3072, 10_000)


def test_fingerprint_covers_the_test_set(published: Published, tmp_path: Path) -> None:
    """One changed pixel of a test image changes the fingerprint."""
    place = published.copy_to(tmp_path, binary=True)
    raw = bytearray((place / "test_batch.bin").read_bytes())
    raw[-1] ^= 1
    replaced(place / "test_batch.bin", bytes(raw))
    assert read(place).fingerprint() != read(published.directory).fingerprint()


def test_named_batches_are_used_whole_and_in_order(published: Published, study: MakeStudy) -> None:
    """train_batches and validation_batches give exactly these files, row by row."""
    wanted = study(source="cifar10", train_batches=[3, 1], validation_batches=[2])
    splits = load(wanted, published.directory).split("coarse")
    assert np.array_equal(splits.train_y, np.concatenate([published.y[2], published.y[0]]))
    assert np.array_equal(splits.validation_y, published.y[1])
    first = (published.x[1][0] / np.float32(255) - splits.mean) / splits.std
    assert np.array_equal(splits.validation_x[0], first)


def test_missing_directory_says_what_to_do(tmp_path: Path, study: MakeStudy) -> None:
    """Without the data the sentence names the directory and the command that gets them."""
    with pytest.raises(DataError, match=r"lamsearch data fetch cifar10") as caught:
        load(study(source="cifar10", train=100, validation=10), tmp_path)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("name", ["data_batch_3", "batches.meta"])
def test_missing_file_is_named(published: Published, tmp_path: Path, name: str) -> None:
    """A layout that lacks one file is refused by that file's name."""
    (published.copy_to(tmp_path) / name).unlink()
    with pytest.raises(DataError, match=rf"{name}: is missing"):
        read(tmp_path)


# Each is made where it is wanted: they are megabytes.
DAMAGE: dict[str, tuple[Callable[[], bytes], str]] = {
    "cut off": (lambda: python2_batch(LABELS, SMALL)[:1_000_000], "cut off or damaged"),
    "cut at an opcode": (lambda: python2_batch(LABELS, SMALL)[:-1], "must be a whole pickle"),
    "empty": (lambda: b"", "must be a whole pickle"),
    "shape": (
        lambda: python2_batch(LABELS, python2_array(bytes(30_720_000), (3072, 10_000))),
        "shape",
    ),
    "short array": (
        lambda: python2_batch(LABELS, python2_array(bytes(100))),
        "must hold 30720000 bytes",
    ),
    "type": (
        lambda: python2_batch(LABELS, python2_array(bytes(30_720_000), kind="i1")),
        "type uint8",
    ),
    "few labels": (lambda: python2_batch(LABELS[1:], SMALL), "labels: must be 10000, got 9999"),
    "label 10": (lambda: python2_batch([*LABELS[1:], 10], SMALL), "label of image 9999: .* got 10"),
    "label -1": (lambda: python2_batch([-1, *LABELS[1:]], SMALL), "label of image 0: .* got -1"),
    "no data": (lambda: b"\x80\x02}q\x01(U\x06labels]u.", "must have the key 'data'"),
    "no array": (lambda: python2_batch(LABELS, b"K\x07"), "data: must be a NumPy array, got int"),
    "no dictionary": (lambda: b"\x80\x02]q\x01.", "must hold a dictionary, got list"),
    "too big": (lambda: bytes(64_000_001), "must be smaller than 64000000 bytes"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged_python_batch_is_named(published: Published, tmp_path: Path, kind: str) -> None:
    """Each damage of a Python batch gets one sentence that names the file and the rule."""
    content, rule = DAMAGE[kind]
    place = published.copy_to(tmp_path)
    replaced(place / "data_batch_2", content())
    with pytest.raises(DataError, match=rule) as caught:
        read(tmp_path)
    assert str(caught.value).startswith(f"{place / 'data_batch_2'}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bad", [b"\x0a" + bytes(30_729_999), bytes(30_729_999)])
def test_damaged_binary_batch_is_named(published: Published, tmp_path: Path, bad: bytes) -> None:
    """A label outside 0..9, or a byte too few, refuses the binary file by name."""
    place = published.copy_to(tmp_path, binary=True)
    replaced(place / "test_batch.bin", bad)
    with pytest.raises(DataError, match=r"test_batch\.bin"):
        read(tmp_path)


def test_class_names_must_be_ten(published: Published, tmp_path: Path) -> None:
    """A batches.meta with a class too few is refused by name."""
    place = published.copy_to(tmp_path)
    replaced(place / "batches.meta", python2_meta(CLASSES[1:]))
    with pytest.raises(DataError, match=r"batches\.meta: must name 10 different classes"):
        read(tmp_path)


def test_test_set_is_the_test_batch(
    published: Published, study: MakeStudy, opening: TestOpening
) -> None:
    """What is opened at the end is test_batch, raw."""
    wanted = study(source="cifar10", train=100, validation=10)
    data = load(wanted, published.directory)
    test = open_test(wanted, published.directory, opening, fingerprint=data.fingerprint)
    assert test.x.dtype == np.uint8
    assert np.array_equal(test.x, published.x[5])
    assert np.array_equal(test.y, published.y[5])


@pytest.mark.parametrize("name", ["cifar-10-batches-py", "cifar-10-batches-bin"])
def test_verify_distinguishes_published_values_from_others(published: Published, name: str) -> None:
    """Whole files of other values are said to be that, in both layouts."""
    verification = verify("cifar10", published.directory / name)
    assert verification.published is False
    assert "the values are not the published ones" in verification.lines
    assert "the 50000 training examples are not the published ones" in verification.lines
    assert not any("all good" in line for line in verification.lines)


def test_verify_counts_classes(published: Published) -> None:
    """The number of examples of each class is said, in the pool and in the test set."""
    lines = verify("cifar10", published.directory).lines
    counts = np.bincount(np.concatenate(published.y[:5]))
    each = ", ".join(f"{name}: {n}" for n, name in zip(counts, CLASSES, strict=True))
    assert f"examples by class: {each}" in lines
    assert any(line.startswith("test examples by class: ") for line in lines)


def test_verify_finds_a_test_batch_among_the_training_ones(
    published: Published, tmp_path: Path
) -> None:
    """A test file in the place of a training file is a leak of every test example."""
    place = published.copy_to(tmp_path, binary=True)
    replaced(place / "data_batch_1.bin", (place / "test_batch.bin").read_bytes())
    lines = verify("cifar10", tmp_path).lines
    assert "test_batch holds the same images as data_batch_1" in lines
    assert "10000 of the 10000 test examples are training examples too" in lines


def test_verify_finds_a_file_of_zeros(published: Published, tmp_path: Path) -> None:
    """A download that was filled up with zero bytes repeats one example 9,999 times."""
    place = published.copy_to(tmp_path, binary=True)
    replaced(place / "data_batch_4.bin", bytes(30_730_000))
    verification = verify("cifar10", tmp_path)
    assert verification.published is False
    assert "9999 of the 50000 examples repeat another one" in verification.lines


@pytest.mark.skipif(DATA is None, reason="LAMSEARCH_DATA is not set")
def test_verify_knows_the_published_values_in_any_order_and_layout(tmp_path: Path) -> None:
    """The real examples are known in the binary layout, in another order, and not when changed."""
    contents = read(Path(str(DATA)))
    assert contents.test is not None
    assert verify("cifar10", Path(str(DATA))).published
    rows = np.hstack([contents.pool.y[:, None].astype(np.uint8), contents.pool.x])[::-1]
    for number, part in enumerate(np.split(rows, 5), 1):
        (tmp_path / f"data_batch_{number}.bin").write_bytes(part.tobytes())
    test = np.hstack([contents.test.y[:, None].astype(np.uint8), contents.test.x])
    (tmp_path / "test_batch.bin").write_bytes(test.tobytes())
    assert verify("cifar10", tmp_path).published
    test[17, 0] = (test[17, 0] + 1) % 10
    (tmp_path / "test_batch.bin").write_bytes(test.tobytes())
    found = verify("cifar10", tmp_path)
    assert found.published is False
    noisy = "the 10000 test examples are the published images, but not with their labels"
    assert noisy in found.lines
    assert "the 50000 training examples are the published ones" in found.lines


def test_verify_knows_the_published_digits(tmp_path: Path) -> None:
    """scikit-learn's digits are the published ones, to the last bit."""
    assert verify("digits", tmp_path).published


def test_verify_looks_at_people_s_own_arrays(tmp_path: Path) -> None:
    """Of an .npz file it is said what its labels are, how many each class has, and what repeats."""
    x = np.arange(12.0).reshape(6, 2)
    x[1] = x[0]
    np.savez(tmp_path / "a.npz", X=x, y=[1, 2, 1, 1, 1, 1], X_test=x[:2], y_test=[1, 1])
    found = verify("a.npz", tmp_path)
    assert found.published is None
    assert "examples by class: 1: 5, 2: 1" in found.lines
    assert "1 of the 6 examples repeat another one" in found.lines
    assert "2 of the 2 test examples are training examples too" in found.lines
    assert any("the 2 different labels of y, 1, 2, are the classes" in line for line in found.lines)
    np.savez(tmp_path / "a.npz", X=np.eye(50), y=np.arange(50))
    assert "examples by class: 1 to 1" in verify("a.npz", tmp_path).lines


@pytest.mark.parametrize("directory", ["", "cifar10"])
def test_the_data_may_lie_in_a_directory_of_their_name(
    published: Published, tmp_path: Path, directory: str
) -> None:
    """A data directory that holds cifar10/cifar-10-batches-py is searched too."""
    place = published.copy_to(tmp_path / directory)
    found = located(tmp_path)
    assert found is not None
    assert found.directory == place


def test_verify_refuses_unknown_names(tmp_path: Path) -> None:
    """A name that is no source is refused with the names that are."""
    with pytest.raises(InputError, match=r"one of digits, cifar10, cifar100, svhn, got 'mnist'"):
        verify("mnist", tmp_path)


def test_sources_say_what_is_there(published: Published, tmp_path: Path) -> None:
    """The list says of every source whether it is there, and where."""
    np.savez(tmp_path / "mine.npz", X=np.zeros((2, 2)), y=[0, 1])
    here = {info.name: info for info in sources(tmp_path)}
    assert here["digits"].present
    assert not here["cifar10"].present
    assert here["mine.npz"].where == tmp_path / "mine.npz"
    there = {info.name: info for info in sources(published.directory)}
    assert there["cifar10"].where == published.directory / "cifar-10-batches-py"


@pytest.mark.skipif(DATA is None, reason="LAMSEARCH_DATA is not set")
def test_real_data_have_5000_images_of_each_class() -> None:
    """The real CIFAR-10 is read as 5000 training and 1000 test images of each class."""
    contents = read(Path(str(DATA)))
    assert np.bincount(contents.pool.y).tolist() == [5000] * 10
    assert contents.test is not None
    assert np.bincount(contents.test.y).tolist() == [1000] * 10

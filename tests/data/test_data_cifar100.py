"""CIFAR-100's layout, and what its pickles may hold."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from published_files import python2_array, short

from lamsearch.data.cifar10_files import IMAGE
from lamsearch.data.images import Contents
from lamsearch.data.sources import cifar100, read
from lamsearch.errors import DataError, InputError, StudyFileError
from lamsearch.study import Study

MakeStudy = Callable[..., Study]
FINE, COARSE = [f"fine {n}" for n in range(100)], [f"coarse {n}" for n in range(20)]
RNG = np.random.default_rng(3)


def python2(content: dict[str, Any]) -> bytes:
    """Return what Python 2 would have pickled: lists of numbers or names, an array, a text."""
    parts = [b"\x80\x02}q\x01("]
    for key, value in content.items():
        parts.append(short(key))
        if isinstance(value, np.ndarray):
            parts.append(python2_array(value.tobytes(), value.shape))
        elif isinstance(value, str):
            parts.append(short(value))
        else:
            items = (short(one) if isinstance(one, str) else b"K" + bytes([one]) for one in value)
            parts.append(b"](" + b"".join(items) + b"e")
    return b"".join([*parts, b"u."])


def batch(count: int) -> dict[str, Any]:
    """Return examples as CIFAR-100 has them."""
    return {
        "filenames": [f"{row}.png" for row in range(count)],
        "batch_label": "training batch 1 of 1",
        "fine_labels": [(7 * row) % 100 for row in range(count)],
        "coarse_labels": [(3 * row) % 20 for row in range(count)],
        "data": RNG.integers(0, 256, (count, 3072), np.uint8),
    }


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, dict[str, Any]]:
    """A directory with all of CIFAR-100, but of fewer examples."""
    monkeypatch.setattr(cifar100, "TRAIN", 200)
    monkeypatch.setattr(cifar100, "TEST", 100)
    found = {"train": batch(200), "test": batch(100),
             "meta": {"fine_label_names": FINE, "coarse_label_names": COARSE}}  # fmt: skip
    (tmp_path / "cifar-100-python").mkdir()
    for name, content in found.items():
        (tmp_path / "cifar-100-python" / name).write_bytes(python2(content))
    return found


@pytest.fixture
def contents(tmp_path: Path, study: MakeStudy) -> Callable[..., Contents]:
    """A reader of the test's directory, with keys of [data]."""

    def read_it(**keys: Any) -> Contents:
        return read(study(source="cifar100", train=1, validation=1, **keys).data, tmp_path, None)

    return read_it


@pytest.mark.parametrize("labels", ["fine", "coarse"])
def test_images_and_labels(
    labels: str, small: dict[str, dict[str, Any]], contents: Callable[..., Contents]
) -> None:
    """The examples are the published ones, in their 100 classes or the 20 superclasses."""
    found = contents() if labels == "fine" else contents(labels=labels)
    assert np.array_equal(found.pool.x, small["train"]["data"])
    assert found.pool.y.tolist() == small["train"][f"{labels}_labels"]
    assert found.test is not None
    assert np.array_equal(found.test.x, small["test"]["data"])
    assert found.test.y.tolist() == small["test"][f"{labels}_labels"]
    assert found.classes == tuple(small["meta"][f"{labels}_label_names"])
    assert found.image == IMAGE


def test_written_again_by_python_3(
    small: dict[str, dict[str, Any]], contents: Callable[..., Contents], tmp_path: Path
) -> None:
    """Files that Python 3 and NumPy 2 pickled hold the same data."""
    before = contents().fingerprint()
    for name, content in small.items():
        again = pickle.dumps({key.encode(): value for key, value in content.items()}, 4)
        (tmp_path / "cifar-100-python" / name).write_bytes(again)
    assert contents().fingerprint() == before


class Evil:
    """What would run a command if it were unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        import os

        return os.system, ("touch hacked",)


def test_no_code_runs(
    small: dict[str, dict[str, Any]], contents: Callable[..., Contents], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A pickle that calls anything is refused, and nothing is called."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "cifar-100-python/train"
    path.write_bytes(pickle.dumps({"data": Evil()}, 2))
    with pytest.raises(InputError, match="train: "):
        contents()
    assert not (tmp_path / "hacked").exists()


MISTAKES: dict[str, tuple[str, dict[str, Any]]] = {
    "train: data: must have the shape (200, 3072) in C order, got (100, 3072)": (
        "train", batch(100)),
    "test: fine_labels: image 0: must be in 0..99, got 100": (
        "test", {**batch(100), "fine_labels": [100] * 100}),
    "test: must have the key 'fine_labels', got ['data']": ("test", {"data": batch(100)["data"]}),
    "meta: fine_label_names: must name 100 different classes, got ['a', 'a']": (
        "meta", {"fine_label_names": ["a", "a"]}),
    "meta: must have the key 'fine_label_names'": ("meta", {"coarse_label_names": COARSE}),
}  # fmt: skip


@pytest.mark.parametrize("rule", MISTAKES)
def test_mistake_gets_one_sentence(
    rule: str, small: object, contents: Callable[..., Contents], tmp_path: Path
) -> None:
    """A file that is not as published is named, with the key, the rule and the value."""
    name, content = MISTAKES[rule]
    (tmp_path / "cifar-100-python" / name).write_bytes(python2(content))
    with pytest.raises(InputError) as caught:
        contents()
    assert rule in str(caught.value)


def test_not_there(contents: Callable[..., Contents], study: MakeStudy) -> None:
    """Absent files are said with the option that names another directory; so are other labels."""
    with pytest.raises(DataError, match=r"must hold cifar-100-python with train, test, meta; --d"):
        contents()
    with pytest.raises(StudyFileError, match=r"data\.labels: must be 'fine' or 'coarse'"):
        study(source="cifar100", train=1, validation=1, labels="rough")
    with pytest.raises(StudyFileError, match="must be at most the 50000 images of cifar100"):
        study(source="cifar100", train=50_000, validation=1)


def test_checksums(small: object, contents: Callable[..., Contents], tmp_path: Path) -> None:
    """`data verify` says which files are not the published ones; `data list` where they are."""
    same, lines = cifar100.SOURCE.compared(tmp_path, contents())
    assert not same
    assert lines == ["the checksums are not the published ones: train, test, meta"]
    (info,) = cifar100.SOURCE.listed(tmp_path)
    assert info.where == tmp_path / "cifar-100-python"

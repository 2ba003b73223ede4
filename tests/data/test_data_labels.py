"""Labels as people write them: which classes they are, and what they are called."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamsearch.data.arrays import read
from lamsearch.data.images import Contents
from lamsearch.data.labels import MOST_CLASSES, named
from lamsearch.errors import DataError, Issue

X = np.arange(24.0).reshape(6, 4)


def contents(directory: Path, y: Any, **more: Any) -> Contents:
    """Write labels beside features; return what is read."""
    np.savez(directory / "a.npz", X=X, y=y, **more)
    return read(directory / "a.npz")


def test_labels_from_1_make_no_class_0(tmp_path: Path) -> None:
    """Labels 1 to 3 are three classes, named "1" to "3", and that is said."""
    found = contents(tmp_path, [1, 2, 3, 3, 2, 1])
    assert found.classes == ("1", "2", "3")
    assert found.pool.y.tolist() == [0, 1, 2, 2, 1, 0]
    (note,) = found.notes
    assert note.startswith("the 3 different labels of y, 1, 2, 3, are the classes")


def test_gaps_make_no_classes(tmp_path: Path) -> None:
    """Labels with a gap as wide as may be are as many classes as there are labels."""
    found = contents(tmp_path, [3, 8, 3, 65_535, 8, 3], X_test=X[:2], y_test=[65_535, 3])
    assert found.classes == ("3", "8", "65535")
    assert found.pool.y.tolist() == [0, 1, 0, 2, 1, 0]
    assert found.test is not None
    assert found.test.y.tolist() == [2, 0]


def test_labels_without_a_gap_are_left_alone(tmp_path: Path) -> None:
    """Labels from 0 are the classes, in every type of whole number, and nothing is said."""
    for kind in ("i1", "u1", ">i4", "u8"):
        found = contents(tmp_path, np.array([2, 0, 1, 1, 0, 2], kind))
        assert found.pool.y.tolist() == [2, 0, 1, 1, 0, 2]
        assert found.pool.y.dtype == np.int64
        assert (found.classes, found.notes) == (("0", "1", "2"), ())


@pytest.mark.parametrize(
    ("y", "classes", "numbers"),
    [
        (["cat", "dög", "cat", "ant", "ant", "dög"], ("ant", "cat", "dög"), [1, 2, 1, 0, 0, 2]),
        ([True, False, True, True, False, True], ("False", "True"), [1, 0, 1, 1, 0, 1]),
        ([" <=50K", ">50K"] * 3, (" <=50K", ">50K"), [0, 1] * 3),
    ],
)
def test_texts_and_truth_values_are_names(
    tmp_path: Path, y: list[Any], classes: tuple[str, ...], numbers: list[int]
) -> None:
    """Texts and truth values are numbered in their order and name the classes."""
    found = contents(tmp_path, y, X_test=X[:2], y_test=y[:2])
    assert found.classes == classes
    assert found.pool.y.tolist() == numbers
    assert found.test is not None
    assert found.test.y.tolist() == numbers[:2]


MISTAKES: dict[str, dict[str, Any]] = {
    "y_test: row 1: must be a label that y has (0, 1, 2): training sees no other, got 5": {
        "y": [0, 1, 2] * 2, "X_test": X, "y_test": [0, 5, 1, 1, 1, 1],
    },
    "y_test: row 0: must be a label that y has (a, b): training sees no other, got 'c'": {
        "y": ["a", "b"] * 3, "X_test": X, "y_test": ["c"] * 6,
    },
    "y_test: must be labels of the kind that y has (<U1), got 'int64'": {
        "y": ["a", "b"] * 3, "X_test": X, "y_test": [0] * 6,
    },
    "y_test: must be labels of the kind that y has (bool), got 'int64'": {
        "y": [True, False] * 3, "X_test": X, "y_test": [0] * 6,
    },
    "y: row 1: must be 1 to 100 printable characters, not all of them blank, got 'a\\x1b[2J'": {
        "y": ["a", "a\x1b[2J"] * 3,
    },
    "y: row 0: must be 1 to 100 printable characters, not all of them blank, got ''": {
        "y": ["", "b"] * 3,
    },
    "y: must be whole numbers, got '|S1'": {"y": [b"a", b"b"] * 3},
    "y: must be whole numbers, got 'datetime64[D]'": {"y": np.zeros(6, "M8[D]")},
}  # fmt: skip


@pytest.mark.parametrize("rule", MISTAKES)
def test_what_is_no_label_gets_one_sentence(tmp_path: Path, rule: str) -> None:
    """Labels that training never sees, or that cannot be shown, are refused with the row."""
    with pytest.raises(DataError) as caught:
        contents(tmp_path, **MISTAKES[rule])
    assert str(caught.value) == f"{tmp_path / 'a.npz'}: {rule}"


def test_as_many_classes_as_there_may_be() -> None:
    """One name more than a network may have outputs is refused by their number."""
    found: list[Issue] = []
    names = np.array([f"{n:05d}" for n in range(MOST_CLASSES + 1)])
    assert named(names[1:], "y", found) is not None
    assert found == []
    assert named(names, "y", found) is None
    assert str(found[0]) == "y: must have at most 65536 different labels, got 65537"


@given(st.lists(st.integers(0, MOST_CLASSES - 1), min_size=1, max_size=40))
def test_every_class_occurs_and_keeps_its_name(labels: list[int]) -> None:
    """Whatever the labels, each example's class is named by its label, and each class occurs."""
    found: list[Issue] = []
    got = named(np.array(labels), "y", found)
    assert got is not None
    assert [got.classes[c] for c in got.y] == [str(label) for label in labels]
    assert set(got.y.tolist()) == set(range(len(got.classes)))
    assert (got.note is None) == (set(labels) == set(range(len(set(labels)))))

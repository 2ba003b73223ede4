"""Shares of the examples: numbers as soon as the data are known, and the same splits then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lamsearch.data import load, open_test
from lamsearch.errors import DataError
from lamsearch.results import TestOpening
from lamsearch.study import Study

MakeStudy = Callable[..., Study]
RNG = np.random.default_rng(5)
X, Y = RNG.normal(size=(105, 3)), np.arange(105) % 3


def test_shares_give_the_bits_of_their_numbers(
    tmp_path: Path, study: MakeStudy, opening: TestOpening
) -> None:
    """Of 105 examples 0.6, 0.15 and 0.2 are 63, 15 and 21: the same pool, splits and test set."""
    np.savez(tmp_path / "a.npz", X=X, y=Y)
    shares = study(source="a.npz", train=0.6, validation=0.15, test=0.2)
    numbers = study(source="a.npz", train=63, validation=15, test=21)
    one, other = load(shares, tmp_path), load(numbers, tmp_path)
    assert (one.images, one.test_images) == (84, 21)
    assert one.study == numbers
    for name in ("train_x", "train_y", "validation_x", "validation_y", "mean", "std"):
        mine, theirs = (getattr(each.split("coarse"), name) for each in (one, other))
        assert mine.tobytes() == theirs.tobytes()
    tests = [
        open_test(each, tmp_path, opening, fingerprint=one.fingerprint).x.tobytes()
        for each in (shares, numbers)
    ]
    assert tests[0] == tests[1]


def test_a_share_is_of_the_examples_outside_the_source_s_own_test_set(
    tmp_path: Path, study: MakeStudy
) -> None:
    """With 40 test examples of its own, 0.8 of the other 105 are trained on."""
    np.savez(tmp_path / "a.npz", X=X, y=Y, X_test=X[:40] + 1, y_test=Y[:40])
    data = load(study(source="a.npz", train=0.8, validation=0.2), tmp_path)
    assert data.study.split_of("coarse") == (84, 21)
    assert (data.images, data.test_images) == (105, 40)


def test_shares_that_leave_no_test_example_are_refused(tmp_path: Path, study: MakeStudy) -> None:
    """0.8 and 0.2 of a source without a test set leave the final none, as numbers would."""
    np.savez(tmp_path / "a.npz", X=X, y=Y)
    with pytest.raises(DataError, match=r"must leave at least one of the 105 .* got 105"):
        load(study(source="a.npz", train=0.8, validation=0.2), tmp_path)

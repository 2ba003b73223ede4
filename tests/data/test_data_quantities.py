"""Targets that are quantities: which are read, how they are split, standardised and shared."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from lamsearch import data as datasets
from lamsearch.data import Contents, LabelledImages, open_test
from lamsearch.data.quantities import checked, standardised, target_moments
from lamsearch.data.sources.given import hold, let_go
from lamsearch.errors import DataError, StudyFileError
from lamsearch.results import TestOpening
from lamsearch.study import Study, parse_study

Array = npt.NDArray[Any]
ROWS = 60


def examples(rows: int = ROWS) -> tuple[Array, Array]:
    """Features, and a quantity that follows from them, near 1000."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((rows, 4)).astype(np.float32)
    return x, 1000 + x.astype(np.float64) @ [1.0, -2.0, 3.0, 0.0] + rng.standard_normal(rows)


def study(source: str = "own.npz", *, metric: str = "mse", **data: Any) -> Study:
    """A study of a quantity: 30 to train on, 10 to select by, the rest to test with."""
    table = {"source": source, "train": 30, "validation": 10, **data}
    return parse_study({
        "name": "own", "seed": 3, "metric": metric, "data": table,
        "training": {"batch_size": 10, "step_size": 5},
        "coarse": {"trials": 2, "log10_lambda": [-3.0, -1.0]}, "final": {"replicates": 2},
    })  # fmt: skip


def written(directory: Path, **arrays: Any) -> Path:
    """Write an .npz file."""
    path = directory / "own.npz"
    np.savez(path, **arrays)
    return path


def test_targets_are_read_as_they_are(tmp_path: Path) -> None:
    """Y of an .npz file is float64 in its own unit, and there are no classes."""
    x, y = examples()
    written(tmp_path, X=x, y=y.astype(np.float32))
    found = datasets.load(study(), tmp_path, look=True)
    assert found.classes == ()
    assert found.pool.y.dtype == np.float64
    assert set(found.pool.y) <= set(y.astype(np.float32).astype(np.float64))
    assert found.seen is not None
    assert found.seen.majority == ""
    assert found.seen.warnings == ()


def test_whole_numbers_are_quantities_too(tmp_path: Path) -> None:
    """Whole numbers are classes by one metric and a quantity by another: two kinds of data."""
    x, _ = examples()
    y = np.arange(ROWS) % 3
    written(tmp_path, X=x, y=y)
    cache = tmp_path / "cache"
    classes = datasets.load(study(metric="accuracy"), tmp_path, cache=cache, look=True)
    numbers = datasets.load(study(), tmp_path, cache=cache, look=True)
    again = datasets.load(study(metric="accuracy"), tmp_path, cache=cache, look=True)
    assert classes.classes == again.classes == ("0", "1", "2")
    assert numbers.classes == ()
    assert numbers.fingerprint != classes.fingerprint == again.fingerprint


def test_targets_are_standardised_by_the_training_split(tmp_path: Path) -> None:
    """Training targets have mean 0 and deviation 1; validation has the training split's moments."""
    x, y = examples()
    written(tmp_path, X=x, y=y)
    splits = datasets.load(study(), tmp_path).split("coarse")
    assert splits.train_y.dtype == splits.validation_y.dtype == np.float32
    assert splits.train_y.mean(dtype=np.float64) == pytest.approx(0, abs=1e-7)
    assert splits.train_y.std(dtype=np.float64) == pytest.approx(1, rel=1e-6)
    own = splits.validation_y.astype(np.float64) * splits.target_std + splits.target_mean
    assert all(np.abs(y - one).min() < 1e-4 for one in own)
    np.testing.assert_array_equal(
        splits.enter_targets(own), standardised(own, splits.target_mean, splits.target_std)
    )


def test_moments_by_hand() -> None:
    """Of 1, 3, 5 mean and deviation are 3 and √(8/3); of one number its own and 1."""
    order = np.arange(3)
    assert target_moments(np.array([1.0, 3.0, 5.0]), order) == (3.0, math.sqrt(8 / 3))
    assert target_moments(np.array([0.1, 0.1, 0.1]), order) == (0.1, 1.0)
    assert target_moments(np.array([7.0]), np.arange(1)) == (7.0, 1.0)
    mean, std = target_moments(1e9 + np.array([1.0, 3.0, 5.0]), order)
    assert (mean, std) == (1e9 + 3, math.sqrt(8 / 3))


def test_labels_keep_their_bits(tmp_path: Path) -> None:
    """A study of classes has int64 labels, and moments of no targets."""
    x, _ = examples()
    written(tmp_path, X=x, y=np.arange(ROWS) % 3)
    splits = datasets.load(study(metric="accuracy"), tmp_path).split("coarse")
    assert splits.train_y.dtype == np.int64
    assert (splits.target_mean, splits.target_std) == (0.0, 1.0)
    assert splits.enter_targets(splits.train_y) is splits.train_y


def test_a_shared_split_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A split mapped from the cache has the bits and the moments of one that was made."""
    monkeypatch.setattr("lamsearch.data.training._WORTH_SHARING", 0)
    x, y = examples()
    written(tmp_path, X=x, y=y)
    plain = datasets.load(study(), tmp_path).split("coarse")
    for _ in range(2):  # written, then mapped
        found = datasets.load(study(), tmp_path, cache=tmp_path / "cache").split("coarse")
        assert (found.target_mean, found.target_std) == (plain.target_mean, plain.target_std)
        for name in ("train_x", "train_y", "validation_x", "validation_y", "mean", "std"):
            assert getattr(found, name).tobytes() == getattr(plain, name).tobytes()


BAD: dict[str, tuple[Any, str]] = {
    "NaN": (lambda y: np.where(np.arange(ROWS) == 7, np.nan, y), "y: row 7: must be finite, got n"),
    "infinity": (lambda y: np.where(np.arange(ROWS) == 0, -np.inf, y), "y: row 0: must be finite"),
    "text": (lambda y: y.astype(str), "y: must be real numbers"),
    "objects": (lambda y: y.astype(object), "y: must be a whole array without pickled objects"),
    "truth values": (lambda y: y > 1000, "y: must be real numbers, for the metric is of a quan"),
    "complex": (lambda y: y + 0j, "y: must be real numbers"),
    "huge": (lambda y: y * 1e300, "y: row 0: must lie within ±1e+12, got"),
    "tiny": (lambda y: y * 1e-14 - 1e-11, "must have a standard deviation of at least 1e-12"),
    "far from 0": (lambda y: y + 1e9, "must lie within 10,000 standard deviations from 0"),
    "two dimensions": (lambda y: y[:, None], "y: must have one dimension and at least one target"),
    "too few": (lambda y: y[:5], "y: must have one label for each of the 60 images of X, got 5"),
}


@pytest.mark.filterwarnings("ignore:overflow encountered")
@pytest.mark.parametrize(("spoilt", "words"), BAD.values(), ids=BAD)
def test_what_is_no_quantity_is_refused_in_a_sentence(
    tmp_path: Path, spoilt: Any, words: str
) -> None:
    """Targets that no model could predict are refused before anything is planned."""
    x, y = examples()
    written(tmp_path, X=x, y=spoilt(y))
    with pytest.raises(DataError) as refused:
        datasets.load(study(), tmp_path)
    assert words in str(refused.value)
    assert "own.npz" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_test_targets_are_checked_as_well(tmp_path: Path) -> None:
    """y_test must be finite; it may vary as little as it likes."""
    x, y = examples()
    written(tmp_path, X=x, y=y, X_test=x, y_test=np.full(ROWS, np.nan))
    with pytest.raises(DataError, match="y_test: row 0: must be finite, got nan"):
        datasets.load(study(), tmp_path)
    written(tmp_path, X=x, y=y, X_test=x, y_test=np.full(ROWS, 1000.0))
    assert datasets.load(study(), tmp_path).test_images == ROWS


def test_one_number_is_warned_of(tmp_path: Path) -> None:
    """Targets that never vary are planned, with a sentence that there is nothing to learn."""
    x, _ = examples()
    written(tmp_path, X=x, y=np.full(ROWS, 3.5))
    found = datasets.load(study(), tmp_path, look=True)
    assert found.seen is not None
    assert "all 60 targets are 3.5: there is nothing to learn" in found.seen.warnings
    splits = found.split("coarse")
    assert (splits.target_mean, splits.target_std) == (3.5, 1.0)
    assert not splits.train_y.any()


def test_the_test_set_is_in_the_own_unit(tmp_path: Path) -> None:
    """What is opened at the end are raw targets."""
    x, y = examples()
    written(tmp_path, X=x, y=y)
    own, found = study(), datasets.load(study(), tmp_path)
    opening = TestOpening(study="own", study_id="1", purpose="", at="", owner="")
    test = open_test(own, tmp_path, opening, fingerprint=found.fingerprint)
    assert len(test) == ROWS - 40
    assert test.y.dtype == np.float64
    assert set(test.y) <= set(y)


def test_a_source_of_classes_is_refused() -> None:
    """A metric of a quantity is refused for digits, as the study file is read."""
    with pytest.raises(StudyFileError) as refused:
        study("digits")
    (issue,) = refused.value.issues
    assert str(issue) == (
        "study: metric: is of a quantity, but the targets of digits are classes, got 'mse'"
    )


def test_quantities_are_not_stratified() -> None:
    """Without classes there are no shares to keep."""
    with pytest.raises(StudyFileError, match="stratified: must be false with metric 'mse'"):
        study(stratified=True)


def test_examples_in_memory_say_what_their_targets_are() -> None:
    """Held quantities are no classes, and held classes no quantities."""
    x, y = examples()
    held = {
        "mse": Contents(name="numbers", classes=(), pool=LabelledImages(x=x, y=y), test=None),
        "accuracy": Contents(
            name="labels", classes=("a", "b"), test=None,
            pool=LabelledImages(x=x, y=(np.arange(ROWS) % 2).astype(np.int64)),
        ),
    }  # fmt: skip
    keys = {metric: hold(contents) for metric, contents in held.items()}
    try:
        for metric, key in keys.items():
            datasets.load(study("given", metric=metric, key=key), Path())
        with pytest.raises(DataError, match="labels: its targets are classes, not quantities"):
            datasets.load(study("given", key=keys["accuracy"]), Path())
        with pytest.raises(DataError, match="numbers: its targets are quantities, not classes"):
            datasets.load(study("given", metric="accuracy", key=keys["mse"]), Path())
    finally:
        for key in keys.values():
            let_go(key)


def test_any_sources_targets_are_checked() -> None:
    """What a package's source reads is held to the same rules."""
    x, y = examples()
    spoilt = Contents(name="theirs", classes=(), pool=LabelledImages(x=x, y=y * 1e200), test=None)
    with pytest.raises(DataError, match="theirs: targets: row 0: must lie within"):
        checked(spoilt)

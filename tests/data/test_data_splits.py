"""Splits: disjoint, nested, repeatable, stratified, normalised; and the test set out of reach."""

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from lamsearch.data import TrainingData, load, normalise, open_test
from lamsearch.data.cuts import cut_test_images, orders
from lamsearch.data.images import Contents, LabelledImages
from lamsearch.data.moments import moments
from lamsearch.errors import DataError
from lamsearch.results import TestOpening
from lamsearch.study import Study

MakeStudy = Callable[..., Study]


@pytest.fixture
def numbered(tmp_path: Path) -> Path:
    """1000 images whose first value is their number, in four classes of unequal size."""
    y = np.repeat([0, 1, 2, 3], [500, 300, 150, 50])
    x = np.random.default_rng(3).normal(size=(1000, 5))
    x[:, 0] = np.arange(1000)
    np.savez(tmp_path / "numbered.npz", X=x, y=y)
    return tmp_path


def numbers(
    data: TrainingData, stage: str = "coarse", replicate: int = 0
) -> tuple[list[int], list[int]]:
    """Return the image numbers of a stage's training and validation split."""
    splits = data.split(stage, replicate)  # type: ignore[arg-type]
    found = [
        np.rint(x[:, 0] * splits.std[0] + splits.mean[0]).astype(int).tolist()
        for x in (splits.train_x, splits.validation_x)
    ]
    return found[0], found[1]


@pytest.mark.parametrize("stratified", [False, True])
def test_splits_are_disjoint_and_of_the_asked_size(
    numbered: Path, study: MakeStudy, opening: TestOpening, stratified: bool
) -> None:
    """Training, validation and test images are different ones, and as many as asked for."""
    sizes = {"train": 600, "validation": 150, "test": 200}
    wanted = study(source="numbered.npz", stratified=stratified, **sizes)
    data = load(wanted, numbered)
    train, validation = numbers(data)
    test = open_test(wanted, numbered, opening, fingerprint=data.fingerprint)
    assert (len(train), len(validation), len(test), data.test_images) == (600, 150, 200, 200)
    assert len({*train, *validation, *test.x[:, 0].astype(int).tolist()}) == 950


@pytest.mark.parametrize("stratified", [False, True])
def test_each_replicate_of_finalists_and_final_can_have_its_own_split(
    numbered: Path, study: MakeStudy, stratified: bool
) -> None:
    """With resplit every replicate has other images, disjoint, normalised by its own; the final's
    validation images of a replicate are among the finalists'; coarse keeps its split."""
    sizes = {"train": 600, "validation": 150, "stratified": stratified}
    stages: dict[str, Any] = {
        "finalists": {"replicates": 3}, "final": {"train": 650, "validation": 100, "replicates": 3},
    }  # fmt: skip
    one = load(study(source="numbered.npz", **stages, **sizes), numbered)
    own = load(study(source="numbered.npz", resplit=True, **stages, **sizes), numbered)
    assert numbers(own) == numbers(one)
    assert numbers(one, "finalists", 2) == numbers(one)
    found = [numbers(own, "finalists", replicate) for replicate in range(3)]
    assert found == [numbers(own, "finalists", replicate) for replicate in range(3)]
    validations = [set(validation) for _, validation in [*found, numbers(own)]]
    for number, (train, validation) in enumerate(found):
        assert (len(set(train)), len(set(validation))) == (600, 150)
        assert not set(train) & set(validation)
        assert set(numbers(own, "final", number)[1]) < set(validation)
        assert all(validations[number] != other for other in validations[:number])
        splits = own.split("finalists", number)
        assert splits.train_x.mean(axis=0) == pytest.approx(np.zeros(5), abs=1e-4)
        assert splits.mean[0] == pytest.approx(np.mean(train), rel=1e-4)
        if stratified:
            assert np.bincount(splits.validation_y) == pytest.approx([75, 45, 22.5, 7.5], abs=1)


def test_all_that_no_split_needs_is_the_test_set(numbered: Path, study: MakeStudy) -> None:
    """Without data.test the largest split's rest is the test set."""
    final = {"train": 700, "validation": 60}
    wanted = study(source="numbered.npz", train=600, validation=150, final=final)
    data = load(wanted, numbered)
    assert (data.images, data.test_images) == (760, 240)


def test_a_smaller_validation_split_lies_inside_the_larger(
    numbered: Path, study: MakeStudy
) -> None:
    """The final's validation images were validation images of the search."""
    final = {"train": 700, "validation": 50}
    data = load(study(source="numbered.npz", train=600, validation=150, final=final), numbered)
    train, validation = numbers(data)
    final_train, final_validation = numbers(data, "final")
    assert set(final_validation) < set(validation)
    assert not set(final_validation) & {*train, *final_train}


def test_same_seed_same_split_and_another_seed_another(numbered: Path, study: MakeStudy) -> None:
    """A split depends on the seed and on nothing else."""
    sizes = {"source": "numbered.npz", "train": 600, "validation": 150}
    first, again, other = (load(study(seed=seed, **sizes), numbered) for seed in (1, 1, 2))
    for name in ("train_x", "train_y", "validation_x", "validation_y", "mean", "std"):
        one, two = getattr(first.split("coarse"), name), getattr(again.split("fine"), name)
        assert one.tobytes() == two.tobytes()
    assert numbers(first) != numbers(other)
    assert first.fingerprint == other.fingerprint


def test_order_is_the_one_that_was_always_drawn(study: MakeStudy) -> None:
    """The streams of the seed are part of the answer: these orders must never change."""
    y = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1])
    wanted = study(source="a.npz", train=4, validation=2)
    train, validation = orders(wanted, "coarse", y)
    assert (train.tolist(), validation.tolist()) == GOLDEN_PLAIN
    train, validation = orders(
        study(source="a.npz", train=4, validation=2, stratified=True), "coarse", y
    )
    assert (train.tolist(), validation.tolist()) == GOLDEN_STRATIFIED


GOLDEN_PLAIN = ([1, 0, 9, 2], [7, 5])
GOLDEN_STRATIFIED = ([0, 5, 8, 2], [1, 9])


@pytest.mark.parametrize("seed", range(5))
def test_stratified_prefixes_keep_the_shares(study: MakeStudy, seed: int) -> None:
    """Stratified, each prefix of test, validation and training images has its share of a class."""
    y = np.random.default_rng(seed).permutation(np.repeat([0, 1, 2, 3], [500, 300, 150, 50]))
    sizes = {"train": 600, "validation": 200, "test": 200}
    wanted = study(source="a.npz", stratified=True, seed=seed, **sizes)
    pool = LabelledImages(x=np.zeros((1000, 1), np.float32), y=y)
    contents = Contents(name="a", classes=("0", "1", "2", "3"), pool=pool, test=None)
    test, rest = cut_test_images(wanted, contents)
    train, validation = orders(wanted, "coarse", y[rest])
    for labels in (y[test], y[rest][np.concatenate([validation, train])]):
        for label, share in enumerate((0.5, 0.3, 0.15, 0.05)):
            prefix = np.arange(1, len(labels) + 1)
            assert np.abs(np.cumsum(labels == label) - share * prefix).max() < 2


def test_too_many_images_is_said_with_what_there_are(numbered: Path, study: MakeStudy) -> None:
    """A split larger than the source is refused with what was asked and what there is."""
    cases = {
        r"data: train \+ validation must be at most the 1000 images .* got 1001": (900, 101, None),
        r"data: .*validation \+ test must be at most the 1000 images .* got 1010": (900, 100, 10),
        r"data: .* must leave at least one of the 1000 images .* got 1000": (900, 100, None),
    }
    for rule, (train, validation, test) in cases.items():
        sizes = {"train": train, "validation": validation} | ({"test": test} if test else {})
        with pytest.raises(DataError, match=rule) as caught:
            load(study(source="numbered.npz", **sizes), numbered)
        assert "numbered.npz" in str(caught.value)


def test_without_a_final_stage_no_test_image_is_needed(numbered: Path, study: MakeStudy) -> None:
    """A study that ends before the test set may use every image."""
    wanted = study(source="numbered.npz", train=900, validation=100, final=None)
    assert load(wanted, numbered).test_images == 0


def reachable(start: object) -> Iterator[object]:
    """Yield every object that can be reached from one, code and classes left out."""
    seen, waiting = set(), [start]
    while waiting:
        item = waiting.pop()
        if id(item) in seen or isinstance(item, type | ModuleType) or callable(item):
            continue
        seen.add(id(item))
        yield item
        base = [item.base] if isinstance(item, np.ndarray) else []
        waiting += [*gc.get_referents(item), *base]


@pytest.mark.parametrize("own", [False, True])
def test_training_data_has_no_way_to_a_test_image(
    tmp_path: Path, study: MakeStudy, opening: TestOpening, own: bool
) -> None:
    """No array that can be reached from TrainingData or Splits holds a test image."""
    x = np.arange(1000, dtype=np.float64)[:, None] + [0.25, 0.5]
    rest = {"X_test": x[600:], "y_test": np.arange(400) % 2} if own else {}
    x = x[:600] if own else x
    np.savez(tmp_path / "a.npz", X=x, y=np.arange(len(x)) % 2, **rest)
    wanted = study(source="a.npz", train=400, validation=100)
    data = load(wanted, tmp_path)
    test = set(
        open_test(wanted, tmp_path, opening, fingerprint=data.fingerprint).x.ravel().tolist()
    )
    pool = set(data.pool.x.ravel().tolist())
    assert sum(a.nbytes for a in reachable(data) if isinstance(a, np.ndarray)) == len(pool) * 8
    splits = data.split("coarse")  # which the data keep as their last one
    arrays = [a for a in [*reachable(data), *reachable(splits)] if isinstance(a, np.ndarray)]
    assert len(arrays) >= 8
    assert not test & pool
    assert all(not test & set(a.ravel().tolist()) for a in arrays if a.dtype == np.float32)


def test_normalised_training_split_has_mean_0_and_std_1(
    published_uint8: Path, study: MakeStudy
) -> None:
    """uint8 images are normalised by the training split's moments, as float64 computes them."""
    data = load(study(source="images.npz", train=500, validation=300), published_uint8)
    splits = data.split("coarse")
    assert splits.train_x.dtype == splits.validation_x.dtype == np.float32
    assert splits.train_x.flags.c_contiguous
    assert np.abs(splits.train_x.mean(axis=0, dtype=np.float64)).max() < 1e-6
    varying = splits.train_x[:, 1:].std(axis=0, dtype=np.float64)
    assert np.abs(varying - 1).max() < 1e-6
    train, _ = orders(data.study, "coarse", data.pool.y)
    oracle = data.pool.x[train].astype(np.float64) / 255
    assert np.array_equal(splits.mean, oracle.mean(axis=0).astype(np.float32))
    expected = oracle[:, 1:].std(axis=0).astype(np.float32)
    np.testing.assert_allclose(splits.std[1:], expected, rtol=2e-7)


@pytest.fixture
def published_uint8(tmp_path: Path) -> Path:
    """900 random uint8 images of 4 x 4 pixels, the first of them always 77."""
    x = np.random.default_rng(5).integers(0, 256, (900, 4, 4), np.uint8)
    x[:, 0, 0] = 77
    np.savez(tmp_path / "images.npz", X=x, y=np.arange(900) % 3)
    return tmp_path


def test_constant_feature_has_std_1(published_uint8: Path, study: MakeStudy) -> None:
    """A feature without variation in the training split is centred, not divided."""
    splits = load(study(source="images.npz", train=500, validation=300), published_uint8).split(
        "fine"
    )
    assert splits.std[0] == 1
    assert not splits.train_x[:, 0].any()
    third = np.full((1000, 1), 1 / 3, np.float32)
    assert moments(third, np.arange(997))[1].tolist() == [1.0]
    assert moments(third, np.arange(997))[0].tolist() == third[0].tolist()


def test_digits_have_their_constant_features(tmp_path: Path, study: MakeStudy) -> None:
    """The digits are read as float32 values 0..16 with three constant features of std 1."""
    data = load(study(source="digits", train=1200, validation=300), tmp_path)
    assert (data.images, data.features, data.test_images) == (1500, 64, 297)
    assert data.classes == tuple("0123456789")
    assert data.pool.x.dtype == np.float32
    assert (data.pool.x.min(), data.pool.x.max()) == (0, 16)
    constant = np.ptp(data.pool.x, axis=0) == 0
    assert data.split("coarse").std[constant].tolist() == [1.0] * 3


@pytest.mark.parametrize("name", ["images.npz", "digits"])
def test_normalise_is_the_arithmetic_of_splits(
    published_uint8: Path, study: MakeStudy, name: str
) -> None:
    """A call of normalise gives the bits of Splits, whether for all images or one by one."""
    data = load(study(source=name, train=500, validation=300), published_uint8)
    splits = data.split("coarse")
    _, validation = orders(data.study, "coarse", data.pool.y)
    raw = data.pool.x[validation]
    whole = normalise(raw, splits.mean, splits.std)
    single = np.concatenate(
        [normalise(raw[i : i + 1], splits.mean, splits.std) for i in range(300)]
    )
    assert whole.tobytes() == single.tobytes() == splits.validation_x.tobytes()


def test_normalise_refuses_other_types(published_uint8: Path) -> None:
    """float64 images, or images of another width, are refused and not converted."""
    one = np.ones(4, np.float32)
    for raw in (np.zeros((2, 4)), np.zeros((2, 3), np.uint8)):
        with pytest.raises(DataError, match=r"must be uint8 or float32 with 4 features"):
            normalise(raw, one, one)  # type: ignore[arg-type]


def test_arrays_are_read_only(numbered: Path, study: MakeStudy) -> None:
    """Splits are frozen down to their values: one cohort cannot change another's data."""
    splits = load(study(source="numbered.npz", train=600, validation=150), numbered).split("coarse")
    with pytest.raises(ValueError, match="read-only"):
        splits.train_x[0, 0] = 1


def test_other_data_than_planned_are_refused(
    numbered: Path, study: MakeStudy, opening: TestOpening
) -> None:
    """The test set of changed data is not opened."""
    wanted = study(source="numbered.npz", train=600, validation=150)
    data = load(wanted, numbered)
    with np.load(numbered / "numbered.npz") as old:
        x, y = old["X"], old["y"]
    x[17, 2] += 1
    np.savez(numbered / "numbered.npz", X=x, y=y)
    with pytest.raises(DataError, match=r"must be the data that the study was planned with"):
        open_test(wanted, numbered, opening, fingerprint=data.fingerprint)


def test_opening_of_another_study_is_refused(numbered: Path, study: MakeStudy) -> None:
    """The record of an opening opens the test set of its own study only."""
    wanted = study(source="numbered.npz", train=600, validation=150)
    other = TestOpening(study="other", study_id="1", purpose="final", at="", owner="me")
    with pytest.raises(DataError, match=r"must be recorded for study unit, got 'other'"):
        open_test(wanted, numbered, other, fingerprint=load(wanted, numbered).fingerprint)


def test_balanced_weights_let_all_classes_count_alike(numbered: Path, study: MakeStudy) -> None:
    """A class of n_c of the 600 training examples has the weight 600 / (4 n_c), whose mean is 1; a
    study that asks for none has none, and else the same split."""
    sizes: dict[str, Any] = {"source": "numbered.npz", "train": 600, "validation": 150}
    plain = load(study(**sizes), numbered).split("coarse")
    own = load(study(**sizes, weight="balanced"), numbered).split("coarse")
    assert plain.weights is None
    assert own.weights is not None
    assert own.weights.dtype == np.float32
    assert own.weights.mean(dtype=np.float64) == pytest.approx(1)
    for label in range(4):
        members = own.train_y == label
        np.testing.assert_allclose(own.weights[members], 600 / (4 * members.sum()), rtol=1e-6)
    assert own.train_x.tobytes() == plain.train_x.tobytes()

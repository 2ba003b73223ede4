"""Features far from zero, very large or very small: they are standardised as exactly as others."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamsearch.artifacts import model_bytes, model_from
from lamsearch.data import TrainingData, load, normalise, open_test
from lamsearch.data.arrays import read
from lamsearch.data.moments import moments
from lamsearch.errors import DataError
from lamsearch.results import Model, TestOpening
from lamsearch.study import Study
from lamsearch.worker import final

MakeStudy = Callable[..., Study]
RNG = np.random.default_rng(4)
Y = RNG.integers(0, 3, 300)
X = RNG.normal(size=(3, 20))[Y] + RNG.normal(size=(300, 20))


def loaded(directory: Path, study: MakeStudy, x: Any, **more: Any) -> TrainingData:
    """Write examples as an .npz file and load it for a study of 150 and 100 of them."""
    np.savez(directory / "a.npz", X=x, y=Y[: len(x)], **more)
    return load(study(source="a.npz", train=150, validation=100, final={}), directory)


@pytest.mark.parametrize("offset", [1e5, 1e9, -1e11])
@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_an_offset_changes_nothing(
    tmp_path: Path, study: MakeStudy, offset: float, scale: float
) -> None:
    """X·s + c gives the features that X gives, but for what float64 itself rounds off."""
    plain = loaded(tmp_path, study, X).split("coarse")
    moved = loaded(tmp_path, study, scale * X + offset).split("coarse")
    rounding = abs(offset) * np.finfo(float).eps / scale
    for name in ("train_x", "validation_x"):
        found = getattr(moved, name)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, getattr(plain, name), rtol=1e-5, atol=3e-6 + 3 * rounding)


def test_whole_numbers_far_from_zero_are_kept_apart(tmp_path: Path, study: MakeStudy) -> None:
    """Seconds since 1970 in int64 give the features that the seconds since the first one give."""
    seconds = RNG.integers(0, 5000, (300, 4))
    plain = loaded(tmp_path, study, seconds.astype(float)).split("coarse")
    moved = loaded(tmp_path, study, seconds + 1_700_000_000).split("coarse")
    np.testing.assert_allclose(moved.train_x, plain.train_x, rtol=1e-5, atol=1e-6)


def test_a_mean_that_float32_rounds_is_taken_out_exactly(tmp_path: Path, study: MakeStudy) -> None:
    """Values that float32 holds, but whose mean it does not, are centred all the same."""
    steps = RNG.integers(0, 3, (300, 2)) + 1e7
    data = loaded(tmp_path, study, steps.astype(np.float32))
    assert np.abs(data.split("coarse").train_x.mean(axis=0)).max() < 1e-6


def test_the_test_set_is_standardised_as_the_training_set(
    tmp_path: Path, study: MakeStudy, opening: TestOpening
) -> None:
    """A model of far features has its exact moments in its file, and scores raw examples right."""
    own = {"X_test": X[250:] + 1e9, "y_test": Y[250:]}
    data = loaded(tmp_path, study, X[:250] + 1e9, **own)
    splits = data.split("coarse")
    # a net that answers with the largest of three features
    first = np.concatenate([np.eye(20, 3), -np.eye(20, 3)], axis=1).astype(np.float32)
    second = np.concatenate([np.eye(3), -np.eye(3)]).astype(np.float32)
    model = Model(
        layers=((first, np.zeros(6, np.float32)), (second, np.zeros(3, np.float32))),
        mean=splits.mean,
        std=splits.std,
    )
    again = model_from(model_bytes(model, {}))
    assert again.mean.dtype == again.std.dtype == np.float64
    assert again.mean.tobytes() == splits.mean.tobytes()
    test = open_test(data.study, tmp_path, opening, fingerprint=data.fingerprint)
    x = ((own["X_test"] - again.mean) / again.std)[:, :3]  # as anybody would with NumPy
    expected = float((x.argmax(axis=1) == Y[250:]).mean())
    assert final.score([again], test).scores == (expected,)
    assert normalise(test.x, again.mean, again.std).dtype == np.float32


def test_moments_that_float32_holds_are_float32_in_a_model(tmp_path: Path) -> None:
    """A model of far features whose moments are short numbers still scores its examples."""
    big = Model(
        layers=(
            (np.eye(1, dtype=np.float32), np.zeros(1, np.float32)),
            (np.array([[1, -1]], np.float32), np.array([-0.5, 0.5], np.float32)),
        ),
        mean=np.array([2.0**30]), std=np.array([1.0]),
    )  # fmt: skip
    again = model_from(model_bytes(big, {}))
    assert again.mean.dtype == np.float32
    from lamsearch.data import LabelledImages

    examples = LabelledImages(x=np.array([[2.0**30 + 1], [2.0**30]]), y=np.array([0, 1]))
    assert final.score([again], examples).scores == (1.0,)


# Digests of features, moments and labels as they always were: rule 3 over versions.
GOLDEN = {
    "digits": ("0cede1737b1981fb", "04351096192b46a5", "7cec78b93bdc163a"),
    "u.npz": ("d77fcd769a4ffbf2", "48f0cf38abe8a49d", "3b78c41adbf760bf"),
    "f8.npz": ("faf801fbe808f194", "9d5d2d2422c1cba6", "ddb6c027880afa53"),
    "f4.npz": ("faf801fbe808f194", "9d5d2d2422c1cba6", "ddb6c027880afa53"),
    "i8.npz": ("449150621d3c0816", "a0f2bbe40025ed03", "0ec94af750aa85c3"),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_ordinary_data_keep_their_bits(tmp_path: Path, study: MakeStudy, name: str) -> None:
    """Digits, bytes, and floats and whole numbers near zero give the same bits for ever."""
    rng = np.random.default_rng(11)
    y = rng.integers(0, 3, 240)
    pixels = rng.integers(0, 256, (240, 4, 4), np.uint8)
    reals = rng.integers(-4000, 4000, (240, 7)) / 1024 * np.arange(1, 8) + np.arange(7) * 3 + 0.1
    whole = rng.integers(-5, 2000, (240, 7))
    arrays = {"u.npz": pixels, "f8.npz": reals, "f4.npz": reals.astype("f4"), "i8.npz": whole}
    if name in arrays:
        np.savez(tmp_path / name, X=arrays[name], y=y)
    wanted = study(source=name, train=120, validation=60, final={"train": 150, "validation": 30})
    data = load(wanted, tmp_path)
    assert (data.fingerprint[:16], *(digest(data, s) for s in ("coarse", "final"))) == GOLDEN[name]


def digest(data: TrainingData, stage: Any) -> str:
    """Return the beginning of a digest of a split's arrays."""
    found, splits = hashlib.sha256(), data.split(stage)
    for name in ("train_x", "train_y", "validation_x", "validation_y", "mean", "std"):
        array = getattr(splits, name)
        found.update(f"{array.dtype.str}{array.shape}".encode() + array.tobytes())
    return found.hexdigest()[:16]


def test_float64_counts_as_float32_where_that_holds_it(tmp_path: Path) -> None:
    """The fingerprint is that of the values: float64 and float32 of the same values have one."""
    far = (RNG.integers(0, 3, (40, 2)) + 1e7).astype(np.float64)
    prints = set()
    for kind in (np.float64, np.float32, np.int64):
        np.savez(tmp_path / "a.npz", X=far.astype(kind), y=Y[:40])
        found = read(tmp_path / "a.npz")
        assert found.pool.x.dtype == np.float64
        prints.add(found.fingerprint())
    assert len(prints) == 1
    np.savez(tmp_path / "a.npz", X=far + 0.1, y=Y[:40])
    assert read(tmp_path / "a.npz").fingerprint() not in prints


@pytest.mark.parametrize("size", [1e299, 1e39, 1e-39, 1e-300])
def test_sizes_beyond_float32_are_standardised(
    tmp_path: Path, study: MakeStudy, size: float
) -> None:
    """Values near the end of float64's range give what the same values near 1 give."""
    plain = loaded(tmp_path, study, X).split("coarse")
    found = loaded(tmp_path, study, size * X).split("coarse")
    np.testing.assert_allclose(found.train_x, plain.train_x, rtol=1e-5, atol=1e-5)


def test_a_spread_of_subnormal_numbers_is_right() -> None:
    """Of the smallest numbers there are, mean and std are as right as these can be written."""
    tiny = float(np.nextafter(0, 1))
    x = tiny * np.array([[0.0], [8.0], [0.0], [8.0]])
    mean, std = moments(x, np.arange(4))
    assert (mean / tiny).tolist() == (std / tiny).tolist() == [4.0]


def test_a_constant_that_was_computed_is_a_constant(tmp_path: Path, study: MakeStudy) -> None:
    """Features that differ by rounding alone, and exact constants of any size, have std 1."""
    x = X + 1e9
    x[:, 0] = 0.1 + RNG.integers(0, 3, 300) * 2.0**-53
    x[:, 1], x[:, 2] = 1e300 / 3, 1 / 3
    splits = loaded(tmp_path, study, x).split("coarse")
    assert splits.std[:3].tolist() == [1.0] * 3
    assert not splits.train_x[:, 1:3].any()
    assert np.abs(splits.train_x[:, 0]).max() < 1e-15


LAWS = {
    "X: row 7: must lie within ±1e300, got 1e+305": np.where(np.arange(300) == 7, 1e305, X.T).T,
    "X: row 7: must be finite, got inf": np.where(np.arange(300) == 7, np.inf, X.T).T,
    "X: feature 0: must vary by more than float64 rounds such whole numbers: subtract their "
    "least one, got 4611686018427387906": 2**62 + np.arange(900).reshape(300, 3) // 3 % 3,
}


@pytest.mark.parametrize("rule", LAWS)
def test_what_float64_cannot_hold_gets_one_sentence(
    tmp_path: Path, study: MakeStudy, rule: str
) -> None:
    """Values without room in float64, and whole numbers that it rounds together, are refused."""
    with pytest.raises(DataError) as caught:
        loaded(tmp_path, study, LAWS[rule])
    assert str(caught.value) == f"{tmp_path / 'a.npz'}: {rule}"


@pytest.mark.parametrize("kind", ["f2", ">f4", "f8", "i2", "u4", "i8", "i1"])
def test_how_numbers_lie_in_the_file_does_not_matter(
    tmp_path: Path, study: MakeStudy, kind: str
) -> None:
    """Byte order, Fortran's order and strides change nothing; features do not depend on types."""
    whole = RNG.integers(0, 100, (300, 2, 3))
    plain = loaded(tmp_path, study, whole.astype(np.float32)).split("coarse")
    for form in (np.asfortranarray(whole.astype(kind)), whole.astype(kind)[::-1][::-1]):
        found = loaded(tmp_path, study, form).split("coarse")
        assert found.train_x.tobytes() == plain.train_x.tobytes()


def test_wrapped_bytes_are_noted(tmp_path: Path) -> None:
    """int8 with negative values may be bytes that were wrapped around, which is said."""
    for x, count in ((np.full((4, 2), -3, np.int8), 1), (np.full((4, 2), 3, np.int8), 0)):
        np.savez(tmp_path / "a.npz", X=x, y=[0, 1, 0, 1])
        assert len(read(tmp_path / "a.npz").notes) == count


@given(
    offset=st.floats(-1e15, 1e15),
    scale=st.floats(1e-30, 1e30),
    seed=st.integers(0, 2**32 - 1),
)
def test_moments_are_those_of_exact_arithmetic(offset: float, scale: float, seed: int) -> None:
    """Mean and std of float64 features agree with rational numbers' to float64's rounding."""
    from fractions import Fraction

    x = np.random.default_rng(seed).normal(size=(30, 1)) * scale + offset
    mean, std = moments(x, np.arange(30))
    exact = [Fraction(float(value)) for value in x[:, 0]]
    centre = sum(exact) / 30
    variance = sum((value - centre) ** 2 for value in exact) / 30
    eps = np.finfo(float).eps
    assert abs(Fraction(float(mean[0])) - centre) <= 4 * eps * max(map(abs, exact))
    if std[0] != 1 or variance == 1:
        assert float(std[0]) == pytest.approx(float(variance) ** 0.5, rel=1e-12)
    else:
        assert float(variance) ** 0.5 <= 10 * eps * float(max(map(abs, exact)))

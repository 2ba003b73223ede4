"""What is seen of the data before planning: baselines, and what bears on the answer."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lamsearch.data import load, training
from lamsearch.data.cuts import orders
from lamsearch.data.facts import hashes
from lamsearch.errors import DataError
from lamsearch.results import DataFacts
from lamsearch.study import Study, parse_study, read_study

MakeStudy = Callable[..., Study]
DATA = os.environ.get("LAMSEARCH_DATA")
RNG = np.random.default_rng(2)
X = RNG.normal(size=(300, 5))
Y = RNG.integers(0, 3, 300)


def seen(directory: Path, study: MakeStudy, x: Any = X, y: Any = Y, **more: Any) -> DataFacts:
    """Write arrays and return what a study of 150 and 100 of them sees."""
    np.savez(directory / "a.npz", X=x, y=y, **more)
    wanted = study(source="a.npz", train=150, validation=100)
    found = load(wanted, directory, look=True).seen
    assert found is not None
    return found


def only(facts: DataFacts) -> str:
    """Return the one warning."""
    (line,) = facts.warnings
    return line


def test_nothing_is_said_of_ordinary_data(tmp_path: Path, study: MakeStudy) -> None:
    """Examples that differ, classes of like size: no warning, and the baselines are those."""
    found = seen(tmp_path, study)
    assert found.warnings == ()
    wanted = study(source="a.npz", train=150, validation=100)
    data = load(wanted, tmp_path)
    train, validation = orders(wanted, "coarse", data.pool.y)
    most = max(range(3), key=lambda label: int((data.pool.y[train] == label).sum()))
    assert found.majority == str(most)
    expected = float((data.pool.y[validation] == most).mean())
    assert dict(found.baseline) == {"coarse": expected, "final": expected}


def test_the_baseline_is_each_stage_s_own(tmp_path: Path, study: MakeStudy) -> None:
    """A final with its own split has the majority and baseline of that split."""
    np.savez(tmp_path / "a.npz", X=X, y=Y)
    wanted = study(
        source="a.npz", train=150, validation=100, final={"train": 200, "validation": 40}
    )
    data = load(wanted, tmp_path, look=True)
    assert data.seen is not None
    for stage in wanted.stages:
        train, validation = orders(wanted, stage, data.pool.y)
        most = np.bincount(data.pool.y[train]).argmax()
        assert data.seen.baseline[stage] == (data.pool.y[validation] == most).mean()
        assert data.seen.majority == str(most) or stage != "final"


def test_the_baseline_of_redrawn_splits_is_their_mean(tmp_path: Path, study: MakeStudy) -> None:
    """A final whose replicates have splits of their own has the mean of their baselines, and a
    class that they lack is said of one of them; more replicates are looked at anew."""
    y = Y.copy()
    y[np.random.default_rng(4).permutation(300)[:6]] = 3  # a class that small splits lack
    np.savez(tmp_path / "a.npz", X=X, y=y)
    for count in (3, 4):
        wanted = study(
            source="a.npz", train=250, validation=10, resplit=True, final={"replicates": count}
        )
        data = load(wanted, tmp_path, cache=tmp_path / "cache", look=True)
        assert data.seen is not None
        found = []
        for replicate in range(count):
            train, validation = orders(wanted, "final", data.pool.y, replicate)
            most = np.bincount(data.pool.y[train]).argmax()
            found.append((data.pool.y[validation] == most).mean())
        assert data.seen.baseline["final"] == pytest.approx(np.mean(found))
        assert sum("no validation example in replicate" in line for line in data.seen.warnings) == 1


@pytest.mark.parametrize("name", ["digits", "cifar10", "cifar10-fast"])
def test_the_studies_here_raise_no_alarm(name: str) -> None:
    """The digits and CIFAR-10 have nothing that bears on the answer."""
    wanted = read_study(Path("studies") / f"{name}.toml")
    if name != "digits" and DATA is None:
        pytest.skip("LAMSEARCH_DATA is not set")
    found = load(wanted, Path(str(DATA)), look=True).seen
    assert found is not None
    assert found.warnings == ()
    assert all(0.05 < value < 0.15 for value in found.baseline.values())


def test_test_examples_among_the_training_ones_are_counted(
    tmp_path: Path, study: MakeStudy
) -> None:
    """Rows of X_test that stand in X are counted, each as often as it stands in X_test."""
    new = RNG.normal(size=(6, 5))
    test = np.concatenate([X[:4], X[:1], new])
    line = only(seen(tmp_path, study, X_test=test, y_test=np.arange(11) % 3))
    assert line.startswith("5 of the 11 test examples are training or validation examples too")


def test_a_test_set_that_nobody_opens_is_not_spoken_of(tmp_path: Path, study: MakeStudy) -> None:
    """Of a study without a final stage it does not matter what the test set holds."""
    np.savez(tmp_path / "a.npz", X=X, y=Y, X_test=X[:9], y_test=Y[:9])
    wanted = study(source="a.npz", train=150, validation=100, final=None)
    found = load(wanted, tmp_path, look=True).seen
    assert found is not None
    assert found.warnings == ()


def test_validation_examples_among_the_training_ones_are_counted(
    tmp_path: Path, study: MakeStudy
) -> None:
    """The same row five times is on both sides of a split, as is counted by hand."""
    x, y = np.repeat(X[:60], 5, axis=0), np.repeat(Y[:60], 5)
    found = seen(tmp_path, study, x, y)
    data = load(study(source="a.npz", train=150, validation=100), tmp_path)
    train, validation = orders(data.study, "coarse", data.pool.y)
    trained = {row.tobytes() for row in data.pool.x[train]}
    both = sum(row.tobytes() in trained for row in data.pool.x[validation])
    assert both > 50
    assert found.warnings[0].startswith(
        f"{both} of the 100 validation examples of coarse and final are training examples too"
    )
    assert "test examples" in found.warnings[1]


def test_equal_examples_of_different_classes_are_counted(tmp_path: Path, study: MakeStudy) -> None:
    """Two equal rows with two labels are two examples that no model gets right."""
    x, y = X.copy(), Y.copy()
    x[:8:2], y[:8:2], y[1:8:2] = x[1:8:2], 0, 1
    own = {"X_test": RNG.normal(size=(5, 5)), "y_test": [0, 1, 2, 0, 1]}
    assert seen(tmp_path, study, x, y, **own).warnings[-1] == (
        "8 of the 300 examples equal another one of a different class"
    )


def test_a_class_without_a_training_example_is_refused(tmp_path: Path, study: MakeStudy) -> None:
    """It is named with the examples that there are of it, and with what helps; of many classes
    the first are named, and stratified is not advised where it is set."""
    y = np.where(np.isin(np.arange(300), [5, 7]), 3, Y)
    for seed in range(20):
        wanted = study(source="a.npz", train=20, validation=100, seed=seed)
        np.savez(tmp_path / "a.npz", X=X, y=y, X_test=X[:3] + 1, y_test=[0, 1, 3])
        train, _ = orders(wanted, "coarse", y)
        if 3 not in y[train]:
            with pytest.raises(DataError, match=r"^data: every class must have a ") as caught:
                load(wanted, tmp_path, look=True)
            assert str(caught.value) == (
                "data: every class must have a training example in coarse and final, got none of "
                "3, which has 2 examples outside the test set: train on more examples, set "
                "data.stratified = true, or take its examples out"
            )
            break
    else:
        pytest.fail("every seed trained on the rare class")
    np.savez(tmp_path / "a.npz", X=X, y=np.arange(300))
    wanted = study(source="a.npz", train=150, validation=100, stratified=True)
    with pytest.raises(DataError, match=r"none of \d+, .* and 145 more, which have \d+ ") as caught:
        load(wanted, tmp_path, look=True)
    assert "stratified" not in str(caught.value)
    assert load(wanted, tmp_path).seen is None  # who only loads is not refused


def test_a_class_without_a_validation_example_is_said(tmp_path: Path, study: MakeStudy) -> None:
    """A class that the validation split lacks is named with the stage, and labels of which there
    are too many are said."""
    y = Y.copy()
    y[np.random.default_rng(3).permutation(300)[:2]] = 3
    for seed in range(20):
        wanted = study(source="a.npz", train=280, validation=20, seed=seed)
        np.savez(tmp_path / "a.npz", X=X, y=y, X_test=X[:3] + 1, y_test=[0, 1, 3])
        train, validation = orders(wanted, "coarse", y)
        if 3 in y[train] and 3 not in y[validation]:
            found = load(wanted, tmp_path, look=True).seen
            assert found is not None
            assert found.warnings == ("1 class has no validation example in coarse and final: 3",)
            break
    else:
        pytest.fail("every seed validated with the rare class")
    np.savez(tmp_path / "a.npz", X=X, y=np.arange(300) % 151, X_test=X[:3] + 1, y_test=[0, 1, 3])
    wanted = study(source="a.npz", train=299, validation=1)
    seen = load(wanted, tmp_path, look=True).seen
    assert seen is not None
    assert "there are 151 classes for 300 examples: labels should recur" in seen.warnings


def test_one_class_is_said(tmp_path: Path, study: MakeStudy) -> None:
    """Labels that are all the same leave nothing to learn."""
    line = only(seen(tmp_path, study, X, np.zeros(300, int)))
    assert line == "all 250 examples are of the one class 0: there is nothing to learn"


@pytest.mark.parametrize(("rare", "said"), [(3, True), (60, True), (110, False), (150, False)])
def test_the_share_of_the_largest_class_is_said_where_it_is_large(
    tmp_path: Path, study: MakeStudy, rare: int, said: bool
) -> None:
    """Of two classes 99 % and 80 % are said with what they score, 63 % are not."""
    y = (np.arange(300) < rare).astype(int)
    found = seen(tmp_path, study, X, y)
    lines = [line for line in found.warnings if "always answering it" in line]
    assert len(lines) == said
    if said:
        assert f"accuracy of {100 * found.baseline['coarse']:.2f} %" in lines[0]
        assert "of the class 0" in lines[0]


def test_constant_features_are_counted_where_they_are_strange(
    tmp_path: Path, study: MakeStudy
) -> None:
    """One constant column of a table is said; blank margins of figures are not, blank ones are."""
    x = X.copy()
    x[:, 2] = 4.5
    assert only(seen(tmp_path, study, x)).startswith("1 of the 5 features never vary")
    pixels = RNG.integers(0, 256, (300, 8, 8), np.uint8)
    pixels[:, 0], pixels[:, :, 0] = 0, 0
    for kind in (np.uint8, np.float64):
        assert seen(tmp_path, study, pixels.astype(kind)).warnings == ()
    pixels[:, :4] = 0
    assert only(seen(tmp_path, study, pixels)).startswith("36 of the 64 features never vary")


def test_what_no_split_can_standardise_is_refused_at_once(tmp_path: Path, study: MakeStudy) -> None:
    """A test value 1e39 standard deviations away is refused before anything is planned."""
    x, test = X + 1e9, X[:3] + 1e9
    test[1, 2] = 1e39
    with pytest.raises(DataError, match=r"X: feature 2: must fit into float32 once standardised"):
        seen(tmp_path, study, x, X_test=test, y_test=[0, 1, 2])
    wanted = study(source="a.npz", train=150, validation=100)
    assert load(wanted, tmp_path).seen is None  # who only loads is not refused, nor looks


@given(
    hnp.arrays(
        st.sampled_from(["u1", "f4", "f8"]), (6, 3), elements=st.sampled_from([0.0, 1.0, 2.0])
    )
)
def test_rows_hash_alike_where_they_are_equal(x: Any) -> None:
    """Two rows have one hash where all their values are equal, -0 and 0 too, and only there."""
    found = hashes(-x if x.dtype != np.uint8 else x)
    for one, row in zip(found, x, strict=True):
        assert [bool((row == other).all()) for other in x] == (found == one).tolist()
    assert hashes(x).tolist() == hashes(x + x.dtype.type(0)).tolist()


def test_what_was_seen_is_remembered(
    tmp_path: Path, study: MakeStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a cache the same study looks once; another seed, size or file looks again."""
    np.savez(tmp_path / "a.npz", X=np.repeat(X[:60], 5, axis=0), y=np.repeat(Y[:60], 5))
    looks: list[int] = []
    real = training.looked
    monkeypatch.setattr(
        training,
        "looked",
        lambda *both: looks.append(1) or real(*both),  # type: ignore[func-returns-value]
    )

    def look(seed: int = 1, train: int = 150) -> DataFacts | None:
        wanted = study(seed=seed, source="a.npz", train=train, validation=100)
        return load(wanted, tmp_path, cache=tmp_path / "cache", look=True).seen

    first, again = look(), look()
    assert first == again
    assert isinstance(again.warnings, tuple)  # type: ignore[union-attr]
    assert len(looks) == 1
    assert look(seed=2) != first
    look(train=140)
    assert len(looks) == 3
    np.savez(tmp_path / "a.npz", X=X, y=Y)
    assert look() != first


def test_a_stage_more_is_looked_at(tmp_path: Path, study: MakeStudy) -> None:
    """What was remembered for a study without a final is not taken for one with it."""
    np.savez(tmp_path / "a.npz", X=X, y=Y, X_test=X[:5], y_test=Y[:5])
    document = study(source="a.npz", train=150, validation=100, final=None).canonical()
    for more in ({}, {"final": {}}, {"fine": {"trials": 2}}):
        wanted = parse_study(document | more)
        found = load(wanted, tmp_path, cache=tmp_path / "cache", look=True).seen
        assert found is not None
        assert tuple(found.baseline) == wanted.stages

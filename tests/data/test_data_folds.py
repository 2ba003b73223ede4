"""Folds: each replicate validates with another one, and each example is validated with once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lamsearch.data import TrainingData, load, training
from lamsearch.errors import DataError, StudyFileError
from lamsearch.results import StageName
from lamsearch.study import Study, parse_study

MakeStudy = Callable[..., Study]
COUNT = 130
X = np.column_stack([np.arange(COUNT), np.random.default_rng(2).normal(size=COUNT)])
Y = np.repeat([0, 1], [100, 30])
GROUPS = np.arange(COUNT) // 4
FOLDS: dict[str, Any] = {"source": "a.npz", "folds": 5, "test": 27}


@pytest.fixture
def arrays(tmp_path: Path) -> Path:
    """130 examples whose first value is their number, in two classes and 33 groups."""
    np.savez(tmp_path / "a.npz", X=X, y=Y)
    np.savez(tmp_path / "grouped.npz", X=X, y=Y, subject=GROUPS)
    return tmp_path


def numbers(data: TrainingData, stage: StageName, replicate: int) -> tuple[list[int], list[int]]:
    """Return which examples a replicate trains on and validates with, by their numbers."""
    splits = data.split(stage, replicate)
    train, validation = (
        np.round(x[:, 0].astype(float) * splits.std[0] + splits.mean[0]).astype(int).tolist()
        for x in (splits.train_x, splits.validation_x)
    )
    return train, validation


def test_the_folds_of_a_round_are_disjoint_and_the_next_round_is_drawn_anew(
    arrays: Path, study: MakeStudy
) -> None:
    """Of 103 examples five folds of 20 are validated with once each, three never; replicates 5 to 9
    are another five; and what is not validated with is trained on."""
    wanted = study(**FOLDS, finalists={"keep": 1, "replicates": 10}, final={"replicates": 10})
    data = load(wanted, arrays)
    assert data.study.split_of("coarse") == data.study.split_of("final") == (83, 20)
    rounds = []
    pool = set(np.round(data.pool.x[:, 0]).astype(int).tolist())
    for turn in range(2):
        folds = []
        for replicate in range(5 * turn, 5 * turn + 5):
            train, validation = numbers(data, "finalists", replicate)
            assert sorted(train + validation) == sorted(pool)
            assert (train, validation) == numbers(data, "final", replicate)
            folds.append(set(validation))
        assert len(set.union(*folds)) == 100
        rounds.append(folds)
    assert rounds[0] != rounds[1]


def test_coarse_and_fine_see_the_first_fold(arrays: Path, study: MakeStudy) -> None:
    """Which replicate 0 has too, and a study of the same sizes without folds."""
    data = load(study(**FOLDS, final={"replicates": 5}), arrays)
    plain = load(study(source="a.npz", train=83, validation=20, test=27), arrays)
    for stage in ("coarse", "final"):
        for part in ("train_x", "validation_x", "train_y", "validation_y"):
            mine, theirs = getattr(data.split(stage), part), getattr(plain.split("coarse"), part)  # type: ignore[arg-type]
            assert mine.tobytes() == theirs.tobytes()


def test_stratified_folds_keep_the_shares(arrays: Path, study: MakeStudy) -> None:
    """Each fold of 20 has its 23 % of the rare class, within one example and a half."""
    data = load(study(**FOLDS, stratified=True, final={"replicates": 5}), arrays)
    rare = [int(data.split("final", replicate).validation_y.sum()) for replicate in range(5)]
    assert np.abs(np.array(rare) - 20 * 30 / 130).max() <= 1.5


def test_folds_of_groups_part_none_and_leave_none_out(arrays: Path, study: MakeStudy) -> None:
    """Every example of the pool is validated with once a round, by whole groups."""
    own = FOLDS | {"source": "grouped.npz", "groups": "subject"}
    data = load(study(**own, final={"replicates": 5}), arrays)
    validated = []
    for replicate in range(5):
        train, validation = numbers(data, "final", replicate)
        assert not set(GROUPS[train]) & set(GROUPS[validation])
        assert len(train) + len(validation) == data.images
        validated += validation
    assert sorted(validated) == sorted(np.round(data.pool.x[:, 0]).astype(int).tolist())
    first = data.split("final")
    assert data.study.split_of("coarse") == (len(first.train_y), len(first.validation_y))
    assert load(data.study, arrays).study == data.study


def test_folds_are_of_all_that_a_source_s_own_test_set_leaves(
    tmp_path: Path, study: MakeStudy
) -> None:
    """With a test set of its own no test size is asked for; a share of the examples is one too."""
    np.savez(tmp_path / "a.npz", X=X, y=Y, X_test=X[:9] + 0.5, y_test=Y[:9])
    data = load(study(source="a.npz", folds=4, final={"replicates": 4}), tmp_path)
    assert data.study.split_of("final") == (98, 32)
    np.savez(tmp_path / "a.npz", X=X, y=Y)
    shared = load(study(source="a.npz", folds=4, test=0.5, final={"replicates": 4}), tmp_path)
    assert (shared.study.split_of("final"), shared.test_images) == ((49, 16), 65)


def test_a_study_in_numbers_is_read_as_it_was_written(arrays: Path, study: MakeStudy) -> None:
    """What is planned has the sizes of its folds, and parses to itself."""
    data = load(study(**FOLDS, final={"replicates": 5}), arrays)
    again = parse_study(data.study.canonical())
    assert again == data.study
    assert (again.data.train, again.data.validation, again.unsized) == (83, 20, False)
    assert load(again, arrays).study == again


@pytest.mark.parametrize(
    ("own", "rule"),
    [
        ({"test": None}, "data.test: is required with data.folds where the source has no test set"),
        ({"folds": 90, "test": 50}, "data.folds: must be at most the 80 examples outside the test"),
    ],
)
def test_what_only_the_data_can_tell_of_folds(
    arrays: Path, study: MakeStudy, own: dict[str, Any], rule: str
) -> None:
    """A test size where it is needed, and no more folds than examples."""
    wanted = {key: value for key, value in (FOLDS | own).items() if value is not None}
    with pytest.raises(StudyFileError, match=rule):
        load(study(**wanted, final={"replicates": 5}), arrays)


def test_too_few_groups_for_the_folds_are_refused(arrays: Path, study: MakeStudy) -> None:
    """Each fold has a group at least."""
    own = FOLDS | {"source": "grouped.npz", "groups": "subject", "folds": 30, "test": 27}
    with pytest.raises(DataError, match=r"must name at least 30 groups, which stay whole, got 2\d"):
        load(study(**own, final={"replicates": 2}), arrays)


def test_each_fold_is_an_entry_of_its_own_in_the_cache(
    arrays: Path, study: MakeStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five folds are five entries, for coarse, finalists and final together."""
    monkeypatch.setattr(training, "_WORTH_SHARING", 0)
    wanted = study(**FOLDS, finalists={"keep": 1, "replicates": 5}, final={"replicates": 5})
    data, cache = load(wanted, arrays, cache=arrays / "cache"), arrays / "cache"
    for stage, replicates in (("coarse", 1), ("finalists", 5), ("final", 5)):
        for replicate in range(replicates):
            found = data.split(stage, replicate)  # type: ignore[arg-type]
            fresh = load(wanted, arrays).split(stage, replicate)  # type: ignore[arg-type]
            assert found.train_x.tobytes() == fresh.train_x.tobytes()
    assert len(list((cache / "splits").glob("*.lock"))) == 5

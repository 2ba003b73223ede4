"""Groups that no split parts: wholly on one side, in sizes near those asked for, reproducibly."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamsearch.data import load, open_test, training
from lamsearch.data.cuts import cut_test_images, orders
from lamsearch.data.images import Contents, LabelledImages
from lamsearch.data.sizing import sizes_in_groups
from lamsearch.errors import DataError, StudyFileError
from lamsearch.results import TestOpening
from lamsearch.study import Study, parse_study, with_sizes

MakeStudy = Callable[..., Study]
RNG = np.random.default_rng(8)
GROUPS = np.repeat(np.arange(60), RNG.integers(1, 12, 60))
COUNT = len(GROUPS)
X = np.column_stack([np.arange(COUNT), RNG.normal(size=COUNT)])
Y = np.arange(COUNT) % 2
SIZES: dict[str, Any] = {"train": 0.6, "validation": 0.2, "test": 0.2}


def written(directory: Path, **more: Any) -> Path:
    """Write the numbered examples with their groups, in mixed order, as subject."""
    mixed = np.random.default_rng(1).permutation(COUNT)
    arrays: dict[str, Any] = {"X": X[mixed], "y": Y[mixed], "subject": GROUPS[mixed]}
    np.savez(directory / "a.npz", **(arrays | more))
    return directory


def groups_of(x: Any) -> set[int]:
    """Return the groups of raw examples, by their numbers."""
    return set(GROUPS[np.round(x[:, 0]).astype(int)].tolist())


def raw(splits: Any, part: str) -> Any:
    """Return a part's examples as they were before they were normalised."""
    return getattr(splits, f"{part}_x") * splits.std + splits.mean


@pytest.mark.parametrize("seed", range(3))
def test_each_group_is_wholly_in_one_part(
    tmp_path: Path, study: MakeStudy, opening: TestOpening, seed: int
) -> None:
    """Training, validation and test share no group, in the search, in the final of other sizes and
    in each replicate with a split of its own."""
    wanted = study(
        source="a.npz", groups="subject", seed=seed, resplit=True, **SIZES,
        finalists={"keep": 1, "replicates": 3}, final={"train": 0.7, "validation": 0.1},
    )  # fmt: skip
    data = load(wanted, written(tmp_path))
    test = open_test(data.study, tmp_path, opening, fingerprint=data.fingerprint).x
    for stage, replicates in (("coarse", 1), ("finalists", 3), ("final", 3)):
        for replicate in range(replicates):
            splits = data.split(stage, replicate)  # type: ignore[arg-type]
            parts = [test, raw(splits, "train"), raw(splits, "validation")]
            assert COUNT - 2 * 12 <= sum(map(len, parts)) <= COUNT
            for one, other in combinations(parts, 2):
                assert not groups_of(one) & groups_of(other)


def test_sizes_that_are_remembered_are_those_of_the_very_study(
    tmp_path: Path, study: Callable[..., Study]
) -> None:
    """A final that names its size and one that has the search's are two, whoever came first."""
    count = 400
    groups = np.repeat(np.arange(count // 4), 4)
    x = np.random.default_rng(1).normal(size=(count, 2)).astype(np.float32)
    np.savez(tmp_path / "a.npz", X=x, y=np.arange(count) % 2, subject=groups)
    keys = {"source": "a.npz", "groups": "subject", "train": 200, "validation": 100}
    own = study(**keys, final={"train": 200, "replicates": 1})
    plain = study(**keys, final={"replicates": 1})
    load(own, tmp_path, cache=tmp_path / "cache")
    found = load(plain, tmp_path, cache=tmp_path / "cache")
    assert found.study.fingerprint == load(plain, tmp_path).study.fingerprint


@given(
    st.lists(st.integers(1, 30), min_size=3, max_size=40), st.integers(0, 2**32),
    st.floats(0.05, 0.6), st.floats(0.05, 0.3),
)  # fmt: skip
def test_sizes_are_as_near_as_groups_allow_and_come_out_again(
    sizes: list[int], seed: int, train: float, validation: float
) -> None:
    """A cut lies within half a group of where it was asked for, unless a part would be empty; and
    a study with the sizes that came out has the same rows, sizes and test set."""
    groups = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    count = len(groups)
    x, y = np.zeros((count, 1), np.float32), np.zeros(count, np.int64)
    pool = LabelledImages(x=x, y=y, groups=groups)
    contents = Contents(name="a", classes=("0",), pool=pool, test=None)
    asked = parse_study(
        {
            "name": "unit", "seed": seed % 1000, "training": {"step_size": 1, "batch_size": 1},
            "data": {"source": "a.npz", "groups": "g", "train": max(1, int(train * count)),
                     "validation": max(1, int(validation * count))},
            "coarse": {"trials": 2, "log10_lambda": [-4.0, -1.0]}, "final": {},
        }
    )  # fmt: skip
    if asked.pool_size >= count:
        return
    found = sizes_in_groups(asked, contents)
    came = with_sizes(asked, found)
    assert sizes_in_groups(came, contents) == found
    rows = []
    for each in (asked, came):
        test, rest = cut_test_images(each, contents)
        parts = orders(each, "coarse", pool.y[rest], None, groups[rest])
        rows.append([test.tolist(), *(rest[one].tolist() for one in parts)])
    assert rows[0] == rows[1]
    lengths = dict(zip(("test", "train", "validation"), map(len, rows[0]), strict=True))
    assert lengths == found["data"]
    tested = len(np.unique(groups[rows[0][0]]))
    if 1 < tested < len(sizes) - 2:
        assert abs(lengths["test"] - (count - asked.pool_size)) <= max(sizes) / 2


def test_the_sizes_that_came_out_are_the_study_s(tmp_path: Path, study: MakeStudy) -> None:
    """They stand in the study that is planned, are said, and are those of its splits; read again,
    in another process's place, it stays the same study with the same splits."""
    wanted = study(source="a.npz", groups="subject", **SIZES, final={"validation": 0.1})
    data = load(wanted, written(tmp_path), look=True)
    for stage in ("coarse", "final"):
        splits = data.split(stage)  # type: ignore[arg-type]
        assert data.study.split_of(stage) == (len(splits.train_y), len(splits.validation_y))  # type: ignore[arg-type]
    assert data.study.data.test == data.test_images
    again = load(data.study, tmp_path)
    assert again.study == data.study
    assert again.split("final").train_x.tobytes() == data.split("final").train_x.tobytes()
    train, validation = data.study.split_of("coarse")
    assert data.seen is not None
    assert f"groups stay whole: coarse train on {train} examples of " in data.seen.warnings[0]
    assert f", validate with {validation} examples of " in data.seen.warnings[0]


def test_another_seed_draws_other_groups_and_a_smaller_validation_lies_inside(
    tmp_path: Path, study: MakeStudy
) -> None:
    """Groups follow from the seed; the final validates with groups of the search's validation."""
    own: dict[str, Any] = {"source": "a.npz", "groups": "subject", **SIZES,
                           "final": {"train": 0.7, "validation": 0.1}}  # fmt: skip
    one, other = (load(study(seed=seed, **own), written(tmp_path)) for seed in (1, 2))
    validation = [groups_of(raw(each.split("coarse"), "validation")) for each in (one, other)]
    assert validation[0] != validation[1]
    assert groups_of(raw(one.split("final"), "validation")) < validation[0]


def test_splits_of_groups_are_cached_whatever_their_sizes(
    tmp_path: Path, study: MakeStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replicates with splits of their own sizes are made once; sizes are found without reading."""
    monkeypatch.setattr(training, "_WORTH_SHARING", 0)
    wanted = study(source="a.npz", groups="subject", resplit=True, **SIZES, final={"replicates": 4})
    made = [
        load(wanted, written(tmp_path), cache=tmp_path / "cache").split("final", replicate)
        for replicate in range(4)
    ]
    assert len({len(one.train_y) for one in made}) > 1
    monkeypatch.setattr(training, "read", lambda *_: pytest.fail("read again"))
    for replicate, before in enumerate(made):
        again = load(wanted, tmp_path, cache=tmp_path / "cache").split("final", replicate)
        assert again.train_x.tobytes() == before.train_x.tobytes()


def test_groups_are_part_of_the_data_s_fingerprint(tmp_path: Path, study: MakeStudy) -> None:
    """Other groups are other data, and the same file without them is what it always was."""
    grouped = study(source="a.npz", groups="subject", **SIZES)
    found = [load(grouped, written(tmp_path)).fingerprint]
    found.append(load(grouped, written(tmp_path, subject=GROUPS[::-1])).fingerprint)
    np.savez(tmp_path / "a.npz", X=X, y=Y)
    found.append(load(study(source="a.npz", **SIZES), tmp_path).fingerprint)
    plain = LabelledImages(x=X.astype(np.float32), y=Y)
    contents = Contents(name="a", classes=("0", "1"), pool=plain, test=None)
    assert len(set(found)) == 3
    assert found[2] == contents.fingerprint()


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ({"subject": GROUPS[1:]}, "subject: must have one group for each of the"),
        ({"subject": GROUPS + 0.5}, "subject: must be whole numbers or texts, where they are"),
        ({"subject": np.zeros(COUNT, int)}, "data.groups: must name at least 3 groups"),
        ({"subject": np.arange(COUNT) % 2}, "data.groups: must name at least 3 groups, .* got 2"),
    ],
)
def test_what_cannot_be_groups_is_refused(
    tmp_path: Path, study: MakeStudy, more: dict[str, Any], rule: str
) -> None:
    """One group for each example, whole numbers or texts, and enough of them for every part."""
    with pytest.raises(DataError, match=rule):
        load(study(source="a.npz", groups="subject", **SIZES), written(tmp_path, **more))


def test_an_array_that_nobody_named_or_that_is_not_there_is_refused(
    tmp_path: Path, study: MakeStudy
) -> None:
    """The file has the array that data.groups names, and no further one."""
    written(tmp_path)
    with pytest.raises(DataError, match=r"subject: unknown key; known are X, y, X_test, y_test$"):
        load(study(source="a.npz", **SIZES), tmp_path)
    with pytest.raises(DataError, match=r"patient: is required, as data.groups names it"):
        load(study(source="a.npz", groups="patient", **SIZES), tmp_path)


@pytest.mark.parametrize(
    ("own", "rule"),
    [
        ({"source": "digits"}, "data.groups: must not be given: digits has no columns by name"),
        ({"stratified": True}, "data.stratified: must not stand beside data.groups"),
        ({"groups": "y"}, "data.groups: must name a further array, none of X, y, X_test, y_test"),
    ],
)
def test_groups_where_there_can_be_none_are_an_issue(
    study: MakeStudy, own: dict[str, Any], rule: str
) -> None:
    """A source without named columns, stratified splits and the examples themselves have none."""
    with pytest.raises(StudyFileError, match=rule):
        study(**({"source": "a.npz", "groups": "subject", **SIZES} | own))

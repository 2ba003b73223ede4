"""Images among the data: their shape, and the projections of their mirrors beside a split."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from published_files import Published

from lamsearch.data import Splits, load, training
from lamsearch.errors import StudyFileError
from lamsearch.study import ImageShape, Study, parse_study


def study_of(source: str, augment: dict[str, Any], **changes: Any) -> Study:
    """A study with a coarse stage on five components and a final on all features."""
    return parse_study({
        "name": "own", "seed": 1,
        "data": {"source": source, "train": 100, "validation": 50},
        "training": {"step_size": 2, "batch_size": 10},
        "augment": augment,
        "coarse": {"trials": 1, "log10_lambda": [-3.0, -2.0], "components": 5},
        "final": {},
    } | changes)  # fmt: skip


@pytest.fixture
def arrays_file(tmp_path: Path) -> Path:
    """An npz file of 200 colour images of 4 x 6 pixels."""
    rng, path = np.random.default_rng(0), tmp_path / "own.npz"
    np.savez(path, X=rng.integers(0, 255, (200, 4, 6, 3), np.uint8), y=np.arange(200) % 3)
    return path


def arrays_of(splits: Splits) -> dict[str, bytes]:
    """All arrays of a split."""
    found = {name: getattr(splits, name) for name in Splits.__slots__}
    return {name: one.tobytes() for name, one in found.items() if isinstance(one, np.ndarray)}


def test_every_source_of_images_says_their_shape(
    arrays_file: Path, published: Published, tmp_path: Path
) -> None:
    """Digits, CIFAR-10 (a plane for each colour) and arrays of images are known as images."""
    expected = {
        "digits": ImageShape(height=8, width=8),
        "cifar10": ImageShape(height=32, width=32, channels=3, planar=True),
        str(arrays_file): ImageShape(height=4, width=6, channels=3),
    }
    for source, shape in expected.items():
        data = load(study_of(source, {}), published.directory, cache=tmp_path / "cache")
        assert data.image == data.split("final").image == shape
        sizes = data.study.data.sizes
        assert sizes is None or sizes.image == shape


def test_mirrored_components_are_made_where_they_are_needed(arrays_file: Path) -> None:
    """A stage on components that mirrors keeps mirrored examples; no other stage or study does."""
    mirrors = load(study_of(str(arrays_file), {"flip": True}), arrays_file.parent)
    plain = load(study_of(str(arrays_file), {}), arrays_file.parent)
    assert mirrors.split("coarse").mirrored_x is not None
    assert mirrors.split("final").mirrored_x is None
    assert plain.split("coarse").mirrored_x is None


def test_images_that_are_moved_are_kept_before_the_projection(
    arrays_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stage on components that moves images has them unprojected, from the cache too."""
    moves = load(study_of(str(arrays_file), {"flip": True, "shift": 1}), arrays_file.parent)
    splits = moves.split("coarse")
    assert splits.unprojected_x is not None
    assert splits.projection is not None
    assert splits.mirrored_x is None
    np.testing.assert_allclose(
        splits.train_x, splits.unprojected_x @ splits.projection, rtol=0, atol=1e-5
    )
    assert moves.split("final").unprojected_x is None
    monkeypatch.setattr(training, "_WORTH_SHARING", 0)
    for _ in range(2):
        cached = load(moves.study, arrays_file.parent, cache=tmp_path / "cache").split("coarse")
        assert arrays_of(cached) == arrays_of(splits)


def test_what_may_be_searched_is_made_and_checked_too(arrays_file: Path) -> None:
    """Mirrors where any candidate may have them; a shift that some candidate could not have."""
    both = {"trials": 2, "log10_lambda": [-3.0, -2.0], "components": 5}
    searched = study_of(
        str(arrays_file), {}, coarse={**both, "space": {"flip": {"choice": [False, True]}}}
    )
    assert load(searched, arrays_file.parent).split("coarse").mirrored_x is not None
    del both["components"]
    far = study_of(str(arrays_file), {}, coarse={**both, "space": {"shift": {"integer": [0, 4]}}})
    assert far.most_varied.shift == 4
    with pytest.raises(StudyFileError, match=r"augment.shift: must be less than the 4 pixels"):
        load(far, arrays_file.parent)


def test_mirrored_components_are_those_of_the_mirrored_images(arrays_file: Path) -> None:
    """What is kept is each raw training image mirrored, normalised as ever, and projected."""
    data = load(study_of(str(arrays_file), {"flip": True}), arrays_file.parent)
    splits, raw = data.split("coarse"), data.pool.x
    inside = splits.enter(raw)
    rows = [int(np.abs(inside - one).sum(axis=1).argmin()) for one in splits.train_x]
    turned = raw[rows].reshape(-1, 4, 6, 3)[:, :, ::-1].reshape(len(rows), -1)
    assert splits.mirrored_x is not None
    np.testing.assert_allclose(splits.mirrored_x, splits.enter(turned), rtol=0, atol=1e-5)
    assert np.abs(splits.mirrored_x - splits.train_x).max() > 1


def test_cached_mirrors_equal_uncached_and_are_made_anew_when_damaged(
    arrays_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Mirrored examples from the cache have the same bits; one flipped in their file is noticed."""
    monkeypatch.setattr(training, "_WORTH_SHARING", 0)
    study, cache = study_of(str(arrays_file), {"flip": True}), tmp_path / "cache"
    right = arrays_of(load(study, tmp_path).split("coarse"))
    assert "mirrored_x" in right
    for _ in range(2):
        assert arrays_of(load(study, tmp_path, cache=cache).split("coarse")) == right
    assert caplog.messages == []  # nothing in the way of sharing them
    (file,) = cache.glob("splits/*/mirrored_x.npy")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert arrays_of(load(study, tmp_path, cache=cache).split("coarse")) == right
    assert "is damaged (mirrored_x.npy): it is made anew" in caplog.text


def test_a_split_without_mirrors_is_another_entry(
    arrays_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the same data a study that mirrors components and one that does not share no entry."""
    monkeypatch.setattr(training, "_WORTH_SHARING", 0)
    cache = tmp_path / "cache"
    for augment in ({}, {"flip": True}, {}, {"flip": True}):
        data = load(study_of(str(arrays_file), augment), tmp_path, cache=cache)
        assert (data.split("coarse").mirrored_x is not None) == bool(augment)
    assert len(list(cache.glob("splits/*/train_x.npy"))) == 2


def test_another_shape_of_the_same_values_has_other_mirrors(
    arrays_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mirrors are cached by the images' shape too, for a row of features does not tell it."""
    monkeypatch.setattr(training, "_WORTH_SHARING", 0)
    study, cache = study_of(str(arrays_file), {"flip": True}), tmp_path / "cache"
    first = arrays_of(load(study, tmp_path, cache=cache).split("coarse"))
    with np.load(arrays_file) as archive:
        arrays = dict(archive)
    np.savez(arrays_file, X=arrays["X"].reshape(200, 6, 4, 3), y=arrays["y"])
    second = arrays_of(load(study, tmp_path, cache=cache).split("coarse"))
    assert first["train_x"] == second["train_x"]
    assert first["mirrored_x"] != second["mirrored_x"]


def test_what_was_remembered_of_the_data_has_their_shape(
    arrays_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that does not read the source again knows that it holds images."""
    study, cache = study_of(str(arrays_file), {"flip": True}), tmp_path / "cache"
    first = load(study, tmp_path, cache=cache)
    monkeypatch.setattr(training, "read", lambda *_: pytest.fail("read again"))
    assert (
        load(study, tmp_path, cache=cache).image
        == first.image
        == ImageShape(height=4, width=6, channels=3)
    )


@pytest.mark.parametrize(
    ("augment", "many"), [({}, 0), ({"flip": True}, 1), ({"shift": 1}, 8), ({"shift": 2}, 24)]
)
def test_varied_images_where_no_training_image_varies_are_spoken_of(
    augment: dict[str, Any], many: int, tmp_path: Path
) -> None:
    """Features that never vary, and that moved or mirrored images reach, are counted."""
    x = np.zeros((200, 8, 8), np.float32)
    x[:, 3, 5] = np.arange(200)  # the one pixel that varies
    np.savez(tmp_path / "a.npz", X=x, y=np.arange(200) % 3)
    plain = {"trials": 1, "log10_lambda": [-3.0, -2.0]}
    study = study_of(str(tmp_path / "a.npz"), augment, coarse=plain)
    seen = load(study, tmp_path, look=True).seen
    assert seen is not None
    lines = [line for line in seen.warnings if "[augment] may cost" in line]
    assert [f"in {many} of the 64 features" in line for line in lines] == [True] * bool(many)

"""The [augment] table: what it may say, of which data, to which trainer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from study_documents import RIGHT, changed

from lamsearch.data import load
from lamsearch.errors import StudyFileError
from lamsearch.study import ImageShape, parse_study
from lamsearch.trainers import check

BOTH: dict[str, Any] = {"augment": {"flip": True, "shift": 2}}


def test_a_table_that_varies_nothing_is_left_out() -> None:
    """A study file without [augment], and one that writes out its defaults, are the same study."""
    plain = parse_study(RIGHT)
    written = parse_study(changed({"augment": {"flip": False, "shift": 0}}))
    assert "augment" not in plain.canonical()
    assert plain.fingerprint == written.fingerprint


def test_what_varies_images_is_part_of_the_study() -> None:
    """Mirroring and moving images make another study, which its canonical form describes whole."""
    flipped, both = parse_study(changed({"augment": {"flip": True}})), parse_study(changed(BOTH))
    assert len({one.fingerprint for one in (parse_study(RIGHT), flipped, both)}) == 3
    assert flipped.canonical()["augment"] == {"flip": True}
    assert parse_study(both.canonical()) == both


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"augment": {"shift": -1}}, "study: augment.shift: must be at least 0, got -1"),
        ({"augment": {"shift": 0.5}}, "study: augment.shift: must be a whole number, got 0.5"),
        ({"augment": {"flip": 1}}, "study: augment.flip: must be true or false, got 1"),
        ({"augment": {"flips": True}}, "study: augment.flips: unknown key; did you mean flip?"),
        ({"augment": {"shift": 8}}, "study: augment.shift: must be less than the 8 pixels of the "
         "images' shorter side, got 8"),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_is_one_sentence(changes: dict[str, Any], expected: str) -> None:
    """Each wrong value and an image too small are refused by key and rule."""
    with pytest.raises(StudyFileError, match=f"^{re.escape(expected)}$"):
        parse_study(changed(changes))


@pytest.mark.parametrize("stage", ["data", "fine"])
def test_components_are_varied_too(stage: str) -> None:
    """Mirrors and moves go together with principal components, in any stage."""
    study = parse_study(changed(BOTH | {stage: {"components": 9}}))
    assert study.augment.flip
    assert study.augment.shift == 2


def test_another_trainer_must_declare_that_it_varies_images() -> None:
    """A trainer that says nothing of images is refused, and what varies nothing is not."""
    other = {"trainer": {"name": "softmax"}, "network": None, "final": None, "finalists": None}
    rule = "augment.flip: needs a trainer that varies its training images, which 'softmax' does not"
    with pytest.raises(StudyFileError, match=rule):
        check(parse_study(changed(other | BOTH)))
    check(parse_study(changed(other | {"augment": {"shift": 0}})))


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((6, 5), (1, 6, 5, 1)),
        ((6, 5, 3), (1, 6, 5, 3)),
        ((3, 6, 5), (3, 6, 5, 1)),
        ((4, 4, 4), (1, 4, 4, 4)),
        ((6, 5, 7), None),
        ((30,), None),
        ((2, 6, 5, 3), None),
    ],
)
def test_an_array_s_shape_says_whether_it_holds_images(
    shape: tuple[int, ...], axes: tuple[int, ...] | None
) -> None:
    """Channels stand last, or first where only that axis is short; other shapes are no images."""
    found = ImageShape.of(shape)
    assert (None if found is None else found.axes) == axes


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((40, 30), "augment.flip: needs images, but those of {path} are rows of features without a "
         "shape; an .npz file's X has one as (n, height, width), or (n, height, width, channels) "
         "with 1 to 4 channels, last or first, got True"),
        ((40, 9, 2, 3), "augment.shift: must be less than the 2 pixels of the images' shorter "
         "side, got 2"),
    ],
)  # fmt: skip
def test_data_that_turn_out_to_be_none_are_refused(
    shape: tuple[int, ...], expected: str, tmp_path: Path
) -> None:
    """An .npz file without the shape of images, or of images too small, is refused when read."""
    path, pixels = tmp_path / "own.npz", np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    np.savez(path, X=pixels, y=np.arange(40) % 3)
    data = {"source": str(path), "train": 20, "validation": 10, "test": None}
    document = changed(BOTH | {"data": data, "final": {"train": None, "validation": None}})
    with pytest.raises(StudyFileError, match=f"^{re.escape(expected.format(path=path))}$"):
        load(parse_study(document), tmp_path)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"shift": {"choice": ["a", 2]}}, "training.shift"),
        ({"shift": {"uniform": [0, 4.5]}}, "coarse.space.shift.uniform: must be one of"),
        ({"shift": {"integer": [0, 2**40]}}, "coarse.space.shift.integer: must lie between"),
        ({"flip": {"choice": ["no", 1.5]}}, "coarse.space.flip"),
    ],
)
def test_what_cannot_be_searched_of_it_is_said_in_a_sentence(
    entry: dict[str, Any], expected: str
) -> None:
    """Values of another kind are issues, as they are of any other parameter."""
    study = parse_study(changed({"coarse": {"space": entry}}))
    assert study.most_varied.shift <= 2
    with pytest.raises(
        StudyFileError, match=re.escape(expected.replace("training.", "coarse.space."))
    ):
        check(study)

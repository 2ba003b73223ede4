"""Varied training images: what a model sees of them, and that nothing else is ever varied."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from lamsearch.data import Splits, load, normalise
from lamsearch.study import Augment, ImageShape, Training, parse_study
from lamsearch.trainers import trainer_for
from lamsearch.trainers.network import NetworkTrainer, evaluate
from lamsearch.trainers.network.augmentation import Draws
from lamsearch.trainers.network.batches import Batches, MiniBatches
from lamsearch.trainers.network.checkpoint import arrays_of

Array = npt.NDArray[Any]
SEED = (7, 1, 2)
SHAPES = {
    "grey": ImageShape(height=5, width=4),
    "planes": ImageShape(height=4, width=6, channels=3, planar=True),
    "pixels": ImageShape(height=4, width=6, channels=3),
}
FLIP, SHIFT, BOTH = Augment(flip=True), Augment(shift=2), Augment(flip=True, shift=2)


@dataclass(frozen=True)
class Images:
    """Raw training images, and their split, in which each has its own number as label."""

    raw: Array
    splits: Splits


def images_of(
    shape: ImageShape,
    count: int = 60,
    *,
    far: float = 0.0,
    components: int | None = None,
    unprojected: bool = False,
) -> Images:
    """Return random images of very different moments, ``far`` from zero."""
    rng, features = np.random.default_rng(3), math.prod(shape.axes)
    raw = rng.random((count, features)) * rng.uniform(0.1, 3, features) + rng.random(features) + far
    raw = raw.astype(np.float64 if far else np.float32)
    mean, std = raw.mean(axis=0), raw.std(axis=0)
    x, projection, mirrored, whole = normalise(raw, mean, std), None, None, None
    if components is not None:
        basis = np.linalg.qr(rng.standard_normal((features, features)))[0]
        projection = basis[:, :components].astype(np.float32)
        turned = raw.reshape(-1, *shape.axes)[:, :, :, ::-1].reshape(raw.shape)
        turned = normalise(np.ascontiguousarray(turned), mean, std)
        x, mirrored, whole = x @ projection, turned @ projection, x
    numbers = np.arange(count)
    splits = Splits(
        train_x=x, train_y=numbers, validation_x=x.copy(), validation_y=numbers,
        mean=mean, std=std, projection=projection, image=shape, mirrored_x=mirrored,
        unprojected_x=whole if unprojected else None,
    )  # fmt: skip
    return Images(raw=raw, splits=splits)


def drawn(epoch: int, count: int, shift: int) -> tuple[Array, Array, Array]:
    """What an epoch's stream gives each image: mirrored or not, pixels down, pixels right."""
    stream = np.random.SeedSequence(SEED, spawn_key=(4, epoch))
    first, second, third = np.random.default_rng(stream).random((3, count))
    width = 2 * shift + 1
    return first < 0.5, np.floor(second * width) - shift, np.floor(third * width) - shift


def seen(images: Images, augment: Augment, epoch: int) -> Array:
    """Every training image as an epoch's model must see it, worked out one by one from raw ones."""
    splits, image = images.splits, images.splits.image
    assert image is not None
    mirrored, down, right = drawn(epoch, len(images.raw), augment.shift)
    found = []
    for index, row in enumerate(images.raw):
        pixels = row.reshape(image.axes)
        if augment.flip and mirrored[index]:
            pixels = pixels[:, :, ::-1]
        pixels = moved(pixels, int(down[index]), int(right[index]), augment.shift)
        found.append((pixels.reshape(-1) - splits.mean) / splits.std)
    return np.array(found, np.float32)


def moved(pixels: Array, down: int, right: int, shift: int) -> Array:
    """Move one image; pixels from outside are those reflected at its edge."""
    edge = [(0, 0), (shift, shift), (shift, shift), (0, 0)]
    wide = np.pad(pixels, edge, mode="reflect")
    top, left = shift - down, shift - right
    return wide[:, top : top + pixels.shape[1], left : left + pixels.shape[2]]


def filled(batches: MiniBatches, update: int, splits: Splits) -> tuple[Array, Array]:
    """Return a mini-batch of 20 and its labels."""
    out = np.empty((20, splits.train_x.shape[1]), np.float32)
    return out, batches.fill(update, out)


def test_without_augmentation_a_mini_batch_is_its_rows() -> None:
    """A mini-batch that is not varied is the stream's examples in their order, bit for bit."""
    splits = images_of(SHAPES["grey"]).splits
    for augment in (None, Augment()):
        batches, rows = MiniBatches(splits, SEED, 20, augment), Batches(SEED, 60, 20)
        for update in (0, 4, 2):
            out, labels = filled(batches, update, splits)
            assert out.tobytes() == splits.train_x[rows[update]].tobytes()
            np.testing.assert_array_equal(labels, splits.train_y[rows[update]])


@pytest.mark.parametrize("augment", [FLIP, SHIFT, BOTH, Augment(flip=True, shift=3)], ids=str)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_model_sees_raw_images_varied_and_then_normalised(shape: str, augment: Augment) -> None:
    """Each example is its raw image mirrored and moved as drawn, minus mean, divided by std."""
    images = images_of(SHAPES[shape])
    batches, rows = MiniBatches(images.splits, SEED, 20, augment), Batches(SEED, 60, 20)
    for epoch in (0, 1, 5):
        expected = seen(images, augment, epoch)
        for update in range(3 * epoch, 3 * epoch + 3):
            out, labels = filled(batches, update, images.splits)
            np.testing.assert_allclose(out, expected[labels], rtol=0, atol=2e-5)
            assert sorted(labels) == sorted(rows[update])


@pytest.mark.parametrize("augment", [FLIP, BOTH], ids=str)
def test_images_far_from_zero_lose_nothing(augment: Augment) -> None:
    """Pixels at a million, whose moments are float64, are varied as exactly as others."""
    images = images_of(SHAPES["planes"], far=1e6)
    batches = MiniBatches(images.splits, SEED, 20, augment)
    out, labels = filled(batches, 0, images.splits)
    np.testing.assert_allclose(out, seen(images, augment, 0)[labels], rtol=0, atol=2e-5)


def test_mirrored_components_are_the_mirrored_images_projected() -> None:
    """On components a model sees the projection of each raw image, mirrored as drawn."""
    images = images_of(SHAPES["planes"], components=7)
    batches, projection = MiniBatches(images.splits, SEED, 20, FLIP), images.splits.projection
    assert projection is not None
    for update in range(6):
        out, labels = filled(batches, update, images.splits)
        expected = seen(images, FLIP, update // 3)[labels] @ projection
        np.testing.assert_allclose(out, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("augment", [FLIP, SHIFT, BOTH], ids=str)
def test_components_of_moved_images_are_the_moved_images_projected(augment: Augment) -> None:
    """With unprojected images a model sees the projection of each raw image, varied as drawn."""
    images = images_of(SHAPES["planes"], components=7, unprojected=True)
    batches, projection = MiniBatches(images.splits, SEED, 20, augment), images.splits.projection
    assert projection is not None
    for update in range(6):
        out, labels = filled(batches, update, images.splits)
        expected = seen(images, augment, update // 3)[labels] @ projection
        np.testing.assert_allclose(out, expected, rtol=0, atol=5e-5)


def test_half_are_mirrored_and_all_moves_are_alike_likely() -> None:
    """Mirrors have probability 1/2 and moves are uniform, without a trace of each other."""
    draws, rows = Draws(SEED, 40_000, 1), np.arange(40_000)
    mirrored, (down, right) = draws.mirrored(0, rows), draws.moves(0, rows)
    counts = np.zeros((2, 3, 3))
    np.add.at(counts, (mirrored.astype(int), down + 1, right + 1), 1)
    expected = 40_000 / 18
    assert ((counts - expected) ** 2 / expected).sum() < 41  # χ² of 17 degrees: 1 in 1000


def test_draws_are_the_epoch_s_and_the_replicate_s_own() -> None:
    """Another epoch or replicate has other draws, which come again whatever was asked before."""
    rows = np.arange(500)
    found = [Draws(seed, 500, 2).mirrored(epoch, rows)
             for seed in (SEED, (7, 1, 3)) for epoch in (0, 1)]  # fmt: skip
    assert len({one.tobytes() for one in found}) == 4
    draws = Draws(SEED, 500, 2)
    for epoch in (1, 0, 1):
        assert np.array_equal(draws.mirrored(epoch, rows), found[epoch])


def test_what_else_is_varied_leaves_mirrors_alone() -> None:
    """The same images are mirrored with any shift, and a wider shift moves them the same way."""
    rows, narrow, wide = np.arange(500), Draws(SEED, 500, 1), Draws(SEED, 500, 4)
    assert np.array_equal(narrow.mirrored(3, rows), wide.mirrored(3, rows))
    for one, other in zip(narrow.moves(3, rows), wide.moves(3, rows), strict=True):
        assert (one[one < 0] >= other[one < 0]).all()
        assert np.corrcoef(one, other)[0, 1] > 0.9


def training(**changes: Any) -> Training:
    """Three epochs and a bit."""
    return Training(**{"batch_size": 20, "step_size": 5, "eta_max": 0.05} | changes)


def trainer(
    splits: Splits, augment: Augment, lambdas: Sequence[float] = (-4.0, -2.0), **changes: Any
) -> NetworkTrainer:
    """Return a small cohort on varied images."""
    return NetworkTrainer(
        splits, training(**changes), lambdas, hidden=6, classes=60, seed=SEED, augment=augment
    )


def run(found: NetworkTrainer, updates: int = 10**9) -> NetworkTrainer:
    """Train so far."""
    for progress in found.run():
        if progress.updates >= updates:
            break
    return found


def everything(found: NetworkTrainer) -> list[tuple[str, bytes]]:
    """All that a training has come to."""
    return [(name, array.tobytes()) for name, array in sorted(arrays_of(found._state).items())]


@pytest.mark.parametrize("augment", [FLIP, SHIFT, BOTH], ids=str)
@pytest.mark.parametrize("updates", [1, 3, 7])
def test_a_resumed_training_sees_the_same_images(augment: Augment, updates: int) -> None:
    """A training that goes on from a state, within an epoch or between two, ends with its bits."""
    splits = images_of(SHAPES["planes"]).splits
    state = run(trainer(splits, augment), updates).state()
    again = trainer(splits, augment)
    again.restore(state)
    assert again.updates == updates
    assert everything(run(again)) == everything(run(trainer(splits, augment)))


def test_a_model_sees_the_same_images_in_any_cohort() -> None:
    """A model ends where it ends alone, whichever others are trained beside it."""
    splits = images_of(SHAPES["grey"]).splits
    together = run(trainer(splits, BOTH, (-4.0, -2.0, -1.0))).weights
    alone = run(trainer(splits, BOTH, (-2.0,))).weights
    np.testing.assert_allclose(together.first_layer(1), alone.first_layer(0), rtol=0, atol=1e-6)


def test_nothing_that_is_evaluated_is_varied() -> None:
    """Train score, validation loss and score are of the images as they are."""
    splits = images_of(SHAPES["planes"]).splits
    found = run(trainer(splits, BOTH))
    for x, y, what in ((splits.train_x, splits.train_y, "train_score"),
                       (splits.validation_x, splits.validation_y, "score")):  # fmt: skip
        right = evaluate(found.weights, x, y).accuracy
        assert [getattr(one, what) for one in found.outcomes()] == right.tolist()
    loss = evaluate(found.weights, splits.validation_x, splits.validation_y).loss
    assert [one.validation_loss for one in found.outcomes()] == loss.tolist()


def test_components_of_a_full_rotation_train_as_all_features() -> None:
    """Mirrored images train the same models on all principal components as on all features."""
    plain, turned = images_of(SHAPES["grey"]), images_of(SHAPES["grey"], components=20)
    losses = [
        [one.validation_loss for one in run(trainer(images.splits, augment)).outcomes()]
        for images, augment in ((plain, FLIP), (turned, FLIP), (plain, Augment()))
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert losses[2] != pytest.approx(losses[0], rel=1e-3)


def test_a_study_s_table_reaches_the_trainer(tmp_path: Path) -> None:
    """What [augment] says is what the study's own trainer varies."""
    study = parse_study({
        "name": "varied", "seed": 3, "data": {"source": "digits", "train": 100, "validation": 50},
        "training": {"step_size": 5, "batch_size": 20}, "augment": {"flip": True, "shift": 2},
        "coarse": {"values": [-3.0]},
    })  # fmt: skip
    splits = load(study, tmp_path).split("coarse")
    own = trainer_for(study, "coarse", [(-3.0,)], splits=splits, classes=10, seed=SEED)
    for _ in own.run():
        pass
    found = []
    for augment in (study.augment, None):
        other = NetworkTrainer(
            splits, study.training_of("coarse"), [-3.0], hidden=50, classes=10, seed=SEED,
            augment=augment,
        )  # fmt: skip
        found.append(run(other).outcomes()[0].validation_loss)
    assert own.outcomes()[0].validation_loss == found[0] != found[1]


@pytest.mark.parametrize("what", ["no images", "moved components", "components alone"])
def test_what_cannot_be_varied_is_refused(what: str) -> None:
    """Examples without a shape, moved components and components without mirrors are no input."""
    splits = images_of(SHAPES["grey"], components=None if what == "no images" else 5).splits
    lacks = {"image": None} if what == "no images" else {"mirrored_x": None}
    if what == "moved components":
        lacks = {}
    fields = {name: getattr(splits, name) for name in Splits.__slots__} | lacks
    with pytest.raises(ValueError, match=r"^augment: "):
        trainer(Splits(**fields), BOTH if what == "moved components" else FLIP)

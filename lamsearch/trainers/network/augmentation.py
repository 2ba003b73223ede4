"""How training images are varied: mirrored left to right, moved by some pixels.

Enters: normalised training images, their moments, the seed of a replicate, indices of examples.
Leaves: a mini-batch in which each image is varied by draws of its own. Refuses to know in which
order examples come, and what trains on them.

The draws of epoch e follow from the seed and e alone, one set for each example. So all models of a
cohort see the same images, trials of other batch sizes do too, and the update count is all that a
resumed training needs. Draws of one kind are the same whether the other kind is asked for or not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from lamsearch.results import FloatArray, IntArray
from lamsearch.study import Augment, ImageShape
from lamsearch.trainers.network.gathering import Gatherer
from lamsearch.trainers.protocol import ImageSplits, Splits

Doubles = npt.NDArray[np.float64]
_STREAM = 4  # of a replicate's random numbers: after weights, orders, candidates and dropout


class Draws:
    """What is drawn for each of ``examples`` images in each epoch."""

    def __init__(self, seed: Sequence[int], examples: int, shift: int) -> None:
        self._seed, self._examples, self._shift = tuple(seed), examples, shift
        self._epoch, self._mirrored = -1, np.empty(0, np.bool_)
        self._moves = np.empty((2, 0), np.intp)

    def mirrored(self, epoch: int, rows: IntArray) -> npt.NDArray[np.bool_]:
        """Return which of the examples are mirrored in an epoch: each with probability 1/2."""
        self._draw(epoch)
        return self._mirrored[rows]

    def moves(self, epoch: int, rows: IntArray) -> tuple[IntArray, IntArray]:
        """Return by how many pixels each example is moved down and right, -shift to shift."""
        self._draw(epoch)
        down, right = self._moves[:, rows]
        return down, right

    def _draw(self, epoch: int) -> None:
        if epoch == self._epoch:
            return
        sequence = np.random.SeedSequence(self._seed, spawn_key=(_STREAM, epoch))
        uniform = np.random.default_rng(sequence).random((3, self._examples))
        self._epoch, self._mirrored = epoch, uniform[0] < 0.5
        # the same numbers for any shift: trials that differ in it differ in that alone
        scaled = np.floor(uniform[1:] * (2 * self._shift + 1))
        self._moves = scaled.astype(np.intp) - self._shift


class Augmentation:
    """Fills mini-batches with varied images of a training split.

    Args:
        splits: the examples, with their shape and moments.
        augment: what is varied.
        seed: (study seed, stage, replicate).
        batch_size: examples in a mini-batch.

    Raises:
        ValueError: The examples are no images, or cannot be varied so.
    """

    def __init__(
        self, splits: Splits, augment: Augment, seed: Sequence[int], batch_size: int
    ) -> None:
        if not isinstance(splits, ImageSplits) or splits.image is None:
            raise ValueError("augment: the examples must be images")
        x, self._projection = splits.train_x, None
        self._gather_mirrored: Gatherer | None = None
        if splits.projection is not None and splits.unprojected_x is not None:
            x, self._projection = splits.unprojected_x, splits.projection
            self._unprojected = np.empty((batch_size, x.shape[1]), x.dtype)
        elif splits.projection is not None:
            if augment.shift or splits.mirrored_x is None:
                raise ValueError("augment: components must have mirrors, or what they are made of")
            self._gather_mirrored = Gatherer(splits.mirrored_x)
        self._gather = Gatherer(x)
        self._draws = Draws(seed, len(splits.train_x), augment.shift)
        self._flip = augment.flip
        self._mirror = self._move = None
        if augment.shift:
            self._move = Move(splits, splits.image, augment.shift, batch_size)
        elif self._gather_mirrored is None:
            self._mirror = Mirror(splits, splits.image)

    def fill(self, epoch: int, rows: IntArray, out: FloatArray) -> IntArray:
        """Write the varied examples of ``rows`` (B,) to ``out`` (B, F); return their new order.

        Mirrored ones stand first, so that they are one block of the buffer.
        """
        mirrored = np.zeros(len(rows), np.bool_)
        if self._flip:
            mirrored = self._draws.mirrored(epoch, rows)
        rows, count = np.concatenate([rows[mirrored], rows[~mirrored]]), int(mirrored.sum())
        if self._gather_mirrored is not None:
            self._gather_mirrored(rows[:count], out[:count])
            self._gather(rows[count:], out[count:])
            return rows
        whole = out if self._projection is None else self._unprojected
        self._gather(rows, whole)
        if self._move is not None:
            self._move(whole, count, *self._draws.moves(epoch, rows))
        elif self._mirror is not None:
            self._mirror(whole[:count])
        if self._projection is not None:
            np.matmul(whole, self._projection, out=out)
        return rows


class Mirror:
    """Mirrors normalised images as if that had been done before they were normalised.

    Of a raw image r, with z = (r - μ)/σ and M for its mirror, a model has to see
    (Mr - μ)/σ = Mz · (Mσ/σ) + (Mμ - μ)/σ: a feature of z times a factor, plus an offset.
    """

    def __init__(self, splits: Splits, image: ImageShape) -> None:
        self._axes, dtype = image.axes, splits.train_x.dtype
        mean, std = _moments(splits, image)
        self._factor = (std[:, :, ::-1] / std).astype(dtype)
        self._offset = ((mean[:, :, ::-1] - mean) / std).astype(dtype)

    def __call__(self, x: FloatArray) -> None:
        """Mirror images x (n, F) in place."""
        images = x.reshape(-1, *self._axes)
        np.add(images[:, :, :, ::-1] * self._factor, self._offset, out=images)


class Move:
    """Moves normalised images, of which some are mirrored too, as if they were still raw.

    What comes in from outside is the image reflected at its edge, the edge itself not repeated, as
    in Zagoruyko & Komodakis (2016), Wide Residual Networks, arXiv:1605.07146, and Jordan (2024),
    arXiv:2404.00498: these pixels then vary as those do that they take the place of. The mean in
    their place (He et al. 2016, arXiv:1512.03385) was a little worse on CIFAR-10, and no faster.
    """

    def __init__(self, splits: Splits, image: ImageShape, shift: int, batch_size: int) -> None:
        self._axes, self._shift, dtype = image.axes, shift, splits.train_x.dtype
        mean, std = _moments(splits, image)
        # pixels need no other unit and zero point than one common to all: float32 can have them
        zero, unit = mean.mean(), std.max()
        self._std, self._mean = (std / unit).astype(dtype), ((mean - zero) / unit).astype(dtype)
        self._factor, self._offset = (unit / std).astype(dtype), ((zero - mean) / std).astype(dtype)
        outer, height, width, inner = image.axes
        wide = (batch_size, outer, height + 2 * shift, width + 2 * shift, inner)
        self._wide, self._examples = np.empty(wide, dtype), np.arange(batch_size)
        # views of every window (height, width) in it: (B, outer, top, left, height, width, inner)
        self._windows = _windows(self._wide, height, width)
        self._mirrored_windows = _windows(self._wide[:, :, :, ::-1], height, width)

    def __call__(self, x: FloatArray, count: int, down: IntArray, right: IntArray) -> None:
        """Move images x (B, F) in place, by ``down`` and ``right`` (B,); mirror ``count`` first."""
        images, p = x.reshape(-1, *self._axes), self._shift
        images *= self._std
        np.add(images, self._mean, out=self._wide[:, :, p:-p, p:-p])
        self._reflect()
        top, left, each = p - down, p - right, self._examples
        for part, windows in (
            (slice(count), self._mirrored_windows), (slice(count, None), self._windows),
        ):  # fmt: skip
            window = windows[each[part], :, top[part], left[part]]
            np.multiply(window, self._factor, out=images[part])
        images += self._offset

    def _reflect(self) -> None:
        """Fill the margins of the wide images, column by column: rows of them are too short."""
        wide, p = self._wide, self._shift
        wide[:, :, :p, p:-p] = wide[:, :, 2 * p : p : -1, p:-p]
        wide[:, :, -p:, p:-p] = wide[:, :, -p - 2 : -2 * p - 2 : -1, p:-p]
        rows = wide.reshape(-1, *wide.shape[3:])  # of pixels, all in one: NumPy is faster so
        last = rows.shape[1] - 1
        for column in range(p):
            rows[:, column] = rows[:, 2 * p - column]
            rows[:, last - column] = rows[:, last - 2 * p + column]


def _moments(splits: Splits, image: ImageShape) -> tuple[Doubles, Doubles]:
    """Mean and std in the shape of an image, float64."""
    mean, std = np.asarray(splits.mean, np.float64), np.asarray(splits.std, np.float64)
    return mean.reshape(image.axes), std.reshape(image.axes)


def _windows(wide: FloatArray, height: int, width: int) -> FloatArray:
    found = sliding_window_view(wide, (height, width), axis=(2, 3))  # their axes stand last
    return np.moveaxis(found, 4, -1)

"""The stream of mini-batches: which examples, and what of them a model sees.

Enters: a seed, sizes, a training split, how its images are varied. Leaves: filled mini-batches and
their labels. Refuses to know what is trained on them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lamsearch.results import FloatArray, IntArray
from lamsearch.study import Augment
from lamsearch.trainers.network.augmentation import Augmentation
from lamsearch.trainers.protocol import Splits


class MiniBatches:
    """The mini-batches of one replicate, each written into a buffer that the caller keeps.

    Args:
        splits: the training examples; evaluation never comes here.
        seed: (study seed, stage, replicate).
        batch_size: examples in a mini-batch.
        augment: how images are varied.
    """

    def __init__(
        self, splits: Splits, seed: Sequence[int], batch_size: int, augment: Augment | None = None
    ) -> None:
        self._splits = splits
        self._rows = Batches(seed, len(splits.train_y), batch_size)
        self._augmentation = None
        if augment is not None and augment.varies:
            self._augmentation = Augmentation(splits, augment, seed, batch_size)

    @property
    def per_epoch(self) -> int:
        """The mini-batches of an epoch."""
        return self._rows.per_epoch

    def fill(self, update: int, out: FloatArray) -> IntArray:
        """Write the examples of an update to ``out`` (B, F); return their labels (B,).

        Updates are counted from 0; any may be asked for next.
        """
        rows = self._rows[update]
        if self._augmentation is None:
            np.take(self._splits.train_x, rows, axis=0, out=out, mode="clip")
        else:
            rows = self._augmentation.fill(update // self.per_epoch, rows, out)
        return self._splits.train_y[rows]


class Batches:
    """The stream of mini-batches of one replicate: a new order each epoch, a remainder dropped.

    The order of epoch e depends on the seed and e alone, so the update count is all that a
    resumed training needs to go on in the stream.
    """

    def __init__(self, seed: Sequence[int], examples: int, batch_size: int) -> None:
        self.per_epoch = examples // batch_size
        self._seed, self._examples, self._batch_size = tuple(seed), examples, batch_size
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def __getitem__(self, update: int) -> IntArray:
        """Return the indices (batch,) of the examples of an update, counted from 0."""
        epoch, batch = divmod(update, self.per_epoch)
        if epoch != self._epoch:
            sequence = np.random.SeedSequence(self._seed, spawn_key=(1, epoch))
            self._epoch = epoch
            self._order = np.random.default_rng(sequence).permutation(self._examples)
        return self._order[batch * self._batch_size : (batch + 1) * self._batch_size]

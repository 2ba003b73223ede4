"""The stream of mini-batches: which examples, and what of them a model sees.

Enters: a seed, sizes, a training split, how its images are varied. Leaves: filled mini-batches and
their labels. Refuses to know what is trained on them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lamsearch.results import FloatArray, IntArray, TargetArray
from lamsearch.study import Augment
from lamsearch.trainers.mini_batches import Batches
from lamsearch.trainers.network.augmentation import Augmentation
from lamsearch.trainers.network.gathering import Gatherer
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
        self._gather = Gatherer(splits.train_x)
        self._augmentation = None
        self._filled: IntArray = np.empty(0, np.int64)
        if augment is not None and augment.varies:
            self._augmentation = Augmentation(splits, augment, seed, batch_size)

    @property
    def per_epoch(self) -> int:
        """The mini-batches of an epoch."""
        return self._rows.per_epoch

    @property
    def weights(self) -> FloatArray | None:
        """The weights (B,) of the examples filled last in the loss; None where all are alike."""
        weights = self._splits.weights
        return None if weights is None else weights[self._filled]

    def fill(self, update: int, out: FloatArray) -> TargetArray:
        """Write the examples of an update to ``out`` (B, F); return their targets (B,).

        Updates are counted from 0; any may be asked for next.
        """
        rows = self._rows[update]
        if self._augmentation is None:
            self._gather(rows, out)
        else:
            rows = self._augmentation.fill(update // self.per_epoch, rows, out)
        self._filled = rows
        return self._splits.train_y.take(rows)

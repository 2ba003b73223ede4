"""Which examples make up each mini-batch of a replicate.

Enters: a seed and sizes. Leaves: indices of training examples. Refuses to know the examples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lamsearch.results import IntArray


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

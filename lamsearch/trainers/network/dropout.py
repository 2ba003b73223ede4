"""Inverted dropout of inputs and hidden activations, at a rate of each model's own.

Enters: a replicate's seed, rates, the number of an update. Leaves: the factors of that update's
mini-batch: 0 for what is dropped, else 1/(1 − p). Refuses to know what they are applied to.

All models of a cohort share the draws, which follow from seed, update and layer alone (common
random numbers): a model drops a value whose draw is below its rate, so one with a higher rate drops
what the others drop, and more. Rates are those of 65,536 equal steps that are nearest.

Source: Srivastava et al. (2014), Dropout, Journal of Machine Learning Research 15.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from lamsearch.results import FloatArray, IntArray

_STREAM = 3  # of a replicate's random streams
_STEPS = 2**16
Rates = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropout:
    """The rates (K,) of each layer that may drop values, the inputs' first, and the seed."""

    seed: tuple[int, ...]
    rates: tuple[Rates, ...] = field(default=())

    @property
    def drops(self) -> bool:
        """Whether anything is ever dropped."""
        return any(rates.any() for rates in self.rates)

    def keep(self, models: IntArray) -> Dropout:
        """Return that of the models of the given indices."""
        return Dropout(seed=self.seed, rates=tuple(rates[models] for rates in self.rates))

    def draws(self, update: int, layer: int, count: int) -> npt.NDArray[np.uint16]:
        """Return ``count`` draws, uniform over the whole numbers below 65,536."""
        sequence = np.random.SeedSequence(self.seed, spawn_key=(_STREAM, update, layer))
        raw = np.random.PCG64(sequence).random_raw(-(-count // 4))
        return raw.astype("<u8", copy=False).view("<u2")[:count]


class Masks:
    """The factors of one layer of a mini-batch of fixed size, in buffers made once.

    ``factors`` is (B, K, H), or (B, 1, H) where all models have the same rate.
    """

    def __init__(
        self, dropout: Dropout, layer: int, batch: int, units: int, dtype: npt.DTypeLike
    ) -> None:
        rates = dropout.rates[layer]
        rates = rates[:1] if (rates == rates[:1]).all() else rates
        self._dropout, self._layer = dropout, layer
        below = np.minimum(np.rint(rates * _STEPS), _STEPS - 1)
        self._below = below.astype(np.uint16)[:, None]
        self._scale = (_STEPS / (_STEPS - below)).astype(dtype)[:, None]
        self._kept = np.empty((batch, len(rates), units), np.bool_)
        self.factors: FloatArray = np.empty(self._kept.shape, self._scale.dtype)

    def draw(self, update: int) -> None:
        """Make the factors of an update."""
        batch, _, units = self._kept.shape
        draws = self._dropout.draws(update, self._layer, batch * units).reshape(batch, 1, units)
        np.greater_equal(draws, self._below, out=self._kept)
        np.multiply(self._kept, self._scale, out=self.factors)


def masks_of(
    dropout: Dropout, batch: int, sizes: Sequence[int], dtype: npt.DTypeLike
) -> list[Masks | None]:
    """Return what drops values of each layer of so many units, None where nothing does."""
    return [
        Masks(dropout, layer, batch, units, dtype) if rates.any() else None
        for layer, (rates, units) in enumerate(zip(dropout.rates, sizes, strict=True))
    ]

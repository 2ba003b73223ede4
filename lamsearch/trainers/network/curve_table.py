"""The learning curves of a cohort as one table. Enters: a row per sampling point. Leaves: curves.

A row has one line per model and one column per split and measure; a model that has left has NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import numpy.typing as npt

from lamsearch.results import Curve, FloatArray, IntArray

Rates = Callable[[int], npt.NDArray[np.float64]]  # update → learning rate of every model (K,)
_MEASURES = ("loss", "cost", "accuracy")
_SPLITS = ("training", "validation", "test")
_SCORE = "validation_score"


@dataclass(slots=True, kw_only=True)
class CurveTable:
    """Sampling points, counted in updates, and a row (models, columns) for each."""

    models: int
    tested: bool  # whether there are test columns
    scored: bool = False  # whether the last column is the validation score, as no measure is
    shares: bool = True  # whether there are accuracies, which a quantity has not
    points: list[int] = field(default_factory=list)
    rows: list[FloatArray] = field(default_factory=list)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns' names: those of `Curve`, and the score's."""
        return _columns(tested=self.tested, scored=self.scored, shares=self.shares)

    @property
    def score_column(self) -> str:
        """The column that holds the validation score."""
        return _SCORE if self.scored else "validation_accuracy"

    def add(self, update: int, alive: IntArray, columns: Iterable[FloatArray]) -> FloatArray:
        """Add a row of which the models ``alive`` have the values ``columns``; return these."""
        values = np.stack(list(columns), axis=1)
        row = np.full((self.models, values.shape[1]), np.nan)
        row[alive] = values
        self.points.append(update)
        self.rows.append(row)
        return values

    def latest(self, column: str, left: Iterable[int] = ()) -> FloatArray | None:
        """Return a copy of a column (models,) of the last row; None before the first.

        Models that have ``left``, since then or before, have NaN.
        """
        if not self.rows:
            return None
        values = self.rows[-1][:, self.columns.index(column)].copy()
        values[list(left)] = np.nan
        return values

    def array(self) -> FloatArray:
        """Return all rows (points, models, columns)."""
        if not self.rows:
            return np.empty((0, self.models, len(self.columns)))
        return np.stack(self.rows)

    def curve(self, model: int, rates: Rates) -> Curve:
        """Return the rows of one model up to the last that is finite."""
        updates, table = self._finite(model)
        columns = {
            name: table[:, index] for index, name in enumerate(self.columns) if name != _SCORE
        }
        rate = np.array([rates(int(update))[model] for update in updates], np.float64)
        return Curve(updates=updates, learning_rate=rate, values=columns)

    def scores(self, model: int) -> FloatArray:
        """Return the validation scores of one model at the points of its curve."""
        _, table = self._finite(model)
        return table[:, self.columns.index(self.score_column)]

    def _finite(self, model: int) -> tuple[IntArray, FloatArray]:
        """The updates and the rows of one model, those that are finite."""
        width = len(self.columns)
        table = np.stack([row[model] for row in self.rows]) if self.rows else np.empty((0, width))
        finite = np.isfinite(table).all(axis=1)
        return np.array(self.points, np.int64)[finite], table[finite]


@cache  # they are looked up after every update
def _columns(*, tested: bool, scored: bool, shares: bool) -> tuple[str, ...]:
    splits = _SPLITS if tested else _SPLITS[:2]
    kinds = _MEASURES if shares else _MEASURES[:2]
    measures = tuple(f"{split}_{measure}" for split in splits for measure in kinds)
    return (*measures, _SCORE) if scored else measures

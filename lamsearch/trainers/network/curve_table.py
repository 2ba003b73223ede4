"""The learning curves of a cohort as one table. Enters: a row per sampling point. Leaves: curves.

A row has one line per model and one column per split and measure; a model that has left has NaN.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from lamsearch.results import Curve, FloatArray, IntArray
from lamsearch.schedules import Schedule

_MEASURES = ("loss", "cost", "accuracy")
_SPLITS = ("training", "validation", "test")


@dataclass(slots=True, kw_only=True)
class CurveTable:
    """Sampling points, counted in updates, and a row (models, columns) for each."""

    models: int
    tested: bool  # whether there are test columns
    points: list[int] = field(default_factory=list)
    rows: list[FloatArray] = field(default_factory=list)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns' names, those of `Curve`."""
        splits = _SPLITS if self.tested else _SPLITS[:2]
        return tuple(f"{split}_{measure}" for split in splits for measure in _MEASURES)

    def add(self, update: int, alive: IntArray, columns: Iterable[FloatArray]) -> FloatArray:
        """Add a row of which the models ``alive`` have the values ``columns``; return these."""
        values = np.stack(list(columns), axis=1)
        row = np.full((self.models, values.shape[1]), np.nan)
        row[alive] = values
        self.points.append(update)
        self.rows.append(row)
        return values

    def latest(self, column: str) -> FloatArray | None:
        """Return a copy of a column (models,) of the last row; None before the first."""
        if not self.rows:
            return None
        return self.rows[-1][:, self.columns.index(column)].copy()

    def array(self) -> FloatArray:
        """Return all rows (points, models, columns)."""
        if not self.rows:
            return np.empty((0, self.models, len(self.columns)))
        return np.stack(self.rows)

    def curve(self, model: int, rate: Schedule) -> Curve:
        """Return the rows of one model up to the last that is finite."""
        width = len(self.columns)
        table = np.stack([row[model] for row in self.rows]) if self.rows else np.empty((0, width))
        finite = np.isfinite(table).all(axis=1)
        updates = np.array(self.points, np.int64)[finite]
        columns = {name: table[finite, index] for index, name in enumerate(self.columns)}
        rates = np.array([rate(int(update)) for update in updates])
        return Curve(updates=updates, learning_rate=rates, **columns)

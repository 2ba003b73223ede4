"""A training as it stands, and its arrays in a checkpoint.

Enters: the state of a training, or arrays that anybody may have written. Leaves: arrays, or a
state. Refuses arrays that no such training has saved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.results import IntArray
from lamsearch.trainers.departures import Departure, departures_from, departures_text
from lamsearch.trainers.network.curve_table import CurveTable
from lamsearch.trainers.network.rules import Moments, expected_moments
from lamsearch.trainers.network.weights import Weights
from lamsearch.trainers.protocol import State

STATE_VERSION = 1  # grows when a state's arrays, or what is computed from them, change
Arrays = Mapping[str, npt.NDArray[np.generic]]


@dataclass(slots=True, kw_only=True)
class Sums:
    """Sums over the mini-batches since the last sampling point: of losses (K,), of hits (K,)."""

    loss: npt.NDArray[np.float64]
    correct: npt.NDArray[np.float64]
    updates: int = 0

    def keep(self, models: IntArray) -> Sums:
        """Return those of the models of the given indices."""
        return Sums(loss=self.loss[models], correct=self.correct[models], updates=self.updates)


def no_sums(models: int) -> Sums:
    """Return the sums over no mini-batch."""
    return Sums(loss=np.zeros(models), correct=np.zeros(models))


@dataclass(slots=True, kw_only=True)
class TrainingState:
    """All that the rest of a training follows from.

    ``alive`` are the indices of the models still in training, which ``weights``, ``moments`` and
    ``sums`` are of; ``scores`` (models, validation examples) are of each model's last evaluation:
    0 or 1, as a bool, where the metric is a proportion.
    """

    updates: int
    alive: IntArray
    departures: dict[int, Departure]
    weights: Weights
    moments: Moments
    sums: Sums
    table: CurveTable
    scores: npt.NDArray[Any]

    @property
    def scores_name(self) -> str:
        """The name of the scores' array."""
        return "correct" if self.scores.dtype == np.bool_ else "scores"


def state_of(
    weights: Weights, moments: Moments, table: CurveTable, scores: npt.NDArray[Any]
) -> TrainingState:
    """Return the state of a training that begins with these, all its models alive."""
    return TrainingState(
        updates=0,
        alive=np.arange(weights.count),
        departures={},
        weights=weights,
        moments=moments,
        sums=no_sums(weights.count),
        table=table,
        scores=scores,
    )


def arrays_of(state: TrainingState) -> State:
    """Return a state as arrays that need no pickle."""
    return {
        "updates": np.array(state.updates),
        "alive": state.alive,
        "left": np.array(departures_text(state.departures)),
        **state.weights.arrays(),
        **state.moments,
        "sums": np.stack([state.sums.loss, state.sums.correct]),
        "since": np.array(state.sums.updates),
        "points": np.array(state.table.points, np.int64),
        "rows": state.table.array(),
        state.scores_name: state.scores,
    }


def state_from(arrays: Arrays, like: TrainingState, total: int) -> TrainingState:
    """Return the state of a training such as ``like``, of ``total`` updates, with own arrays.

    Raises:
        ValueError: The arrays are of no such training.
    """
    _check(arrays, like, total)
    loss, correct = np.array(arrays["sums"], np.float64)
    return TrainingState(
        updates=int(arrays["updates"]),
        alive=np.array(arrays["alive"], np.int64),
        departures=departures_from(str(arrays["left"])),
        weights=like.weights.restored(arrays),
        moments={name: np.array(arrays[name], like.weights.dtype) for name in like.moments},
        sums=Sums(loss=loss, correct=correct, updates=int(arrays["since"])),
        table=CurveTable(
            models=like.table.models,
            tested=like.table.tested,
            scored=like.table.scored,
            shares=like.table.shares,
            points=[int(point) for point in arrays["points"]],
            rows=list(np.array(arrays["rows"], np.float64)),
        ),
        scores=np.array(arrays[like.scores_name], like.scores.dtype),
    )


def _check(arrays: Arrays, like: TrainingState, total: int) -> None:
    expected = _expected(arrays, like)
    if arrays.keys() != expected.keys():
        raise ValueError(f"must hold {sorted(expected)}, got {sorted(arrays)}")
    for name, (kind, shape) in expected.items():
        array = arrays[name]
        if not array.dtype.name.startswith(kind) or array.shape != shape:
            raise ValueError(f"{name}: must be {shape}, got {array.dtype} {array.shape}")
    updates, since = int(arrays["updates"]), int(arrays["since"])
    if not 0 <= since <= updates <= total:
        raise ValueError(f"updates: must be at most {total}, got {updates}")
    points = [0, *map(int, arrays["points"]), updates + 1]
    if any(earlier >= later for earlier, later in pairwise(points)):
        raise ValueError(f"points: must grow up to the {updates} updates")
    models = like.table.models
    alive, left = [int(model) for model in arrays["alive"]], departures_from(str(arrays["left"]))
    if alive != sorted(alive) or sorted([*alive, *left]) != list(range(models)):
        raise ValueError(f"alive, left: must be the {models} models between them")


def _expected(arrays: Arrays, like: TrainingState) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The type and the shape of each array of a state, as far as it says its lengths."""
    lengths = [arrays[name].size if name in arrays else 0 for name in ("alive", "points")]
    (alive, points), table = lengths, like.table
    return {
        "updates": ("int", ()), "since": ("int", ()), "left": ("str", ()),
        "alive": ("int", (alive,)), "points": ("int", (points,)),
        **like.weights.expected(alive),
        **expected_moments(like.moments, like.weights, alive),
        "sums": ("float64", (2, alive)),
        "rows": ("float64", (points, table.models, len(table.columns))),
        like.scores_name: (like.scores.dtype.name, like.scores.shape),
    }  # fmt: skip

"""What is known of a cohort's trials so far: scores at cycle ends, who has left and why.

Enters: predictions at cycle ends, reasons. Leaves: outcomes; itself as arrays, and from arrays
again. Refuses to know models and how they are trained.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from lamsearch.metrics import Scores
from lamsearch.results import FloatArray, Trained, TrialState
from lamsearch.trainers.departures import Departure, departures_from, departures_text
from lamsearch.trainers.outcomes import Scored, TooLargeError, outcome, scored
from lamsearch.trainers.protocol import State, Task

Stored = Mapping[str, npt.NDArray[np.generic]]


class CohortRecord:
    """Scores and departures of a cohort's K trials, each by the index of its point."""

    def __init__(self, task: Task) -> None:
        self._task, self._count = task, len(task.points)
        self._departures: dict[int, Departure] = {}
        self._scores: Scores | None = None  # (K, n) of the last cycle end that each reached
        self._errors, self._losses = np.full((2, self._count), np.nan)  # NaN: not known
        self._cycles: list[FloatArray] = []  # scores (K,) at each cycle end, NaN of who had left

    @property
    def left(self) -> tuple[int, ...]:
        """The trials that have left."""
        return tuple(self._departures)

    def leave(self, indices: Iterable[int], departure: Departure) -> None:
        """Note that trials leave."""
        self._departures.update({int(index): departure for index in indices})

    def measure(
        self, indices: Iterable[int], predictions: Iterable[npt.ArrayLike]
    ) -> npt.NDArray[np.bool_]:
        """Score trials at a cycle end by what their models predict for validation.

        Returns:
            Which of them can be kept: the scores of a quantity may be too large for that.
        """
        ends, kept = np.full(self._count, np.nan), list[bool]()
        for index, one in zip(indices, predictions, strict=True):
            try:
                found = scored(self._task, one)
            except TooLargeError:
                kept.append(False)
                continue
            kept.append(True)
            if self._scores is None:
                self._scores = np.zeros((self._count, len(found.scores)), found.scores.dtype)
            self._scores[index], ends[index] = found.scores, found.score
            self._errors[index] = np.nan if found.error is None else found.error
            self._losses[index] = found.loss
        if any(kept):
            self._cycles.append(ends)
        return np.array(kept, np.bool_)

    def latest(self) -> tuple[FloatArray, FloatArray] | tuple[None, None]:
        """Return scores and losses (K,) at the last cycle end, NaN of who has left since as well;
        None before the first."""
        if not self._cycles:
            return None, None
        left = list(self._departures)
        scores, losses = self._cycles[-1].copy(), self._losses.copy()
        scores[left], losses[left] = np.nan, np.nan
        return scores, losses

    def outcome(self, index: int) -> Trained:
        """Return what became of a trial."""
        left = self._departures.get(index)
        if left is not None and left.state == TrialState.FAIL:
            return Trained(state=TrialState.FAIL, reason=left.reason, updates=left.updates)
        if self._scores is None:
            raise ValueError("a trial must have reached a cycle end")
        error, loss = float(self._errors[index]), float(self._losses[index])
        return outcome(
            Scored(
                scores=self._scores[index].copy(),
                error=None if math.isnan(error) else error,
                loss=loss,
            ),
            [float(one[index]) for one in self._cycles if np.isfinite(one[index])],
            state=TrialState.COMPLETE if left is None else TrialState.PRUNED,
            reason=None if left is None else left.reason,
            updates=None if left is None else left.updates,
        )

    def state(self) -> State:
        """Return all of it as arrays."""
        scores = np.empty((0, 0)) if self._scores is None else self._scores.copy()
        return {
            "left": np.array(departures_text(self._departures)),
            "scores": scores,
            "errors": self._errors.copy(),
            "losses": self._losses.copy(),
            "cycle_scores": np.array(self._cycles, np.float64).reshape(-1, self._count),
        }

    def restored(self, state: Stored) -> CohortRecord:
        """Return the record of the same task that such arrays hold.

        Raises:
            ValueError: They are of no such record.
        """
        found, count = CohortRecord(self._task), self._count
        scores = state["scores"]
        shapes = {"errors": (count,), "losses": (count,),
                  "cycle_scores": (len(state["cycle_scores"]), count)}  # fmt: skip
        if len(state["cycle_scores"]):
            shapes["scores"] = (count, len(self._task.splits.validation_y))
        for name, shape in shapes.items():
            if state[name].shape != shape or state[name].dtype.kind not in "bfi":
                raise ValueError(f"{name} must be numbers {shape}, got {state[name].shape}")
        found._departures = departures_from(str(state["left"]))
        if len(state["cycle_scores"]):
            found._scores = scores.copy()
        found._errors = np.array(state["errors"], np.float64)
        found._losses = np.array(state["losses"], np.float64)
        found._cycles = list(np.array(state["cycle_scores"], np.float64))
        return found

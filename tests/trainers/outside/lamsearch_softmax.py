"""A package of its own: a softmax regression as a class, class means as a plain function."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field
from scipy.special import softmax

from lamsearch.results import Trained, TrialState
from lamsearch.space import Point
from lamsearch.trainers import (
    Progress,
    Splits,
    Task,
    TrainerKind,
    completed,
    function_trainer,
)

Array = npt.NDArray[Any]


class SoftmaxOptions(BaseModel):
    """What stands in [trainer] beside its name."""

    rate: float = Field(0.5, gt=0)


class Softmax:
    """Softmax regression by whole-batch gradient descent; cost = mean loss + λ·Σ‖W‖²."""

    def __init__(self, task: Task) -> None:
        self._task, self._lam = task, 10.0 ** np.array([point[0] for point in task.points])
        rng = np.random.default_rng(task.seed)
        start = 0.01 * rng.standard_normal((task.splits.train_x.shape[1], task.classes))
        self._W = np.tile(start, (len(task.points), 1, 1))
        self._left: dict[int, Trained] = {}
        self._cycles: list[Array] = []
        self.updates = 0

    def run(self) -> Iterator[Progress]:
        """Train; yield after every step."""
        training, cycle = self._task.training, 2 * self._task.training.step_size
        while self.updates < training.updates and len(self._left) < len(self._W):
            with np.errstate(over="ignore", invalid="ignore"):
                self._step()
            self.updates += 1
            ended = self.updates % cycle == 0
            if ended:
                self._cycles.append(self._measured())
            yield Progress(
                updates=self.updates, total=training.updates, cycles=self.updates // cycle,
                cycle_end=ended, scores=self._last(0), losses=self._last(1),
            )  # fmt: skip

    def drop(self, reasons: Mapping[int, str]) -> None:
        """Take trials out."""
        for model, reason in reasons.items():
            if model not in self._left:
                whole = self._complete(model)
                self._left[model] = Trained(
                    state=TrialState.PRUNED, reason=reason, updates=self.updates,
                    score=whole.score, scores=whole.scores,
                    validation_loss=whole.validation_loss, cycle_scores=whole.cycle_scores,
                )  # fmt: skip

    def outcomes(self) -> tuple[Trained, ...]:
        """Return what became of every trial."""
        return tuple(self._left.get(k) or self._complete(k) for k in range(len(self._W)))

    def state(self) -> dict[str, Array]:
        """Return all that the rest follows from."""
        left = [[k, one.updates, one.state is TrialState.FAIL] for k, one in self._left.items()]
        return {
            "updates": np.array(self.updates),
            "W": self._W.copy(),
            "left": np.array(left, np.int64).reshape(-1, 3),
            "reasons": np.array([one.reason for one in self._left.values()], np.str_),
            "cycles": np.array(self._cycles).reshape(-1, 2, len(self._W)),
        }

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go on from a state."""
        if state.keys() != self.state().keys() or state["W"].shape != self._W.shape:
            raise ValueError(f"W: must be {self._W.shape}")
        self.updates, self._W = int(state["updates"]), state["W"].copy()
        self._cycles = list(state["cycles"])
        for (model, updates, failed), reason in zip(state["left"], state["reasons"], strict=True):
            whole = Trained(state=TrialState.FAIL) if failed else self._complete(int(model))
            self._left[int(model)] = Trained(
                state=TrialState.FAIL if failed else TrialState.PRUNED, reason=str(reason),
                updates=int(updates), score=whole.score,
                validation_loss=whole.validation_loss, scores=whole.scores,
                cycle_scores=whole.cycle_scores,
            )  # fmt: skip

    def _step(self) -> None:
        x, y = self._task.splits.train_x.astype(np.float64), self._task.splits.train_y
        rate = self._task.options.rate  # type: ignore[attr-defined]  # SoftmaxOptions
        for model in range(len(self._W)):
            if model in self._left:
                continue
            error = softmax(x @ self._W[model], axis=1) - np.eye(self._task.classes)[y]
            slope = x.T @ error / len(y) + 2 * self._lam[model] * self._W[model]
            new = self._W[model] - rate * slope
            if np.isfinite(new).all():
                self._W[model] = new
            else:
                reason = f"weights no longer finite at update {self.updates + 1}"
                self._left[model] = Trained(
                    state=TrialState.FAIL, reason=reason, updates=self.updates + 1
                )

    def _measured(self) -> Array:
        """Accuracy and loss (2, K) of all; NaN for those that have left."""
        found = np.full((2, len(self._W)), np.nan)
        for model in set(range(len(self._W))) - set(self._left):
            one = self._complete(model)
            found[:, model] = one.score, one.validation_loss
        return found

    def _last(self, measure: int) -> Array | None:
        if not self._cycles:
            return None
        values: Array = self._cycles[-1][measure].copy()
        values[list(self._left)] = np.nan
        return values

    def _complete(self, model: int) -> Trained:
        probabilities = softmax(self._task.splits.validation_x @ self._W[model], axis=1)
        ends = [c[0, model] for c in self._cycles if np.isfinite(c[0, model])]
        return completed(self._task, probabilities, cycle_scores=ends)


def centroids(point: Point, splits: Splits, seed: tuple[int, ...], options: object) -> Array:
    """Class probabilities by the distance to class means that λ shrinks towards 0."""
    _log_and_wait(point[0])
    x, y = splits.train_x, splits.train_y
    means = np.stack([x[y == label].mean(axis=0) for label in range(10)]) / (1 + 10.0 ** point[0])
    distances = np.square(splits.validation_x[:, None] - means).sum(axis=2)
    return np.asarray(softmax(-distances / x.shape[1], axis=1))


def _log_and_wait(point: float) -> None:
    """Write the λ into the file that a test names; after its second, wait to be killed."""
    if not (log := os.environ.get("CENTROIDS_LOG")):
        return
    with Path(log).open("a") as file:
        file.write(f"{point}\n")
    if len(Path(log).read_text().splitlines()) == 2:
        time.sleep(600)


class Raising(Softmax):
    """Raises in the middle of every cohort that holds a λ above 1."""

    def run(self) -> Iterator[Progress]:
        """Train, and raise."""
        for progress in super().run():
            if progress.updates == 3 and (self._lam > 1).any():
                raise ZeroDivisionError("a model of\nsomebody's own")
            yield progress


SOFTMAX = TrainerKind(
    name="softmax", make=Softmax, options=SoftmaxOptions, resumable=True, prunes=True
)
CENTROIDS = function_trainer("centroids", centroids, reproducible=False)
RAISING = TrainerKind(name="raising", make=Raising, options=SoftmaxOptions, resumable=True)

"""A base for trainers that train the models of a cohort together; what is left to write is a step.

Enters: a task; from a subclass how models begin, are stepped and predict. Leaves: the protocol's
other parts: cycles and their scores, models that fail or are dropped alone, a state. Refuses to
know what a model is, beside arrays with one row for each.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.results import FloatArray, IntArray, Model, Trained, TrialState
from lamsearch.schedules import schedule_of
from lamsearch.trainers.cohort_record import CohortRecord
from lamsearch.trainers.departures import Departure
from lamsearch.trainers.mini_batches import Batches
from lamsearch.trainers.protocol import Progress, State, Task

Arrays = dict[str, npt.NDArray[Any]]
_ARRAY = "model "  # opens the names of a model's arrays in a state


class CohortTrainer(ABC):
    """Trains the models of a cohort side by side, on the same mini-batches.

    A subclass says in `begin` which arrays its models are made of, changes them in `step`, and
    says in `predict` what they predict; in `model` how one is exported. Its kind then may
    declare ``resumable``, ``prunes``, and with `model` ``exports`` and ``snapshots``.

    Attributes:
        task: what is trained.
        arrays: by name the arrays (K', …) of the K' models that are still in training. Change
            them in place, or assign new ones: they are all that a checkpoint has of a model.
        alive: which trials those are (K',), by the index of their point.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.alive: IntArray = np.arange(len(task.points))
        self._updates = 0
        self._record = CohortRecord(task)
        self._rate = schedule_of(task.training)
        examples, batch_size = len(task.splits.train_y), task.training.batch_size
        if batch_size > examples:
            raise ValueError(f"batch_size must be at most {examples}, got {batch_size}")
        self._batches = Batches(task.seed, examples, batch_size)
        self.arrays = _with_rows(self.begin(), len(self.alive))

    @abstractmethod
    def begin(self) -> Arrays:
        """Return the arrays (K, …) of all models before the first update.

        Within a replicate all models begin alike: draw them once from `rng`, for K rows.
        """

    @abstractmethod
    def step(self, update: int) -> npt.ArrayLike:
        """Do one update, counted from 0, of the models in training.

        Returns:
            The loss of each before it (K',). A model whose loss is not finite leaves as FAIL.
        """

    @abstractmethod
    def predict(self, x: FloatArray) -> npt.ArrayLike:
        """Return the class probabilities (K', n, C) of the models in training for x (n, F)."""

    def model(self, index: int) -> Model:
        """Return the model in row ``index`` of the arrays, in the original feature space."""
        raise NotImplementedError("a kind that exports must have model(index)")

    @property
    def lam(self) -> FloatArray:
        """λ of each model in training (K',)."""
        return np.asarray([10.0 ** self.task.points[k][0] for k in self.alive])

    def each(self, name: str) -> npt.NDArray[Any]:
        """Return a setting of each model in training (K',): its own where it is searched."""
        own = self.task.per_model.get(name)
        if own is None:
            return np.asarray([getattr(self.task.options, name)] * len(self.alive))
        return np.asarray([own[k] for k in self.alive])

    def rate(self, update: int) -> float:
        """Return the learning rate of an update, by the schedule of ``[training]``."""
        return self._rate(update)

    def rows(self, update: int) -> IntArray:
        """Return which training examples make up an update's mini-batch (batch_size,)."""
        return self._batches[update]

    def rng(self, *key: int) -> np.random.Generator:
        """Return the replicate's generator for what the key names; the same for all candidates."""
        sequence = np.random.SeedSequence(self.task.seed, spawn_key=key or (0,))
        return np.random.default_rng(sequence)

    @property
    def updates(self) -> int:
        """Updates done."""
        return self._updates

    def run(self) -> Iterator[Progress]:
        """Train to the end; yield after every update."""
        while self._updates < self.task.training.updates and len(self.alive):
            # a model that diverges overflows on its way out; it is caught by its loss
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                losses = np.asarray(self.step(self._updates), np.float64)
            if losses.shape != self.alive.shape:
                raise ValueError(f"step must return {self.alive.shape} losses, got {losses.shape}")
            self._updates += 1
            self._fail(np.isfinite(losses), "loss")
            if self._cycle_end:
                self._measure()
            yield self._progress()

    def drop(self, reasons: Mapping[int, str]) -> None:
        """Take trials out as PRUNED at a cycle end, each by its index with its reason."""
        for index in set(map(int, self.alive)) & set(reasons):
            self._record.leave([index], Departure(TrialState.PRUNED, reasons[index], self._updates))
        self._keep(~np.isin(self.alive, list(reasons)))

    def outcomes(self) -> tuple[Trained, ...]:
        """Return what became of every trial, in the order of the points, once it has run."""
        return tuple(self._record.outcome(index) for index in range(len(self.task.points)))

    def models(self) -> tuple[Model | None, ...]:
        """Return every trial's model, in the order of the points; None for one that has left."""
        found: list[Model | None] = [None] * len(self.task.points)
        for row, index in enumerate(self.alive):
            found[index] = self.model(row)
        return tuple(found)

    def snapshot(self) -> tuple[Model | None, ...]:
        """Return every trial's model as it is now, as `models` does."""
        return self.models()

    def state(self) -> State:
        """Return all that a resumed training needs to end with the same bits, as arrays."""
        arrays = {f"{_ARRAY}{name}": array.copy() for name, array in self.arrays.items()}
        own = {"updates": np.array(self._updates), "alive": self.alive.copy()}
        return {**own, **arrays, **self._record.state()}

    def restore(self, state: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Go on from a state of a trainer that was made with the same task.

        Raises:
            ValueError: It is of no such trainer; nothing was changed.
        """
        known = self.state().keys()
        if state.keys() != known:
            raise ValueError(f"a state must have {', '.join(known)}, got {', '.join(state)}")
        alive, record = np.array(state["alive"], np.int64), self._record.restored(state)
        updates, total = int(state["updates"]), self.task.training.updates
        if not 0 <= updates <= total:
            raise ValueError(f"updates must be 0 to {total}, got {updates}")
        trials = list(range(len(self.task.points)))
        if alive.ndim != 1 or sorted([*map(int, alive), *record.left]) != trials:
            raise ValueError(f"alive and left must be the {len(trials)} trials between them")
        arrays = {name: state[_ARRAY + name].copy() for name in self.arrays}
        for name, array in self.arrays.items():
            shape, dtype = (len(alive), *array.shape[1:]), array.dtype
            if arrays[name].shape != shape or arrays[name].dtype != dtype:
                raise ValueError(f"{name} must be {shape} of {dtype}, got {arrays[name].shape}")
        self._updates, self.alive = updates, alive
        self.arrays, self._record = arrays, record

    @property
    def _cycle_end(self) -> bool:
        return self._updates % (2 * self.task.training.step_size) == 0

    def _measure(self) -> None:
        """Score the models at a cycle end; one whose predictions are not finite leaves."""
        if not len(self.alive):
            return
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            found = np.asarray(self.predict(self.task.splits.validation_x))
        if found.ndim < 2 or len(found) != len(self.alive):
            rule = f"predict must return an array of {len(self.alive)} rows"
            raise ValueError(f"{rule}, got {found.shape}")
        finite = np.isfinite(found).reshape(len(found), -1).all(axis=1)
        self._fail(finite, "prediction")
        if finite.any():
            self._fail(self._record.measure(self.alive, found[finite]), "score")

    def _fail(self, finite: npt.NDArray[np.bool_], what: str) -> None:
        reason = f"{what} no longer finite at update {self._updates}"
        left = Departure(TrialState.FAIL, reason, self._updates)
        self._record.leave(self.alive[~finite], left)
        self._keep(finite)

    def _keep(self, stays: npt.NDArray[np.bool_]) -> None:
        if not stays.all():
            self.alive = self.alive[stays]
            self.arrays = {name: array[stays] for name, array in self.arrays.items()}

    def _progress(self) -> Progress:
        training = self.task.training
        scores, losses = self._record.latest()
        return Progress(
            updates=self._updates, total=training.updates,
            cycles=self._updates // (2 * training.step_size), cycle_end=self._cycle_end,
            scores=scores, losses=losses,
        )  # fmt: skip


def _with_rows(arrays: Arrays, count: int) -> Arrays:
    """The arrays that models begin with; refuse what is none."""
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype.hasobject or len(array) != count:
            raise ValueError(f"begin must return arrays of {count} rows, got another as {name!r}")
    return arrays

"""Trainers that raise. Enters: a trainer, its kind, its calls. Leaves: their answers, checked, or
one error with the reason in a line.

Whoever drives a trainer calls it by `Guarded`, so that somebody's own code fails its trials and
never the worker. Its traceback is logged where logs are verbose.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from lamsearch.errors import LamsearchError
from lamsearch.results import Model, Trained, TrialState
from lamsearch.trainers.kind import TrainerKind
from lamsearch.trainers.protocol import (
    Exporting,
    Progress,
    Prunable,
    Resumable,
    Snapshotting,
    State,
    Task,
    Trainer,
)

_LONGEST = 300  # characters of a reason
_IDENTITY = "identity"  # of whoever saves a state
_log = logging.getLogger(__name__)


class TrainerFailedError(LamsearchError):
    """A trainer raised, or answered what no trainer answers: all of its trials fail."""


def reason_of(error: BaseException) -> str:
    """Return in one line, that a record can keep, what was raised."""
    _log.debug("a trainer raised", exc_info=error)
    text = str(error).strip()
    return one_line(f"trainer raised {type(error).__name__}{': ' if text else ''}{text}")


def one_line(text: str) -> str:
    """Return a text as one line, that a record can keep."""
    return " ".join(text.split())[:_LONGEST]


class Guarded:
    """A trainer of a kind, made for a task; every call of it may raise `TrainerFailedError`."""

    def __init__(self, kind: TrainerKind, task: Task) -> None:
        self._count, self._examples = len(task.points), len(task.splits.validation_y)
        self._metric, self._task = task.metric, task
        self._updates = 0
        with _guard():
            self._trainer: Trainer = kind.make(task)
        for flag, protocol in (("resumable", Resumable), ("prunes", Prunable),
                               ("exports", Exporting), ("snapshots", Snapshotting)):  # fmt: skip
            if getattr(kind, flag) and not isinstance(self._trainer, protocol):
                rule = f"must be {protocol.__name__}, as its kind declares"
                raise TrainerFailedError(f"trainer {kind.name} {rule}")
        self._resumable = kind.resumable

    @property
    def updates(self) -> int:
        """Updates done, as last heard of."""
        return self._updates

    @property
    def resumable(self) -> bool:
        """Whether it has a state."""
        return self._resumable

    def run(self) -> Iterator[Progress]:
        """Train to the end; the reader of this may raise what it likes."""
        with _guard():  # what the reader raises does not pass here
            for progress in self._trainer.run():
                self._check(progress)
                self._updates = progress.updates
                yield progress

    def drop(self, reasons: Mapping[int, str]) -> None:
        """Take trials out."""
        assert isinstance(self._trainer, Prunable)  # noqa: S101  # a halving study's must be
        with _guard():
            self._trainer.drop(reasons)

    def outcomes(self) -> tuple[Trained, ...]:
        """Return what became of every trial."""
        with _guard():
            found = tuple(self._trainer.outcomes())
            if len(found) != self._count or not all(isinstance(one, Trained) for one in found):
                raise TypeError(f"it must answer {self._count} outcomes, got {len(found)}")
            for one in found:
                self._check_outcome(one)
        return found

    def models(self) -> tuple[Model | None, ...]:
        """Return every trial's model; none of a trainer that keeps none."""
        if not isinstance(self._trainer, Exporting):
            return (None,) * self._count
        with _guard():
            return self._checked_models(self._trainer.models())

    def snapshot(self) -> tuple[Model | None, ...]:
        """Return every trial's model at the cycle end just yielded."""
        assert isinstance(self._trainer, Snapshotting)  # noqa: S101  # a snapshot study's must be
        with _guard():
            return self._checked_models(self._trainer.snapshot())

    def state(self) -> State:
        """Return its state."""
        assert isinstance(self._trainer, Resumable)  # noqa: S101  # who asks has asked `resumable`
        with _guard():
            state = self._trainer.state()
            for name, array in state.items():
                if not isinstance(array, np.ndarray) or array.dtype.hasobject:
                    raise TypeError(f"a state must hold arrays of plain values, got {name!r}")
            if _IDENTITY in state:
                raise ValueError(f"a state must not use the name {_IDENTITY!r}")
        return state

    def restore(self, state: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Go on from a state.

        Raises:
            ValueError: It cannot; nothing was changed.
        """
        assert isinstance(self._trainer, Resumable)  # noqa: S101  # as above
        try:
            self._trainer.restore(state)
        except ValueError:
            raise
        except Exception as error:
            raise TrainerFailedError(reason_of(error)) from error
        self._updates = self._trainer.updates

    def _check(self, progress: Progress) -> None:
        """Refuse progress that does not grow to its total, or scores of other trials."""
        if not self._updates < progress.updates <= progress.total:
            rule = f"updates must grow from {self._updates} to {progress.total}"
            raise ValueError(f"{rule}, got {progress.updates}")
        for what in ("scores", "losses"):
            values = getattr(progress, what)
            if values is not None and np.shape(values) != (self._count,):
                raise ValueError(f"{what} must be ({self._count},), got {np.shape(values)}")

    def _checked_models(self, models: tuple[Model | None, ...]) -> tuple[Model | None, ...]:
        """Refuse models that cannot be used on the study's raw features."""
        if len(models) != self._count:
            raise ValueError(f"models must be {self._count}, got {len(models)}")
        features, outputs = len(self._task.splits.mean), max(self._task.classes, 1)
        for model in models:
            if model is not None:
                _check_model(model, features, outputs)
        return models

    def _check_outcome(self, outcome: Trained) -> None:
        """Refuse an outcome that a record cannot keep."""
        if not outcome.state.finished:
            raise ValueError(f"an outcome must be COMPLETE, PRUNED or FAIL, got {outcome.state}")
        if outcome.state is TrialState.FAIL:
            return
        if outcome.score is None:
            raise ValueError("an outcome that is not FAIL must have a validation score")
        scores, kind = outcome.scores, "b" if self._metric.proportion else "f"
        if scores is None or scores.shape != (self._examples,) or scores.dtype.kind != kind:
            what = "booleans" if self._metric.proportion else "numbers"
            rule = f"scores must be {self._examples} {what}, one per validation example"
            raise ValueError(f"an outcome's {rule}")


def _check_model(model: Model, features: int, outputs: int) -> None:
    """Refuse what is no chain of layers (W, b) from all raw features to the outputs."""
    if not isinstance(model, Model):
        raise TypeError(f"models must be lamsearch.trainers.Model, got {type(model).__name__}")
    for name in ("mean", "std"):
        if np.shape(getattr(model, name)) != (features,):
            raise ValueError(f"a model's {name} must be those of the {features} raw features")
    inputs = features
    for number, (W, b) in enumerate(model.layers, 1):
        if np.ndim(W) != 2 or len(W) != inputs or np.shape(b) != (W.shape[1],):
            shapes = f"got W{number} {np.shape(W)} and b{number} {np.shape(b)}"
            raise ValueError(f"a model's layer must lead from its {inputs} inputs, {shapes}")
        inputs = W.shape[1]
    if not model.layers or inputs != outputs:
        raise ValueError(f"a model's last layer must have {outputs} outputs, got {inputs}")


@contextmanager
def _guard() -> Iterator[None]:
    """Turn what a trainer raises into a reason; a machine without memory is not its fault."""
    try:
        yield
    except MemoryError:
        raise
    except (Exception, SystemExit) as error:
        raise TrainerFailedError(reason_of(error)) from error

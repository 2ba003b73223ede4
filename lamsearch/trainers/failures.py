"""Trainers that raise. Enters: a trainer, its kind, its calls. Leaves: their answers, checked, or
one error with the reason in a line.

Whoever drives a trainer calls it by `Guarded`, so that somebody's own code fails its trials and
never the worker.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from lamsearch.errors import LamsearchError
from lamsearch.results import Model, Trained, TrialState
from lamsearch.trainers.protocol import (
    Exporting,
    Progress,
    Prunable,
    Resumable,
    Snapshotting,
    State,
    Task,
    Trainer,
    TrainerKind,
)

_LONGEST = 300  # characters of a reason


class TrainerFailedError(LamsearchError):
    """A trainer raised, or answered what no trainer answers: all of its trials fail."""


def reason_of(error: BaseException) -> str:
    """Return in one line, that a record can keep, what was raised."""
    text = " ".join(str(error).split())
    return f"trainer raised {type(error).__name__}{': ' if text else ''}{text}"[:_LONGEST]


class Guarded:
    """A trainer of a kind, made for a task; every call of it may raise `TrainerFailedError`."""

    def __init__(self, kind: TrainerKind, task: Task) -> None:
        self._count, self._examples = len(task.points), len(task.splits.validation_y)
        self._metric = task.metric
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
            return self._trainer.models()

    def snapshot(self) -> tuple[Model | None, ...]:
        """Return every trial's model at the cycle end just yielded."""
        assert isinstance(self._trainer, Snapshotting)  # noqa: S101  # a snapshot study's must be
        with _guard():
            return self._trainer.snapshot()

    def state(self) -> State:
        """Return its state."""
        assert isinstance(self._trainer, Resumable)  # noqa: S101  # who asks has asked `resumable`
        with _guard():
            return self._trainer.state()

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
        for values in (progress.scores, progress.losses):
            if values is not None and np.shape(values) != (self._count,):
                raise ValueError(f"scores must be ({self._count},), got {np.shape(values)}")

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


@contextmanager
def _guard() -> Iterator[None]:
    """Turn what a trainer raises into a reason; a machine without memory is not its fault."""
    try:
        yield
    except MemoryError:
        raise
    except (Exception, SystemExit) as error:
        raise TrainerFailedError(reason_of(error)) from error

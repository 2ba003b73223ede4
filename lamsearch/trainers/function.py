"""A plain function as a trainer: the form for the simple case.

Enters: a function that trains one model. Leaves: a trainer whose cohort is trained one trial after
another. It keeps no state, so a killed cohort begins again, and lets no trial go early.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from lamsearch.results import FloatArray, Trained, TrialState
from lamsearch.space import Point
from lamsearch.study import laid_over
from lamsearch.trainers.failures import reason_of
from lamsearch.trainers.kind import TrainerKind
from lamsearch.trainers.outcomes import completed
from lamsearch.trainers.protocol import (
    L2_PENALTY,
    NoOptions,
    Parameter,
    Progress,
    Splits,
    Task,
)

# point, splits, seed, options → of the validation examples class probabilities (n, C), or
# standardised predictions (n,) of a quantity
TrainFunction = Callable[[Point, Splits, tuple[int, ...], Any], npt.ArrayLike]


def function_trainer(
    name: str,
    train: TrainFunction,
    *,
    options: type[BaseModel] = NoOptions,
    reproducible: bool = True,
    parameters: Sequence[Parameter] = (),
    weights: bool = False,
) -> TrainerKind:
    """Return a kind of trainer that calls ``train`` once for each trial.

    Args:
        name: what ``[trainer] name`` says.
        train: takes the point, whose first coordinate is log10 λ, the `Splits`, the seed (study
            seed, stage, replicate) and the options, in which stands what else is searched; returns
            class probabilities of the validation examples, shape (n, C); of a quantity its
            values (n,), standardised as ``train_y`` is. What it raises makes the trial FAIL with
            that reason.
        options: a pydantic model of the other keys of ``[trainer]``.
        reproducible: whether the same arguments give the same bits on the same machine.
        parameters: which of the options can be searched beside λ.
        weights: whether ``train`` weights the training examples by ``splits.weights``, where these
            are not None.
    """
    return TrainerKind(
        name=name, make=lambda task: FunctionTrainer(train, task), options=options,
        reproducible=reproducible, parameters=(L2_PENALTY, *parameters),
        weights=weights,
    )  # fmt: skip


class FunctionTrainer:
    """Calls a function once for each trial of a cohort; an update is one whole trial."""

    def __init__(self, train: TrainFunction, task: Task) -> None:
        self._train, self._task = train, task
        self._outcomes: list[Trained] = []

    @property
    def updates(self) -> int:
        """Trials done."""
        return len(self._outcomes)

    def run(self) -> Iterator[Progress]:
        """Train one trial after another."""
        total = len(self._task.points)
        while len(self._outcomes) < total:
            self._outcomes.append(self._trained(len(self._outcomes)))
            ended = len(self._outcomes) == total
            yield Progress(
                updates=len(self._outcomes), total=total, cycles=int(ended), cycle_end=ended,
                scores=self._column("score"),
                losses=self._column("validation_loss"),
            )  # fmt: skip

    def outcomes(self) -> tuple[Trained, ...]:
        """Return what became of every trial, in the order of the points."""
        return tuple(self._outcomes)

    def _trained(self, index: int) -> Trained:
        task = self._task
        own = {name: values[index] for name, values in task.per_model.items()}
        try:
            options = laid_over(task.options, own)
            found = self._train(task.points[index], task.splits, task.seed, options)
            return completed(task, found)
        except Exception as error:  # whatever somebody's own function raises
            return Trained(state=TrialState.FAIL, reason=reason_of(error))

    def _column(self, name: str) -> FloatArray:
        values = [getattr(one, name) for one in self._outcomes]
        column = np.full(len(self._task.points), np.nan)
        column[: len(values)] = [np.nan if value is None else value for value in values]
        return column

"""Outputs → losses, correctness, and the loss's gradient. Enters: outputs, targets. Leaves: numbers
per example.

Outputs lie as (K, C, B): reductions over classes then run along the examples, several at a time.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

import numpy as np
import numpy.typing as npt

from lamsearch.results import FloatArray, IntArray, TargetArray

Correct = npt.NDArray[np.bool_]


class Loss(Protocol):
    """A loss per example, whose mean over a mini-batch is descended."""

    def losses(
        self, outputs: FloatArray, targets: TargetArray, rows: IntArray
    ) -> tuple[FloatArray, Correct | None]:
        """Return the loss (K, B) of each example, and whether it is correct; None of a quantity.

        ``rows`` are 0 … B − 1. The outputs (K, C, B), contiguous, become in place what `gradients`
        needs.
        """
        ...

    def gradients(self, outputs: FloatArray, targets: TargetArray, rows: IntArray) -> None:
        """Turn what `losses` made of outputs (K, C, B) into ∂(mean loss)/∂outputs, in place."""
        ...


class CrossEntropy:
    """−log softmax probability of the true class, in nats."""

    def losses(
        self, outputs: FloatArray, targets: TargetArray, rows: IntArray
    ) -> tuple[FloatArray, Correct]:
        """Return the loss of each example and whether it is correct; ties go to the lowest class.

        The scores (K, C, B) become softmax probabilities in place.
        """
        highest = np.maximum.reduce(outputs, axis=1)
        at, flat = _of_targets(outputs, targets, rows), outputs.reshape(-1)
        correct = flat.take(at) == highest
        ties = outputs == highest[:, None, :]
        if np.count_nonzero(ties) != correct.size:  # or what is no number
            correct = outputs.argmax(axis=1) == targets
        outputs -= highest[:, None, :]
        chosen = flat.take(at)
        np.exp(outputs, out=outputs)
        total = np.add.reduce(outputs, axis=1)
        outputs /= total[:, None, :]
        return np.log(total) - chosen, correct

    def gradients(self, outputs: FloatArray, targets: TargetArray, rows: IntArray) -> None:
        """Turn softmax probabilities into gradients, in place."""
        outputs.reshape(-1)[_of_targets(outputs, targets, rows)] -= 1
        outputs /= outputs.dtype.type(len(rows))


def _of_targets(outputs: FloatArray, targets: TargetArray, rows: IntArray) -> IntArray:
    """Where the outputs (K, C, B) of the examples' own classes lie in memory (K, B)."""
    models, classes, examples = outputs.shape
    first: IntArray = targets * examples + rows
    return first if models == 1 else first + _starts(models, classes * examples)


@lru_cache(maxsize=8)
def _starts(models: int, size: int) -> IntArray:
    return np.arange(0, models * size, size)[:, None]


class SquaredError:
    """(prediction − target)², without a half: its mean over examples is the mean squared error.

    Source: Bishop (2006), Pattern Recognition and Machine Learning, section 3.1, up to the half.
    """

    def losses(
        self, outputs: FloatArray, targets: TargetArray, rows: IntArray
    ) -> tuple[FloatArray, None]:
        """Return the loss of each example; predictions (K, 1, B) become residuals in place."""
        outputs -= targets
        return np.square(outputs[:, 0]), None

    def gradients(self, outputs: FloatArray, targets: TargetArray, rows: IntArray) -> None:
        """Turn residuals into gradients 2(prediction − target)/B, in place."""
        outputs *= outputs.dtype.type(2 / len(rows))


CROSS_ENTROPY: Loss = CrossEntropy()
SQUARED_ERROR: Loss = SquaredError()


def loss_of(classes: int) -> Loss:
    """Return the loss of models of so many classes; 0 where a quantity is predicted."""
    return CROSS_ENTROPY if classes else SQUARED_ERROR

"""Macro F1: the mean over the classes of the harmonic mean of precision and recall."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.metrics.metric import Metric, Predictions, Scores
from lamsearch.metrics.shares import unseen_variance

Labels = npt.NDArray[np.integer]
_RESAMPLES, _AT_ONCE = 500, 50


def per_example(probabilities: Predictions, labels: Labels) -> Scores:
    """Return numbers whose mean is macro F1 and whose spread is that of its sampling error.

    F1 of class c is 2a/b, with a the mean of A = 1[true and predicted c] and b that of
    B = 1[true c] + 1[predicted c]. It is no mean of one number per example, but to first order
    F1 + (2A − F1·B)/b is such a number (Efron 1982, infinitesimal jackknife), whose mean is F1
    itself. Classes that neither occur nor are predicted do not count.
    """
    predicted = probabilities.argmax(axis=-1)
    classes = np.union1d(labels, predicted)
    parts = [_numbers(labels == label, predicted == label) for label in classes]
    return np.asarray(np.sum(parts, axis=0) / len(classes))


def guessed(shares: npt.NDArray[np.float64], labels: Labels) -> Scores:
    """Return the same where each example's class is guessed, with the probabilities ``shares``.

    No answer that does not look at the example is better: with the classes' own shares it is 1/C,
    and always the most frequent class less.
    """
    classes = np.union1d(labels, np.flatnonzero(shares))
    parts = [_numbers(labels == label, np.full(len(labels), shares[label])) for label in classes]
    return np.asarray(np.sum(parts, axis=0) / len(classes))


def _numbers(true: npt.NDArray[np.bool_], named: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """The linearised numbers of one class; ``named`` are probabilities where it is guessed."""
    both, either = true * named, true.astype(np.float64) + named
    f1 = 2 * both.mean() / either.mean()
    return np.asarray(f1 + (2 * both - f1 * either) / either.mean(), np.float64)


def error(predictions: Sequence[Predictions], labels: Labels, rng: np.random.Generator) -> float:
    """Return the standard deviation of the models' mean macro F1 over resampled examples.

    The bootstrap of Efron (1979). What counts of an example is its class and what each model says,
    so a resample is a multinomial draw of how often each such combination occurs. It is never less
    than what follows for classes whose examples all came out alike.
    """
    answers = np.stack([labels, *(one.argmax(axis=-1) for one in predictions)])
    kinds, counts = np.unique(answers, axis=1, return_counts=True)
    count = len(labels)
    values = np.empty(_RESAMPLES)
    for start in range(0, _RESAMPLES, _AT_ONCE):
        drawn = rng.multinomial(count, counts / count, size=_AT_ONCE).astype(np.float64)
        found = [_macro_f1(drawn, kinds[0], named) for named in kinds[1:]]
        values[start : start + _AT_ONCE] = np.mean(found, axis=0)
    sizes = np.unique(labels, return_counts=True)[1]
    unseen = math.fsum(unseen_variance(int(one), int(one)) for one in sizes) / len(sizes) ** 2
    return max(float(values.std(ddof=1)), math.sqrt(unseen))


def _macro_f1(drawn: npt.NDArray[np.float64], true: Labels, named: Labels) -> Scores:
    """Macro F1 of resamples (resamples, kinds) of examples of these classes and predictions."""
    classes = np.union1d(true, named)
    is_true, is_named = true[:, None] == classes, named[:, None] == classes
    both = drawn @ (is_true & is_named)
    either = drawn @ (is_true.astype(np.float64) + is_named)
    counted = either > 0
    return np.asarray((2 * both / np.where(counted, either, 1)).sum(axis=1) / counted.sum(axis=1))


MACRO_F1 = Metric(
    name="macro_f1", title="macro F1", per_example=per_example, factor=100.0, unit=" %", digits=2,
    lowest=0.0, highest=1.0, constant="guess", error=error, guessed=guessed,
)  # fmt: skip

"""Class scores → losses, correctness, and the loss's gradient. Enters: scores, labels. Leaves:
numbers per example.

Scores lie as (K, C, B): reductions over classes then run along the examples, several at a time.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lamsearch.results import FloatArray, IntArray


def losses(
    scores: FloatArray, labels: IntArray, rows: IntArray
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Return the cross-entropy (K, B) of each example and whether it is correct (K, B).

    ``rows`` are 0 … B − 1. The scores (K, C, B) become softmax probabilities in place. Ties go to
    the lowest class.
    """
    correct = scores.argmax(axis=1) == labels
    scores -= scores.max(axis=1, keepdims=True)
    chosen = scores[:, labels, rows]
    np.exp(scores, out=scores)
    total = scores.sum(axis=1)
    scores /= total[:, None, :]
    return np.log(total) - chosen, correct


def score_gradients(probabilities: FloatArray, labels: IntArray, rows: IntArray) -> None:
    """Turn softmax probabilities (K, C, B) into ∂(mean loss)/∂scores, in place."""
    probabilities[:, labels, rows] -= 1
    probabilities /= probabilities.dtype.type(len(rows))

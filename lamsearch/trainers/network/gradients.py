"""The gradients of the cost, read off the step that training takes.

Enters: weights, a mini-batch, penalties λ. Leaves: gradients. Changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lamsearch.results import FloatArray, IntArray
from lamsearch.trainers.network.passes import Pass
from lamsearch.trainers.network.weights import Weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Gradients:
    """Gradients of the cost of K models: W1 (K, F, H), b1 (K, H), W2 (K, H, C), b2 (K, C)."""

    W1: FloatArray
    b1: FloatArray
    W2: FloatArray
    b2: FloatArray


def gradients(
    weights: Weights, x: FloatArray, labels: IntArray, lam: npt.NDArray[np.float64]
) -> Gradients:
    """Return the gradients of cost = loss + λΣ‖W‖² at x (B, F), labels (B,), lam (K,).

    They are read off one SGD step at rate 1, W − (W − G), so that what `lamsearch gradcheck`
    compares with numerical oracles is the very step that training takes.
    """
    after = weights.keep(np.arange(weights.count))
    work = Pass(after, len(x))
    work.forward(x)
    work.loss(labels)
    work.step(x, labels, eta=1.0, lam=lam)
    first = [weights.first_layer(k) - after.first_layer(k) for k in range(weights.count)]
    return Gradients(
        W1=np.stack(first),
        b1=(weights.b1 - after.b1).reshape(weights.count, weights.hidden),
        W2=weights.W2 - after.W2,
        b2=weights.b2 - after.b2,
    )

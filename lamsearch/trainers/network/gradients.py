"""The gradients of the cost, read off the step that training takes.

Enters: weights, a mini-batch, penalties λ. Leaves: gradients. Changes nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lamsearch.results import FloatArray, IntArray
from lamsearch.trainers.network.passes import Pass
from lamsearch.trainers.network.weights import Weights

Gradients = dict[str, FloatArray]  # W1 (K, F, H_1), b1 (K, H_1), W2 (K, H_1, H_2), …


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
    work.step(labels, eta=1.0, lam=lam)
    models = range(weights.count)
    first = [weights.first_layer(k) - after.first_layer(k) for k in models]
    others = zip(weights.parameters(), after.parameters(), strict=True)
    found = {name: before - now for (name, before), (_, now) in others if name != "V"}
    return {"W1": np.stack(first), **found}

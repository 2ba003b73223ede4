"""The gradients of the cost, read off the step that training takes.

Enters: weights, a mini-batch, penalties λ. Leaves: gradients. Changes nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lamsearch.results import FloatArray, TargetArray
from lamsearch.trainers.network.dropout import Dropout
from lamsearch.trainers.network.losses import CROSS_ENTROPY, Loss
from lamsearch.trainers.network.passes import Pass
from lamsearch.trainers.network.rules import SGD, Rule, no_moments
from lamsearch.trainers.network.weights import Weights

Gradients = dict[str, FloatArray]  # W1 (K, F, H_1), b1 (K, H_1), W2 (K, H_1, H_2), …


def gradients(
    weights: Weights,
    x: FloatArray,
    targets: TargetArray,
    lam: npt.NDArray[np.float64],
    *,
    rule: Rule = SGD,
    dropout: Dropout | None = None,
    loss: Loss = CROSS_ENTROPY,
    example_weights: FloatArray | None = None,
) -> Gradients:
    """Return the gradients of cost = loss + λΣ‖W‖² at x (B, F), targets (B,), lam (K,).

    They are read off one step, so that what `lamsearch gradcheck` compares with numerical oracles
    is the very step that training takes: off one of SGD at rate 1, W − (W − G); of a ``rule`` with
    moments off the first of them, which after one step from 0 is the gradient that the rule was
    given. ``dropout`` drops what it does at update 0; ``example_weights`` (B,) multiply the losses
    of the examples. With decoupled decay the penalty is no part
    of the gradient.
    """
    after = weights.keep(np.arange(weights.count))
    if rule.moments:
        after.unscale()
    moments = no_moments(rule, after)
    work = Pass(after, len(x), rule=rule, moments=moments, dropout=dropout, loss=loss)
    work.forward(x)
    work.loss(targets, example_weights)
    work.step(targets, eta=1.0, lam=lam, weights=example_weights)
    if rule.moments:
        kind = rule.moments[0]
        found = {name: moments[f"{kind}_{name}"] for name, _ in after.parameters()}
        first = found.pop("V").reshape(weights.features, weights.count, -1)
        return {"W1": first.transpose(1, 0, 2), **found}
    layers = [weights.first_layer(k) - after.first_layer(k) for k in range(weights.count)]
    others = zip(weights.parameters(), after.parameters(), strict=True)
    found = {name: before - now for (name, before), (_, now) in others if name != "V"}
    return {"W1": np.stack(layers), **found}

"""A fitted estimator as a plain chain of layers in the original feature space.

Enters: an estimator, its splits. Leaves: a `Model`. Refuses to know which estimators can be kept:
that is checked with the study.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.results import Activation, FloatArray, Model
from lamsearch.trainers.protocol import Splits
from lamsearch.trainers.targets import scale_of

Array = npt.NDArray[np.float64]
Layer = tuple[FloatArray, FloatArray]


def model_of(estimator: Any, splits: Splits, classes: int) -> Model:
    """Return the chain of an estimator that was fitted to normalised examples.

    Its last layer has a score per class (two where the estimator has one column, of which the
    second is the difference), or where a quantity is predicted, its value in its own unit.
    """
    layers = _layers(estimator)
    activation: Activation = "tanh" if getattr(estimator, "activation", "") == "tanh" else "relu"
    scale = scale_of(splits, classes)
    if scale is None:
        layers[-1] = _by_class(*layers[-1], estimator.classes_, classes)
    else:
        layers[-1] = scale.of_last_layer(*layers[-1])
    if splits.projection is not None:
        (W, b), *others = layers
        layers = [(splits.projection @ W, b), *others]
    return Model(
        layers=tuple((W.astype(np.float32), b.astype(np.float32)) for W, b in layers),
        mean=splits.mean,
        std=splits.std,
        activation=activation,
        task="classification" if scale is None else "regression",
    )


def _layers(estimator: Any) -> list[Layer]:
    """Weights (inputs, outputs) and biases of each layer."""
    if hasattr(estimator, "coefs_"):
        pairs = zip(estimator.coefs_, estimator.intercepts_, strict=True)
        return [(np.asarray(W, np.float64), np.asarray(b, np.float64)) for W, b in pairs]
    W = np.atleast_2d(np.asarray(estimator.coef_, np.float64)).T
    b = np.asarray(estimator.intercept_, np.float64)
    return [(W, np.broadcast_to(b, (W.shape[1],)))]


def _by_class(W: FloatArray, b: FloatArray, seen: npt.NDArray[Any], classes: int) -> Layer:
    """The last layer with a column for each class; one that was not seen is far below the others.

    A single column is the second class's score less the first's: they get ∓ half of it.
    """
    if W.shape[1] == 1:
        W, b = np.hstack([-W / 2, W / 2]), np.concatenate([-b / 2, b / 2])
    whole_W, whole_b = np.zeros((len(W), classes)), np.full(classes, _NEVER)
    whole_W[:, seen], whole_b[seen] = W, b
    return whole_W, whole_b


_NEVER = -1e6

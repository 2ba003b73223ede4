"""What hidden layers do beside their products, over a mini-batch of fixed size.

Enters: products of inputs and weights. Leaves: activations; backward, the gradients of what was
added, and of the products. Refuses to know where products come from, and steps.

Arrays lie as (B, K·H), the models side by side, and are seen model by model as (K, B, H).
"""

from __future__ import annotations

import numpy as np

from lamsearch.results import FloatArray
from lamsearch.trainers.network.activations import activation_of
from lamsearch.trainers.network.batch_norm import BatchNorm
from lamsearch.trainers.network.dropout import Masks
from lamsearch.trainers.network.weights import Weights


class Hidden:
    """One hidden layer of K models: bias or batch norm, activation, dropout, in buffers
    made once.

    ``z`` (B, K·H) takes the product of the layer's inputs and weights; ``activations`` (B, K·H) is
    what the next layer gets; ``deltas`` (B, K·H) takes ∂loss/∂activations and becomes
    ∂loss/∂product.
    """

    def __init__(
        self, weights: Weights, layer: int, batch: int, masks: Masks | None = None
    ) -> None:
        self._weights, self._layer, self._masks = weights, layer, masks
        self._bias = weights.b[layer].reshape(-1)  # the same memory: steps change it in place
        self._name = f"b{layer + 1}"
        self.z = np.empty((batch, weights.b[layer].size), weights.dtype)
        self.deltas = np.empty_like(self.z)
        self._activation = activation_of(weights.activation, self.z)
        self._norm = BatchNorm(weights, layer, self.z) if weights.normed else None
        self._active = self.z if self._norm is None else np.empty_like(self.z)
        self.activations = self._active if masks is None else np.empty_like(self.z)
        # the same memory seen model by model: (K, B, H)
        self.stacked_z = by_model(self.z, weights, layer)
        self.stacked_deltas = by_model(self.deltas, weights, layer)
        self.stacked = by_model(self.activations, weights, layer)

    def forward(self) -> None:
        """Turn the product in ``z`` into activations."""
        if self._norm is not None:
            self._norm.forward(self._active)
        else:
            if self._layer == 0:
                apply_scale(self.z, self._weights)
            self.z += self._bias
        self._activation.forward(self._active)
        if self._masks is not None:
            self._mask(self._active, self._masks.factors, out=self.activations)

    def backward(self) -> dict[str, FloatArray]:
        """Turn ``deltas`` into those of the product; return by name the gradients (K, H) of what
        was added to it."""
        if self._masks is not None:
            self._mask(self.deltas, self._masks.factors, out=self.deltas)
        self._activation.backward(self._active, self.deltas)
        if self._norm is not None:
            return self._norm.backward(self.deltas)
        bias = np.add.reduce(self.deltas, axis=0)
        return {self._name: bias.reshape(self._weights.b[self._layer].shape)}

    def _mask(self, wide: FloatArray, factors: FloatArray, out: FloatArray) -> None:
        shape = (len(wide), *self._weights.b[self._layer].shape)
        np.multiply(wide.reshape(shape), factors, out=out.reshape(shape))


def by_model(wide: FloatArray, weights: Weights, layer: int) -> FloatArray:
    """View a layer's array (B, K·H) as (K, B, H); K may be 0, once every model was taken out."""
    return wide.reshape(len(wide), *weights.b[layer].shape).transpose(1, 0, 2)


def apply_scale(z: FloatArray, weights: Weights) -> None:
    """Multiply products of the first layers by the models' running scales, in place."""
    if all(one == 1 for one in weights.scale.tolist()):
        return
    scale = weights.scale.astype(z.dtype)
    z *= scale if len(scale) == 1 else scale.repeat(weights.b[0].shape[1])


def output_scores(inputs: FloatArray, weights: Weights, out: FloatArray) -> FloatArray:
    """Return the class scores (K, C, B) of the last layer, written to ``out``.

    ``inputs`` (K, B, H) are the last hidden layer's activations.
    """
    np.matmul(weights.W[-1].transpose(0, 2, 1), inputs.transpose(0, 2, 1), out=out)
    out += weights.b[-1][:, :, None]
    return out


def linear_scores(products: FloatArray, weights: Weights, out: FloatArray) -> FloatArray:
    """Return the class scores (K, C, B) of linear models, written to ``out``.

    ``products`` (B, K·C) are those of the only layer, and are changed.
    """
    apply_scale(products, weights)
    np.copyto(out, by_model(products, weights, 0).transpose(0, 2, 1))
    out += weights.b[0][:, :, None]
    return out

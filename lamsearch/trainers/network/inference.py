"""The forward pass alone, as models are evaluated: no gradients. Enters: examples. Leaves: class
scores.
"""

from __future__ import annotations

import numpy as np

from lamsearch.results import FloatArray
from lamsearch.trainers.network.activations import activation_of
from lamsearch.trainers.network.batch_norm import folded
from lamsearch.trainers.network.layers import apply_scale, by_model, linear_scores, output_scores
from lamsearch.trainers.network.products import FirstProducts
from lamsearch.trainers.network.weights import Weights


class Inference:
    """Class scores of K models for a fixed number of examples at once, in buffers made once."""

    def __init__(self, weights: Weights, examples: int) -> None:
        self._weights, self._products = weights, FirstProducts(weights.V, examples)
        count, classes = weights.b[-1].shape
        hidden = max(weights.depth - 1, 1)  # the only layer of linear models needs its buffer too
        self._z = [np.empty((examples, b.size), weights.dtype) for b in weights.b[:hidden]]
        self._activations = [activation_of(weights.activation, z) for z in self._z]
        self._scores = np.empty((count, classes, examples), weights.dtype)

    def forward(self, x: FloatArray) -> FloatArray:
        """Return the class scores (K, C, n) of examples x (n, F); the array is used again."""
        weights, z = self._weights, self._z[0]
        self._products.forward(x, z)
        for layer in range(weights.depth - 1):
            if layer > 0:
                inputs = by_model(z, weights, layer - 1)
                z = self._z[layer]
                np.matmul(inputs, weights.W[layer], out=by_model(z, weights, layer))
            else:
                apply_scale(z, weights)
            z += self._shift(z, layer)
            self._activations[layer].forward(z)
        if weights.depth == 1:
            return linear_scores(z, weights, self._scores)
        return output_scores(by_model(z, weights, weights.depth - 2), weights, self._scores)

    def _shift(self, z: FloatArray, layer: int) -> FloatArray:
        """What is added to products (K·H,); those of batch norm are multiplied by its factor."""
        if not self._weights.normed:
            return self._weights.b[layer].reshape(-1)
        factor, shift = folded(self._weights, layer)
        z *= factor.reshape(-1)
        return shift.reshape(-1)

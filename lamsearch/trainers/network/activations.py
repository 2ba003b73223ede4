"""Activations: pre-activations (B, H) → activations, and back, in place and in buffers made once.

Enters: arrays of one fixed shape. Leaves: the same arrays changed. Refuses to know layers.

Where a pre-activation is 0 exactly the slope is that of the negative side, which the gradient check
leaves out as a kink.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from lamsearch.results import FloatArray

LEAK = 0.01  # the slope of leaky_relu below 0


class Activation(Protocol):
    """One activation over arrays of a fixed shape."""

    def forward(self, z: FloatArray) -> None:
        """Turn pre-activations into activations, in place."""
        ...

    def backward(self, a: FloatArray, delta: FloatArray) -> None:
        """Multiply ``delta`` by the slope at the activations ``a``, in place."""
        ...


class Relu:
    """max(z, 0)."""

    def __init__(self, like: FloatArray) -> None:
        self._zeros = np.zeros_like(like[:1])  # NumPy is slower with a scalar
        self._active = np.empty(like.shape, np.bool_)

    def forward(self, z: FloatArray) -> None:
        """Turn pre-activations into activations, in place."""
        np.maximum(z, self._zeros, out=z)

    def backward(self, a: FloatArray, delta: FloatArray) -> None:
        """Multiply ``delta`` by the slope at the activations ``a``, in place."""
        np.greater(a, self._zeros, out=self._active)
        delta *= self._active


class LeakyRelu:
    """Max(z, s z), s = 0.01."""

    def __init__(self, like: FloatArray) -> None:
        self._slope = np.empty_like(like)

    def forward(self, z: FloatArray) -> None:
        """Turn pre-activations into activations, in place."""
        np.multiply(z, LEAK, out=self._slope)
        np.maximum(z, self._slope, out=z)

    def backward(self, a: FloatArray, delta: FloatArray) -> None:
        """Multiply ``delta`` by the slope at the activations ``a``, in place."""
        np.greater(a, 0, out=self._slope)
        np.maximum(self._slope, LEAK, out=self._slope)
        delta *= self._slope


class Tanh:
    """tanh(z), whose slope is 1 − tanh²(z)."""

    def __init__(self, like: FloatArray) -> None:
        self._slope = np.empty_like(like)

    def forward(self, z: FloatArray) -> None:
        """Turn pre-activations into activations, in place."""
        np.tanh(z, out=z)

    def backward(self, a: FloatArray, delta: FloatArray) -> None:
        """Multiply ``delta`` by the slope at the activations ``a``, in place."""
        np.multiply(a, a, out=self._slope)
        np.subtract(1, self._slope, out=self._slope)
        delta *= self._slope


def activation_of(name: str, like: FloatArray) -> Activation:
    """Return an activation by its name, for arrays like ``like``."""
    kinds: dict[str, type[Relu] | type[LeakyRelu] | type[Tanh]] = {
        "relu": Relu, "leaky_relu": LeakyRelu, "tanh": Tanh,
    }  # fmt: skip
    return kinds[name](like)

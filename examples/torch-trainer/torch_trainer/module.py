"""The module that is trained: put your own here. Enters: sizes. Leaves: a plain `nn.Module`."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn


def build(features: int, hidden: Sequence[int], classes: int) -> nn.Sequential:
    """Return fully connected layers with relu between them, started as PyTorch starts them."""
    layers: list[nn.Module] = []
    for units in hidden:
        layers += [nn.Linear(features, units), nn.ReLU()]
        features = units
    return nn.Sequential(*layers, nn.Linear(features, classes))

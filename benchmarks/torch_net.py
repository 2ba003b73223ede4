"""The two-layer network in PyTorch, as its competent user writes it; two programs train it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class TorchNet:
    """Two linear layers under SGD with weight decay 2λ on weights and none on biases."""

    def __init__(self, features: int, hidden: int, classes: int, *, lam: float) -> None:
        first, second = nn.Linear(features, hidden), nn.Linear(hidden, classes)
        for layer in (first, second):
            nn.init.normal_(layer.weight, std=1 / math.sqrt(layer.in_features))
            nn.init.zeros_(layer.bias)
        self._net = nn.Sequential(first, nn.ReLU(), second)
        weights = {"params": [first.weight, second.weight], "weight_decay": 2 * lam}
        self._sgd = torch.optim.SGD([weights, {"params": [first.bias, second.bias]}], lr=1.0)

    def step(self, x: Tensor, y: Tensor, eta: float) -> None:
        """Do one update at rate ``eta``."""
        for group in self._sgd.param_groups:
            group["lr"] = eta
        self._sgd.zero_grad(set_to_none=True)
        functional.cross_entropy(self._net(x), y).backward()
        self._sgd.step()

    def accuracy(self, x: Tensor, y: Tensor) -> float:
        """Return the share of images whose class it finds."""
        with torch.inference_mode():
            return float((self._net(x).argmax(dim=1) == y).float().mean())

"""The trainer keeps to lamsearch's protocol, and steps as plain PyTorch does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch_trainer.module import build
from torch_trainer.trainer import TORCH, Options, TorchTrainer

from lamsearch.trainers.conformance import RULES, Case, Rule

OPTIONS = Options(hidden=(8,))


@pytest.mark.parametrize("rule", RULES, ids=lambda one: one.__name__)
def test_it_keeps_each_rule(rule: Rule) -> None:
    """Whatever lamsearch relies on holds, of one hidden layer and of two."""
    rule(Case(kind=TORCH, options=OPTIONS))
    rule(Case(kind=TORCH, options=Options(hidden=(8, 6))))


def test_a_cohort_steps_as_sgd_with_weight_decay_does() -> None:
    """Each model of the cohort is, after all updates, what torch.optim.SGD makes of it alone with
    weight_decay = 2λ on weights and none on biases."""
    task = Case(kind=TORCH, options=OPTIONS).task()
    trainer = TorchTrainer(task)
    start = {name: array[0].copy() for name, array in trainer.arrays.items()}
    for _ in trainer.run():
        pass
    for row, (log10_lambda,) in enumerate(task.points):
        module = build(task.splits.train_x.shape[1], OPTIONS.hidden, task.classes)
        module.load_state_dict({name: torch.tensor(array) for name, array in start.items()})
        _train(module, trainer, 10.0**log10_lambda)
        for name, parameter in module.named_parameters():
            found = trainer.arrays[name][row]
            np.testing.assert_allclose(found, parameter.detach().numpy(), rtol=1e-3, atol=1e-5)


def _train(module: nn.Module, trainer: TorchTrainer, lam: float) -> None:
    named = dict(module.named_parameters())
    groups = [
        {"params": [p for p in named.values() if p.ndim > 1], "weight_decay": 2 * lam},
        {"params": [p for p in named.values() if p.ndim == 1]},
    ]
    optimiser, splits = torch.optim.SGD(groups, lr=1.0), trainer.task.splits
    for update in range(trainer.task.training.updates):
        rows = trainer.rows(update)
        for group in optimiser.param_groups:
            group["lr"] = trainer.rate(update)
        optimiser.zero_grad()
        x, y = torch.tensor(splits.train_x[rows]), torch.tensor(splits.train_y[rows])
        functional.cross_entropy(module(x), y).backward()
        optimiser.step()

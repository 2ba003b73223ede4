"""The trainer keeps to lamsearch's protocol, and steps as plain PyTorch does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch_trainer.devices import found
from torch_trainer.module import build
from torch_trainer.trainer import TORCH, Options, TorchTrainer

from lamsearch.trainers import Device, Trained
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


def test_a_cohort_of_256_scores_as_256_cohorts_of_one_do() -> None:
    """Each of 256 models of one cohort gets the score that it gets alone, within an example."""
    case = Case(kind=TORCH, options=OPTIONS).task()
    points = tuple((float(one),) for one in np.linspace(-4, 0, 256))
    together = _trained(TorchTrainer(replace(case, points=points)))
    for one, model in list(zip(points, together, strict=True))[::15]:
        (alone,) = _trained(TorchTrainer(replace(case, points=(one,))))
        tolerance = 1.01 / len(case.splits.validation_y)
        np.testing.assert_allclose(model.score or 0, alone.score or 0, atol=tolerance)
        np.testing.assert_allclose(model.validation_loss, alone.validation_loss, rtol=1e-4)
    assert len({one.validation_loss for one in together}) > 200


def test_auto_takes_what_there_is() -> None:
    """Without a card "auto" is the processor, under the name that PyTorch has for it."""
    expected = "cuda:0" if torch.cuda.is_available() else "cpu"
    if torch.backends.mps.is_available():
        expected = "mps"
    assert found("auto").name == expected
    assert found("cpu") == Device()


def test_a_device_that_is_not_here_is_one_sentence() -> None:
    """What PyTorch does not have here is refused with what it has."""
    with pytest.raises(
        ValueError, match=r"must be one that PyTorch has here \(.*cpu\), got 'cuda:99'"
    ):
        found("cuda:99")


def test_models_lie_on_the_device_of_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """All arrays are moved to the task's device: PyTorch is asked for that one and no other."""
    asked = list[str]()
    device = torch.device
    monkeypatch.setattr(torch, "device", lambda name: asked.append(name) or device("cpu"))
    TorchTrainer(replace(Case(kind=TORCH, options=OPTIONS).task(), device="cuda:1"))
    assert asked == ["cuda:1"]


def _trained(trainer: TorchTrainer) -> tuple[Trained, ...]:
    for _ in trainer.run():
        pass
    return trainer.outcomes()


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

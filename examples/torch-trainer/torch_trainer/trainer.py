"""The trainer: the modules of a cohort side by side, by one `torch.func.vmap`.

Enters: a task. Leaves: what `CohortTrainer` makes of one update. What is of λ, the schedule and the
cohort stands here; what the module is stands in `module`.
"""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap
from torch.nn import functional

from lamsearch.trainers import CohortTrainer, Demand, Model, Shape, Task, TrainerKind, Training
from torch_trainer import devices
from torch_trainer.module import build

Array = npt.NDArray[Any]
Parameters = dict[str, Tensor]
_AT_ONCE = 64_000  # examples times models that are predicted together


class Options(BaseModel):
    """[trainer] beside its name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hidden: tuple[int, ...] = Field((50,), description="units of the hidden layers")
    threads: int = Field(1, ge=1, description="of PyTorch, per worker; part of the last bits")


class TorchTrainer(CohortTrainer):
    """cost = mean cross-entropy + λ·Σ‖W‖² over what has two dimensions or more, so not biases.

    The parameters are stacked on the task's device. ``arrays`` are the same as NumPy has them, by
    their names: on the processor the very memory, from elsewhere copies, which are made where a
    checkpoint or a model is saved and where a model leaves.
    """

    def __init__(self, task: Task) -> None:
        torch.set_num_threads(task.options.threads)  # type: ignore[attr-defined]  # Options
        self._device = torch.device(task.device)
        self._models: Parameters = {}
        super().__init__(task)
        splits = task.splits
        with warnings.catch_warnings():  # workers share them read-only, and nothing writes to them
            warnings.filterwarnings("ignore", "The given NumPy array is not writable")
            self._x = torch.from_numpy(splits.train_x).to(self._device)
        self._y = torch.from_numpy(splits.train_y.astype(np.int64)).to(self._device)
        self._gradients = vmap(grad_and_value(self._loss), in_dims=(0, None, None))
        self._scores = vmap(self._forward, in_dims=(0, None))

    @property
    def arrays(self) -> dict[str, Array]:
        """The parameters of the models in training (K', …), by their names."""
        return {name: values.cpu().numpy() for name, values in self._models.items()}

    @arrays.setter
    def arrays(self, arrays: dict[str, Array]) -> None:
        self._models = {k: torch.from_numpy(one).to(self._device) for k, one in arrays.items()}

    def begin(self) -> dict[str, Array]:
        """Build the module once, by the replicate's seed: all models begin as it does."""
        features, classes = self.task.splits.train_x.shape[1], self.task.classes
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(self.rng().integers(2**63)))
            self._module = build(features, self.task.options.hidden, classes)  # type: ignore[attr-defined]
        parameters = dict(self._module.named_parameters())
        return {k: np.stack([p.detach().numpy()] * len(self.alive)) for k, p in parameters.items()}

    def step(self, update: int) -> Array:
        """W ← W − η(G + 2λW), that is (1 − 2ηλ)W − ηG; return each model's loss before it."""
        rows, eta = torch.from_numpy(self.rows(update)).to(self._device), self.rate(update)
        models = self._models
        gradients, losses = self._gradients(models, self._x[rows], self._y[rows])
        decay = torch.tensor(1 - 2 * eta * self.lam, dtype=torch.float32, device=self._device)
        for name, values in models.items():
            if values.ndim > 2:  # one of them is the model
                values *= decay.view(-1, *[1] * (values.ndim - 1))
            values.sub_(gradients[name], alpha=eta)
        return np.asarray(losses.cpu().numpy())

    def predict(self, x: Array) -> Array:
        """Return class probabilities (K', n, C)."""
        at_once, where = max(1, _AT_ONCE // len(self.alive)), self._device
        with torch.no_grad():
            parts = [
                self._scores(self._models, torch.tensor(x[start : start + at_once], device=where))
                for start in range(0, len(x), at_once)
            ]
            return np.asarray(torch.cat(parts, dim=1).softmax(dim=2).cpu().numpy())

    def model(self, index: int) -> Model:
        """Return the chain of the linear layers, the first as it acts on all features."""
        splits, layers, arrays = self.task.splits, [], self.arrays
        for name, layer in self._module.named_children():
            if isinstance(layer, nn.Linear):
                W, b = (arrays[f"{name}.{one}"][index].copy() for one in ("weight", "bias"))
                layers.append((W.T, b))
        if splits.projection is not None:
            layers[0] = (splits.projection @ layers[0][0], layers[0][1])
        return Model(layers=tuple(layers), mean=splits.mean, std=splits.std)

    def _forward(self, parameters: Parameters, x: Tensor) -> Tensor:
        return functional_call(self._module, parameters, (x,))

    def _loss(self, parameters: Parameters, x: Tensor, y: Tensor) -> Tensor:
        return functional.cross_entropy(self._forward(parameters, x), y)


def demand(options: BaseModel, training: Training, shape: Shape) -> Demand:
    """Return what a cohort takes: weights and gradients, activations forward and back.

    Seconds are those of one thread on a processor.
    """
    hidden, batch = Options.model_validate(options).hidden, training.batch_size
    sizes = (shape.features, *hidden, shape.classes)
    weights = sum(above * below for above, below in pairwise(sizes))
    return Demand(
        shared_bytes=4 * batch * shape.features,
        model_bytes=4 * (2 * weights + 3 * batch * sum(sizes[1:])),
        shared_seconds=500e-6 * len(sizes) / 3,
        model_seconds=6 * batch * weights / 40e9 + 20e-9 * batch * sum(sizes[1:]),
    )


TORCH = TrainerKind(
    name="torch", make=TorchTrainer, options=Options,
    reads=("batch_size", "schedule", "eta_min", "eta_max", "gamma", "step_size", "cycles"),
    resumable=True, prunes=True, exports=True, snapshots=True, demand=demand, device=devices.found,
)  # fmt: skip

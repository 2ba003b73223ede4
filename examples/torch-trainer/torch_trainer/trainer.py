"""The trainer: the modules of a cohort side by side, by one `torch.func.vmap`.

Enters: a task. Leaves: what `CohortTrainer` makes of one update. What is of λ, the schedule and the
cohort stands here; what the module is stands in `module`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap
from torch.nn import functional

from lamsearch.trainers import CohortTrainer, Model, Task, TrainerKind
from torch_trainer.module import build

Array = npt.NDArray[Any]
Parameters = dict[str, Tensor]
_AT_ONCE = 2000  # examples that are predicted together


class Options(BaseModel):
    """[trainer] beside its name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hidden: tuple[int, ...] = Field((50,), description="units of the hidden layers")
    threads: int = Field(1, ge=1, description="of PyTorch, per worker; part of the last bits")


class TorchTrainer(CohortTrainer):
    """cost = mean cross-entropy + λ·Σ‖W‖² over what has two dimensions or more, so not biases.

    ``arrays`` are the module's parameters stacked, by their names: they are NumPy's, and PyTorch
    sees them where they lie, so checkpoints need no further word.
    """

    def __init__(self, task: Task) -> None:
        torch.set_num_threads(task.options.threads)  # type: ignore[attr-defined]  # Options
        super().__init__(task)
        self._gradients = vmap(grad_and_value(self._loss), in_dims=(0, None, None))
        self._scores = vmap(self._forward, in_dims=(0, None))

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
        rows, eta = self.rows(update), self.rate(update)
        x = torch.from_numpy(self.task.splits.train_x[rows])
        y = torch.from_numpy(self.task.splits.train_y[rows].astype(np.int64))
        models = self._parameters()
        gradients, losses = self._gradients(models, x, y)
        decay = torch.tensor(1 - 2 * eta * self.lam, dtype=torch.float32)
        for name, values in models.items():
            if values.ndim > 2:  # one of them is the model
                values *= decay.view(-1, *[1] * (values.ndim - 1))
            values.sub_(gradients[name], alpha=eta)
        return np.asarray(losses.numpy())

    def predict(self, x: Array) -> Array:
        """Return class probabilities (K', n, C)."""
        with torch.no_grad():
            parts = [
                self._scores(self._parameters(), torch.tensor(x[start : start + _AT_ONCE]))
                for start in range(0, len(x), _AT_ONCE)
            ]
            return np.asarray(torch.cat(parts, dim=1).softmax(dim=2).numpy())

    def model(self, index: int) -> Model:
        """Return the chain of the linear layers, the first as it acts on all features."""
        splits, layers = self.task.splits, []
        for name, layer in self._module.named_children():
            if isinstance(layer, nn.Linear):
                W, b = (self.arrays[f"{name}.{one}"][index].copy() for one in ("weight", "bias"))
                layers.append((W.T, b))
        if splits.projection is not None:
            layers[0] = (splits.projection @ layers[0][0], layers[0][1])
        return Model(layers=tuple(layers), mean=splits.mean, std=splits.std)

    def _parameters(self) -> Parameters:
        return {name: torch.from_numpy(array) for name, array in self.arrays.items()}

    def _forward(self, parameters: Parameters, x: Tensor) -> Tensor:
        return functional_call(self._module, parameters, (x,))

    def _loss(self, parameters: Parameters, x: Tensor, y: Tensor) -> Tensor:
        return functional.cross_entropy(self._forward(parameters, x), y)


TORCH = TrainerKind(
    name="torch", make=TorchTrainer, options=Options,
    reads=("batch_size", "schedule", "eta_min", "eta_max", "gamma", "step_size", "cycles"),
    resumable=True, prunes=True, exports=True, snapshots=True,
)  # fmt: skip

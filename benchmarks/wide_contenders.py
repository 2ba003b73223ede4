"""The contenders of one update of wider networks, of any depth, with batch norm where asked.

As in `benchmarks.contenders` one unit of work is one update of all nets of a setup, everything
included. Peers are imported by whoever runs them.
"""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contenders import CLASSES, Build, each, mini_batches, training
from benchmarks.fleet import Setup, Work
from lamsearch.schedules import schedule_of

_LAM = 1e-3
_EPSILON, _SHARE = 1e-5, 0.1


def _torch_data(directory: Path, number: int) -> tuple[Any, Any]:
    import torch

    torch.manual_seed(number)
    return (
        torch.from_numpy(np.load(directory / "images.npy")),
        torch.from_numpy(np.load(directory / "labels.npy")),
    )


def torch_loop(directory: Path, number: int) -> Build:
    """PyTorch, one net at a time: nn.Sequential, cross_entropy, SGD with weight_decay = 2λ on
    weights."""
    import torch
    from torch import nn

    x_all, y_all = _torch_data(directory, number)

    def build(setup: Setup) -> Work:
        parts: list[nn.Module] = []
        sizes = (x_all.shape[1], *setup.hidden, CLASSES)
        for above, below in pairwise(sizes):
            parts.append(nn.Linear(above, below))
            nn.init.normal_(parts[-1].weight, std=1 / math.sqrt(above))
            if below is not CLASSES:
                parts += [*([nn.BatchNorm1d(below)] if setup.batch_norm else []), nn.ReLU()]
        net = nn.Sequential(*parts)
        weights = [one.weight for one in parts if isinstance(one, nn.Linear)]
        others = [one for one in net.parameters() if all(one is not W for W in weights)]
        groups = [{"params": weights, "weight_decay": 2 * _LAM}, {"params": others}]
        sgd, rate = torch.optim.SGD(groups, lr=1.0), schedule_of(training(setup.batch))
        draw, done = mini_batches(np.random.default_rng(number), len(y_all), setup.batch), 0

        def update() -> None:
            nonlocal done
            rows = torch.from_numpy(next(draw))
            for group in sgd.param_groups:
                group["lr"] = rate(done)
            sgd.zero_grad(set_to_none=True)
            scores = net(x_all.index_select(0, rows))
            nn.functional.cross_entropy(scores, y_all.index_select(0, rows)).backward()
            sgd.step()
            done += 1

        return each(update)

    return build


def torch_stacked(directory: Path, number: int) -> Build:
    """PyTorch, a cohort at a time: weights stacked, baddbmm, one backward pass, steps in place."""
    import torch

    x_all, y_all = _torch_data(directory, number)

    def build(setup: Setup) -> Work:
        count, sizes = setup.cohort, (x_all.shape[1], *setup.hidden, CLASSES)
        W = [torch.randn(1, a, b).div(math.sqrt(a)).repeat(count, 1, 1) for a, b in pairwise(sizes)]
        b = [torch.zeros(count, 1, size) for size in sizes[1:]]
        normed = setup.hidden if setup.batch_norm else ()
        gamma = [torch.ones(count, 1, size) for size in normed]
        means = [torch.zeros(count, 1, size) for size in normed]
        variances = [torch.ones(count, 1, size) for size in normed]
        trained = [one.requires_grad_() for one in (*W, *b, *gamma)]
        lam = torch.logspace(-5, -1, count)[:, None, None]
        rate = schedule_of(training(setup.batch))
        draw, done = mini_batches(np.random.default_rng(number), len(y_all), setup.batch), 0

        def scores(x: Any) -> Any:
            values = x.expand(count, *x.shape)
            for layer in range(len(W) - 1):
                if not setup.batch_norm:
                    values = torch.baddbmm(b[layer], values, W[layer]).relu()
                    continue
                z = torch.bmm(values, W[layer])
                variance, mean = torch.var_mean(z, dim=1, keepdim=True, correction=0)
                with torch.no_grad():
                    means[layer].lerp_(mean, _SHARE)
                    variances[layer].lerp_(variance * (len(x) / (len(x) - 1)), _SHARE)
                slope = gamma[layer] * (variance + _EPSILON).rsqrt()
                values = torch.addcmul(b[layer], z - mean, slope).relu()
            return torch.baddbmm(b[-1], values, W[-1])

        def update() -> None:
            nonlocal done
            eta, rows = rate(done), torch.from_numpy(next(draw))
            found = scores(x_all.index_select(0, rows)).flatten(0, 1)
            labels = y_all.index_select(0, rows).repeat(count)
            loss = torch.nn.functional.cross_entropy(found, labels) * count
            slopes = torch.autograd.grad(loss, trained)
            with torch.no_grad():
                for one in W:
                    one.mul_(1 - 2 * eta * lam)
                torch._foreach_add_(trained, slopes, alpha=-eta)
            done += 1

        return each(update)

    return build


def jax_vmap(directory: Path, number: int) -> Build:
    """JAX: one jitted update, vmapped over the λs of a cohort, weights donated, data resident."""
    import jax
    import jax.numpy as jnp

    x_all = jnp.array(np.load(directory / "images.npy"))
    y_all = jnp.array(np.load(directory / "labels.npy").astype(np.int32))
    rng = np.random.default_rng(number)

    def build(setup: Setup) -> Work:
        last = len(setup.hidden)

        def loss(net: dict[str, Any], x: Any, y: Any) -> tuple[Any, dict[str, Any]]:
            seen = dict[str, Any]()
            for layer in range(last):
                x = x @ net[f"W{layer}"]
                if setup.batch_norm:
                    mean, variance = x.mean(axis=0), x.var(axis=0)
                    seen |= {f"mean{layer}": mean, f"variance{layer}": variance}
                    slope = jax.lax.rsqrt(variance + _EPSILON) * net[f"gamma{layer}"]
                    x = (x - mean) * slope
                x = jax.nn.relu(x + net[f"b{layer}"])
            scores = jax.nn.log_softmax(x @ net[f"W{last}"] + net[f"b{last}"])
            return -jnp.take_along_axis(scores, y[:, None], axis=1).mean(), seen

        def one(net: Any, running: Any, x: Any, y: Any, eta: Any, lam: Any) -> Any:
            (value, seen), slope = jax.value_and_grad(loss, has_aux=True)(net, x, y)
            decay = {key: 2 * lam if key[0] == "W" else 0.0 for key in net}
            net = {key: net[key] - eta * (slope[key] + decay[key] * net[key]) for key in net}
            moved = {key: running[key] + _SHARE * (seen[key] - running[key]) for key in running}
            return net, moved, value

        cohort = jax.vmap(one, in_axes=(0, 0, None, None, None, 0))

        def update(nets: Any, running: Any, x: Any, y: Any, rows: Any, eta: Any, lam: Any) -> Any:
            return cohort(nets, running, x[rows], y[rows], eta, lam)

        jitted = jax.jit(update, donate_argnums=(0, 1))
        rate, draw = schedule_of(training(setup.batch)), mini_batches(rng, len(y_all), setup.batch)
        nets, running = _stacked(setup, x_all.shape[1], rng)
        nets = {key: jnp.array(one) for key, one in nets.items()}
        running = {key: jnp.array(one) for key, one in running.items()}
        lam, done = jnp.logspace(-5, -1, setup.cohort), 0

        def work(count: int) -> int:
            nonlocal nets, running, done
            for _ in range(count):
                nets, running, value = jitted(
                    nets, running, x_all, y_all, next(draw), rate(done), lam
                )
                done += 1
            value.block_until_ready()
            return count

        return work

    return build


def _stacked(
    setup: Setup, features: int, rng: np.random.Generator
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Weights of a cohort, and its running statistics."""
    sizes, count = (features, *setup.hidden, CLASSES), setup.cohort
    nets, running = dict[str, Any](), dict[str, Any]()
    for layer, (above, below) in enumerate(pairwise(sizes)):
        W = rng.standard_normal((above, below), dtype=np.float32) / np.float32(np.sqrt(above))
        nets |= {f"W{layer}": np.stack([W] * count), f"b{layer}": np.zeros((count, below), "f4")}
        if setup.batch_norm and layer < len(setup.hidden):
            ones, zeros = np.ones((count, below), "f4"), np.zeros((count, below), "f4")
            nets[f"gamma{layer}"] = ones
            running |= {f"mean{layer}": zeros, f"variance{layer}": ones.copy()}
    return nets, running

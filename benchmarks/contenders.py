"""The contenders of one update: ours, and its peers as their competent users write them.

Each function takes the directory of the data and the process's number, and returns what builds its
work for a setup. One unit of work is one update of all its nets, everything included: drawing a
random mini-batch, gathering it, forward, loss, backward, and the step with the L2 penalty. The
learning rate follows the same triangle everywhere, from its start (so that it stays small and
noise cannot diverge). Peers are imported by whoever runs them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import blas

from benchmarks.fleet import Setup, Work
from lamsearch.schedules import schedule_of
from lamsearch.study import Network, Training
from lamsearch.trainers.network import NetworkTrainer, evaluate
from lamsearch.trainers.network.weights import initialise, penalty

HIDDEN, CLASSES = 50, 10
SGEMM = 2048  # rows of the square matrices that the machine's own rate is measured with
SGEMM_FLOP = 2 * SGEMM**3
EVALUATED = 1000  # images in one unit of `evaluation`
_LAM = 1e-3
_TRIED = 3
_SKLEARN_ROWS = 8000  # fit does whole epochs: few enough for a timed block

Array = npt.NDArray[Any]
Build = Callable[[Setup], Work]


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedSplits:
    """Images mapped from a file, as a worker maps its cache; nothing to validate on."""

    train_x: Array
    train_y: Array
    validation_x: Array
    validation_y: Array
    mean: Array
    std: Array
    projection: None = None
    weights: None = None


def write_images(directory: Path, rows: int, features: int) -> None:
    """Write standard normal images (rows, features), float32, and random labels."""
    rng = np.random.default_rng(0)
    np.save(directory / "images.npy", rng.standard_normal((rows, features), dtype=np.float32))
    np.save(directory / "labels.npy", rng.integers(CLASSES, size=rows))


def mapped_splits(directory: Path) -> MappedSplits:
    """Map what `write_images` wrote."""
    x, y = np.load(directory / "images.npy", mmap_mode="r"), np.load(directory / "labels.npy")
    x = np.asarray(x)
    one = np.ones(x.shape[1], np.float32)
    return MappedSplits(
        train_x=x, train_y=y, validation_x=x[:1], validation_y=y[:1], mean=0 * one, std=one
    )


def training(batch: int) -> Training:
    """Return settings with the triangle's very beginning, and no sampling point in reach."""
    return Training(batch_size=batch, step_size=10**9, sample_every="cycle")


def ours(directory: Path, number: int) -> Build:
    """Our trainer, a cohort at a time; images mapped from a file, as in a worker."""
    splits = mapped_splits(directory)

    def build(setup: Setup) -> Work:
        updates = NetworkTrainer(
            splits, training(setup.batch), [float(x) for x in np.linspace(-5, -1, setup.cohort)],
            network=Network(hidden=setup.hidden, batch_norm=setup.batch_norm), classes=CLASSES,
            seed=(0, 0, number),
        ).run()  # fmt: skip

        def work(count: int) -> int:
            for _ in range(count):
                next(updates)
            return count

        return work

    return build


def sgemm(directory: Path, number: int) -> Build:
    """The machine's own rate: one unit is one product of two square matrices."""
    rng = np.random.default_rng(number)
    a, b = (
        np.asfortranarray(rng.standard_normal((SGEMM, SGEMM), dtype=np.float32)) for _ in range(2)
    )
    c = np.zeros((SGEMM, SGEMM), np.float32, order="F")

    def work(count: int) -> int:
        for _ in range(count):
            blas.sgemm(1.0, a, b, beta=0.0, c=c, overwrite_c=1)
        return count

    return lambda setup: work


def evaluation(directory: Path, number: int) -> Build:
    """Our evaluation: one unit is `EVALUATED` images through all nets of a cohort."""
    splits = mapped_splits(directory)
    rng = np.random.default_rng(number)

    def build(setup: Setup) -> Work:
        weights = initialise(
            setup.cohort, features=splits.train_x.shape[1], hidden=HIDDEN, classes=CLASSES, rng=rng
        )

        def work(count: int) -> int:
            for start in rng.integers(len(splits.train_y) - EVALUATED + 1, size=count):
                part = slice(start, start + EVALUATED)
                evaluate(weights, splits.train_x[part], splits.train_y[part])
            penalty(weights)
            return count

        return work

    return build


def student(directory: Path, number: int) -> Build:
    """A plain float64 NumPy loop over shuffled mini-batches."""
    x_all = np.load(directory / "images.npy").astype(np.float64)
    y_all = np.load(directory / "labels.npy")
    rng = np.random.default_rng(number)
    features = x_all.shape[1]

    def build(setup: Setup) -> Work:
        rate, draw = schedule_of(training(setup.batch)), mini_batches(rng, len(y_all), setup.batch)
        W1 = rng.standard_normal((features, HIDDEN)) / np.sqrt(features)
        W2 = rng.standard_normal((HIDDEN, CLASSES)) / np.sqrt(HIDDEN)
        b1, b2 = np.zeros(HIDDEN), np.zeros(CLASSES)
        rows, state = np.arange(setup.batch), [W1, b1, W2, b2, 0]

        def update() -> None:
            W1, b1, W2, b2, done = state
            eta, order = rate(done), next(draw)
            x, y = x_all[order], y_all[order]
            h = np.maximum(0, x @ W1 + b1)
            scores = h @ W2 + b2
            p = np.exp(scores - scores.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            loss = -np.log(p[rows, y]).mean()
            assert np.isfinite(loss)
            p[rows, y] -= 1
            p /= setup.batch
            dh = p @ W2.T
            dh[h <= 0] = 0
            W2 = W2 - eta * (h.T @ p + 2 * _LAM * W2)
            b2 = b2 - eta * p.sum(axis=0)
            W1 = W1 - eta * (x.T @ dh + 2 * _LAM * W1)
            b1 = b1 - eta * dh.sum(axis=0)
            state[:] = [W1, b1, W2, b2, done + 1]

        return each(update)

    return build


def torch_eager(directory: Path, number: int) -> Build:
    """PyTorch, float32: two nn.Linear, cross_entropy, SGD with weight_decay = 2λ on weights."""
    import torch

    torch.manual_seed(number)
    x_all = torch.from_numpy(np.load(directory / "images.npy"))
    y_all = torch.from_numpy(np.load(directory / "labels.npy"))

    def build(setup: Setup) -> Work:
        from benchmarks.torch_net import TorchNet

        rate = schedule_of(training(setup.batch))
        net = TorchNet(x_all.shape[1], HIDDEN, CLASSES, lam=_LAM)
        done, order = 0, iter(list[torch.Tensor]())

        def update() -> None:
            nonlocal done, order
            rows = next(order, None)
            if rows is None:
                whole = len(y_all) // setup.batch * setup.batch
                order = iter(torch.randperm(len(y_all))[:whole].split(setup.batch))
                rows = next(order)
            net.step(x_all.index_select(0, rows), y_all.index_select(0, rows), rate(done))
            done += 1

        return each(update)

    return build


def sklearn_fit(directory: Path, number: int) -> Build:
    """scikit-learn's MLPClassifier, float32, whole epochs of fit, α = 2λ·batch.

    fit knows no cycles: its rate is constant. partial_fit would allow them, but costs more.
    """
    from sklearn.neural_network import MLPClassifier

    x_all = np.load(directory / "images.npy", mmap_mode="r")[:_SKLEARN_ROWS].copy()
    y_all = np.load(directory / "labels.npy")[:_SKLEARN_ROWS]

    def build(setup: Setup) -> Work:
        net = MLPClassifier(
            (HIDDEN,), solver="sgd", momentum=0.0, nesterovs_momentum=False, warm_start=True,
            alpha=2 * _LAM * setup.batch, batch_size=setup.batch, learning_rate_init=1e-5,
            tol=0.0, n_iter_no_change=10**9, random_state=number,
        )  # fmt: skip
        per_epoch = -(-len(y_all) // setup.batch)

        def work(count: int) -> int:
            epochs = -(-count // per_epoch)
            net.max_iter = epochs
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that it has not converged
                net.fit(x_all, y_all)
            return epochs * per_epoch

        return work

    return build


def jax_vmap(directory: Path, number: int) -> Build:
    """JAX: one jitted update, vmapped over the λs of a cohort, weights donated, data resident.

    The first layers are stacked along their first axis or their second: which of the two XLA
    multiplies faster depends on the sizes, so each setup tries both and keeps the faster.
    """
    import jax
    import jax.numpy as jnp

    x_all = jnp.array(np.load(directory / "images.npy"))
    y_all = jnp.array(np.load(directory / "labels.npy").astype(np.int32))
    rng = np.random.default_rng(number)
    features = x_all.shape[1]

    def loss(net: dict[str, Any], x: Any, y: Any) -> Any:
        hidden = jax.nn.relu(x @ net["W1"] + net["b1"])
        scores = jax.nn.log_softmax(hidden @ net["W2"] + net["b2"])
        return -jnp.take_along_axis(scores, y[:, None], axis=1).mean()

    def one(net: dict[str, Any], x: Any, y: Any, eta: Any, lam: Any) -> tuple[Any, Any]:
        value, slope = jax.value_and_grad(loss)(net, x, y)
        decay = {"W1": 2 * lam, "b1": 0.0, "W2": 2 * lam, "b2": 0.0}
        return {key: net[key] - eta * (slope[key] + decay[key] * net[key]) for key in net}, value

    def stacked(axis: int) -> Any:
        axes = {"W1": axis, "b1": 0, "W2": 0, "b2": 0}
        cohort = jax.vmap(one, in_axes=(axes, None, None, None, 0), out_axes=(axes, 0))

        def update(nets: Any, x: Any, y: Any, rows: Any, eta: Any, lam: Any) -> Any:
            return cohort(nets, x[rows], y[rows], eta, lam)

        return jax.jit(update, donate_argnums=0)

    def built(setup: Setup, axis: int) -> Work:
        jitted = stacked(axis)
        rate, draw = schedule_of(training(setup.batch)), mini_batches(rng, len(y_all), setup.batch)
        W1 = rng.standard_normal((features, HIDDEN), dtype=np.float32) / np.sqrt(features)
        W2 = rng.standard_normal((HIDDEN, CLASSES), dtype=np.float32) / np.sqrt(HIDDEN)
        nets = {
            "W1": jnp.array(np.stack([W1] * setup.cohort, axis=axis), jnp.float32),
            "b1": jnp.zeros((setup.cohort, HIDDEN)),
            "W2": jnp.array(np.stack([W2] * setup.cohort), jnp.float32),
            "b2": jnp.zeros((setup.cohort, CLASSES)),
        }
        lam, done = jnp.logspace(-5, -1, setup.cohort), 0

        def work(count: int) -> int:
            nonlocal nets, done
            for _ in range(count):
                nets, values = jitted(nets, x_all, y_all, next(draw), rate(done), lam)
                done += 1
            values.block_until_ready()
            return count

        return work

    return lambda setup: _faster(built(setup, 0), built(setup, 1))


def _faster(*works: Work) -> Work:
    """Return the work that is faster, by the best of a few short tries after a warm-up."""
    best: dict[int, float] = {}
    for _ in range(4):
        for place, work in enumerate(works):
            start = perf_counter()
            work(_TRIED)
            elapsed = perf_counter() - start
            best[place] = min(best.get(place, elapsed), elapsed)
    return works[min(best, key=best.__getitem__)]


def each(update: Callable[[], None]) -> Work:
    """Return work of which one unit is one call."""

    def work(count: int) -> int:
        for _ in range(count):
            update()
        return count

    return work


def mini_batches(rng: np.random.Generator, rows: int, batch: int) -> Iterator[Array]:
    """Mini-batches without end, in a new order each epoch."""
    while True:
        order = rng.permutation(rows)
        for start in range(0, rows - batch + 1, batch):
            yield order[start : start + batch]

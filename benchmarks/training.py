"""One update, everything included: ours against its peers and the machine's own sgemm rate.

Every contender lives in processes of its own; all take turns, a short block each, round after
round, so that what disturbs the machine disturbs all alike. Ratios are taken within a round.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from time import perf_counter

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks import contenders as of
from benchmarks import training_wide
from benchmarks.common import (
    CORES,
    MISSING,
    Options,
    installed,
    publish,
    ratios,
    read_options,
    spread,
    table,
    verdict,
)
from benchmarks.fleet import Contender, Fleet, Setup
from lamsearch.trainers.mini_batches import Batches
from lamsearch.trainers.network.passes import Pass
from lamsearch.trainers.network.weights import initialise

FEATURES = 3072
TARGETS = {(100, 8): 0.82, (100, 4): 0.76, (100, 1): 0.65, (1000, 16): 0.92}
FASTER = {"NumPy loop": 10.0, "PyTorch": 2.8, "JAX vmap": 2.4}
ONE, ALL = "one process, all threads", "a process per core"
Times = dict[tuple[str, Setup], list[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A peer, the package it needs, whether it trains a whole cohort at once.

    ``plain``: what counts is the one way in which its author would run it.
    """

    name: str
    contender: Contender
    package: str = "numpy"
    fused: bool = False
    plain: bool = False


PEERS = (
    Peer(name="NumPy loop", contender=of.student, plain=True),
    Peer(name="PyTorch", contender=of.torch_eager, package="torch"),
    Peer(name="scikit-learn", contender=of.sklearn_fit, package="sklearn"),
    Peer(name="JAX vmap", contender=of.jax_vmap, package="jax", fused=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is measured."""

    rows: int
    batches: tuple[int, ...]
    cohorts: tuple[int, ...]
    block: float
    rounds: int
    peer_rounds: int


FULL = Scale(
    rows=20_000, batches=(100, 1000), cohorts=(1, 2, 4, 8, 16, 32),
    block=0.25, rounds=15, peer_rounds=9,
)  # fmt: skip
QUICK = Scale(rows=10_000, batches=(100,), cohorts=(1, 8), block=0.1, rounds=3, peer_rounds=3)


def main() -> None:
    """Measure, print, write."""
    options = read_options(__doc__ or "")
    scale = QUICK if options.quick else FULL
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        of.write_images(directory, scale.rows, FEATURES)
        parts = [_one_thread(directory, scale), _breakdown(directory, scale)]
        parts.append(_whole_machine(directory, scale))
        parts.append(training_wide.one_thread(directory, scale.block, scale.rounds))
        parts.append(training_wide.whole_machine(directory, scale.block, scale.peer_rounds))
    _publish(parts, options, scale)


def _publish(parts: list[str], options: Options, scale: Scale) -> None:
    head = (
        f"One update of two-layer nets with {FEATURES} features, {of.HIDDEN} hidden units and "
        f"{of.CLASSES} classes: gather of a random mini-batch from {scale.rows:,} images, forward, "
        "loss, backward, step with L2. Times are per net and update. Each number is the median "
        "(quartiles) of its rounds; ratios are taken within a round."
    )
    publish("training", "\n\n".join([head, *parts]), options)


def _one_thread(directory: Path, scale: Scale) -> str:
    """Ours against the machine's sgemm rate: one process, one thread, a product after each."""
    setups = [Setup(batch=b, cohort=k) for b in scale.batches for k in scale.cohorts]
    ours: dict[Setup, list[float]] = {setup: [] for setup in setups}
    product: dict[Setup, list[float]] = {setup: [] for setup in setups}
    with Fleet(of.ours, directory) as trainer, Fleet(of.sgemm, directory) as machine:
        for setup in setups:
            trainer.prepare(setup)
        machine.prepare(setups[0])
        for _ in range(scale.rounds):
            before = machine.time(setups[0], 0.0)
            for setup in setups:
                ours[setup].append(trainer.time(setup, scale.block))
                after = machine.time(setups[0], 0.0)
                product[setup].append((before + after) / 2)
                before = after
    rows = []
    for setup in setups:
        ideal = [one * _products(setup) for one in product[setup]]
        ratio = ratios(ideal, ours[setup])
        target = TARGETS.get((setup.batch, setup.cohort))
        rows.append([
            f"{setup.batch}", f"{setup.cohort}",
            spread(1e6 * one / setup.cohort for one in ours[setup]).text(0),
            spread(1e6 * one / setup.cohort for one in ideal).text(0), ratio.text(),
            "" if target is None else verdict(ratio.median, "≥", target),
        ])  # fmt: skip
    rate = spread(of.SGEMM_FLOP / one / 1e9 for column in product.values() for one in column)
    header = ["batch", "cohort", "ours, µs", "sgemm needs, µs", "ratio to sgemm", "target"]
    return (
        f"### Against the machine's sgemm rate, one thread\n\nsgemm of {of.SGEMM}³ after every "
        f"block: {rate.text(1)} GFLOP/s. An update needs 4 × batch × features × hidden FLOP per "
        f"net. {scale.rounds} rounds.\n\n{table(header, rows)}"
    )


def _products(setup: Setup) -> float:
    """How many of the machine's products have the multiplications of one update of a cohort."""
    return 4 * setup.batch * FEATURES * of.HIDDEN * setup.cohort / of.SGEMM_FLOP


def _breakdown(directory: Path, scale: Scale) -> str:
    """Where the time of an update goes, by the network's own parts, one thread."""
    setups = [Setup(batch=b, cohort=k) for b in scale.batches for k in (1, 4, 8)]
    samples: dict[Setup, list[list[float]]] = {setup: [] for setup in setups}
    with threadpool_limits(1, user_api="blas"):
        work = {setup: _stopwatch(directory, setup) for setup in setups}
        for _ in range(scale.rounds):
            for setup in setups:
                count = max(2, int(scale.block / 1e-3 * 100 / setup.batch / setup.cohort))
                laps = np.array([next(work[setup]) for _ in range(count)])
                samples[setup].append(list(laps.mean(axis=0) * 1e6 / setup.cohort))
    rows = []
    for setup in setups:
        parts = np.array(samples[setup])
        columns = [spread(parts[:, place]).text(0) for place in range(parts.shape[1])]
        total = spread(parts.sum(axis=1)).text(0)
        rows.append([f"{setup.batch}", f"{setup.cohort}", *columns, total])
    header = ["batch", "cohort", "gather, µs", "forward", "loss", "backward and step", "sum"]
    return (
        f"### Where the time goes, one thread\n\nPer net; {scale.rounds} rounds."
        f"\n\n{table(header, rows)}"
    )


def _stopwatch(directory: Path, setup: Setup) -> Iterator[list[float]]:
    """Yield the seconds of gather, forward, loss, and step, update after update."""
    splits, rng = of.mapped_splits(directory), np.random.default_rng(0)
    weights = initialise(
        setup.cohort, features=FEATURES, hidden=of.HIDDEN, classes=of.CLASSES, rng=rng
    )
    work = Pass(weights, setup.batch)
    batches = Batches((0, 0, 0), len(splits.train_y), setup.batch)
    x, lam = np.empty((setup.batch, FEATURES), np.float32), np.logspace(-5, -1, setup.cohort)
    update = 0
    while True:
        laps = [perf_counter()]
        rows = batches[update]
        np.take(splits.train_x, rows, axis=0, out=x, mode="clip")
        labels = splits.train_y[rows]
        laps.append(perf_counter())
        work.forward(x)
        laps.append(perf_counter())
        work.loss(labels)
        laps.append(perf_counter())
        work.step(labels, eta=1e-5, lam=lam)
        laps.append(perf_counter())
        update += 1
        yield [later - earlier for earlier, later in pairwise(laps)]


def _whole_machine(directory: Path, scale: Scale) -> str:
    """Throughput with all cores busy: every peer in its two ways, ours with a process per core."""
    cohorts = [Setup(batch=b, cohort=k) for b in scale.batches for k in scale.cohorts]
    times: Times = {}
    with ExitStack() as stack:
        fleets = {"ours": stack.enter_context(Fleet(of.ours, directory, processes=CORES))}
        for peer in _present():
            for way, processes, threads in ((ONE, 1, CORES), (ALL, CORES, 1)):
                fleets[f"{peer.name}, {way}"] = stack.enter_context(
                    Fleet(
                        peer.contender, directory, processes=processes, threads=threads,
                        pinned=peer.fused and processes > 1,  # JAX counts the cores it may use
                    )
                )  # fmt: skip
        turns = [("ours", setup) for setup in cohorts]
        for peer in _present():
            setups = cohorts if peer.fused else [Setup(batch=b) for b in scale.batches]
            turns += [(f"{peer.name}, {way}", setup) for way in (ONE, ALL) for setup in setups]
        for name, setup in turns:
            fleets[name].prepare(setup)
        for _ in range(scale.peer_rounds):
            for name, setup in turns:
                seconds = fleets[name].time(setup, scale.block) / setup.cohort
                times.setdefault((name, setup), []).append(seconds)
    rows = [row for batch in scale.batches for peer in PEERS for row in _rows(peer, batch, times)]
    header = [
        "peer", "batch", "its cohort", "its better way", "peer, µs", "ours, same cohort, µs",
        "ratio, same cohort", "ours, best cohort ≤ 8", "ratio, best cohort", "target",
    ]  # fmt: skip
    return (
        f"### Against peers, whole machine\n\nTime per net and update with all {CORES} cores busy "
        "(1 / throughput). Ours is a process per core with one thread each. Peers run in two "
        f"ways, {ONE}, and {ALL} with one thread each, all at once; the faster counts, but for "
        "the NumPy loop, which a student starts once. "
        f"scikit-learn runs whole epochs of fit at a constant rate. {scale.peer_rounds} rounds."
        f"\n\n{table(header, rows)}\n\n{_way_table(times)}"
    )


def _present() -> list[Peer]:
    return [peer for peer in PEERS if installed(peer.package)]


def _rows(peer: Peer, batch: int, times: Times) -> Iterator[list[str]]:
    if not installed(peer.package):
        yield [peer.name, f"{batch}", "", MISSING, "", "", "", "", "", ""]
        return
    small = [setup for name, setup in times if name == "ours" and setup.batch == batch]
    best = min(
        (setup for setup in small if setup.cohort <= 8),
        key=lambda setup: np.median(times["ours", setup]),
    )
    for setup in small if peer.fused else [Setup(batch=batch)]:
        counted = (ONE,) if peer.plain else (ONE, ALL)
        ways = {way: times[f"{peer.name}, {way}", setup] for way in counted}
        way = min(ways, key=lambda one: np.median(ways[one]))
        same, theirs, ours = times["ours", setup], ways[way], times["ours", best]
        target = FASTER.get(peer.name)
        ratio = ratios(theirs, same if peer.fused else ours)
        yield [
            peer.name, f"{batch}", f"{setup.cohort}", way,
            spread(1e6 * one for one in theirs).text(0),
            spread(1e6 * one for one in same).text(0), ratios(theirs, same).text(),
            f"{best.cohort}: {spread(1e6 * one for one in ours).text(0)}",
            ratios(theirs, ours).text(),
            "" if target is None else verdict(ratio.median, "≥", target),
        ]  # fmt: skip


def _way_table(times: Times) -> str:
    """Both ways of every peer, so that nothing rests on which was picked."""
    rows = [
        [name, f"{setup.batch}", f"{setup.cohort}", spread(1e6 * one for one in values).text(0)]
        for (name, setup), values in times.items()
    ]
    return "All of them:\n\n" + table(["contender", "batch", "cohort", "µs"], rows)


if __name__ == "__main__":
    main()

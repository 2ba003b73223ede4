"""The part of `benchmarks.training` about wider and deeper networks, and their peers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks import contenders as of
from benchmarks import wide_contenders as wide
from benchmarks.common import CORES, MISSING, installed, ratios, spread, table, verdict
from benchmarks.fleet import Contender, Fleet, Setup

FEATURES = 3072
WIDE = Setup(batch=100, cohort=8, hidden=(400,))
DEEP = Setup(batch=100, cohort=8, hidden=(512, 256), batch_norm=True)
RATIOS = {WIDE: 0.85, DEEP: 0.70}
FASTER = {WIDE: 1.5, DEEP: 2.0}  # than PyTorch at its better way
Times = dict[tuple[str, Setup], list[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A peer, the package it needs, whether it trains a whole cohort at once."""

    name: str
    contender: Contender
    package: str
    fused: bool = True


PEERS = (
    Peer(name="PyTorch, net by net", contender=wide.torch_loop, package="torch", fused=False),
    Peer(name="PyTorch, stacked", contender=wide.torch_stacked, package="torch"),
    Peer(name="JAX vmap", contender=wide.jax_vmap, package="jax"),
)


def words(setup: Setup) -> str:
    """Return a network in words."""
    norm = ", batch norm" if setup.batch_norm else ""
    return f"[{', '.join(map(str, setup.hidden))}]{norm}"


def products(setup: Setup) -> float:
    """How many of the machine's products have the multiplications of one update of a cohort.

    Forward and for the weights' gradient 2 · batch · inputs · units each; but for the first layer
    as many for the way back. The small last layer is not counted.
    """
    (features, first), *further = pairwise((FEATURES, *setup.hidden))
    entries = 4 * features * first + sum(6 * above * below for above, below in further)
    return setup.batch * entries * setup.cohort / of.SGEMM_FLOP


def one_thread(directory: Path, block: float, rounds: int) -> str:
    """Ours against the machine's sgemm rate: one process, one thread, a product after each."""
    ours: Times = {}
    rows = []
    with Fleet(of.ours, directory) as trainer, Fleet(of.sgemm, directory) as machine:
        for setup in RATIOS:
            trainer.prepare(setup)
        machine.prepare(WIDE)
        for _ in range(rounds):
            for setup in RATIOS:
                before = machine.time(WIDE, 0.0)
                ours.setdefault(("ours", setup), []).append(trainer.time(setup, block))
                product = (before + machine.time(WIDE, 0.0)) / 2
                ours.setdefault(("product", setup), []).append(product)
    for setup, target in RATIOS.items():
        found = ours["ours", setup]
        ideal = [one * products(setup) for one in ours["product", setup]]
        ratio = ratios(ideal, found)
        rows.append([
            words(setup), f"{setup.batch}", f"{setup.cohort}",
            spread(1e6 * one / setup.cohort for one in found).text(0),
            spread(1e6 * one / setup.cohort for one in ideal).text(0), ratio.text(),
            verdict(ratio.median, "≥", target),
        ])  # fmt: skip
    header = ["network", "batch", "cohort", "ours, µs", "sgemm needs, µs", "ratio to sgemm",
              "target"]  # fmt: skip
    return f"### Wider and deeper networks, one thread\n\n{rounds} rounds.\n\n{table(header, rows)}"


def whole_machine(directory: Path, block: float, rounds: int) -> str:
    """Throughput with all cores busy: every peer in its two ways, ours with a process per core."""
    times: Times = {}
    with ExitStack() as stack:
        fleets = {"ours": stack.enter_context(Fleet(of.ours, directory, processes=CORES))}
        for peer in PEERS:
            if not installed(peer.package):
                continue
            for way, processes, threads in (
                ("all threads", 1, CORES),
                ("process per core", CORES, 1),
            ):
                fleets[f"{peer.name}, {way}"] = stack.enter_context(
                    Fleet(peer.contender, directory, processes=processes, threads=threads,
                          pinned=peer.package == "jax" and processes > 1)
                )  # fmt: skip
        turns = [(name, setup) for setup in RATIOS for name in fleets]
        for name, setup in turns:
            fleets[name].prepare(setup)
        for _ in range(rounds):
            for name, setup in turns:
                seconds = fleets[name].time(setup, block) / _nets(name, setup)
                times.setdefault((name, setup), []).append(seconds)
    header = ["network", "peer", "µs per net", "ours, µs", "ratio", "target"]
    rows = [row for setup in RATIOS for row in _rows(setup, times)]
    return (
        f"### Wider and deeper networks against peers, whole machine\n\nCohort 8, batch 100; time "
        f"per net and update with all {CORES} cores busy. PyTorch's better way counts. {rounds} "
        f"rounds.\n\n{table(header, rows)}"
    )


def _nets(name: str, setup: Setup) -> int:
    """How many nets one unit of work updates."""
    alone = any(name.startswith(peer.name) for peer in PEERS if not peer.fused)
    return 1 if alone else setup.cohort


def _rows(setup: Setup, times: Times) -> Iterator[list[str]]:
    ours = times["ours", setup]
    torch = {name: found for (name, one), found in times.items()
             if one == setup and name.startswith("PyTorch")}  # fmt: skip
    best = min(torch, key=lambda name: float(np.median(torch[name])), default=None)
    for (name, one), found in times.items():
        if one != setup or name == "ours":
            continue
        ratio = ratios(found, ours)
        target = verdict(ratio.median, "≥", FASTER[setup]) if name == best else ""
        yield [
            words(setup), name, spread(1e6 * t for t in found).text(0),
            spread(1e6 * t for t in ours).text(0), ratio.text(), target,
        ]  # fmt: skip
    for peer in PEERS:
        if not installed(peer.package):
            yield [words(setup), peer.name, MISSING, "", "", ""]

"""A bank of CIFAR-10 trainings over λ × η_max, from which whole searches can be replayed.

Enters: CIFAR-10's training pool. Leaves: benchmarks/plane_bank.npz: for every η_max, log10 λ and
seed how many images of each block of the held-out 10,000 are classified right, and after how many
updates the training ended: fewer than all where its cost was no longer finite. Refuses to know
rules, and the test set.

    python -m benchmarks.plane_bank [--work DIR] [--data-dir DIR] [--processes N] [--quick]

The images are projected on 512 principal components; one cohort trains all points on a seed's
weights and mini-batches, each at its own rate. About 25 minutes of one core; what stands in
``--work`` is not trained again.
"""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from benchmarks import banks
from benchmarks.common import ROOT, commit
from lamsearch import data as datasets
from lamsearch.cli.options import cache_directory, data_directory
from lamsearch.results import TrialState
from lamsearch.study import Study, parse_study
from lamsearch.trainers.network import NetworkTrainer

BANK = ROOT / "benchmarks" / "plane_bank.npz"
# log10 λ and η_max, both denser where the accuracy changes most
LAMBDAS = (-5.0, -4.5, -4.0, -3.5, -3.25, -3.0, -2.75, -2.5, -2.25, -2.0, -1.5)
RATES = (0.01, 0.022, 0.046, 0.1, 0.14, 0.2, 0.28, 0.5)
POINTS = tuple(product(RATES, LAMBDAS))
SEEDS = 14
BLOCKS = 20
HELD_OUT = 10_000


@dataclass(frozen=True, slots=True)
class Bank:
    """Trainings at every point.

    ``right`` (η_max, λ, seeds, blocks) counts right images of the held-out ones at the end, 0 where
    a training failed; ``ended`` (η_max, λ, seeds) is the number of updates done, of ``updates``.
    """

    right: npt.NDArray[np.uint16]
    ended: npt.NDArray[np.uint16]
    updates: int


def load(path: Path = BANK) -> Bank:
    """Return the bank."""
    with np.load(path, allow_pickle=False) as stored:
        return Bank(stored["right"], stored["ended"], _study().training_of("coarse").updates)


def main() -> None:
    """Train what is missing, then write the bank."""
    options = banks.bank_options(__doc__ or "", "plane-bank")
    data, seeds = data_directory(options.data_dir).resolve(), 2 if options.quick else SEEDS
    datasets.load(_study(), data, cache=cache_directory()).split("coarse")
    with ProcessPoolExecutor(options.processes) as pool:
        todo = [
            pool.submit(_part, options.work, data, seed, options.quick) for seed in range(seeds)
        ]
        for count, done in enumerate(as_completed(todo), 1):
            print(f"{count}/{seeds}: {done.result()}", flush=True)
    if not options.quick:
        _write(options.work)


def _study() -> Study:
    document = {
        "name": "plane-bank",
        "seed": 600,
        "data": {
            "source": "cifar10", "train": 40_000, "validation": HELD_OUT, "components": 512,
        },
        "network": {"hidden": 50},
        "training": {
            "batch_size": 100, "eta_min": 1e-5, "eta_max": 1e-1, "step_size": 1200, "cycles": 3,
            "sample_every": "cycle",
        },
        "coarse": {"values": list(LAMBDAS)},
    }  # fmt: skip
    return parse_study(document)


def _part(work: Path, data: Path, seed: int, quick: bool) -> str:
    """Train all points on one seed, unless that is done; return its name."""
    path = work / f"{seed:02}.npz"
    if path.exists():
        return path.stem
    study = _study()
    training = study.training_of("coarse")
    if quick:
        training = training.model_copy(update={"step_size": 20})
    images = datasets.load(study, data, cache=cache_directory())
    rates, lambdas = zip(*POINTS, strict=True)
    with threadpool_limits(limits=1):
        trainer = NetworkTrainer(
            images.split("coarse"), training, lambdas, hidden=study.network.hidden,
            classes=len(images.classes), seed=(study.seed, 0, seed), per_model={"eta_max": rates},
        )  # fmt: skip
        for _ in trainer.run():
            pass
    banks.write(path, _ends(trainer, training.updates))
    return path.stem


def _ends(trainer: NetworkTrainer, updates: int) -> dict[str, npt.NDArray[np.generic]]:
    """What became of every point: right images by block, and the updates done."""
    outcomes, shape = trainer.outcomes(), (len(RATES), len(LAMBDAS))
    well = np.array([one.state is TrialState.COMPLETE for one in outcomes]).reshape(shape)
    correct = trainer.state()["correct"].reshape(*shape, BLOCKS, -1).sum(axis=-1)
    ended = [updates if one.updates is None else one.updates for one in outcomes]
    return {
        "right": np.where(well[..., None], correct, 0).astype(np.uint16),
        "ended": np.array(ended, np.uint16).reshape(shape),
    }


def _write(work: Path) -> None:
    parts = [np.load(work / f"{seed:02}.npz") for seed in range(SEEDS)]
    about = json.dumps({"commit": commit(), "study": _study().canonical()})
    stacked = {name: np.stack([part[name] for part in parts], axis=2) for name in parts[0]}
    banks.write(BANK, {"about": np.array(about), **stacked})
    print(f"{BANK.name}: {BANK.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()

"""A bank of replicated CIFAR-10 trainings, from which whole searches can be replayed.

Enters: CIFAR-10's training pool. Leaves: benchmarks/selection_bank.npz: for every log10 λ, seed
and cycle end, how many images of each block of the held-out 10,000 are classified right, and the
accuracy on the 40,000 training images. Refuses to know rules, and the test set.

    python -m benchmarks.selection_bank [--work DIR] [--data-dir DIR] [--processes N] [--quick]

The images are projected on 512 principal components; one cohort trains all λs on a seed's weights
and mini-batches. About half an hour of two cores; what stands in ``--work`` is not trained again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks import bank
from benchmarks.common import ROOT
from lamsearch.trainers.network import NetworkTrainer

BANK = ROOT / "benchmarks" / "selection_bank.npz"
LAMBDAS = tuple(-5 + step / 8 for step in range(33))  # log10 λ, -5 to -1
SEEDS = 20
BLOCKS = 20
# cycles and step size: the search's own schedule, the final's, and one of four cycles for halving
SCHEDULES = {"full": (3, 1960), "short": (2, 900), "long": (4, 900)}


@dataclass(frozen=True, slots=True)
class Bank:
    """Trainings of one schedule.

    ``right`` (λs, seeds, cycles, blocks) counts right images of the held-out ones at cycle ends;
    ``train`` (λs, seeds) is the accuracy on the training images at the end; ``updates`` are those
    of one training.
    """

    right: npt.NDArray[np.uint16]
    train: npt.NDArray[np.float32]
    updates: int


def load(path: Path = BANK) -> Mapping[str, Bank]:
    """Return the bank by schedule."""
    with np.load(path, allow_pickle=False) as stored:
        return {
            name: Bank(stored[f"{name}_right"], stored[f"{name}_train"], 2 * cycles * step)
            for name, (cycles, step) in SCHEDULES.items()
        }


def main() -> None:
    """Train what is missing, then write the bank."""
    options = bank.read_options(__doc__ or "", "selection-bank")
    names = {name: _names(name, 2 if options.quick else SEEDS) for name in SCHEDULES}
    full = bank.study(SCHEDULES["full"], LAMBDAS)
    bank.train([part for found in names.values() for part in found], _make, options, full)
    if options.quick:
        return
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    for schedule, found in names.items():
        parts = bank.parts(found, options)
        for key in ("right", "train"):
            arrays[f"{schedule}_{key}"] = np.stack([part[key] for part in parts], axis=1)
    bank.write(BANK, full, arrays)


def _names(schedule: str, seeds: int) -> list[str]:
    return [f"{schedule}-{seed:02}" for seed in range(seeds)]


def _make(options: bank.Options, name: str) -> bank.Arrays:
    """Train all λs on one seed of a schedule."""
    schedule, seed = name.split("-")
    study = bank.study(SCHEDULES[schedule], LAMBDAS, quick=options.quick)
    trainer = NetworkTrainer(
        bank.images(study, options), study.training_of("coarse"), LAMBDAS,
        hidden=study.network.hidden, classes=10,
        seed=(study.seed, list(SCHEDULES).index(schedule), int(seed)),
    )  # fmt: skip
    right = []
    for progress in trainer.run():
        if progress.cycle_end:
            correct = trainer.state()["correct"]
            right.append(correct.reshape(len(LAMBDAS), BLOCKS, -1).sum(axis=2))
    train = [one.train_score for one in trainer.outcomes()]
    return {
        "right": np.stack(right, axis=1).astype(np.uint16), "train": np.array(train, np.float32),
    }  # fmt: skip


if __name__ == "__main__":
    main()

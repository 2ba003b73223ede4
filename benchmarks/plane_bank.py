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

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks import bank
from benchmarks.bank import HELD_OUT
from benchmarks.common import ROOT
from lamsearch.results import TrialState
from lamsearch.study import Study
from lamsearch.trainers.network import NetworkTrainer

__all__ = ["BANK", "BLOCKS", "HELD_OUT", "LAMBDAS", "POINTS", "RATES", "SEEDS", "Bank", "load"]

BANK = ROOT / "benchmarks" / "plane_bank.npz"
# log10 λ and η_max, both denser where the accuracy changes most
LAMBDAS = (-5.0, -4.5, -4.0, -3.5, -3.25, -3.0, -2.75, -2.5, -2.25, -2.0, -1.5)
RATES = (0.01, 0.022, 0.046, 0.1, 0.14, 0.2, 0.28, 0.5)
POINTS = tuple(product(RATES, LAMBDAS))
SEEDS = 14
BLOCKS = 20
SCHEDULE = (3, 1200)  # cycles and n_s


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
    options = bank.read_options(__doc__ or "", "plane-bank")
    names = [f"{seed:02}" for seed in range(2 if options.quick else SEEDS)]
    bank.train(names, _part, options, _study())
    if not options.quick:
        parts = bank.parts(names, options)
        arrays = {name: np.stack([part[name] for part in parts], axis=2) for name in parts[0]}
        bank.write(BANK, _study(), arrays)


def _study(*, quick: bool = False) -> Study:
    return bank.study(SCHEDULE, LAMBDAS, quick=quick, name="plane-bank", seed=600)


def _part(options: bank.Options, name: str) -> bank.Arrays:
    """Train all points on the seed of this name."""
    study = _study(quick=options.quick)
    training = study.training_of("coarse")
    rates, lambdas = zip(*POINTS, strict=True)
    trainer = NetworkTrainer(
        bank.images(study, options), training, lambdas, hidden=study.network.hidden, classes=10,
        seed=(study.seed, 0, int(name)), per_model={"eta_max": rates},
    )  # fmt: skip
    for _ in trainer.run():
        pass
    return _ends(trainer, training.updates)


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


if __name__ == "__main__":
    main()

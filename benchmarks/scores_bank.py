"""A bank of CIFAR-10 trainings with log losses, on one split and on splits redrawn per seed.

Enters: CIFAR-10's training pool. Leaves: benchmarks/scores_bank.npz: for every way of splitting,
log10 λ and seed, by block of images how many are classified right and the sum of their log losses.
Refuses to know rules, and the test set.

    python -m benchmarks.scores_bank [--work DIR] [--data-dir DIR] [--processes N] [--quick]

Of a pool of 40,000 images 35,000 train and 5,000 validate: the same ones in every training of the
way ``one``, drawn anew for each seed in ``redrawn``. 10,000 more, the truth, are seen by neither.
All are normalised and projected on 512 principal components once, by the pool's images without
their labels. One cohort trains all λs on a seed's weights and mini-batches. The λs lie where a
search goes on: a training beyond either end is more than a point of accuracy below the best.
About ten minutes of two cores; what stands in ``--work`` is not trained again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks import bank
from benchmarks.bank import HELD_OUT
from benchmarks.common import ROOT
from lamsearch.data import Splits
from lamsearch.trainers.network import NetworkTrainer, evaluate

BANK = ROOT / "benchmarks" / "scores_bank.npz"
LAMBDAS = tuple(-3.5 + step / 8 for step in range(17))  # log10 λ, -3.5 to -1.5
SEEDS = 16
BLOCK = 500  # images
VALIDATION, TRUTH = 10, HELD_OUT // BLOCK  # blocks: validation first, then the truth
SCHEDULE = (3, 1960)  # cycles and step size: that of the final
UPDATES = 2 * SCHEDULE[0] * SCHEDULE[1]
WAYS = ("one", "redrawn")
_STREAM = 3  # seeds of the ways: those before are the other bank's


@dataclass(frozen=True, slots=True)
class Bank:
    """Trainings of one way of splitting: (λs, seeds, blocks) each.

    ``right`` counts right images; ``loss`` sums log losses, in nats.
    """

    right: npt.NDArray[np.uint16]
    loss: npt.NDArray[np.float32]


def load(path: Path = BANK) -> Mapping[str, Bank]:
    """Return the bank by way of splitting."""
    with np.load(path, allow_pickle=False) as stored:
        return {way: Bank(stored[f"{way}_right"], stored[f"{way}_loss"]) for way in WAYS}


def main() -> None:
    """Train what is missing, then write the bank."""
    options = bank.read_options(__doc__ or "", "scores-bank")
    seeds = 2 if options.quick else SEEDS
    # both ways of a seed, then the next seed: what there is after a while can be used
    names = [f"{way}-{seed:02}" for seed in range(seeds) for way in WAYS]
    study = bank.study(SCHEDULE, LAMBDAS)
    bank.train(names, _make, options, study)
    if options.quick:
        return
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    for way in WAYS:
        parts = bank.parts([name for name in names if name.startswith(f"{way}-")], options)
        for key in ("right", "loss"):
            arrays[f"{way}_{key}"] = np.stack([part[key] for part in parts], axis=1)
    bank.write(BANK, study, arrays)


def _make(options: bank.Options, name: str) -> bank.Arrays:
    """Train all λs on one seed of a way of splitting."""
    way, seed = name.split("-")
    study = bank.study(SCHEDULE, LAMBDAS, quick=options.quick)
    base = bank.images(study, options)
    split = _split(base, way, int(seed))
    trainer = NetworkTrainer(
        split, study.training_of("coarse"), LAMBDAS,
        hidden=study.network.hidden, classes=10,
        seed=(study.seed, _STREAM + WAYS.index(way), int(seed)),
    )  # fmt: skip
    for _ in trainer.run():
        pass
    found = [evaluate(trainer.weights, one.validation_x, one.validation_y) for one in (split, base)]
    shape = len(LAMBDAS), VALIDATION + TRUTH, BLOCK
    correct = np.concatenate([one.correct for one in found], axis=1).reshape(shape)
    losses = np.concatenate([one.losses for one in found], axis=1).reshape(shape)
    return {
        "right": correct.sum(axis=2).astype(np.uint16),
        "loss": losses.sum(axis=2, dtype=np.float64).astype(np.float32),
    }


def _split(base: Splits, way: str, seed: int) -> Splits:
    """The pool cut in training and validation images, once or for this seed."""
    stream = (500, _STREAM) if way == "one" else (500, _STREAM, seed)
    order = np.random.default_rng(stream).permutation(len(base.train_y))
    validation, train = np.split(order, [VALIDATION * BLOCK])
    return replace(
        base,
        train_x=base.train_x[train], train_y=base.train_y[train],
        validation_x=base.train_x[validation], validation_y=base.train_y[validation],
    )  # fmt: skip


if __name__ == "__main__":
    main()

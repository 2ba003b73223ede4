"""A bank of replicated CIFAR-10 trainings, from which whole searches can be replayed.

Enters: CIFAR-10's training pool. Leaves: benchmarks/selection_bank.npz: for every log10 λ, seed
and cycle end, how many images of each block of the held-out 10,000 are classified right, and the
accuracy on the 40,000 training images. Refuses to know rules, and the test set.

    python -m benchmarks.selection_bank [--work DIR] [--data-dir DIR] [--processes N] [--quick]

The images are projected on 512 principal components; one cohort trains all λs on a seed's weights
and mini-batches. About half an hour of two cores; what stands in ``--work`` is not trained again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from benchmarks import banks
from benchmarks.common import ROOT, commit
from lamsearch import data as datasets
from lamsearch.cli.options import cache_directory, data_directory
from lamsearch.study import Study, parse_study
from lamsearch.trainers.network import NetworkTrainer

BANK = ROOT / "benchmarks" / "selection_bank.npz"
LAMBDAS = tuple(-5 + step / 8 for step in range(33))  # log10 λ, -5 to -1
SEEDS = 20
BLOCKS = 20
HELD_OUT = 10_000
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
    options = banks.bank_options(__doc__ or "", "selection-bank")
    data, seeds = data_directory(options.data_dir).resolve(), 2 if options.quick else SEEDS
    datasets.load(_study("full"), data, cache=cache_directory()).split("coarse")
    jobs = [(name, seed) for name in SCHEDULES for seed in range(seeds)]
    with ProcessPoolExecutor(options.processes) as pool:
        todo = [
            pool.submit(_part, options.work, data, name, seed, options.quick) for name, seed in jobs
        ]
        for count, done in enumerate(as_completed(todo), 1):
            print(f"{count}/{len(jobs)}: {done.result()}", flush=True)
    if not options.quick:
        _write(options.work)


def _study(schedule: str) -> Study:
    cycles, step_size = SCHEDULES[schedule]
    document = {
        "name": "selection-bank",
        "seed": 500,
        "data": {
            "source": "cifar10", "train": 40_000, "validation": HELD_OUT, "components": 512,
        },
        "network": {"hidden": 50},
        "training": {
            "batch_size": 100, "eta_min": 1e-5, "eta_max": 1e-1, "step_size": step_size,
            "cycles": cycles, "sample_every": "cycle",
        },
        "coarse": {"values": list(LAMBDAS)},
    }  # fmt: skip
    return parse_study(document)


def _part(work: Path, data: Path, schedule: str, seed: int, quick: bool) -> str:
    """Train all λs on one seed of a schedule, unless that is done; return its name."""
    name = f"{schedule}-{seed:02}"
    path = work / f"{name}.npz"
    if path.exists():
        return name
    study = _study(schedule)
    training = study.training_of("coarse")
    if quick:
        training = training.model_copy(update={"step_size": 20})
    images = datasets.load(study, data, cache=cache_directory())
    right = []
    with threadpool_limits(limits=1):
        trainer = NetworkTrainer(
            images.split("coarse"), training, LAMBDAS, hidden=study.network.hidden,
            classes=len(images.classes),
            seed=(study.seed, list(SCHEDULES).index(schedule), seed),
        )  # fmt: skip
        for progress in trainer.run():
            if progress.cycle_end:
                correct = trainer.state()["correct"]
                right.append(correct.reshape(len(LAMBDAS), BLOCKS, -1).sum(axis=2))
        train = [one.train_score for one in trainer.outcomes()]
    counts = np.stack(right, axis=1).astype(np.uint16)
    banks.write(path, {"right": counts, "train": np.array(train, np.float32)})
    return name


def _write(work: Path) -> None:
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    for schedule in SCHEDULES:
        parts = [np.load(work / f"{schedule}-{seed:02}.npz") for seed in range(SEEDS)]
        arrays[f"{schedule}_right"] = np.stack([part["right"] for part in parts], axis=1)
        arrays[f"{schedule}_train"] = np.stack([part["train"] for part in parts], axis=1)
    about = json.dumps({"commit": commit(), "study": _study("full").canonical()})
    banks.write(BANK, {"about": np.array(about), **arrays})
    print(f"{BANK.name}: {BANK.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()

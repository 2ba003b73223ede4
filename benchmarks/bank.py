"""What the banks of replicated CIFAR-10 trainings share: options, resumable parts, one file.

Enters: names of parts and a function that trains one. Leaves: parts below ``--work``, which are
not trained again, and an .npz file of all of them. Refuses to know what is trained, and what for.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from benchmarks.common import CORES, commit
from lamsearch import data as datasets
from lamsearch.cli.options import cache_directory, data_directory
from lamsearch.data import Splits
from lamsearch.study import Study, parse_study

Arrays = Mapping[str, npt.NDArray[np.generic]]
HELD_OUT = 10_000  # images that no training of a bank sees
_QUICK = 20  # n_s of a training that is only tried


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a bank was asked to be made."""

    quick: bool
    data: Path
    work: Path
    processes: int


Make = Callable[[Options, str], Arrays]  # a part's name → its arrays


def read_options(description: str, work: str) -> Options:
    """Read the command line; ``work`` is where parts lie unless it says otherwise."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two seeds, tiny; writes no bank")
    parser.add_argument("--data-dir", type=Path, help="directory of the data, as for lamsearch run")
    parser.add_argument("--work", type=Path, default=Path(work), help="parts so far")
    parser.add_argument("--processes", type=int, default=CORES, help="of one thread each")
    found = parser.parse_args()
    return Options(
        quick=found.quick,
        data=data_directory(found.data_dir).resolve(),
        work=found.work / "quick" if found.quick else found.work,
        processes=found.processes,
    )


def study(
    schedule: tuple[int, int],
    lambdas: Sequence[float],
    *,
    quick: bool = False,
    name: str = "selection-bank",
    seed: int = 500,
) -> Study:
    """Return the study of a bank: (cycles, n_s) and log10 λs."""
    cycles, step_size = schedule
    document = {
        "name": name,
        "seed": seed,
        "data": {
            "source": "cifar10", "train": 40_000, "validation": HELD_OUT, "components": 512,
        },
        "network": {"hidden": 50},
        "training": {
            "batch_size": 100, "eta_min": 1e-5, "eta_max": 1e-1,
            "step_size": _QUICK if quick else step_size,
            "cycles": cycles, "sample_every": "cycle",
        },
        "coarse": {"values": list(lambdas)},
    }  # fmt: skip
    return parse_study(document)


def images(of: Study, options: Options) -> Splits:
    """Return the 40,000 images of the pool and the held-out ones, projected."""
    return datasets.load(of, options.data, cache=cache_directory()).split("coarse")


def train(names: Sequence[str], make: Make, options: Options, first: Study) -> None:
    """Make the parts that are missing; ``first`` is a study whose images all of them use."""
    options.work.mkdir(parents=True, exist_ok=True)
    images(first, options)  # once, into the cache
    with ProcessPoolExecutor(options.processes) as pool:
        todo = [pool.submit(_part, name, make, options) for name in names]
        for count, done in enumerate(as_completed(todo), 1):
            print(f"{count}/{len(names)}: {done.result()}", flush=True)


def parts(names: Sequence[str], options: Options) -> list[Arrays]:
    """Return the parts of these names, which have been made."""
    return [np.load(options.work / f"{name}.npz") for name in names]


def write(path: Path, of: Study, arrays: Arrays) -> None:
    """Write a bank, with the study and the commit that it is of."""
    about = json.dumps({"commit": commit(), "study": of.canonical()})
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        np.savez_compressed(file, about=np.array(about), **arrays)  # type: ignore[arg-type]  # its allow_pickle is no array
    temporary.replace(path)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


def _part(name: str, make: Make, options: Options) -> str:
    """Make a part, unless that is done; return its name."""
    path = options.work / f"{name}.npz"
    if path.exists():
        return name
    with threadpool_limits(limits=1):
        arrays = make(options, name)
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # as above
    temporary.replace(path)
    return name

"""What the banks of trainings share: their options, and arrays written whole.

Enters: arrays by name. Leaves: an .npz file. Refuses to know what was trained.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.common import CORES


def bank_options(description: str, work: str) -> argparse.Namespace:
    """Read a bank's command line; ``work`` is the default directory of its parts, which is made."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two seeds, tiny; writes no bank")
    parser.add_argument("--data-dir", type=Path, help="directory of the data, as for lamsearch run")
    parser.add_argument("--work", type=Path, default=Path(work), help="parts so far")
    parser.add_argument("--processes", type=int, default=CORES, help="that train at once")
    options = parser.parse_args()
    if options.quick:  # never to be taken for parts of the bank
        options.work /= "quick"
    options.work.mkdir(parents=True, exist_ok=True)
    return options


def write(path: Path, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
    """Write arrays compressed; the file appears whole or not at all."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # its allow_pickle is no array
    temporary.replace(path)

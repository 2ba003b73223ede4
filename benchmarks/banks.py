"""What banks of trainings and their replays share.

Enters: a command line; arrays by name; scores from a bank. Leaves: options; an .npz file; a stage's
record. Refuses to know what was trained.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.common import CORES
from lamsearch.results import StageName, StageRecord, TrialRecord, TrialState
from lamsearch.space import Bounds, Point


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


def record(
    name: StageName, points: Sequence[Point], scores: npt.NDArray[np.float64], bounds: Bounds | None
) -> StageRecord:
    """Return a stage as the storage would, from validation scores (points, replicates).

    A score that is NaN is that of a training that failed.
    """
    trials = []
    for (candidate, replicate), score in np.ndenumerate(scores):
        failed = bool(np.isnan(score))
        trial = TrialRecord(
            candidate=candidate, replicate=replicate, cohort=0, point=points[candidate],
            state=TrialState.FAIL if failed else TrialState.COMPLETE,
            score=None if failed else float(score), validation_loss=None if failed else 0.0,
        )  # fmt: skip
        trials.append(trial)
    return StageRecord(name=name, bounds=bounds, trials=tuple(trials))

"""The coarse stage of CIFAR-10's study against the same search by Optuna over PyTorch.

Wall time of whole commands, from process start to the answer; all take turns in each round.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks import runs
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
from lamsearch.study import Study, read_study

OURS, FAST = "lamsearch run", "lamsearch run, projected"
THREADS, PROCESSES = "Optuna + PyTorch, all threads", "Optuna + PyTorch, a process per core"
TARGETS = {OURS: 2.8, FAST: 10.0}
QUICK: runs.Changes = {"coarse": {"trials": 4, "step_size": 60, "cycles": 1}}
ROUNDS = 3
MOST_SECONDS = 1800.0  # of all rounds; on a slow machine there are fewer
Floats = npt.NDArray[np.float64]


@dataclass(slots=True, kw_only=True)
class Contender:
    """Seconds and accuracies (in the order of the λs), a row per round; None where not there."""

    seconds: list[float]
    accuracies: list[list[float]]


def main() -> None:
    """Measure, print, write."""
    options = read_options(__doc__ or "")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        changes = QUICK if options.quick else {}
        path = runs.coarse_only(runs.study_path("cifar10"), directory, changes)
        fast = _fast(directory, changes)
        for one in [path, fast] if fast else [path]:
            runs.warm(one, options, directory / "cache")
        found: dict[str, Contender] = {}
        begun = perf_counter()
        for turn in range(1 if options.quick else ROUNDS):
            if turn and (perf_counter() - begun) * (turn + 1) / turn > MOST_SECONDS:
                break
            _round(turn, path, fast, directory, options, found)
    publish("search", _text(read_study(path), found, fast, options), options)


def _fast(directory: Path, changes: runs.Changes) -> Path | None:
    source = runs.study_path("cifar10-fast")
    return runs.coarse_only(source, directory, changes) if source.exists() else None


def _round(
    turn: int, path: Path, fast: Path | None, directory: Path, options: Options,
    found: dict[str, Contender],
) -> None:  # fmt: skip
    """Let every contender run once, each in a directory of its own."""
    peers = {THREADS: 1, PROCESSES: CORES} if installed("torch") else {}
    for name in (OURS, *([FAST] if fast else []), *peers):
        place = directory / f"run-{turn}-{len(found)}-{len(name)}"
        place.mkdir()
        if name in peers:
            # seeds of their own, so that the two ways show how much a net's accuracy varies
            seed = 2 * turn + list(peers).index(name)
            command = _peer(path, place, directory / "cache", options, peers[name], seed)
        else:
            study = fast if fast is not None and name == FAST else path
            command = runs.run_command(study, place, options)
        _, seconds, document = runs.timed(command, directory / "cache")
        contender = found.setdefault(name, Contender(seconds=[], accuracies=[]))
        contender.seconds.append(seconds)
        contender.accuracies.append(_accuracies(document))
        print(f"round {turn}: {name}: {seconds:.1f} s", file=sys.stderr)


def _peer(
    path: Path, place: Path, cache: Path, options: Options, processes: int, seed: int
) -> list[str]:
    return [
        sys.executable, "-m", "benchmarks.optuna_torch", str(path),
        "--storage", runs.storage(place), "--data-dir", str(options.data), "--cache", str(cache),
        "--processes", str(processes), "--threads", str(CORES // processes), "--seed", str(seed),
    ]  # fmt: skip


def _accuracies(document: Any) -> list[float]:
    if isinstance(document, list):  # the peer prints them and nothing else
        return [float(value) for value in document]
    trials = sorted(document["stages"][0]["trials"], key=lambda trial: trial["candidate"])
    return [float(trial["validation_accuracy"]) for trial in trials]


def _text(study: Study, found: dict[str, Contender], fast: Path | None, options: Options) -> str:
    rounds = len(found[OURS].seconds)
    head = (
        "The coarse stage of `studies/cifar10.toml`"
        f"{' (a small part of it)' if options.quick else ''}: the same λs, schedule, splits and "
        "sampling points; wall time of the whole command, start-up and results included "
        "(ours also measures training accuracy and writes its report). The normalised splits were "
        f"in the cache before, for all. Rounds: {rounds}, all in turn; median (quartiles); the "
        "ratio is to the faster of PyTorch's ways."
    )
    parts = [head, _times(found)]
    if fast is None:
        parts.append("`studies/cifar10-fast.toml`: not there.")
    if THREADS in found:
        parts.append(_noise(found))
    return "\n\n".join([*parts, _side_by_side(runs.coarse_coordinates(study), found)])


def _times(found: dict[str, Contender]) -> str:
    ways = [name for name in (THREADS, PROCESSES) if name in found]
    best = min(ways, key=lambda name: np.median(found[name].seconds), default=None)
    rows = []
    for name, contender in found.items():
        ratio = ratios(found[best].seconds, contender.seconds) if best and name in TARGETS else None
        target = verdict(ratio.median, "≥", TARGETS[name]) if ratio else ""
        rows.append([
            name, spread(contender.seconds).text(1), ratio.text() if ratio else "", target,
        ])  # fmt: skip
    if not ways:
        rows.append(["Optuna + PyTorch", MISSING, "", ""])
    return table(["", "wall, s", "times faster", "target"], rows)


def _noise(found: dict[str, Contender]) -> str:
    """Differences per λ, beside those of PyTorch against itself with other seeds."""
    means = {name: np.array(contender.accuracies).mean(axis=0) for name, contender in found.items()}
    single = {name: np.array(contender.accuracies[0]) for name, contender in found.items()}
    count = len(means[OURS])
    # both of PyTorch's ways have seeds of their own for every λ: √2 of one net's spread
    other = np.concatenate([
        np.subtract(one, two)
        for one, two in zip(found[THREADS].accuracies, found[PROCESSES].accuracies, strict=True)
    ])  # fmt: skip
    sigma = float(np.sqrt(np.mean(other**2) / 2))
    rounds = len(found[THREADS].seconds)
    # ours has one seed for all its λs, which does not average out over them
    allowed = 2 * sigma * np.sqrt(1 + 1 / (2 * rounds * count))
    peer = (means[THREADS] + means[PROCESSES]) / 2
    rows = [_pair("PyTorch, against itself", single[THREADS] - single[PROCESSES], None)]
    for name in (OURS, FAST):
        if name in found:
            rows.append(_pair(f"{name}, against PyTorch", single[name] - single[PROCESSES], None))
            difference = means[name] - peer
            rows.append(_pair(f"{name}, against PyTorch's mean", difference, allowed))
    if FAST in found:
        rows.append(_pair(f"{FAST}, against {OURS}", means[FAST] - means[OURS], None))
    header = [
        "validation accuracy, points",
        "mean absolute difference",
        "mean difference",
        "largest",
        "",
    ]
    return (
        f"One net's accuracy varies by σ = {100 * sigma:.2f} points between seeds (PyTorch against "
        "itself, other seeds). Ours is the same in every round, with one seed for all λs, so a "
        f"mean difference up to 2σ·√(1 + 1/n) = {100 * allowed:.2f} points is noise."
        f"\n\n{table(header, rows)}"
    )


def _pair(name: str, difference: Floats, allowed: float | None) -> list[str]:
    mean = float(difference.mean())
    said = "" if allowed is None else ("within noise" if abs(mean) <= allowed else "beyond noise")
    largest = float(difference[np.argmax(np.abs(difference))])
    sizes = (float(np.abs(difference).mean()), mean, largest)
    return [name, f"{100 * sizes[0]:.2f}", f"{100 * sizes[1]:+.2f}", f"{100 * sizes[2]:+.2f}", said]


def _side_by_side(coordinates: list[float], found: dict[str, Contender]) -> str:
    means = [np.array(contender.accuracies).mean(axis=0) for contender in found.values()]
    places = sorted(range(len(means[0])), key=coordinates.__getitem__)
    rows = [
        [f"{coordinates[place]:.3f}", *(f"{100 * column[place]:.2f}" for column in means)]
        for place in places
    ]
    return "Validation accuracy in %, mean over the rounds:\n\n" + table(["log10 λ", *found], rows)


if __name__ == "__main__":
    main()

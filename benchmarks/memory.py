"""What a further worker on the same host costs in memory: proportional set sizes (Linux).

A page that n processes map counts 1/n in each one's set, so the sum over workers is what they
take of the host together. Measured once every worker has seen the whole training split.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import runs
from benchmarks.common import Options, Spread, publish, read_options, spread, table, verdict

STUDY = "cifar10"
TARGET = 120.0  # MB more for each further worker
WIDE, WIDE_TARGET = 400, 400.0  # hidden units, MB more for a further worker on as many
NO_CACHE = Path("/dev/null/cache")  # nobody can write there, root included
_SAMPLES = 5
_PATIENCE = 240.0  # seconds for all workers to come to train
_MEGABYTE = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Megabytes of all workers together, and of the command that looks after them."""

    workers: Spread
    pool: float


def main() -> None:
    """Measure, print, write."""
    options = read_options(__doc__ or "")
    counts = (1, 2) if options.quick else (1, 2, 4, 8)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        # one cohort for each worker, and long enough that none ends while it is measured
        changes = {"coarse": {"trials": 8 * max(counts), "step_size": 50_000}}
        path = runs.coarse_only(runs.study_path(STUDY), directory, changes)
        cache = directory / "cache"
        study = runs.warm(path, options, cache)
        epoch = (study.split_of("coarse")[0] or 0) // study.training.batch_size
        shared = {count: _sizes(count, path, directory, cache, epoch, options) for count in counts}
        alone = {} if options.quick else {
            count: _sizes(count, path, directory, NO_CACHE, epoch, options) for count in counts
        }  # fmt: skip
        wide_path = runs.coarse_only(path, directory, {"network": {"hidden": WIDE}})
        wide = {n: _sizes(n, wide_path, directory, cache, epoch, options) for n in (1, 2)}
    publish("memory", _text(shared, alone, study.name) + "\n\n" + _wide_text(wide), options)


def _sizes(
    count: int, path: Path, directory: Path, cache: Path, updates: int, options: Options
) -> Sizes:
    """Run so many workers until each has done so many updates; return their sizes."""
    with tempfile.TemporaryDirectory(dir=directory) as name:
        place = Path(name)
        command = runs.run_command(path, place, options, "--workers", str(count))
        with (place / "said").open("w") as said:
            pool = subprocess.Popen(
                command, env=runs.environment(cache), stdout=subprocess.DEVNULL, stderr=said
            )
        try:
            members = _wait(pool, count, place, updates)
            others = {pool.pid, *_children(pool.pid)} - members
            samples = []
            for _ in range(_SAMPLES):
                samples.append(sum(_proportional(member) for member in members))
                time.sleep(0.3)
            rest = sum(_proportional(one) for one in others)
            return Sizes(workers=spread(samples), pool=rest)
        finally:
            _end(pool)


def _wait(pool: subprocess.Popen[bytes], count: int, place: Path, updates: int) -> set[int]:
    """Wait until all workers are in training, by what `lamsearch status` says; return which."""
    command = [
        sys.executable, "-m", "lamsearch", "status", STUDY, "--storage", runs.storage(place),
        "--json",
    ]  # fmt: skip
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if pool.poll() is not None:
            raise RuntimeError(f"the run ended: {(place / 'said').read_text()[-2000:]}")
        done = subprocess.run(command, capture_output=True, text=True)
        workers = json.loads(done.stdout)["workers"] if done.returncode == 0 else []
        if len(workers) == count and all(worker["updates"] >= updates for worker in workers):
            return {int(worker["owner"].split(":")[1]) for worker in workers}
        time.sleep(1.0)
    raise RuntimeError(f"{count} workers did not all come to train in {_PATIENCE:.0f} s")


def _end(pool: subprocess.Popen[bytes]) -> None:
    """Leave gracefully, then at once."""
    for number in (signal.SIGINT, signal.SIGINT, signal.SIGKILL):
        if pool.poll() is not None:
            return
        pool.send_signal(number)
        try:
            pool.wait(15)
        except subprocess.TimeoutExpired:
            continue


def _children(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="utf-8")
    return [int(one) for one in text.split()]


def _proportional(process: int) -> float:
    """Megabytes of a process's proportional set."""
    text = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8")
    kilobytes = next(int(line.split()[1]) for line in text.splitlines() if line[:4] == "Pss:")
    return kilobytes * 1024 / _MEGABYTE


def _text(shared: dict[int, Sizes], alone: dict[int, Sizes], name: str) -> str:
    rows = [row for way, found in _ways(shared, alone) for row in _rows(way, found)]
    header = ["split cache", "workers", "workers together, MB", "per worker, MB",
              "each further worker, MB", "run itself, MB"]  # fmt: skip
    most = max(shared)
    further = (shared[most].workers.median - shared[1].workers.median) / (most - 1)
    return (
        f"Proportional set sizes of the workers of a coarse stage of `studies/{name}.toml` "
        "(cohorts of 8), all in training, each past its first epoch; median (quartiles) of "
        f"{_SAMPLES} samples; MB = 10⁶ bytes. Each further worker, 1 to {most} workers: "
        f"**{further:.0f} MB** ({verdict(further, '≤', TARGET)})."
        f"\n\n{table(header, rows)}"
    )


def _wide_text(wide: dict[int, Sizes]) -> str:
    further = wide[2].workers.median - wide[1].workers.median
    return (
        f"The same with {WIDE} hidden units: a second worker takes **{further:.0f} MB** beyond the "
        f"shared cache ({verdict(further, '≤', WIDE_TARGET)})."
    )


def _ways(
    shared: dict[int, Sizes], alone: dict[int, Sizes]
) -> tuple[tuple[str, dict[int, Sizes]], ...]:
    return (("on", shared), ("cannot be written", alone))


def _rows(way: str, found: dict[int, Sizes]) -> list[list[str]]:
    rows, before = [], None
    for count, sizes in found.items():
        more = ""
        if before is not None:
            step = sizes.workers.median - found[before].workers.median
            more = f"{step / (count - before):.0f}"
        rows.append([
            way, f"{count}", sizes.workers.text(0), f"{sizes.workers.median / count:.0f}", more,
            f"{sizes.pool:.0f}",
        ])  # fmt: skip
        before = count
    return rows


if __name__ == "__main__":
    main()
